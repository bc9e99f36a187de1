"""What the broker no longer has stops its lane, loudly, until somebody gives it up; nothing is skipped silently."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from deploy.local.services import Supervisor
from deploy.local.stack import LocalStack, local_stack
from deploy.migrate import activate_first, migrate_database, migrate_topics
from deploy.skip import skip
from schemas.times import from_ms
from services.scorer.core.policy import Policy

SECONDS_MAX = 40.0


def _purchase(number: int) -> tuple[bytes, bytes]:
    body = {
        "type": "purchase-recorded.v1",
        "event_id": f"e{number}",
        "customer_id": f"c{number}",
        "occurred_at": from_ms(int(time.time() * 1000) - 60_000).isoformat(),
        "kind": "sale",
        "order_id": f"o{number}",
        "amount_minor": 1000,
        "currency": "USD",
        "channel": "web",
        "store_id": "s1",
    }
    return f"c{number}".encode(), json.dumps(body).encode()


async def _publish(bootstrap: str, numbers: range) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    try:
        for number in numbers:
            key, value = _purchase(number)
            await producer.send_and_wait("purchases", value, key=key, partition=0)
    finally:
        await producer.stop()


async def _delete_before(bootstrap: str, offset: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition("purchases", 0): RecordsToDelete(before_offset=offset)})
    finally:
        await admin.close()


async def _until(database_url: str, query: str, done: Callable[[Any], bool]) -> Any:
    connection = await asyncpg.connect(database_url)
    limit = time.monotonic() + SECONDS_MAX
    try:
        while True:
            found = await connection.fetchval(query)
            if done(found):
                return found
            assert time.monotonic() < limit, (query, found)
            await asyncio.sleep(0.1)
    finally:
        await connection.close()


def _start(stack: LocalStack, supervisor: Supervisor) -> Path:
    environment = {
        "DATABASE_URL": stack.database_url,
        "KAFKA_BOOTSTRAP": stack.kafka_bootstrap,
        "LANES_COUNT": "1",
        "LANES_SLOT": "0",
    }
    return supervisor.start("scorer", "services.scorer.main", environment).log_path


async def test_lost_records_stop_the_lane_until_they_are_given_up(tmp_path: Path) -> None:
    """The lane says what it can't read and what to do; after the skip it goes on, and a dead letter says so."""
    with local_stack() as stack, Supervisor(tmp_path) as supervisor:
        await asyncio.to_thread(migrate_database, stack.database_url)
        await migrate_topics(stack.kafka_bootstrap, lanes=1)
        await activate_first(stack.database_url, Policy.default())
        await _publish(stack.kafka_bootstrap, range(5))
        _start(stack, supervisor)
        await _until(stack.database_url, "SELECT count(*) FROM customers", lambda found: found == 5)
        supervisor.end("scorer")
        await _publish(stack.kafka_bootstrap, range(5, 12))
        await _delete_before(stack.kafka_bootstrap, 9)

        log = _start(stack, supervisor)
        limit = time.monotonic() + SECONDS_MAX
        while "tierstream lanes skip scorer 0 purchases" not in log.read_text():
            assert time.monotonic() < limit, log.read_text()[-2000:]
            await asyncio.sleep(0.1)
        await _until(stack.database_url, "SELECT count(*) FROM customers", lambda found: found == 5)
        said = await skip(stack.database_url, "scorer", 0, "purchases", 9)

        await _until(stack.database_url, "SELECT count(*) FROM customers", lambda found: found == 8)
        letter = await _until(
            stack.database_url,
            "SELECT detail FROM dead_letters WHERE reason = 'SKIPPED'",
            lambda found: found,
        )
        assert (
            letter == said == "offsets 5 to 8 of purchases partition 0 were given up by tierstream lanes skip"
        )
