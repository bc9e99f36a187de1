"""The topic ``products`` into the table, record by record as it comes.

Nothing is kept of where it stands: a listing that is known changes nothing, so every start reads the topic
from its beginning. Any number of followers may run; whoever is first writes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.products.checks import check
from deploy.products.loading import Loaded, connect, load_products
from schemas.events import ProductListed
from schemas.topics import PRODUCTS
from schemas.wire import Reason, Refused, decode

if TYPE_CHECKING:
    from aiokafka.structs import ConsumerRecord

BATCH: Final = 5_000  # listings of one version, at most
POLL_MS: Final = 1_000
STALLED_SECONDS: Final = 30.0
PARTITION: Final = TopicPartition(PRODUCTS.name, 0)
_DEAD: Final = """
INSERT INTO dead_letters (service, lane, topic, partition, "offset", reason, detail, key, value, headers,
  timestamp_ms) VALUES ('products', 0, $1, 0, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (topic, partition, "offset") DO NOTHING"""
Report = Callable[[Loaded], None]


class TopicMissingError(RuntimeError):
    """There is no topic ``products``, or Kafka gives nothing of it; the message says what to do."""


async def follow(database_url: str, bootstrap: str, *, once: bool, report: Report) -> int:
    """Read the topic from its beginning, and on until cancelled; return how many listings were refused.

    Args:
        database_url: of PostgreSQL.
        bootstrap: of Kafka.
        once: end where the topic ends now.
        report: told of every version that was made.

    Raises:
        TopicMissingError: run ``tierstream migrate`` first.
        KafkaError, PostgresError, OSError: one of them can't be reached.
    """
    connection = await connect(database_url)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level="read_committed", enable_auto_commit=False
    )
    try:
        await consumer.start()
        if PRODUCTS.name not in await consumer.topics():
            raise TopicMissingError(f"there is no topic {PRODUCTS.name}: run tierstream migrate")
        consumer.assign([PARTITION])
        await consumer.seek_to_beginning(PARTITION)
        until = (await consumer.end_offsets([PARTITION]))[PARTITION] if once else None
        return await _read(consumer, connection, until, report)
    finally:
        await consumer.stop()
        await connection.close()


async def _read(consumer: Any, connection: Any, until: int | None, report: Report) -> int:
    clock = asyncio.get_running_loop().time
    refused, moved_at = 0, clock()
    # By position and not by record: the last offsets may be marks of transactions.
    while until is None or await consumer.position(PARTITION) < until:
        records = (await consumer.getmany(PARTITION, timeout_ms=POLL_MS, max_records=BATCH)).get(PARTITION)
        if records:
            loaded, dead = await _take(connection, records)
            refused, moved_at = refused + dead, clock()
            if loaded.products:
                report(loaded)
        elif until is not None and clock() - moved_at > STALLED_SECONDS:
            raise TopicMissingError(f"Kafka gave nothing for {STALLED_SECONDS:g} s: run tierstream doctor")
    return refused


async def _take(connection: Any, records: Sequence[ConsumerRecord[bytes, bytes]]) -> tuple[Loaded, int]:
    """Load what records hold; what is no listing becomes a dead letter."""
    listed: list[ProductListed] = []
    refused = 0
    for record in records:
        try:
            listed.append(_listed(record))
        except Refused as error:
            refused += 1
            headers = msgspec.msgpack.encode(list(record.headers or ()))
            said = error.reason.value, error.detail, record.key, record.value, headers, record.timestamp
            await connection.execute(_DEAD, record.topic, record.offset, *said)
    return await load_products(connection, listed), refused


def _listed(record: ConsumerRecord[bytes, bytes]) -> ProductListed:
    event = decode(record.topic, record.value)
    if not isinstance(event, ProductListed):
        raise Refused(Reason.VERSION, "it is no product-listed.v1")
    if record.key != event.sku.encode():
        raise Refused(Reason.KEY, "the record's key is not its sku")
    check(event, wall_ms=time.time_ns() // 1_000_000)
    return event
