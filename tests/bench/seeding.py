"""Puts the world into PostgreSQL and Kafka before anything is measured."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any, Final

import asyncpg
from aiokafka import AIOKafkaProducer

from services.lanes import statement
from services.scorer import store
from services.scorer.core.cuts import Cuts, count_move, empty_histogram, histogram_to_bytes
from services.scorer.core.due import next_due_ms
from services.scorer.core.state import decode_state
from services.scorer.store import Held, Rows
from tests.bench.world import LANES, POLICY, TOPICS, Message, World

SEED_DATABASE: Final = "tierstream"
_COLUMNS: Final = ("lane", *(name for name, _ in store._CUSTOMER_COLUMNS))
_BATCH: Final = 10_000
PUBLISHED_OVER_MS: Final = 60_000  # by the records' times; a minute's backlog
_IN_FLIGHT_MAX: Final = 64


async def seed_database(dsn: str, world: World) -> float:
    """Write customers, histograms, the cut-offs in force and the lanes; return the mean state in bytes.

    The customers' past is not run through the services: their states are what the core made of it.
    """
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            "INSERT INTO policies (version, body) VALUES (1, $1)", json.dumps(POLICY.to_json())
        )
        await _seed_customers(connection, world)
        await _seed_crowd(connection, world)
        # Lanes that know of cut-offs 1: else the first thing they did would be to adopt them.
        await connection.execute(
            statement.CREATE, "scorer", list(range(LANES)), [0] * len(TOPICS), "wall", [1, 1, 1, 1, 0]
        )
        await connection.execute("VACUUM (ANALYZE) customers")
        await connection.execute("CHECKPOINT")
        return float(await connection.fetchval("SELECT avg(length(state)) FROM customers"))
    finally:
        await connection.close()


async def _seed_customers(connection: Any, world: World) -> None:
    for first in range(0, world.customers, _BATCH):
        batch = range(first, min(first + _BATCH, world.customers))
        states = [world.state_of(customer) for customer in batch]
        rows = Rows([Held(state.customer_id, 0, state) for state in states])
        (write,) = rows.writes(lambda held: next_due_ms(held.known, POLICY, world.cuts))
        lanes = world.lane_of[batch.start : batch.stop]
        records = zip(lanes, *write.arrays, strict=True)
        await connection.copy_records_to_table("customers", records=records, columns=_COLUMNS)


async def _seed_crowd(connection: Any, world: World) -> None:
    crowds = [empty_histogram() for _ in range(LANES)]
    for customer in range(world.customers):
        count_move(crowds[world.lane_of[customer]], (None, POLICY.bin_of(world.state_of(customer))))
    rows = [
        (lane, 0, world.begins_ms, False, sum(crowd), histogram_to_bytes(crowd))
        for lane, crowd in enumerate(crowds)
    ]
    columns = ("lane", "seq", "at_ms", "complete", "active", "counts")
    await connection.copy_records_to_table("histograms", records=rows, columns=columns)
    cuts = None if world.cuts is None else flat(world.cuts)
    await connection.execute(
        "INSERT INTO cut_offs (version, at_ms, complete, active, cuts, tied, policy_version, seq)"
        " VALUES (1, $1, false, $2, $3, '{0,0}', 1, 0)",
        *(world.begins_ms, sum(map(sum, crowds)), cuts),
    )


def flat(cuts: Cuts) -> list[int]:
    """Return cuts as the column ``cuts`` holds them: enter, plain and leave of each edge, the best first."""
    return [cut for one in cuts.points for cut in (one.enter, one.plain, one.leave)]


async def copy_database(dsn: str, name: str) -> str:
    """Make a fresh copy of the seeded database, every page of it clean; return its address."""
    connection = await asyncpg.connect(_address(dsn, "postgres"))
    try:
        await connection.execute(
            f'CREATE DATABASE "{name}" TEMPLATE "{SEED_DATABASE}" STRATEGY FILE_COPY', timeout=60
        )
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()
    return _address(dsn, name)


async def drop_database(dsn: str, name: str) -> None:
    """Drop a copy: dead pages of one part must not be written during the next."""
    connection = await asyncpg.connect(_address(dsn, "postgres"))
    try:
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)', timeout=60)
    finally:
        await connection.close()


def _address(dsn: str, database: str) -> str:
    return f"{dsn.rsplit('/', 1)[0]}/{database}"


async def states_in(dsn: str) -> dict[str, Any]:
    """Return every customer's state as PostgreSQL holds it."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("SELECT customer_id, state FROM customers", timeout=60)
    finally:
        await connection.close()
    return {row[0]: decode_state(row[1]) for row in rows}


async def publish(bootstrap: str, world: World) -> None:
    """Publish the log in batches per topic-partition, all acknowledged."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, max_batch_size=65_536
    )
    await producer.start()
    waiting: set[asyncio.Future[Any]] = set()
    now_ms = int(time.time() * 1000)
    try:
        for (topic, lane), messages in world.log.items():
            for batch in _batches(producer, messages, now_ms):
                waiting.add(await producer.send_batch(batch, topic, partition=lane))
                if len(waiting) >= _IN_FLIGHT_MAX:
                    done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                    for future in done:
                        future.result()
        await asyncio.gather(*waiting)
    finally:
        await producer.stop()


def _batches(producer: AIOKafkaProducer, messages: list[Message], now_ms: int) -> Iterator[Any]:
    """Build batches whose record times advance alike in every topic-partition.

    A lane merges its topics by record time. Stamped as they are sent, topic after topic, the whole log
    of purchases would come before the first browse, and the lane's clock would wait for that one.
    """
    batch: Any = producer.create_batch()
    for offset, (_, key, value) in enumerate(messages):
        at_ms = now_ms - PUBLISHED_OVER_MS + offset * PUBLISHED_OVER_MS // len(messages)
        if batch.append(key=key, value=value, timestamp=at_ms) is None:
            batch.close()
            yield batch
            batch = producer.create_batch()
            batch.append(key=key, value=value, timestamp=at_ms)
    if batch.record_count():
        batch.close()
        yield batch
