"""Products published while customers buy: stored, adopted by every lane, earned by purchases, and explained."""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.explaining.run import explain
from deploy.products.following import follow
from deploy.products.loading import Loaded
from services.scorer.core.policy import Bonus, Ladder, Level, Policy
from services.scorer.core.state import State
from tests.integration.scorer_rig import LANES, Publishing, World, counted, running_scorer

POLICY = Policy(
    bonus=(Bonus(metric="high_grade", points=500),),
    churn=(),
    tiers=Ladder(by="score", levels=(Level(name="gold", at_least=2_000), Level(name="member"))),
)
PEOPLE = [f"products-{number}" for number in range(8)]
IN_FORCE = "SELECT count(*) FROM lanes WHERE service = 'scorer' AND versions[2] = 2 AND versions[5] = $1"
LISTING = {
    "type": "product-listed.v1", "event_id": "pim:1", "occurred_at": "2026-01-15T06:00:00Z", "sku": "seat",
    "brand": "Maximo", "category": "child seats", "grade": "high", "margin_percent": 31.5,
}  # fmt: skip
SEATS = [{"sku": "seat", "category": "c", "brand": "b", "quantity": 4, "amount_minor": 100}]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Run one scorer."""
    with running_scorer(tmp_path_factory.mktemp("logs")) as running:
        yield running


async def test_what_is_published_counts_from_then_on(world: World) -> None:
    """The same basket earns nothing before, four high-grade products after; a bad listing is set aside."""
    body = json.dumps(POLICY.to_json())
    await world.fetch("INSERT INTO policies (version, body) VALUES (2, $1)", body)
    await world.until(lambda rows: rows[0][0] == LANES, IN_FORCE, 0)
    shared = {"DATABASE_URL": world.database_url, "KAFKA_BOOTSTRAP": world.kafka_bootstrap}
    world.supervisor.start("products", "deploy.products", shared)
    async with Publishing(world, acks="all") as shop:
        for name in PEOPLE:
            await shop.sale(name, 1, lines=SEATS)
        await world.states("products-", counted(dict.fromkeys(PEOPLE, 1)))

        for key, listing in (("seat", LISTING), ("seat", LISTING), ("toy", LISTING), ("seat", {"type": "?"})):
            value = json.dumps(listing).encode()
            await shop.producer.send_and_wait("products", value, key=key.encode(), partition=0)
        await world.until(lambda rows: rows[0][0] == LANES, IN_FORCE, 1)
        for name in PEOPLE:
            await shop.sale(name, 2, lines=SEATS)
    states = await world.states("products-", counted(dict.fromkeys(PEOPLE, 2)))

    assert {high_grade(state) for state in states.values()} == {4}
    assert {state.ranked for state in states.values()} == {"gold"}
    dead = await world.fetch(
        "SELECT service, reason FROM dead_letters WHERE topic = 'products' ORDER BY \"offset\""
    )
    assert [tuple(row) for row in dead] == [("products", "KEY"), ("products", "VERSION")]
    again: list[Loaded] = []
    assert await follow(world.database_url, world.kafka_bootstrap, once=True, report=again.append) == 2
    assert again == []
    await explained(world, PEOPLE[0])


async def explained(world: World, name: str) -> None:
    """The log yields the change that the products made, by the version that the lane was at."""
    found = await explain(world.database_url, world.kafka_bootstrap, name)
    assert found.from_log
    assert found.is_right, list(found.lines())
    points = {one.metric: one.points for one in change_of(found).proof.parts.points}
    assert points["high_grade"] == 2_000


def change_of(found: Any) -> Any:
    """Return the latest change."""
    assert found.change is not None
    return found.change


def high_grade(state: State) -> int:
    """Return how many high-grade products were bought."""
    return sum(month.high_grade for month in state.months)
