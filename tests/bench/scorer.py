"""The whole scorer: real worker processes on live time, counted in the states that PostgreSQL holds."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg

from deploy.local.services import Supervisor
from deploy.local.stack import LocalStack
from services.scorer.core.identity import stable_hash
from services.scorer.core.sightings import RECENT_MAX
from services.scorer.core.state import State
from tests.bench.cpu import Usage
from tests.bench.seeding import states_in
from tests.bench.world import LANES, POLICY, TOPICS, World, name_of

WARM_UP_SECONDS: Final = 3.0
START_SECONDS_MAX: Final = 30.0
SAMPLE_SECONDS: Final = 0.25
_CHECKED_SIGHTINGS: Final = 2_000  # customers whose browses and responses are compared one by one

_LANES: Final = "SELECT lane, owner, offsets FROM lanes WHERE service = 'scorer' ORDER BY lane"

_TURNS: Final = "SELECT kind, count(*) FROM lane_log WHERE service = 'scorer' GROUP BY kind ORDER BY kind"
_OUTPUTS: Final = "SELECT sum(outbox_number) FROM lanes WHERE service = 'scorer'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run of the scorer came to."""

    workers: int
    events_per_second: float  # in the steady window
    window_seconds: float
    topics: dict[str, int]  # events of the window, by topic
    total_events: int  # when the window ended
    total_seconds: float  # from the start of the processes, Python's and the group's start included
    wrong_customers: int  # whose state differs from the log up to the lane's positions
    dead_letters: int
    cores: dict[str, float]
    turns: dict[str, int]
    outputs: int  # tier changes and warnings, published
    events_per_turn: float


@dataclass(frozen=True, slots=True)
class _Look:
    at: float
    positions: dict[int, tuple[int, ...]]

    @property
    def events(self) -> int:
        return sum(map(sum, self.positions.values()))


@dataclass(frozen=True, slots=True)
class _Measured:
    began: float
    first: _Look
    last: _Look
    cores: dict[str, float]


async def run(
    stack: LocalStack, dsn: str, world: World, *, workers: int, seconds: float, logs: Path
) -> Outcome:
    """Let ``workers`` work on the published log for ``seconds`` after a warm-up, or until its end."""
    connection = await asyncpg.connect(dsn)
    try:
        with Supervisor(logs) as supervisor:
            began = time.monotonic()
            _start(supervisor, stack, dsn, workers)
            await _all_at_work(connection, supervisor, workers)
            await asyncio.sleep(WARM_UP_SECONDS)
            usage = Usage(_pids(stack, supervisor))
            first = await _look(connection)
            last = await _watch(connection, supervisor, world, until=first.at + seconds)
            cores = usage.cores()
        return await _outcome(connection, dsn, world, _Measured(began, first, last, cores), workers=workers)
    finally:
        await connection.close()


def _start(supervisor: Supervisor, stack: LocalStack, dsn: str, workers: int) -> None:
    for slot in range(workers):
        environment = {
            "DATABASE_URL": dsn,
            "KAFKA_BOOTSTRAP": stack.kafka_bootstrap,
            "LANES_COUNT": str(LANES),
            "LANES_CLOCK": "wall",
            "LANES_SLOT": str(slot),
        }
        supervisor.start(f"bench-scorer-{slot}", "services.scorer.main", environment)


def _pids(stack: LocalStack, supervisor: Supervisor) -> dict[str, int]:
    if stack.postgres is None or stack.kafka is None:
        raise ValueError("the benchmark measures its own servers: it must start them")
    pids = {"postgres": stack.postgres.pid or 0, "kafka": stack.kafka.pid or 0}
    return pids | {one.name: one.child.pid for one in supervisor.processes() if one.child is not None}


async def _look(connection: Any) -> _Look:
    rows = await connection.fetch(_LANES)
    return _Look(time.monotonic(), {row["lane"]: tuple(row["offsets"]) for row in rows})


async def _all_at_work(connection: Any, supervisor: Supervisor, workers: int) -> None:
    """Wait until every worker owns lanes and every lane moved."""
    until = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < until:
        supervisor.check()
        rows = await connection.fetch(_LANES)
        if len({row["owner"] for row in rows}) == workers and all(any(row["offsets"]) for row in rows):
            return
        await asyncio.sleep(0.1)
    raise TimeoutError(f"the workers did not all begin within {START_SECONDS_MAX:.0f} s: look at their logs")


async def _watch(connection: Any, supervisor: Supervisor, world: World, *, until: float) -> _Look:
    """Return the last look before the window's end, or the one at which a lane first ran dry."""
    ends = {lane: tuple(len(world.log[topic, lane]) for topic in TOPICS) for lane in range(LANES)}
    look = await _look(connection)
    while look.at < until and all(look.positions[lane] != end for lane, end in ends.items()):
        await asyncio.sleep(SAMPLE_SECONDS)
        supervisor.check()
        look = await _look(connection)
    return look


async def _outcome(connection: Any, dsn: str, world: World, measured: _Measured, *, workers: int) -> Outcome:
    final = await _look(connection)  # the workers are gone: states and positions stand still
    turns = {row[0]: row[1] for row in await connection.fetch(_TURNS)}
    seconds = measured.last.at - measured.first.at
    return Outcome(
        workers=workers,
        events_per_second=round((measured.last.events - measured.first.events) / seconds, 1),
        window_seconds=round(seconds, 2),
        topics=_by_topic(measured.first, measured.last),
        total_events=measured.last.events,
        total_seconds=round(measured.last.at - measured.began, 2),
        wrong_customers=wrong_customers(world, await states_in(dsn), final.positions),
        dead_letters=await connection.fetchval("SELECT count(*) FROM dead_letters"),
        cores=measured.cores,
        turns=turns,
        outputs=int(await connection.fetchval(_OUTPUTS)),
        events_per_turn=round(final.events / max(1, turns.get("chunk", 0)), 1),
    )


def _by_topic(first: _Look, last: _Look) -> dict[str, int]:
    return {
        name: sum(last.positions[lane][topic] - first.positions[lane][topic] for lane in range(LANES))
        for topic, name in enumerate(TOPICS)
    }


def wrong_customers(world: World, states: dict[str, State], positions: dict[int, tuple[int, ...]]) -> int:
    """Return how many customers' states are not what the log up to ``positions`` makes of the seed.

    Orders are compared for everybody; browses and responses, of which a state keeps the newest, one by
    one for some. So a rate that is read off positions is a rate of events that are in the states.
    """
    orders: Counter[int] = Counter()
    seen: dict[int, list[tuple[int, str]]] = {}
    for lane, reached in positions.items():
        for topic, position in enumerate(reached):
            for offset in range(position):
                customer = world.log[TOPICS[topic], lane][offset].customer
                if topic == 0:
                    orders[customer] += 1
                elif customer < _CHECKED_SIGHTINGS:
                    seen.setdefault(customer, []).append((topic, _event_id(world, topic, lane, offset)))
    wrong = 0
    for customer in range(world.customers):
        seed, state = world.state_of(customer), states[name_of(customer)]
        good = state.lifetime_orders - seed.lifetime_orders == orders[customer]
        if good and customer < _CHECKED_SIGHTINGS:
            good = _has_seen(seed, state, seen.get(customer, []))
        wrong += not good
    return wrong


def _event_id(world: World, topic: int, lane: int, offset: int) -> str:
    value = world.log[TOPICS[topic], lane][offset].value
    return value.split(b'"event_id":"', 1)[1].split(b'"', 1)[0].decode()


def _has_seen(seed: State, state: State, new: list[tuple[int, str]]) -> bool:
    """Compare the newest sightings: every event of the log is later than every one of the seed."""
    order = sorted(new, key=lambda one: int(one[1].rsplit("-", 1)[1]))
    horizon_ms = state.settled_ms - POLICY.memory_ms  # what is older was forgotten, as it should be
    expected = [one.event for one in seed.recent if one.time_ms >= horizon_ms]
    expected += [stable_hash(f"{TOPICS[topic]}/{event_id}") for topic, event_id in order]
    return expected[-RECENT_MAX:] == [one.event for one in state.recent]
