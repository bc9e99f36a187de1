"""A bug of the scorer's own code, planted, on real PostgreSQL: whom it meets is put off, and the lane goes on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import asyncpg
import msgspec
import pytest
from prometheus_client import CollectorRegistry

from schemas.events import Input
from schemas.times import HOUR_MS
from schemas.wire import encode
from services.lanes import statement as sql
from services.lanes.clock import LaneClock
from services.lanes.context import LaneContext
from services.lanes.database import open_pool
from services.lanes.metrics import LaneMetrics
from services.lanes.publisher import LanePublisher
from services.lanes.settings import WorkerSettings
from services.lanes.turns import Turns
from services.lanes.work import LaneTime, Record
from services.scorer import chunk, store, sweep, switch, timers
from services.scorer.core.cuts import Cuts
from services.scorer.core.policy import Policy, Weight
from services.scorer.core.state import State, decode_state
from services.scorer.service import ScorerService
from services.scorer.work import ScorerWork
from tests.integration.policy_database import make_policy_database
from tests.unit.core_given import CUTS, at, cuts_at, sale

PEOPLE = ("ann", "bob", "cyd")
OTHER_POLICY = Policy(name="by_orders", score=(Weight(metric="orders", weight=1.0, reference=10),), churn=())


class Bug:
    """Raises for one customer while it is there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, victim: str = "bob") -> None:
        """Plant it into a function of the core, as a module calls it."""
        self.present, self._right = True, getattr(module, name)
        self._victim = victim
        monkeypatch.setattr(module, name, self)

    def __call__(self, state: State, *arguments: Any) -> Any:
        """Do what is right, or raise."""
        if self.present and state is not None and state.customer_id == self._victim:
            raise ZeroDivisionError(f"{self._victim} must not be in any log")
        return self._right(state, *arguments)


class Lane:
    """One scorer's lane, with the engine's own fence and statements, and hands to drive it."""

    def __init__(self, pool: Any, turns: Turns, work: ScorerWork, metrics: LaneMetrics) -> None:
        """Hold it."""
        self.pool, self.turns, self.work, self.metrics = pool, turns, work, metrics
        self.offset = 0

    async def buys(self, customer: str, day: float, amount_minor: int = 5_000) -> None:
        """Apply a sale of a day."""
        self.offset += 1
        event: Input = msgspec.structs.replace(sale(at(day), amount_minor), customer_id=customer)
        record = Record("purchases", 0, self.offset, customer.encode(), encode(event), at(day))
        time = LaneTime(at(day), live=True, wall_ms=at(day))
        after = replace(self.turns.row, clock_ms=time.now_ms)
        assert await self.turns.decide_and_commit(
            lambda c, seq: self.work.chunk(c, [record], time, seq), after
        )

    async def tend(self, now_ms: int) -> list[str]:
        """Do everything that an instant asks for; return the kinds of the turns."""
        kinds: list[str] = []
        time = LaneTime(now_ms, live=True, wall_ms=now_ms)
        while True:
            self.work.shelf._asked = self.work.rescoring._asked = self.work.book._looked = -1e9
            self.work.census.due_ms = now_ms + 1 if "census" in kinds else 0
            after = replace(self.turns.row, clock_ms=now_ms)
            if not await self.turns.decide_and_commit(lambda c, seq: self.work.tend(c, time, seq), after):
                return kinds
            kinds.append(await self.pool.fetchval("SELECT kind FROM lane_log ORDER BY seq DESC LIMIT 1"))
            assert len(kinds) < 50, kinds

    async def put_in_force(self, cuts: Cuts, now_ms: int) -> None:
        """Let other cut-offs come into force, and none be computed from the crowd of three."""
        self.work.computed = float("inf")
        flat = store.numbers_of(cuts)
        await self.pool.execute(
            """INSERT INTO cut_offs (version, at_ms, complete, active, tied, policy_version, cuts, seq)
            VALUES ((SELECT coalesce(max(version), 0) + 1 FROM cut_offs), $1, false, 3, $2, $3, $4, 0)""",
            now_ms, [0] * len(flat), self.work.policy_version, flat,
        )  # fmt: skip

    async def rows(self) -> dict[str, Any]:
        """Return the customers."""
        return {row["customer_id"]: row for row in await self.pool.fetch("SELECT * FROM customers")}

    async def tiers(self) -> dict[str, str]:
        """Return the ranked tier of each."""
        return {name: row["ranked_tier"] for name, row in (await self.rows()).items()}

    def count(self, work: str) -> float:
        """Return how often somebody was put off in some work."""
        return float(self.metrics.put_off.labels(work)._value.get())


@pytest.fixture(scope="module")
def template(database_url: str) -> str:
    """Return a database at the schema's head, to be copied."""
    return make_policy_database(database_url)


@asynccontextmanager
async def a_lane(template: str, name: str) -> AsyncIterator[Lane]:
    """Open the only lane of a database of its own."""
    base, _, original = template.rpartition("/")
    admin = await asyncpg.connect(f"{base}/postgres")
    await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{original}"')
    await admin.close()
    pool = await open_pool(f"{base}/{name}")
    try:
        body = json.dumps(Policy.default().to_json())
        await pool.execute("INSERT INTO policies (version, body) VALUES (1, $1)", body)
        yield await _opened(pool)
    finally:
        await pool.close()


async def _opened(pool: Any) -> Lane:
    service = ScorerService()
    nothing, versions = [0] * len(service.topics), list(service.first_versions)
    await pool.execute(sql.CREATE, "scorer", [0], nothing, "wall", versions)
    row = sql.row_of(await pool.fetchrow(sql.READ, "scorer", 0), 1)
    metrics = LaneMetrics("scorer", CollectorRegistry())
    context = LaneContext(
        service=service, settings=WorkerSettings(count=1), pool=pool, metrics=metrics, marker_of=lambda _: None,
        seek=cast("Any", None), lagging=lambda *_: False, nudge=lambda: None,
    )  # fmt: skip
    published = cast("LanePublisher", SimpleNamespace(published=0, add=lambda *_: None))
    turns = Turns(context, row, published, LaneClock(len(row.offsets)))
    async with pool.acquire() as connection:
        return Lane(pool, turns, await service.open(connection, row), metrics)


async def told(lane: Lane, without: set[str]) -> list[Any]:
    """Return what was published of everybody else."""
    rows = await lane.pool.fetch(
        "SELECT topic, key, value FROM outbox WHERE topic <> 'cut-offs' ORDER BY number"
    )
    return [(row["topic"], json.loads(row["value"])["occurred_at"], row["key"]) for row in rows
            if row["key"].decode() not in without]  # fmt: skip


async def both(template: str, do: Callable[[Lane], Any]) -> tuple[Any, Any]:
    """Return what comes of the same course in two lanes."""
    async with a_lane(template, "bugs_one") as one:
        first = await do(one)
    async with a_lane(template, "bugs_two") as two:
        return first, await do(two)


async def test_a_record_that_meets_a_bug_is_kept_and_its_customer_goes_on(
    template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One dead letter with its bytes, counted by its reason; when the bug is mended the customer goes on."""
    async with a_lane(template, "bugs_one") as lane:
        for name in PEOPLE:
            await lane.buys(name, 0)
        bug = Bug(monkeypatch, chunk, "advance")
        for name in PEOPLE:
            await lane.buys(name, 1)
        bug.present = False
        for name in PEOPLE:
            await lane.buys(name, 2)

        orders = {name: decode_state(row["state"]).orders for name, row in (await lane.rows()).items()}
        (letter,) = await lane.pool.fetch("SELECT * FROM dead_letters")

    assert orders == {"ann": 3, "bob": 2, "cyd": 3}
    assert (letter["reason"], letter["offset"], letter["key"]) == ("INTERNAL", 5, b"bob")
    assert json.loads(letter["value"])["customer_id"] == "bob"
    assert letter["detail"].startswith("ZeroDivisionError at ")
    assert "bob" not in letter["detail"]
    assert lane.metrics.dead_letters.labels("INTERNAL")._value.get() == 1


async def test_a_timer_that_meets_a_bug_fires_an_hour_later_at_its_own_instant(
    template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everybody else's fires now; his state and what is told of him stay as they were till then."""
    bug = Bug(monkeypatch, timers, "settle")
    now_ms = at(400)

    async def course(lane: Lane) -> Any:
        for name in PEOPLE:
            await lane.buys(name, 0)
        before = await lane.rows()
        await lane.tend(now_ms)
        after = await lane.rows()
        if bug.present:
            assert after["bob"]["state"] == before["bob"]["state"]
            assert after["bob"]["next_due_ms"] == now_ms + HOUR_MS
            assert after["ann"]["state"] != before["ann"]["state"]
            assert lane.count("timer") == 1
            assert (
                await told(lane, {"ann", "cyd"}) == (await told(lane, {"ann", "cyd"}))[:1]
            )  # the first tier
            bug.present = False
        await lane.tend(now_ms + HOUR_MS)
        states = {name: row["state"] for name, row in (await lane.rows()).items()}
        return decode_state(states["ann"]), decode_state(states["bob"]), sorted(await told(lane, set()))

    (ann, bob, heard), (calm_ann, calm_bob, calm_heard) = await both(template, course)
    assert ann == calm_ann
    assert heard == calm_heard
    assert msgspec.structs.replace(bob, settled_ms=0) == msgspec.structs.replace(calm_bob, settled_ms=0)


async def test_a_sweep_ends_without_whom_a_bug_keeps_from_it(
    template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He is ranked under the new cuts when he is next due: in an hour, if the bug is mended by then."""
    async with a_lane(template, "bugs_one") as lane:
        await lane.put_in_force(CUTS, at(0))
        await lane.tend(at(0))
        for name in PEOPLE:
            await lane.buys(name, 1, 50_000)
        tiers = await lane.tiers()
        assert len(set(tiers.values())) == 1
        score = (await lane.rows())["bob"]["score"]
        low = cuts_at((score, score - 1, score - 2), (score - 10, score - 11, score - 12))
        bug = Bug(monkeypatch, sweep, "adopt")
        await lane.put_in_force(low, at(2))

        kinds = await lane.tend(at(2))
        assert kinds.count("sweep") == 1
        assert (lane.work.swept.version, lane.count("sweep"), lane.work.passed_over) == (2, 1, set())
        assert await lane.tiers() == {"ann": "high_value", "bob": tiers["bob"], "cyd": "high_value"}
        due_ms = (await lane.rows())["bob"]["next_due_ms"]
        assert due_ms <= at(2) + HOUR_MS

        bug.present = False
        assert await lane.tend(due_ms - 1) == ["census"]
        assert "time" in await lane.tend(due_ms)
        assert await lane.tiers() == dict.fromkeys(PEOPLE, "high_value")


async def test_a_policy_switch_ends_without_whom_a_bug_keeps_from_it(
    template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He stays wholly under the old policy, his records are kept as dead letters, and he is rescored later."""
    async with a_lane(template, "bugs_one") as lane:
        for name in PEOPLE:
            await lane.buys(name, 1)
        await lane.tend(at(1))
        before = (await lane.rows())["bob"]
        count, bug = Bug(monkeypatch, switch, "rescore"), Bug(monkeypatch, sweep, "rescore")
        body = json.dumps(OTHER_POLICY.to_json())
        await lane.pool.execute("INSERT INTO policies (version, body) VALUES (2, $1)", body)
        kinds = []
        while "switch" not in kinds:  # lane 0 looks at cut-offs once a second
            lane.work.computed = 0.0
            kinds += await lane.tend(at(2))
        rows = await lane.rows()
        assert {name: row["policy_version"] for name, row in rows.items()} == {"ann": 2, "bob": 1, "cyd": 2}
        assert (rows["bob"]["state"], rows["bob"]["score"]) == (before["state"], before["score"])
        assert (lane.count("rescore"), lane.count("sweep")) == (1, 1)
        assert sum(lane.work.histogram) == 2

        await lane.buys("bob", 2)
        await lane.buys("ann", 2)
        assert await lane.pool.fetchval("SELECT string_agg(reason, ',') FROM dead_letters") == "INTERNAL"

        count.present = bug.present = False
        await lane.tend(at(2) + HOUR_MS)
        rows = await lane.rows()
        assert {row["policy_version"] for row in rows.values()} == {2}
        assert sum(lane.work.histogram) == 3
        assert rows["bob"]["score"] == rows["cyd"]["score"]
        await lane.buys("bob", 3)
        assert decode_state((await lane.rows())["bob"]["state"]).orders == 2


async def test_a_lost_connection_is_no_bug(template: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written, nobody is given up, and the same turn is right the next time."""
    async with a_lane(template, "bugs_one") as lane:
        await lane.buys("ann", 0)
        right = sweep.others

        async def cut_off(*_arguments: Any) -> Any:
            raise asyncpg.ConnectionDoesNotExistError("gone")

        monkeypatch.setattr(sweep, "others", cut_off)
        with pytest.raises(asyncpg.ConnectionDoesNotExistError):
            await lane.buys("ann", 1)
        monkeypatch.setattr(sweep, "others", right)
        assert await lane.pool.fetchval("SELECT count(*) FROM dead_letters") == 0
        await lane.buys("ann", 1)
        assert decode_state((await lane.rows())["ann"]["state"]).orders == 2
