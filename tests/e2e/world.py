"""A small shop's fourteen months, played through the real core, and put into PostgreSQL as the services would.

Deterministic: the same rows at every run. Two months before the end and after, customers fall silent,
come back, climb; so the desk has warnings, welcomes, and tasks in every state.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import msgspec
from msgspec import structs
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from schemas.events import (
    CampaignResponded,
    ChurnCleared,
    ChurnWarned,
    Input,
    ProductBrowsed,
    PurchaseRecorded,
    ReferralMade,
    TierChanged,
)
from schemas.tables import metadata
from schemas.tables.triggers import FEED_INDEX, FEED_TRIGGER
from schemas.tasks import TaskState
from schemas.times import DAY_MS, HOUR_MS, from_ms, to_ms
from services.alerter.core.assignment import Unassigned, assign
from services.alerter.core.decide import fold
from services.alerter.core.wording import Wording
from services.alerter.people import DEMO_PEOPLE, seed
from services.scorer.core.advance import adopt, advance, settle
from services.scorer.core.cuts import (
    band_of,
    count_move,
    cuts_of,
    empty_histogram,
    histogram_to_bytes,
    ties_of,
)
from services.scorer.core.draft import Effect, Moment
from services.scorer.core.due import next_due_ms
from services.scorer.core.policy import Policy
from services.scorer.core.state import State, encode_state

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from services.alerter.core.task import Task

FIRST_DAY: Final = datetime(2025, 1, 6, tzinfo=UTC)
NOW: Final = datetime(2026, 3, 12, 10, 24, tzinfo=UTC)
POLICY: Final = Policy.default()
LANES: Final = 2
_PRODUCTS: Final = (
    ("Linen shirt", "Shirts", "Alder"),
    ("Trail jacket", "Outerwear", "Norrsken"),
    ("Cashmere scarf", "Accessories", "Halden"),
    ("Running shoes", "Shoes", "Corva"),
    ("Canvas backpack", "Bags", "Alder"),
)
_COMPETITORS: Final = (None, None, None, "Northbay", "Felt & Co")


@dataclass(frozen=True, slots=True)
class Shopper:
    """How somebody shops: every ``gap_days`` or so, about ``basket_minor``, until ``last`` if that is set."""

    customer_id: str
    gap_days: float
    basket_minor: int
    first_day: int = 0
    last: datetime | None = None  # the last purchase; silent ever since
    spree: tuple[float, ...] = ()  # hours before the end, of one large purchase


@dataclass(slots=True)
class World:
    """What the year left behind."""

    states: dict[str, State] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    histogram: Any = field(default_factory=empty_histogram)
    cuts: Any = None
    version: int = 0
    records: int = 0
    tasks: list[Task] = field(default_factory=list)
    policy: Policy = POLICY


def shoppers(count: int) -> list[Shopper]:
    """Return a plausible crowd: few buy much, many little, some fell silent, three climb at the very end."""
    random = Random(20260312)
    crowd = []
    for number in range(count):
        gap = random.choice((6, 9, 14, 21, 21, 30, 30, 45, 60))
        basket = int(random.lognormvariate(8.1, 0.7))
        last = None
        if number % 5 == 1:  # silent for as long as makes a warning about now, or made one some weeks ago
            hours = random.uniform(2, 46) if number % 2 else random.uniform(60, 1200)
            last = NOW - timedelta(days=90, hours=hours)
        if number % 24 == 3:  # a good customer who stopped half a year ago
            last, gap, basket = NOW - timedelta(days=180, hours=random.uniform(3, 60)), 4, max(basket, 12_000)
        crowd.append(
            Shopper(f"C-{10_214 + number * 37}", gap, basket, random.choice((0, 5, 12, 20, 40, 90)), last)
        )
    for number, hours in enumerate((3.2, 9.5, 17.0, 20.5)):
        crowd.append(Shopper(f"C-{20_001 + number * 411}", 16, 5_200, 30, spree=(hours,)))
    return crowd


def history(shopper: Shopper, random: Random) -> Iterator[Input]:
    """Yield one shopper's events, not in order."""
    last = shopper.last or NOW
    at = FIRST_DAY + timedelta(days=shopper.first_day, hours=9)
    number = 0
    while at < last:
        number += 1
        key = f"{shopper.customer_id}-{number}"
        yield from _visit(shopper, random, key, at)
        gap = max(1.0, random.gauss(shopper.gap_days, shopper.gap_days / 4))
        at = (at + timedelta(days=gap)).replace(hour=random.randint(8, 19), minute=random.randint(0, 59))
    for hours in shopper.spree:
        yield _purchase(
            shopper.customer_id, f"p-{shopper.customer_id}-{hours}", NOW - timedelta(hours=hours), 600_000
        )
    if shopper.last is not None:
        yield _purchase(
            shopper.customer_id, f"p-{shopper.customer_id}-last", shopper.last, shopper.basket_minor
        )


def _visit(shopper: Shopper, random: Random, key: str, at: datetime) -> Iterator[Input]:
    amount = max(300, int(shopper.basket_minor * random.uniform(0.5, 1.7)))
    yield _purchase(shopper.customer_id, f"p-{key}", at, amount)
    if random.random() < 0.06:
        yield _return(shopper.customer_id, f"r-{key}", at + timedelta(days=4), amount // 2, f"p-{key}")
    if random.random() < 0.5:
        name, category, brand = random.choice(_PRODUCTS)
        yield ProductBrowsed(
            event_id=f"b-{key}", customer_id=shopper.customer_id, occurred_at=at - timedelta(days=1.3),
            sku=name, category=category, brand=brand, action="viewed", competitor=random.choice(_COMPETITORS),
        )  # fmt: skip
    is_early = shopper.last is None or at < shopper.last - timedelta(days=30)
    if is_early and random.random() < 0.15:
        yield CampaignResponded(
            event_id=f"a-{key}", customer_id=shopper.customer_id, occurred_at=at + timedelta(days=2),
            campaign_id="spring-2026", response="clicked",
        )  # fmt: skip


def _purchase(customer_id: str, order_id: str, at: datetime, amount_minor: int) -> PurchaseRecorded:
    return PurchaseRecorded(
        event_id=order_id, customer_id=customer_id, occurred_at=at, kind="sale", order_id=order_id,
        amount_minor=amount_minor, currency="USD", channel="shop", store_id="S1",
    )  # fmt: skip


def _return(
    customer_id: str, event_id: str, at: datetime, amount_minor: int, order_id: str
) -> PurchaseRecorded:
    return PurchaseRecorded(
        event_id=event_id, customer_id=customer_id, occurred_at=at, kind="return", order_id=event_id,
        amount_minor=amount_minor, currency="USD", channel="shop", store_id="S1", returned_order_id=order_id,
    )  # fmt: skip


def play(count: int, policy: Policy = POLICY) -> World:
    """Play the shoppers through the core, day by day, with cuts computed every midnight."""
    random = Random(7)
    events = sorted(
        (
            event
            for shopper in shoppers(count)
            for event in history(shopper, random)
            if event.occurred_at < NOW
        ),
        key=lambda event: (event.occurred_at, event.event_id),
    )
    world = World(policy=policy)
    midnight_ms = to_ms(FIRST_DAY) + DAY_MS
    for event in events:
        at_ms = to_ms(event.occurred_at)
        while midnight_ms <= at_ms:
            _midnight(world, midnight_ms)
            midnight_ms += DAY_MS
        moment = _moment(world, midnight_ms - DAY_MS)
        _keep(world, advance(world.states.get(event.customer_id), event, moment, policy))
        world.records += 1
    _midnight(world, to_ms(NOW))
    world.tasks = _tasks(world)
    return world


def _moment(world: World, now_ms: int) -> Moment:
    return Moment(now_ms=now_ms, cuts=world.cuts, cut_offs_version=world.version, lane=0, seq=world.records)


def _midnight(world: World, now_ms: int) -> None:
    for state in list(world.states.values()):
        _keep(world, settle(state, _moment(world, now_ms), world.policy))
    cuts = cuts_of(world.histogram, world.policy)
    if cuts == world.cuts:
        return
    world.cuts, world.version = cuts, world.version + 1
    for state in list(world.states.values()):
        _keep(world, adopt(state, _moment(world, now_ms), world.policy))


def _keep(world: World, step: Any) -> None:
    world.states[step.state.customer_id] = step.state
    world.effects.extend(step.effects)
    count_move(world.histogram, step.moved)


def _tasks(world: World) -> list[Task]:
    """Return the alerter's tasks; somebody did each within a day, but those of the last three days wait."""
    made: list[Task] = []
    for customer_id in world.states:
        tasks: tuple[Task, ...] = ()
        for effect in world.effects:
            if effect.customer_id != customer_id or isinstance(effect, ReferralMade):
                continue
            tasks = fold(_answered(tasks, to_ms(effect.occurred_at)), [effect], Wording())
        made.extend(_answered(tasks, to_ms(NOW)))
    return sorted(made, key=lambda task: (task.created_at_ms, task.task_key))


def _answered(tasks: tuple[Task, ...], now_ms: int) -> tuple[Task, ...]:
    return tuple(
        structs.replace(task, state=TaskState.DONE, closed_at_ms=task.created_at_ms + 20 * HOUR_MS)
        if task.is_live and now_ms - task.created_at_ms > 3 * DAY_MS
        else task
        for task in tasks
    )


async def create_tables(connection: asyncpg.Connection[Any]) -> None:
    """Make all tables, the trigger and its index, as the migration does."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    for table in metadata.sorted_tables:
        await connection.execute(str(CreateTable(table).compile(dialect=dialect)))
        for index in table.indexes:
            await connection.execute(str(CreateIndex(index).compile(dialect=dialect)))
    await connection.execute(FEED_INDEX)
    for statement in FEED_TRIGGER:
        await connection.execute(statement)


async def fill(connection: asyncpg.Connection[Any], world: World) -> None:
    """Put the world into the tables, replay still running."""
    await seed(connection)
    await connection.execute(
        "INSERT INTO policies (version, body) VALUES (1, $1)", json.dumps(world.policy.to_json())
    )
    await _fill_scorer(connection, world)
    await _fill_tasks(connection, world.tasks)
    now_ms = to_ms(NOW)
    for service in ("scorer", "alerter"):
        for lane in range(LANES):
            share = world.records // LANES + (world.records % LANES if lane == 0 else 0)
            await connection.execute(
                "INSERT INTO lanes (service, lane, epoch, seq, owner, offsets, numbers, clock_ms, clock_mode, "
                "settled, complete, versions, outbox_number, published) "
                "VALUES ($1, $2, 1, $3, 'worker-0', $4, '{}', $5, 'event', true, false, $6, 40, 40)",
                service, lane, share, [share, 0, 0] if service == "scorer" else [40, 12], now_ms,
                [world.version, 1, world.version, 1] if service == "scorer" else [1, 1],
            )  # fmt: skip


async def _fill_scorer(connection: asyncpg.Connection[Any], world: World) -> None:
    await connection.executemany(
        "INSERT INTO customers VALUES ($1, 0, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        [
            (
                one.customer_id, encode_state(one), one.score, band_of(one.score), one.orders > 0, one.ranked,
                one.ranked_since_ms, one.tier, one.tier_since_ms, next_due_ms(one, world.policy, world.cuts), one.revision,
            )
            for one in world.states.values()
        ],
    )  # fmt: skip
    changes = [one for one in world.effects if isinstance(one, TierChanged)]
    await connection.executemany(
        "INSERT INTO tier_changes VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11)",
        [
            (
                one.customer_id, one.revision, to_ms(one.occurred_at), one.previous, one.current,
                one.ranked_previous, one.ranked_current, one.cause, one.causation_id,
                msgspec.json.encode(one.proof), one.proof.seq,
            )
            for one in changes
        ],
    )  # fmt: skip
    warned = [one for one in world.effects if isinstance(one, ChurnWarned)]
    cleared = {
        (one.customer_id, one.rule, one.started_at): one
        for one in world.effects
        if isinstance(one, ChurnCleared)
    }
    rows = []
    for one in warned:
        end = cleared.get((one.customer_id, one.rule, one.occurred_at))
        ended = (to_ms(end.occurred_at), end.cause) if end else (None, None)
        evidence = msgspec.json.encode(one.evidence)
        rows.append(
            (one.customer_id, one.rule, to_ms(one.occurred_at), one.kind, one.severity, evidence, *ended)
        )
    await connection.executemany(
        "INSERT INTO warnings (customer_id, rule, started_ms, kind, severity, evidence, ended_ms, ended_by, "
        "lane, seq) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0)",
        rows,
    )
    ties = ties_of(world.histogram, world.cuts, world.policy)
    points = [cut for one in world.cuts.points for cut in (one.enter, one.plain, one.leave)]
    await connection.execute(
        "INSERT INTO cut_offs (version, at_ms, complete, active, cuts, tied, policy_version, seq) "
        "VALUES ($1, $2, false, $3, $4, $5, 1, 1)",
        world.version, to_ms(NOW), ties.active, points, list(ties.tied),
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO histograms VALUES (0, 1, $1, false, $2, $3)",
        to_ms(NOW), ties.active, histogram_to_bytes(world.histogram),
    )  # fmt: skip


async def _fill_tasks(connection: asyncpg.Connection[Any], tasks: Sequence[Task]) -> None:
    """Insert tasks as the alerter does; old ones were answered by somebody, as a year's are."""
    random = Random(3)
    waiting = [Unassigned(number, task.customer_id, task.team) for number, task in enumerate(tasks)]
    teams = {
        team: [p.user_id for p in DEMO_PEOPLE if p.team == team and p.role == "advisor"]
        for team in {p.team for p in DEMO_PEOPLE}
    }
    owners = dict(assign(waiting, teams=teams, last={}, owners={}).given)
    for number, task in enumerate(tasks):
        closing: dict[str, Any] = {"state": task.state.value}
        if not task.is_live:
            closing |= {"closed_at": from_ms(task.closed_at_ms or 0), "closed_by": task.closed_by}
        if task.state == TaskState.DONE:
            outcome = random.choice(("reached", "reached", "not_reached", "solved", "lost"))
            closing |= {"closed_by": owners[number], "outcome": outcome}
        task_id = await insert_task(connection, task, assigned_to=owners[number], **closing)
        if task.state == TaskState.DONE:
            await connection.execute(
                "INSERT INTO task_notes (task_id, at, author, body) VALUES ($1, $2, $3, $4)",
                task_id, closing["closed_at"], owners[number],
                random.choice(("Was away for work; wants to hear of the spring range.", "Left a message.")),
            )  # fmt: skip


async def insert_task(
    connection: asyncpg.Connection[Any],
    task: Task,
    *,
    assigned_to: str | None,
    state: str = "open",
    closed_at: datetime | None = None,
    closed_by: str | None = None,
    outcome: str | None = None,
) -> int:
    """Insert one task of the alerter's core; return its id."""
    causes = [msgspec.to_builtins(line) for line in task.causes]
    task_id = await connection.fetchval(
        "INSERT INTO tasks (task_key, customer_id, lane, playbook, kind, team, urgency, tier, title, why, advice, "
        "evidence, causes, episode, state, created_at, due_at, assigned_to, assigned_at, closed_at, closed_by, outcome) "
        "VALUES ($1,$2,0,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$15,$18,$19,$20) RETURNING id",
        task.task_key, task.customer_id, task.playbook, task.kind, task.team, task.urgency, task.tier, task.title,
        task.why, task.advice, json.dumps(task.evidence), json.dumps(causes), task.episode, state,
        from_ms(task.created_at_ms), from_ms(task.due_at_ms), assigned_to, closed_at, closed_by, outcome,
    )  # fmt: skip
    return int(task_id)


async def copy_database(admin_url: str, name: str, template: str = "template1") -> str:
    """Make a database beside ``admin_url``'s, as ``template`` is now; return its address."""
    admin = await asyncpg.connect(admin_url)
    try:
        await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    finally:
        await admin.close()
    return admin_url.rsplit("/", 1)[0] + f"/{name}"


async def make_database(admin_url: str, name: str, count: int = 180, policy: Policy = POLICY) -> str:
    """Make a database beside ``admin_url``'s and fill it; return its address."""
    url = await copy_database(admin_url, name)
    connection = await asyncpg.connect(url)
    try:
        await create_tables(connection)
        if count:
            await fill(connection, play(count, policy))
        else:
            await seed(connection)
    finally:
        await connection.close()
    return url
