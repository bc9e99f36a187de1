"""The alerter on real PostgreSQL: what stands in the rows after its turns."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from schemas.tables import metadata
from schemas.tiers import Tier
from schemas.times import to_ms
from schemas.wire import encode
from services.alerter import people
from services.alerter import work as alerter_work
from services.alerter.core.decide import Event
from services.alerter.core.wording import Wording
from services.alerter.work import ARCHIVED_PER_TURN_MAX, ASSIGNED_PER_TURN_MAX, AlerterService, AlerterWork
from services.lanes.work import LaneRow, LaneTime, Record, Service, Turn
from tests.alerter_events import HIGH_SILENCE, NOON, cleared, moved, warned

LANES = 2
NOW_MS = to_ms(NOON)
WALL = LaneTime(NOW_MS)
SENIORS = ["amara.okafor", "jonas.lindqvist", "mei.tanaka"]
SERVICE = ["diego.ferreira", "leila.haddad", "wei.zhang"]
FENCE_OPEN, FENCE_SHUT = "SELECT 1", "SELECT 1 WHERE false"


@pytest.fixture(scope="module")
def tables_url(database_url: str) -> str:
    """Return the address of a database of ours, with all tables."""
    base, _, _ = database_url.rpartition("/")
    name = f"alerter_{uuid4().hex[:8]}"
    asyncio.run(_create(database_url, name, f"{base}/{name}"))
    return f"{base}/{name}"


async def _create(database_url: str, name: str, url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.begin() as ddl:
        await ddl.run_sync(metadata.create_all)
    await engine.dispose()


@pytest.fixture
async def connection(tables_url: str) -> AsyncIterator[Any]:
    """Give a connection to empty tables, with the demo's people and two lanes that stand at ``NOON``."""
    opened = await asyncpg.connect(tables_url)
    await opened.execute(
        "TRUNCATE tasks, task_notes, people, rotations, lanes, dead_letters RESTART IDENTITY CASCADE"
    )
    await people.seed(opened)
    for lane in range(LANES):
        await opened.execute(
            """INSERT INTO lanes (service, lane, epoch, seq, owner, offsets, numbers, clock_ms, clock_mode,
            settled, complete, versions, outbox_number, published)
            VALUES ('alerter', $1, 1, 1, 'w', '{0,0}', '{0,0}', $2, 'event', false, false, '{}', 0, 0)""",
            lane,
            NOW_MS,
        )
    yield opened
    await opened.close()


def lane_work(lane: int = 0, lanes: int = LANES) -> AlerterWork:
    return AlerterWork(Wording(), lane=lane, lanes=lanes)


def records_of(events: Sequence[Event]) -> list[Record]:
    return [
        Record(
            "tier-changes" if event.event_id.startswith("tier") else "churn-warnings",
            *(0, offset, event.customer_id.encode(), encode(event), to_ms(event.occurred_at)),
        )
        for offset, event in enumerate(events)
    ]


async def commit(connection: Any, turn: Turn, fence: str = FENCE_OPEN) -> None:
    """Execute a turn as the engine does: all of its writes in one statement behind the fence."""
    parts, arrays = [f"WITH fence AS ({fence})"], list[Any]()
    for number, write in enumerate(turn.writes):
        first = len(arrays) + 1
        arrays.extend(write.arrays)
        placeholders = (f"${index}" for index in range(first, len(arrays) + 1))
        parts.append(f"w{number} AS ({write.sql.format(*placeholders)})")
    await connection.fetch(", ".join(parts) + " SELECT count(*) FROM fence", *arrays)  # noqa: S608


async def process(connection: Any, *events: Event, lane: int = 0) -> Turn:
    async with connection.transaction():
        turn = await lane_work(lane).chunk(connection, records_of(events), WALL, 1)
        await commit(connection, turn)
    return turn


async def tend(connection: Any, time: LaneTime, lane: int = 0) -> Turn | None:
    async with connection.transaction():
        turn = await lane_work(lane).tend(connection, time, 1)
        if turn is not None:
            await commit(connection, turn)
    return turn


async def settle(connection: Any, time: LaneTime, lane: int = 0) -> list[str]:
    """Tend until the barrier is settled; return the kinds of the turns."""
    kinds = []
    for _ in range(20):
        turn = await tend(connection, time, lane)
        assert turn is not None
        kinds.append(turn.kind)
        if turn.settled:
            return kinds
    raise AssertionError(kinds)


async def rows(connection: Any, columns: str = "*") -> list[dict[str, Any]]:
    query = f"SELECT {columns} FROM tasks ORDER BY created_at, id"  # noqa: S608
    return [dict(row) for row in await connection.fetch(query)]


async def assigned(connection: Any) -> list[str | None]:
    return [row["assigned_to"] for row in await rows(connection, "assigned_to")]


def warnings(count: int, *, at: datetime = NOON) -> list[Event]:
    """Return warnings of as many customers, a minute apart, the last one a minute before ``at``."""
    return [
        warned(customer_id=f"c{number:04}", at=at - timedelta(minutes=count - number))
        for number in range(count)
    ]


# -- chunks -----------------------------------------------------------------------------------------


def test_the_service_is_what_the_engine_asks_for() -> None:
    """The contract of services/lanes/work.py, checked by mypy and here."""
    service: Service = AlerterService()

    assert (service.name, service.topics) == ("alerter", ("tier-changes", "churn-warnings"))
    assert service.locks_rows


async def test_open_gives_the_lanes_work() -> None:
    """A takeover needs nothing but the lane's row."""
    row = LaneRow("alerter", 1, 2, 1, 1, (0, 0), (0, 0), 0, "wall", True, False, (), 0, 0)  # noqa: FBT003

    work = await AlerterService().open(None, row)

    assert isinstance(work, AlerterWork)


async def test_an_event_becomes_a_row(connection: Any) -> None:
    """Everything that the desk shows stands in the row, dated by the event."""
    turn = await process(connection, moved(Tier.REGULAR, Tier.HIGH_VALUE), lane=1)

    (row,) = await rows(connection)
    assert turn.applied == 1
    assert (row["lane"], row["state"], row["team"], row["tier"]) == (
        1,
        "open",
        "senior_advisors",
        "high_value",
    )
    assert (row["created_at"], row["due_at"]) == (NOON, NOON + timedelta(hours=24))
    assert (row["assigned_to"], row["closed_at"], row["version"]) == (None, None, 1)
    assert row["why"].endswith("Moved up from regular because of what they did.")
    assert await connection.fetchval("SELECT evidence->0->'parts'->>'orders' FROM tasks") == "45"


async def test_redelivery_changes_no_row(connection: Any) -> None:
    """The same records again, in later turns and within one: every row is as it was."""
    early = warned()
    late = warned(HIGH_SILENCE, revision=2, at=NOON + timedelta(days=90))
    events: list[Event] = [
        early,
        late,
        moved(None, Tier.HIGH_VALUE, revision=3),
        cleared(early),
        cleared(late),
    ]
    await process(connection, *events)
    before = await rows(connection)

    turn = await process(connection, *events, *events)

    assert len(before) == 2
    assert turn.writes == []
    assert await rows(connection) == before


async def test_chunks_do_not_matter(connection: Any) -> None:
    """One event a turn, or all in one: the same rows."""
    first, second = warned(), warned(revision=4, at=NOON + timedelta(days=100))
    events: list[Event] = [
        first,
        moved(None, Tier.HIGH_VALUE),
        cleared(first),
        second,
        cleared(second, revision=11),
    ]
    columns = "task_key, state, urgency, due_at, evidence, causes, closed_at, closed_by, version"
    for event in events:
        await process(connection, event)
    one_by_one = await rows(connection, columns)
    await connection.execute("TRUNCATE tasks CASCADE")

    await process(connection, *events)

    assert len(one_by_one) == 3
    assert await rows(connection, columns) == one_by_one


async def test_a_place_is_given_up_and_taken_in_one_turn(connection: Any) -> None:
    """A silence ends and the next one begins within one chunk: the unique index never sees both live."""
    first, second = warned(), warned(revision=3, at=NOON + timedelta(days=100))
    await process(connection, first)

    await process(connection, cleared(first, revision=2), second)

    closed, fresh = await rows(connection)
    assert (closed["state"], closed["closed_by"]) == ("withdrawn", "purchase")
    assert (fresh["state"], fresh["episode"]) == ("open", f"early_silence/{to_ms(second.occurred_at)}")


async def test_a_refused_fence_undoes_all_of_it(connection: Any) -> None:
    """A zombie's turn changes nothing, the place that it made included."""
    first, second = warned(), warned(revision=3, at=NOON + timedelta(days=100))
    await process(connection, first)
    before = await rows(connection)
    transaction = connection.transaction()
    await transaction.start()

    turn = await lane_work().chunk(connection, records_of([cleared(first, revision=2), second]), WALL, 1)
    await commit(connection, turn, FENCE_SHUT)
    written = await connection.fetchval("SELECT count(*) FROM tasks")
    await transaction.rollback()  # what the engine does when no lane row was hit

    assert written == 1
    assert await rows(connection) == before


async def test_a_claimed_task_is_taken_back(connection: Any) -> None:
    """The lease ends at once, and the notes stay."""
    warning = warned()
    await process(connection, warning)
    await connection.execute(
        "UPDATE tasks SET state = 'claimed', lease_token = gen_random_uuid(), lease_until = now() + '1 h'"
    )
    await connection.execute(
        "INSERT INTO task_notes (task_id, author, body) SELECT id, 'x', 'rang' FROM tasks"
    )

    await process(connection, cleared(warning))

    (row,) = await rows(connection)
    assert (row["state"], row["lease_token"], row["lease_until"]) == ("withdrawn", None, None)
    assert (row["closed_by"], row["closed_at"]) == ("purchase", NOON + timedelta(days=1))
    assert await connection.fetchval("SELECT body FROM task_notes") == "rang"


async def test_a_merge_keeps_the_lease(connection: Any) -> None:
    """Who is on the phone goes on; the task gets a line more."""
    await process(connection, warned())
    token = uuid4()
    await connection.execute(
        "UPDATE tasks SET state = 'claimed', lease_token = $1, lease_until = now()", token
    )

    await process(connection, warned(HIGH_SILENCE, revision=2))

    (row,) = await rows(connection)
    assert (row["state"], row["lease_token"], row["urgency"]) == ("claimed", token, 1)
    assert await connection.fetchval("SELECT jsonb_array_length(causes) FROM tasks") == 2


async def test_a_turn_waits_for_the_advisor_who_completes(connection: Any, tables_url: str) -> None:
    """A task that is being completed is not merged into: the new cause gets a task of its own."""
    await process(connection, warned())
    advisor = await asyncpg.connect(tables_url)
    completing = advisor.transaction()
    await completing.start()
    await advisor.execute("UPDATE tasks SET state = 'done', outcome = 'reached'")

    turn = asyncio.create_task(process(connection, warned(HIGH_SILENCE, revision=2)))
    async with asyncio.timeout(10):
        while not await advisor.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await completing.commit()
    await asyncio.wait_for(turn, 10)
    await advisor.close()

    assert sorted(row["state"] for row in await rows(connection, "state, created_at, id")) == ["done", "open"]


async def test_bad_records_become_dead_letters(connection: Any) -> None:
    """They have their reason, and the good ones around them count."""
    good = records_of([warned(), warned(customer_id="c2")])
    bad = [
        Record("churn-warnings", 0, 7, b"other", encode(warned(customer_id="c3")), 0),
        Record("tier-changes", 0, 8, b"c1", b"\x00\xff", 0),
        Record("churn-warnings", 0, 9, b"c1", None, 0),
    ]
    async with connection.transaction():
        turn = await lane_work().chunk(connection, [good[0], *bad, good[1]], WALL, 1)
        await commit(connection, turn)

    assert [(letter.record.offset, letter.reason) for letter in turn.dead_letters] == [
        (7, "KEY"),
        (8, "ENCODING"),
        (9, "EMPTY"),
    ]
    assert turn.applied == 2
    assert len(await rows(connection)) == 2


@pytest.mark.parametrize("function", ["read", "fold"])
async def test_a_record_that_meets_a_bug_becomes_a_dead_letter(
    connection: Any, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    """Its customer's other events count, and so do all others: the tasks are those of a chunk without it."""
    bugged = warned(HIGH_SILENCE, revision=2)
    events = [warned(), bugged, warned(customer_id="c2")]
    right = getattr(alerter_work, function)

    def with_bug(*arguments: Any) -> Any:
        found = right(*arguments)
        if bugged in (found, arguments[1][0]):
            raise ZeroDivisionError(bugged.customer_id)
        return found

    monkeypatch.setattr(alerter_work, function, with_bug)
    turn = await process(connection, *events)
    monkeypatch.undo()
    after = await rows(connection, "task_key, customer_id, causes, version, created_at, id")

    (letter,) = turn.dead_letters
    assert (letter.record, letter.reason) == (records_of(events)[1], "INTERNAL")
    assert letter.detail.startswith("ZeroDivisionError at ")
    assert turn.applied == 2
    await connection.execute("TRUNCATE tasks RESTART IDENTITY CASCADE")
    await process(connection, events[0], events[2])
    assert await rows(connection, "task_key, customer_id, causes, version, created_at, id") == after


async def test_free_text_can_not_stop_a_lane(connection: Any) -> None:
    """NUL in a product's name is stored as a space: PostgreSQL refuses it in text and in jsonb."""
    await process(connection, warned(last_browse="a\x00b", competitor="\u202e\x00"))

    assert await connection.fetchval("SELECT evidence->0->>'last_browse' FROM tasks") == "a b"


# -- assignment -------------------------------------------------------------------------------------


async def test_tasks_go_round_and_owners_keep_their_customers(connection: Any) -> None:
    """In the order of event time; the rotation is kept for the next turn."""
    await process(connection, *warnings(4))
    assert (await tend(connection, WALL)) is not None
    assert await assigned(connection) == [*SERVICE, SERVICE[0]]

    again = warned(revision=8, customer_id="c0002", at=NOON + timedelta(days=1))
    await connection.execute("UPDATE tasks SET state = 'done'")
    await process(connection, again, warned(customer_id="new", at=NOON + timedelta(days=2)))
    await tend(connection, WALL)

    assert (await assigned(connection))[4:] == [SERVICE[2], SERVICE[1]]
    assert await connection.fetchval("SELECT last_user_id FROM rotations") == SERVICE[1]
    assert await connection.fetchval("SELECT count(*) FROM tasks WHERE assigned_at = $1", NOON) == 6
    assert await tend(connection, WALL) is None


async def test_who_is_away_gets_nothing(connection: Any) -> None:
    """An inactive owner is passed over, and managers are in no rotation."""
    await process(connection, warned())
    await tend(connection, WALL)
    await connection.execute("UPDATE people SET active = false WHERE user_id = $1", SERVICE[0])
    await connection.execute("UPDATE tasks SET state = 'done'")
    await process(connection, warned(revision=5, at=NOON + timedelta(days=100)), moved(None, Tier.HIGH_VALUE))

    await tend(connection, WALL)

    assert sorted(filter(None, await assigned(connection))) == sorted([SERVICE[0], SERVICE[1], SENIORS[0]])


async def test_a_team_without_people_holds_up_nobody(connection: Any) -> None:
    """Its tasks wait, the barrier is settled, and other teams get theirs."""
    await connection.execute("UPDATE people SET active = false WHERE team = 'customer_service'")
    await process(connection, *warnings(3), moved(None, Tier.HIGH_VALUE, at=NOON - timedelta(hours=1)))

    kinds = await settle(connection, LaneTime(NOW_MS, barrier=True))

    assert kinds == ["assign", "settle"]
    assert sorted(await assigned(connection), key=str) == [None, None, None, SENIORS[0]]


async def test_a_turn_assigns_a_bounded_number(connection: Any) -> None:
    """A big replay is assigned in turns, and evenly."""
    await process(connection, *warnings(ASSIGNED_PER_TURN_MAX + 1))

    kinds = await settle(connection, LaneTime(NOW_MS, barrier=True))

    counts = await connection.fetch("SELECT count(*) AS n FROM tasks GROUP BY assigned_to ORDER BY n")
    assert kinds == ["assign", "assign", "settle"]
    assert [row["n"] for row in counts] == [167, 167, 167]


async def test_only_lane_0_assigns(connection: Any) -> None:
    """One rotation needs one writer."""
    await process(connection, warned(), lane=1)

    assert await tend(connection, WALL, lane=1) is None
    assert await settle(connection, LaneTime(NOW_MS, barrier=True), lane=1) == ["settle"]
    assert await assigned(connection) == [None]


async def test_lane_0_waits_for_the_others_at_a_barrier(connection: Any) -> None:
    """A task of a slower lane may come before: who is next must not depend on speed."""
    await process(connection, *warnings(1))
    await connection.execute("UPDATE lanes SET clock_ms = $1 WHERE lane = 1", NOW_MS - 1)
    assert await tend(connection, LaneTime(NOW_MS, barrier=True)) is None

    await connection.execute("UPDATE lanes SET clock_ms = $1 WHERE lane = 1", NOW_MS)

    assert await settle(connection, LaneTime(NOW_MS, barrier=True)) == ["assign", "settle"]


async def test_only_a_complete_instant_is_assigned_to_its_end(connection: Any) -> None:
    """At a midnight more may come at the instant itself; at the end of a replay it is all in."""
    await process(connection, warned())
    barrier, end = LaneTime(NOW_MS, barrier=True), LaneTime(NOW_MS, barrier=True, complete=True)
    assert await settle(connection, barrier) == ["settle"]
    assert await tend(connection, end) is None  # lane 1 has the instant, but not complete

    await connection.execute("UPDATE lanes SET complete = true")

    assert await settle(connection, end) == ["assign", "settle"]


async def test_assignment_does_not_depend_on_what_became_of_a_task(connection: Any) -> None:
    """Withdrawn before or after its assignment: the others get the same people."""
    events = warnings(3)
    await process(connection, *events)
    await connection.execute("UPDATE tasks SET state = 'withdrawn' WHERE customer_id = 'c0000'")

    await tend(connection, WALL)

    assert await assigned(connection) == SERVICE


# -- the end of a replay ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "end",
    [LaneTime(NOW_MS, barrier=True, complete=True), LaneTime(NOW_MS, barrier=True, ends_replay=True)],
    ids=["complete", "ends_replay"],
)
async def test_what_was_due_long_ago_becomes_history(connection: Any, end: LaneTime) -> None:
    """Only the lane's own open tasks, and only those overdue for more than 7 days."""
    await connection.execute("UPDATE lanes SET complete = true")
    overdue, edge = NOON - timedelta(days=9, seconds=1), NOON - timedelta(days=9)  # due 48 h later
    await process(connection, *warnings(1, at=overdue), warned(customer_id="edge", at=edge))
    await process(connection, warned(customer_id="held", at=overdue))
    await connection.execute(
        "UPDATE tasks SET state = 'claimed', lease_token = gen_random_uuid() WHERE customer_id = 'held'"
    )
    await process(connection, warned(customer_id="foreign", at=overdue), lane=1)

    kinds = await settle(connection, end)

    found = {row["customer_id"]: row for row in await rows(connection)}
    assert kinds == ["assign", "archive", "settle"]
    assert {name: row["state"] for name, row in found.items()} == {
        "c0000": "history",
        "edge": "open",
        "held": "claimed",
        "foreign": "open",
    }
    assert (found["c0000"]["closed_by"], found["c0000"]["closed_at"]) == ("replay", NOON)


async def test_an_ordinary_barrier_archives_nothing(connection: Any) -> None:
    """During a replay the past is still the present."""
    await process(connection, *warnings(1, at=NOON - timedelta(days=30)))

    assert await settle(connection, LaneTime(NOW_MS, barrier=True)) == ["assign", "settle"]


async def test_nothing_becomes_history_before_lane_0_assigned(connection: Any) -> None:
    """The other lanes wait at the last barrier, so that no race decides who is next."""
    await process(connection, *warnings(1, at=NOON - timedelta(days=30)), lane=1)
    end = LaneTime(NOW_MS, barrier=True, complete=True)
    await connection.execute("UPDATE lanes SET complete = true")
    assert await tend(connection, end, lane=1) is None

    assert await settle(connection, end, lane=0) == ["assign", "settle"]
    await connection.execute("UPDATE lanes SET settled = true WHERE lane = 0")

    assert await settle(connection, end, lane=1) == ["archive", "settle"]
    assert await assigned(connection) == [SERVICE[0]]


async def test_history_is_made_in_bounded_turns(connection: Any) -> None:
    """A year of leftovers does not make one endless transaction."""
    await connection.execute("UPDATE lanes SET complete = true")
    await connection.execute("UPDATE people SET active = false")
    old = warnings(ARCHIVED_PER_TURN_MAX + 1, at=NOON - timedelta(days=30))
    await process(connection, *old)

    kinds = await settle(connection, LaneTime(NOW_MS, complete=True, barrier=True))

    assert kinds == ["archive", "archive", "settle"]
    assert await connection.fetchval("SELECT count(*) FROM tasks WHERE state = 'history'") == len(old)


# -- people -----------------------------------------------------------------------------------------


async def test_seeding_twice_keeps_what_people_changed(connection: Any) -> None:
    """Who was set inactive stays so; nobody is there twice."""
    await connection.execute("UPDATE people SET active = false WHERE user_id = 'mei.tanaka'")

    await people.seed(connection)

    found = await connection.fetch("SELECT user_id, active FROM people")
    assert len(found) == len(people.DEMO_PEOPLE)
    assert [row["user_id"] for row in found if not row["active"]] == ["mei.tanaka"]
