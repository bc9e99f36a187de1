"""Where purchases come from: files in the wire form, or the log of a running Tierstream."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.backtesting.reading import BadLines, opened, read
from deploy.fitting.errors import CanNotFitError
from deploy.publish import partitions_of
from schemas.events import PurchaseCorrected, PurchaseRecorded
from schemas.topics import PURCHASES
from schemas.wire import Refused, decode, decode_input

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from deploy.fitting.purchases import Purchases

    Progress = Callable[[int, int], None]

STALLED_SECONDS: Final = 30
_POLL_MS: Final = 1_000
_ANY_PARTITIONS: Final = 1  # nothing is published from here


def read_files(paths: Sequence[Path], into: Purchases, progress: Progress | None = None) -> BadLines:
    """Take every purchase and every correction of the files; return the lines that are no events.

    Raises:
        MalformedError: there is no event in them, or one is damaged.
        OSError: a file can't be read.
    """
    history, bad = read(opened(paths), partitions=_ANY_PARTITIONS, progress=progress)
    for line in history.lines():
        if line.topic == PURCHASES.name:
            event = decode_input(line.value)
            if isinstance(event, PurchaseRecorded | PurchaseCorrected):
                into.add(event)
    return bad


async def read_log(bootstrap: str, into: Purchases, progress: Progress | None = None) -> None:
    """Take every purchase that the topic holds now; what comes in meanwhile is left for the next fit.

    Reads committed records only, in no group, so nobody's position moves. What is no purchase is passed
    over and counted: the scorer made it a dead letter long ago.

    Raises:
        PartitionsDifferError: the topics are missing.
        CanNotFitError: Kafka gives nothing for half a minute, though there is more.
        KafkaError: Kafka can't be reached.
    """
    partitions = [TopicPartition(PURCHASES.name, number) for number in range(await partitions_of(bootstrap))]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",  # without a group nothing was committed, so it begins there
    )
    try:
        await consumer.start()
        await drain(consumer, partitions, into, progress)
    finally:
        await consumer.stop()


async def drain(
    consumer: AIOKafkaConsumer,
    partitions: list[TopicPartition],
    into: Purchases,
    progress: Progress | None = None,
) -> None:
    """Take what the partitions hold up to their present ends.

    Raises:
        CanNotFitError: Kafka gives nothing for half a minute, though there is more.
    """
    consumer.assign(partitions)
    begins = await consumer.beginning_offsets(partitions)
    ends = await consumer.end_offsets(partitions)
    total = sum(ends.values()) - sum(begins.values())
    open_ones = {at for at in partitions if ends[at] > begins[at]}
    done, moved_at = 0, asyncio.get_running_loop().time()
    while open_ones:
        batches = await consumer.getmany(*open_ones, timeout_ms=_POLL_MS)
        for at, records in batches.items():
            for record in records:
                if record.offset < ends[at]:
                    _take(record.value, into)
                    done += 1
        # By position and not by record: the last offsets may be marks of transactions.
        open_ones = {at for at in open_ones if await consumer.position(at) < ends[at]}
        now = asyncio.get_running_loop().time()
        if batches:
            moved_at = now
        elif now - moved_at > STALLED_SECONDS:
            raise CanNotFitError(f"Kafka gave nothing for {STALLED_SECONDS} s: run tierstream doctor")
        if progress is not None:
            progress(done, total)


def _take(value: bytes | None, into: Purchases) -> None:
    try:
        event = decode(PURCHASES.name, value)
    except Refused:
        into.left_out["that are no purchases"] += 1
        return
    if isinstance(event, PurchaseRecorded | PurchaseCorrected):  # else a replay's time mark
        into.add(event)
