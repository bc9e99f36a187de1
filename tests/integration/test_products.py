"""Products in PostgreSQL: loaded by version, adopted by a lane, looked up when a purchase is applied."""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
from rich.console import Console

from deploy.explaining import rows
from deploy.history import History, read
from deploy.local import session as session_module
from deploy.local.session import Options, Session
from deploy.products.loading import Loaded, load_into, load_products
from deploy.replay import Plan
from schemas.events import ProductListed
from schemas.times import from_ms
from schemas.wire import decode_input, encode
from services.lanes.work import LaneRow, LaneTime, Record, Turn
from services.scorer.catalogue import Catalogue
from services.scorer.core.policy import Bonus, Policy, Weight
from services.scorer.core.products import Product
from services.scorer.core.state import State, decode_state
from services.scorer.service import ScorerService
from services.scorer.work import ScorerWork
from tests.contract.poison import encoded, event
from tests.integration.policy_database import make_policy_database

NOW_MS = 1_790_000_000_000
POLICY = Policy(
    score=(Weight(metric="margin", weight=1.0, reference=1_000, unit=1),),
    bonus=(Bonus(metric="high_grade", points=10),),
)


@pytest.fixture(scope="module")
def address(database_url: str) -> str:
    """Return a database whose first policy asks what was bought, and whose second one doesn't."""
    url = make_policy_database(database_url)
    asyncio.run(_put_policies(url))
    return url


async def _put_policies(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for version, policy in ((1, POLICY), (2, Policy.default())):
            body = json.dumps(policy.to_json())
            await connection.execute("INSERT INTO policies (version, body) VALUES ($1, $2)", version, body)
    finally:
        await connection.close()


@pytest.fixture
async def connection(address: str) -> AsyncIterator[Any]:
    """Yield a connection to it, without any product."""
    found = await asyncpg.connect(address)
    try:
        await found.execute("TRUNCATE products")
        yield found
    finally:
        await found.close()


def listed(sku: str, day: int, *, margin: float | None = 10.0, grade: Any = "high") -> ProductListed:
    """Return the word on a product of a day."""
    return ProductListed(
        event_id=f"{sku}-{day}-{margin}",
        occurred_at=from_ms(NOW_MS - (100 - day) * 86_400_000),
        sku=sku,
        brand="b",
        category="c",
        grade=grade,
        margin_percent=margin,
    )


class TestLoading:
    """Versions of the table."""

    async def test_what_is_newer_makes_the_next_version(self, connection: Any) -> None:
        """A repeat and an older word change nothing, in whatever order they come."""
        assert await load_products(connection, [listed("seat", 1), listed("toy", 1)]) == Loaded(1, 2)
        assert await load_products(connection, [listed("toy", 1), listed("seat", 1)]) == Loaded(1, 0)
        assert await load_products(connection, [listed("seat", 3), listed("seat", 2)]) == Loaded(2, 1)
        assert await load_products(connection, [listed("seat", 2)]) == Loaded(2, 0)

    async def test_loads_at_once_take_versions_of_their_own(self, address: str, connection: Any) -> None:
        """None of them is lost."""
        done = await asyncio.gather(*(load_into(address, [listed(f"p{number}", 1)]) for number in range(8)))
        assert sorted(one.version for one in done) == list(range(1, 9))
        assert await connection.fetchval("SELECT count(*) FROM products") == 8

    async def test_each_version_is_looked_up_as_it_was(self, connection: Any) -> None:
        """Also by the command that explains; a product that is not listed is not known."""
        await load_products(connection, [listed("seat", 1, margin=31.5)])
        await load_products(connection, [listed("seat", 2, margin=None, grade="entry"), listed("toy", 2)])
        catalogue, wanted = Catalogue(), ["seat", "toy", "unheard-of", "with\x00nul"]
        assert await catalogue.look_up(connection, wanted, 0) == {}
        assert await catalogue.look_up(connection, wanted, 1) == {"seat": Product("high", Decimal("31.5"))}
        for _ in range(2):  # the second time from memory
            assert await catalogue.look_up(connection, wanted, 2) == {
                "seat": Product("entry"),
                "toy": Product("high", Decimal("10.0")),
            }
        assert [one[:2] for one in await rows.products(connection, set(wanted))] == [
            (1, "seat"), (2, "seat"), (2, "toy"),
        ]  # fmt: skip


class TestAdoption:
    """A lane goes over to another version."""

    async def test_live_in_a_turn_of_its_own(self, connection: Any) -> None:
        """Purchases before it earn nothing, those after it do; its row says which version that is."""
        work = await opened(connection, NOW_MS)
        assert state_of(await bought(work, connection, live=True)).months == ()

        await load_products(connection, [listed("seat", 1)])
        turn = await work.tend(connection, live_time(), 2)
        assert turn is not None
        assert (turn.kind, turn.versions) == ("products", (0, 1, 0, 1, 1))
        committed(turn)
        after = await bought(work, connection, live=True)
        assert (after.versions, state_of(after).months[0].margin_minor) == (None, 1_000)

    async def test_a_refused_turn_adopts_nothing(self, connection: Any) -> None:
        """Memory changes with the commit."""
        await load_products(connection, [listed("seat", 1)])
        work = await opened(connection, NOW_MS)
        assert (await work.tend(connection, live_time(), 1)) is not None
        assert work.shelf.version == 0

    async def test_a_replay_takes_the_newest_with_its_first_records_and_keeps_it(
        self, connection: Any
    ) -> None:
        """What is loaded during a replay is for live time."""
        await load_products(connection, [listed("seat", 1)])
        work = await opened(connection, 0)
        first = await bought(work, connection, live=False)
        assert (first.versions, state_of(first).months[0].margin_minor) == ((0, 1, 0, 1, 1), 1_000)
        committed(first)
        barrier = LaneTime(NOW_MS, barrier=True)
        turn = await work.tend(connection, barrier, 2)
        assert turn is not None
        assert turn.kind != "products"
        committed(turn)
        await load_products(connection, [listed("seat", 2, margin=50.0)])
        later = await bought(work, connection, live=False)
        assert (later.versions, state_of(later).months[0].margin_minor) == (None, 1_000)

    async def test_a_replay_without_records_before_its_first_midnight(self, connection: Any) -> None:
        """It takes them there, before anything else."""
        await load_products(connection, [listed("seat", 1)])
        work = await opened(connection, 0)
        turn = await work.tend(connection, LaneTime(NOW_MS, barrier=True), 1)
        assert turn is not None
        assert (turn.kind, turn.versions, turn.settled) == ("products", (0, 1, 0, 1, 1), False)

    @pytest.mark.parametrize(
        ("row", "begins"),
        [
            ({"complete": True, "settled": True}, [True]),
            ({"complete": True, "settled": False}, [False]),
            ({"complete": False, "settled": True}, [False]),
        ],
    )
    async def test_another_replay_on_the_same_lane_begins_anew(
        self, connection: Any, row: dict[str, bool], begins: list[bool]
    ) -> None:
        """After the end of one, and not amid one."""
        await load_products(connection, [listed("seat", 1)])
        work = await opened(connection, NOW_MS - 1, **row)
        turn = await bought(work, connection, live=False)
        assert [turn.versions is not None] == begins

    async def test_a_policy_that_asks_for_no_products_looks_nothing_up(self, connection: Any) -> None:
        """Its chunks have the one SELECT of the customers."""
        await load_products(connection, [listed("seat", 1)])
        work = await opened(connection, NOW_MS, policy_version=2)
        counting = Counting(connection)
        assert state_of(await bought(work, counting, live=True)).months == ()
        assert counting.asked == 1


class Counting:
    """A connection that counts what it is asked."""

    def __init__(self, connection: Any) -> None:
        """Pass everything on."""
        self._connection = connection
        self.asked = 0

    async def fetch(self, *arguments: Any) -> Any:
        """Ask."""
        self.asked += 1
        return await self._connection.fetch(*arguments)


async def opened(
    connection: Any, clock_ms: int, *, policy_version: int = 1, complete: bool = False, settled: bool = True
) -> ScorerWork:
    """Return a lane as a worker opens it."""
    row = LaneRow(
        service="scorer",
        lane=0,
        lanes=1,
        epoch=1,
        seq=1,
        offsets=(0,) * 8,
        numbers=(0,) * 8,
        clock_ms=clock_ms,
        clock_mode="event",
        settled=settled,
        complete=complete,
        versions=ScorerService.first_versions,
        outbox_number=0,
        published=0,
    )
    versions = (0, policy_version, 0, policy_version, 0)
    return await ScorerService().open(connection, replace(row, versions=versions))


def live_time() -> LaneTime:
    """Return the lane's time when it follows the wall clock."""
    return LaneTime(NOW_MS, live=True, wall_ms=NOW_MS)


async def bought(work: ScorerWork, connection: Any, *, live: bool) -> Turn:
    """Return the turn in which somebody buys a seat for 100.00."""
    line = {"sku": "seat", "category": "c", "brand": "b", "quantity": 1, "amount_minor": 10_000}
    moment = from_ms(NOW_MS - 1).isoformat(timespec="milliseconds")
    own: dict[str, Any] = {
        "occurred_at": moment,
        "customer_id": "c1",
        "amount_minor": 10_000,
        "lines": [line],
    }
    record = Record("purchases", 0, 0, b"c1", encoded(event("purchases", **own)), NOW_MS)
    return await work.chunk(connection, [record], live_time() if live else LaneTime(0), 1)


def state_of(turn: Turn) -> State:
    """Return the state of the one customer that the turn writes."""
    assert not turn.dead_letters
    return decode_state(turn.writes[0].arrays[1][0])


def committed(turn: Turn) -> None:
    """Let the lane take over what was committed."""
    if turn.on_commit is not None:
        turn.on_commit()


async def test_a_replay_loads_what_its_files_list_before_it_publishes(
    address: str, connection: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each product the latest word, so that every lane begins with it."""
    lines = [encode(listed("seat", day)) for day in (1, 3, 2)] + [encoded(event("purchases"))]
    (tmp_path / "history.jsonl").write_bytes(b"\n".join(lines))
    history = read([tmp_path / "history.jsonl"], partitions=1)
    there: list[int] = []

    async def publish(_bootstrap: str, published: History, _plan: Plan) -> int:
        own = await asyncpg.connect(address)  # the replay runs in a loop of its own
        there.append(await own.fetchval("SELECT count(*) FROM products"))
        await own.close()
        return len(published)

    async def through(_session: Session, _last_ms: int, *, then_live: bool) -> AsyncIterator[int]:
        yield int(then_live)
        await asyncio.sleep(0)

    monkeypatch.setattr(session_module, "replay", publish)
    monkeypatch.setattr(Session, "_until_through", through)
    stack: Any = SimpleNamespace(database_url=address, kafka_bootstrap="")
    nobody: Any = None
    running = Session(stack, nobody, Options(policy=POLICY), Console(quiet=True), None)
    await asyncio.to_thread(running.replay, history, Plan(POLICY.zone))

    assert there == [1]
    known = await Catalogue().look_up(connection, ["seat"], 1)
    assert known == {"seat": Product("high", Decimal("10.0"))}
    body = await connection.fetchval("SELECT body FROM products")
    assert decode_input(body) == listed("seat", 3)
