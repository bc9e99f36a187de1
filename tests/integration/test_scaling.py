"""Workers come, go and die while events flow: lanes are shared out whole, and no event is lost or doubled."""

from __future__ import annotations

import asyncio
import csv
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from deploy.export import export
from deploy.local.process import Child
from deploy.local.stack import LocalStack, local_stack
from deploy.migrate import migrate_database, migrate_topics
from services.scorer.core.policy import Policy
from services.scorer.records import partition_of

LANES: Final = 8
TAKEOVER_SECONDS_MAX: Final = 10.0  # the promise for a worker that dies and never returns
SHARE_SECONDS_MAX: Final = 20.0  # a worker's start and the rebalance
STOP_SECONDS_MAX: Final = 15.0
SALES_PER_BURST: Final = 40  # some every 0.1 s, over all lanes
POLICY: Final = Policy.default(currency="USD", time_zone="UTC")


@dataclass(slots=True)
class World:
    """A stack and the scorers that a test started on it; nobody starts them again."""

    stack: LocalStack
    folder: Path
    workers: dict[str, Child] = field(default_factory=dict)

    def start(self, slot: str) -> None:
        """Start a scorer."""
        environment = {
            "PATH": "/usr/bin:/bin",
            "DATABASE_URL": self.stack.database_url,
            "KAFKA_BOOTSTRAP": self.stack.kafka_bootstrap,
            "LANES_COUNT": str(LANES),
            "LANES_SLOT": slot,
        }
        self.workers[slot] = Child(
            [sys.executable, "-m", "services.scorer.main"],
            log_path=self.folder / f"scorer-{slot}.log",
            env=environment,
        )

    def lanes_by_log(self, slot: str) -> set[int]:
        """Return which lanes a worker says that it owns."""
        owned: set[int] = set()
        for line in (self.folder / f"scorer-{slot}.log").read_text().splitlines():
            entry = json.loads(line) if line.startswith("{") else {}
            assert entry.get("event") != "lanes_split", line
            if entry.get("event") == "lanes_owned":
                owned = set(entry["lanes"])
            elif entry.get("event") == "lanes_given_up":
                owned = set()
        return owned


@dataclass(slots=True)
class Shop:
    """Publishes sales without a pause; ``sent`` were acknowledged."""

    producer: AIOKafkaProducer
    sent: int = 0

    async def run(self) -> None:
        """Sell until cancelled; a burst is finished first, so that ``sent`` is exact."""
        while True:
            await asyncio.shield(self._burst())
            await asyncio.sleep(0.1)

    async def _burst(self) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        waiting = []
        for number in range(self.sent, self.sent + SALES_PER_BURST):
            customer_id = f"c{number % 160}"
            sale = {
                "type": "purchase-recorded.v1",
                "event_id": f"e{number}",
                "customer_id": customer_id,
                "occurred_at": now,
                "kind": "sale",
                "order_id": f"o{number}",
                "amount_minor": 100,
                "currency": "USD",
                "channel": "web",
                "store_id": "s1",
            }
            waiting.append(
                await self.producer.send(
                    "purchases",
                    json.dumps(sale).encode(),
                    key=customer_id.encode(),
                    partition=partition_of(customer_id, LANES),
                )
            )
        await asyncio.gather(*waiting)
        self.sent += SALES_PER_BURST


@pytest.fixture
def world() -> Iterator[World]:
    """Run a migrated stack without workers; those of the test are stopped at its end."""
    with tempfile.TemporaryDirectory(prefix="tierstream-scaling-") as name, local_stack() as stack:
        migrate_database(stack.database_url)
        here = World(stack, Path(name))
        try:
            yield here
        finally:
            for child in here.workers.values():
                child.kill9()


@asynccontextmanager
async def selling(world: World) -> AsyncIterator[Shop]:
    """Keep a shop selling while the block runs."""
    producer = AIOKafkaProducer(
        bootstrap_servers=world.stack.kafka_bootstrap, acks="all", enable_idempotence=True
    )
    await producer.start()
    shop = Shop(producer)
    task = asyncio.create_task(shop.run())
    try:
        yield shop
    finally:
        task.cancel()
        await asyncio.wait([task])
        await asyncio.sleep(0.2)  # a shielded burst may still be under way
        await producer.stop()


async def test_lanes_are_shared_out_whole_and_no_event_is_lost(world: World) -> None:
    """1, 2, 3 workers, then one is killed for ever and one is told to stop: totals stay exact."""
    await migrate_topics(world.stack.kafka_bootstrap, lanes=LANES)
    connection = await asyncpg.connect(world.stack.database_url)
    await connection.execute(
        "INSERT INTO policies (version, body) VALUES (1, $1)", json.dumps(POLICY.to_json())
    )
    try:
        async with selling(world) as shop:
            for slots in ("0", "01", "012"):
                world.start(slots[-1])
                await _shared_by(connection, world, slots)
                await _goes_on(connection, set(range(LANES)), SHARE_SECONDS_MAX)

            lost = world.lanes_by_log("1")
            world.workers["1"].kill9()
            await _goes_on(connection, lost, TAKEOVER_SECONDS_MAX)
            await _shared_by(connection, world, "02")

            code = await asyncio.to_thread(world.workers["2"].terminate, STOP_SECONDS_MAX)
            assert code == 0, world.workers["2"].log_tail()
            assert world.lanes_by_log("2") == set()
            await _shared_by(connection, world, "0")
            await _goes_on(connection, set(range(LANES)), TAKEOVER_SECONDS_MAX)
        await _all_counted(connection, world, shop.sent)
    finally:
        await connection.close()


async def _shared_by(connection: Any, world: World, slots: str) -> None:
    """Wait until exactly these workers own the lanes: each some, each lane one, by rows and by logs."""
    until = time.monotonic() + SHARE_SECONDS_MAX
    while True:
        rows = await connection.fetch("SELECT lane, owner FROM lanes WHERE service = 'scorer'")
        by_row = {slot: {row["lane"] for row in rows if row["owner"] == slot} for slot in slots}
        by_log = {slot: world.lanes_by_log(slot) for slot in slots}
        counts = sorted(len(lanes) for lanes in by_row.values())
        if by_row == by_log and sum(counts) == LANES and counts[-1] - counts[0] <= 1:
            assert set.union(*by_log.values()) == set(range(LANES))
            return
        assert time.monotonic() < until, f"rows say {by_row}, logs say {by_log}"
        await asyncio.sleep(0.05)


async def _positions(connection: Any) -> dict[int, int]:
    rows = await connection.fetch("SELECT lane, offsets FROM lanes WHERE service = 'scorer'")
    return {row["lane"]: sum(row["offsets"]) for row in rows}


async def _goes_on(connection: Any, lanes: set[int], seconds_max: float) -> None:
    """Wait until each of the lanes applied more than it has now."""
    before, until = await _positions(connection), time.monotonic() + seconds_max
    still = set(lanes)
    while still:
        now = await _positions(connection)
        still = {lane for lane in still if now[lane] <= before[lane]}
        assert time.monotonic() < until, f"lanes {sorted(still)} stand still after {seconds_max} s"
        await asyncio.sleep(0.05)


async def _all_counted(connection: Any, world: World, sent: int) -> None:
    """Wait until as much was applied as was sent, then count orders in the states."""
    until = time.monotonic() + SHARE_SECONDS_MAX
    while sum((await _positions(connection)).values()) < sent:
        assert time.monotonic() < until, "the lanes do not come to the end of the log"
        await asyncio.sleep(0.05)
    await export(world.stack.database_url, world.folder / "export", POLICY)
    with (world.folder / "export" / "customers.csv").open(newline="") as file:
        orders = sum(int(line["orders"]) for line in csv.DictReader(file))
    assert orders == sent
    assert await connection.fetchval("SELECT count(*) FROM dead_letters") == 0
