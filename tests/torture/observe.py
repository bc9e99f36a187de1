"""What there is: lanes while they work, and afterwards exports, tables and the topics in Kafka."""

from __future__ import annotations

import asyncio
import csv
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.oracle.clock import rfc3339
from tests.oracle.events import instant_ms
from tests.torture.expect import Row, Rows
from tests.torture.history import Place, Refusal

OUTPUTS: Final = ("tier-changes", "churn-warnings", "cut-offs")
ASK_SECONDS_MAX: Final = 5.0
POLL_SECONDS: Final = 0.05

# InternalClientError: a server killed in the middle of a prepare leaves asyncpg "in another state".
AWAY: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)

_LANES: Final = """
SELECT service, lane, owner, epoch, seq, offsets, clock_ms, complete AND settled AS complete,
       outbox_number = published AS published, outbox_number FROM lanes"""


class Sent(NamedTuple):
    """One record of a topic, as a plain consumer reads it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    number: int | None  # of the outbox, from the header


@dataclass(slots=True)
class Watch:
    """The lanes as PostgreSQL last showed them; it is asked all the time, and may be away."""

    database_url: str
    total: int  # records of the input topics
    rows: dict[tuple[str, int], Any] = field(default_factory=dict)
    moved_at: float = 0.0  # loop time at which any lane last committed
    answers: int = 0
    _turns: int = -1

    @property
    def share(self) -> float:
        """Share of the input log that the scorer's lanes have applied, 0 to 1."""
        applied = sum(sum(row["offsets"]) for (service, _), row in self.rows.items() if service == "scorer")
        return applied / self.total if self.total else 0.0

    async def until_share(self, share: float) -> None:
        """Return when so much is applied; whoever waits bounds it."""
        while self.share < share:  # noqa: ASYNC110 -- PostgreSQL tells nobody, and may be away
            await asyncio.sleep(POLL_SECONDS)

    def owned_by(self, slot: str) -> list[int]:
        """Return the scorer's lanes whose row names this worker."""
        return sorted(
            lane for (service, lane), row in self.rows.items() if service == "scorer" and row["owner"] == slot
        )

    def through(self, lanes: int, last_ms: int) -> bool:
        """Return whether every lane of both services has dealt with everything and published it."""
        return len(self.rows) == 2 * lanes and all(
            row["complete"] and row["published"] and row["clock_ms"] >= last_ms for row in self.rows.values()
        )

    async def run(self) -> None:
        """Ask until cancelled."""
        connection: asyncpg.Connection[asyncpg.Record] | None = None
        while True:
            try:
                if connection is None:
                    connection = await asyncpg.connect(self.database_url, timeout=ASK_SECONDS_MAX)
                self._take(await connection.fetch(_LANES, timeout=ASK_SECONDS_MAX))
            except AWAY:
                if connection is not None:
                    connection.terminate()
                connection = None
            await asyncio.sleep(POLL_SECONDS)

    def _take(self, rows: list[Any]) -> None:
        self.rows = {(row["service"], row["lane"]): row for row in rows}
        self.answers += 1
        turns = sum(row["seq"] for row in rows)
        if turns != self._turns:
            self._turns, self.moved_at = turns, asyncio.get_running_loop().time()


async def read_topics(bootstrap: str, topics: tuple[str, ...]) -> dict[tuple[str, int], list[Sent]]:
    """Read topics from their beginnings to their present ends, without a group, as an outsider would."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        await consumer._client.force_metadata_update()  # names of topics that nobody subscribed to
        partitions = [
            TopicPartition(topic, partition)
            for topic in topics
            for partition in sorted(consumer.partitions_for_topic(topic) or ())
        ]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found: dict[tuple[str, int], list[Sent]] = {(tp.topic, tp.partition): [] for tp in partitions}
        left = {tp for tp in partitions if ends[tp]}
        while left:
            batches = await consumer.getmany(*left, timeout_ms=5_000)
            if not batches:
                raise TimeoutError(f"Kafka does not give what it has of {sorted(left)}")
            for tp, records in batches.items():
                found[tp.topic, tp.partition].extend(
                    _sent(record) for record in records if record.offset < ends[tp]
                )
            left = {tp for tp in left if await consumer.position(tp) < ends[tp]}
        return found
    finally:
        await consumer.stop()


def _sent(record: Any) -> Sent:
    number = next((int(value) for name, value in record.headers if name == "outbox-number"), None)
    return Sent(record.topic, record.partition, record.offset, record.key, record.value, number)


def _lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def exported(folder: Path, name: str, columns: str) -> Rows:
    """Return the named columns of an exported file as a bag of rows."""
    return Counter(tuple(line[column] for column in columns.split()) for line in _lines(folder / name))


def exported_changes(folder: Path) -> Rows:
    """Return the tier changes; instead of the revision each has its number among its customer's."""
    counts: defaultdict[str, int] = defaultdict(int)
    rows: Rows = Counter()
    lines = sorted(
        _lines(folder / "tier_changes.csv"), key=lambda line: (line["customer_id"], int(line["revision"]))
    )
    for line in lines:
        counts[line["customer_id"]] += 1
        columns = ("at", "previous", "current", "ranked_previous", "ranked_current")
        rows[(line["customer_id"], str(counts[line["customer_id"]]), *(line[name] for name in columns))] += 1
    return rows


def exported_tasks(folder: Path) -> Rows:
    """Return customer, playbook, created, due, state and who closed it."""
    return Counter(_task(line) for line in _lines(folder / "tasks.csv"))


def _task(line: dict[str, str]) -> Row:
    times = (rfc3339(instant_ms(line[name])) for name in ("created_at", "due_at"))
    return (line["customer_id"], line["playbook"], *times, line["state"], line["closed_by"])


async def proofs_in(database_url: str) -> dict[tuple[str, int], bytes]:
    """Return the committed proof of every tier change, by customer and revision."""
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch("SELECT customer_id, revision, proof FROM tier_changes")
    finally:
        await connection.close()
    return {(row[0], row[1]): row[2] for row in rows}


async def refusals_in(database_url: str) -> Counter[tuple[Place, Refusal]]:
    """Return every dead letter with its exact bytes, by where the record stands."""
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch(
            'SELECT topic, partition, "offset", reason, key, value FROM dead_letters'
        )
    finally:
        await connection.close()
    return Counter(((row[0], row[1], row[2]), Refusal(row[3], row[4], row[5])) for row in rows)
