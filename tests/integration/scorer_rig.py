"""A scorer on the real stack, and hands to publish to it and to look into what it wrote."""

# mypy: disable-error-code="no-untyped-call"
# aiokafka leaves most of its functions without annotations.

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaProducer

from deploy.local.services import Supervisor
from deploy.local.stack import local_stack
from deploy.migrate import migrate_database, migrate_topics
from schemas.times import from_ms
from schemas.wire import Reason
from services.scorer.core.policy import Policy
from services.scorer.core.state import State, decode_state
from services.scorer.records import partition_of
from tests.contract.poison import encoded, event

LANES = 4
WAIT_SECONDS = 60.0
Place = tuple[str, int, int]  # topic, partition, offset


@dataclass(frozen=True)
class World:
    """A running scorer, and hands to feed and to look into it."""

    database_url: str
    kafka_bootstrap: str
    supervisor: Supervisor

    async def fetch(self, query: str, *arguments: Any) -> list[Any]:
        """Return what a query finds."""
        connection = await asyncpg.connect(self.database_url)
        try:
            rows: list[Any] = await connection.fetch(query, *arguments)
            return rows
        finally:
            await connection.close()

    async def until(self, done: Callable[[list[Any]], bool], query: str, *arguments: Any) -> list[Any]:
        """Return the rows once they are as awaited; fail with what they are when they never become so."""
        limit = time.monotonic() + WAIT_SECONDS
        while True:
            rows = await self.fetch(query, *arguments)
            if done(rows):
                return rows
            self.supervisor.check()
            assert time.monotonic() < limit, (rows[:5], len(rows))
            await asyncio.sleep(0.05)

    async def states(self, prefix: str, until: Callable[[dict[str, State]], bool]) -> dict[str, State]:
        """Return the states of the customers whose ids begin with ``prefix``, once they are as awaited."""

        def decoded(rows: list[Any]) -> dict[str, State]:
            return {row[0]: decode_state(row[1]) for row in rows}

        query = "SELECT customer_id, state FROM customers WHERE starts_with(customer_id, $1)"
        return decoded(await self.until(lambda rows: until(decoded(rows)), query, prefix))

    async def dead_letters(
        self, expected: Mapping[Place, tuple[Reason, bytes | None, bytes | None]]
    ) -> list[Any]:
        """Wait until the expected records are dead letters, each once, with reason, key and value; return them."""
        query = """
        SELECT d.* FROM dead_letters d JOIN unnest($1::text[], $2::int[], $3::bigint[]) AS e(topic, partition, o)
        ON d.topic = e.topic AND d.partition = e.partition AND d."offset" = e.o"""
        columns = [list(column) for column in zip(*expected, strict=True)]
        rows = await self.until(lambda rows: len(rows) >= len(expected), query, *columns)
        found = {(row["topic"], row["partition"], row["offset"]): row for row in rows}
        assert len(found) == len(rows)
        for place, (reason, key, value) in expected.items():
            assert (found[place]["reason"], found[place]["key"], found[place]["value"]) == (
                reason,
                key,
                value,
            )
            assert found[place]["service"] == "scorer"
            assert found[place]["lane"] == place[1]
            assert "\n" not in found[place]["detail"]
        return rows


class Publisher:
    """A system of somebody's: a plain producer that partitions as it must, unless told otherwise."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        """Send with a started producer."""
        self.producer = producer

    async def send(
        self,
        topic: str,
        value: bytes | None,
        *,
        to: str,
        key: bytes | None = b"",
        partition: int | None = None,
        headers: list[tuple[str, bytes]] | None = None,
    ) -> Place:
        """Publish to a customer's partition, under its key where no other is given; return where it went."""
        chosen = partition_of(to, LANES) if partition is None else partition
        key = to.encode() if key == b"" else key
        waiting = await self.producer.send(topic, value, key=key, partition=chosen, headers=headers)
        sent = await waiting
        return sent.topic, sent.partition, sent.offset

    async def sale(self, customer: str, number: int, amount_minor: int = 100, **fields: Any) -> Place:
        """Publish a good sale of now."""
        return await self.send(
            "purchases", good("purchases", customer, number, amount_minor=amount_minor, **fields), to=customer
        )


def good(topic: str, customer: str, number: int, *, at_ms: int | None = None, **fields: Any) -> bytes:
    """Return a valid event, of now."""
    moment = from_ms(int(time.time() * 1000) if at_ms is None else at_ms).isoformat(timespec="milliseconds")
    own: dict[str, Any] = {"order_id": f"{customer}-{number}"} if topic == "purchases" else {}
    own |= {"event_id": f"{customer}-{topic}-{number}", "customer_id": customer, "occurred_at": moment}
    return encoded(event(topic, **own | fields))


class Publishing:
    """``async with`` a publisher of a world."""

    def __init__(self, world: World, **options: Any) -> None:
        """Options are aiokafka's."""
        self.producer = AIOKafkaProducer(bootstrap_servers=world.kafka_bootstrap, **options)

    async def __aenter__(self) -> Publisher:
        """Connect."""
        await self.producer.start()
        return Publisher(self.producer)

    async def __aexit__(self, *_error: object) -> None:
        """Send what waits and disconnect."""
        await self.producer.stop()


def in_every_lane(prefix: str) -> list[str]:
    """Return three customers of each lane."""
    names = [f"{prefix}-{number}" for number in range(100)]
    return [
        name
        for lane in range(LANES)
        for name in [one for one in names if partition_of(one, LANES) == lane][:3]
    ]


def counted(orders: dict[str, int]) -> Callable[[dict[str, State]], bool]:
    """Return whether the customers have at least so many orders."""
    return lambda states: all(
        name in states and states[name].orders >= count for name, count in orders.items()
    )


async def prepare(world: World) -> None:
    """Make the topics and put the default policy in force."""
    await migrate_topics(world.kafka_bootstrap, lanes=LANES)
    body = json.dumps(Policy.default().to_json())
    await world.fetch("INSERT INTO policies (version, body) VALUES (1, $1)", body)


async def begun(world: World) -> None:
    """Wait until every lane's clock runs: from then on what is too old is known to be."""
    now_ms = int(time.time() * 1000)
    await world.until(lambda rows: len(rows) == LANES and all(row[0] >= now_ms for row in rows), CLOCKS)


CLOCKS = "SELECT clock_ms FROM lanes WHERE service = 'scorer' ORDER BY lane"


@contextmanager
def running_scorer(logs: Path, *, module: str = "services.scorer.main") -> Iterator[World]:
    """Run one scorer that follows the wall clock, on a stack of its own, while the block runs."""
    with local_stack(environ={}) as stack, Supervisor(logs) as supervisor:
        running = World(stack.database_url, stack.kafka_bootstrap, supervisor)
        migrate_database(stack.database_url)
        asyncio.run(prepare(running))
        environment = {
            "DATABASE_URL": stack.database_url,
            "KAFKA_BOOTSTRAP": stack.kafka_bootstrap,
            "LANES_COUNT": str(LANES),
            "LANES_CLOCK": "wall",
            "LANES_SLOT": "0",
        }
        supervisor.start("scorer-0", module, environment)
        asyncio.run(begun(running))
        yield running
