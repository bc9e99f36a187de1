"""One customer's events, from the one partition of each input topic that holds them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.explaining.errors import CanNotExplainError
from schemas.events import Input
from schemas.topics import SCORER_INPUTS
from schemas.wire import Refused
from services.lanes.work import Record
from services.scorer.records import event_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiokafka.structs import ConsumerRecord

_STALLED_SECONDS: Final = 30.0
_POLL_MS: Final = 1_000


class Sighted(NamedTuple):
    """One event of the customer where it lies in the log."""

    offset: int
    timestamp_ms: int  # of the record
    event: Input


@dataclass(slots=True)
class Log:
    """The customer's events by topic, in the scorer's order of topics, each by offset."""

    topics: list[list[Sighted]] = field(default_factory=lambda: [[] for _ in SCORER_INPUTS])
    deleted_before: dict[str, int] = field(default_factory=dict)  # topic -> its first offset that is left


async def read(
    bootstrap: str, customer_id: str, lane: int, offsets: Sequence[int], dead: frozenset[tuple[str, int]]
) -> Log:
    """Return the events that the lane has read of the customer; dead letters are left out.

    Reads committed records only, in no group, so nobody's position moves. The partition is read whole, for
    nothing tells where in it a key lies.

    Raises:
        CanNotExplainError: a topic is missing, or Kafka gives nothing for half a minute.
        KafkaError: Kafka can't be reached.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level="read_committed", enable_auto_commit=False
    )
    found = Log()
    try:
        await consumer.start()
        missing = {topic.name for topic in SCORER_INPUTS} - await consumer.topics()
        if missing:
            raise CanNotExplainError(
                f"topics are missing: {', '.join(sorted(missing))}: run tierstream migrate"
            )
        partitions = [TopicPartition(topic.name, lane) for topic in SCORER_INPUTS]
        consumer.assign(partitions)
        begins = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        until: dict[TopicPartition, int] = {}
        for at, read_to in zip(partitions, offsets, strict=False):
            if begins[at] > 0:
                found.deleted_before[at.topic] = begins[at]
            if begins[at] < min(read_to, ends[at]):
                until[at] = min(read_to, ends[at])
        await _read(consumer, begins, until, _Sieve(customer_id, dead, found))
    finally:
        await consumer.stop()
    return found


@dataclass(slots=True)
class _Sieve:
    """Lets the events of one customer through."""

    customer_id: str
    dead: frozenset[tuple[str, int]]
    found: Log

    def take(self, record: ConsumerRecord[bytes, bytes]) -> None:
        """Keep the record if it is an event of the customer that counted."""
        if record.key != self.customer_id.encode() or (record.topic, record.offset) in self.dead:
            return
        try:
            event = event_of(
                Record(
                    record.topic,
                    record.partition,
                    record.offset,
                    record.key,
                    record.value,
                    record.timestamp,
                    record.headers or (),
                ),
                wall_ms=0,
            )
        except Refused:  # its dead letter was deleted
            return
        topic = next(index for index, one in enumerate(SCORER_INPUTS) if one.name == record.topic)
        self.found.topics[topic].append(Sighted(record.offset, record.timestamp, event))


async def _read(
    consumer: AIOKafkaConsumer,
    begins: dict[TopicPartition, int],
    until: dict[TopicPartition, int],
    sieve: _Sieve,
) -> None:
    if not until:
        return
    consumer.assign(list(until))
    for at in until:
        consumer.seek(at, begins[at])
    clock = asyncio.get_running_loop().time
    open_ones, moved_at = set(until), clock()
    while open_ones:
        batches = await consumer.getmany(*open_ones, timeout_ms=_POLL_MS)
        for at, records in batches.items():
            for record in records:
                if record.offset < until[at]:
                    sieve.take(record)
        # By position and not by record: the last offsets may be marks of transactions.
        open_ones = {at for at in open_ones if await consumer.position(at) < until[at]}
        if batches:
            moved_at = clock()
        elif clock() - moved_at > _STALLED_SECONDS:
            raise CanNotExplainError(f"Kafka gave nothing for {_STALLED_SECONDS:g} s: run tierstream doctor")
