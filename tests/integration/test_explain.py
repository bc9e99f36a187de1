"""``tierstream explain`` on the real stack: the lane's log and Kafka's recompute what the scorer published."""

# mypy: disable-error-code="no-untyped-call"
# aiokafka leaves most of its functions without annotations.

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from deploy.explaining import run
from deploy.explaining.errors import CanNotExplainError
from deploy.explaining.report import Explanation
from deploy.fitting.purchases import Purchases
from deploy.fitting.sample import sample
from deploy.fitting.source import read_log
from schemas.times import DAY_MS
from services.scorer.core.policy import Policy
from services.scorer.core.state import State
from tests.integration.scorer_rig import Publishing, World, counted, good, in_every_lane, running_scorer


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running_scorer(tmp_path_factory.mktemp("logs")) as running:
        yield running


async def explained(world: World, customer: str) -> Explanation:
    """Return what the command finds out."""
    return await run.explain(world.database_url, world.kafka_bootstrap, customer)


async def lived(world: World, prefix: str) -> dict[str, State]:
    """Publish half a year of a few customers of every lane, late and doubled events among them."""
    people, now_ms = in_every_lane(prefix), int(time.time() * 1000)
    async with Publishing(world) as publisher:
        for day in (200, 150, 149, 170, 3, 0):
            for name in people:
                sold = good(
                    "purchases", name, day, at_ms=now_ms - day * DAY_MS, amount_minor=1_000 * (day + 1)
                )
                await publisher.send("purchases", sold, to=name)
                if day == 149:
                    await publisher.send("purchases", sold, to=name)
                looked = good("browses", name, day, at_ms=now_ms - day * DAY_MS)
                await publisher.send("browses", looked, to=name)
    return await world.states(prefix, counted(dict.fromkeys(people, 6)))


async def test_the_log_recomputes_every_customer(world: World) -> None:
    """All changes and the state, in every lane, while cut-offs come and go."""
    for name in await lived(world, "log"):
        found = await explained(world, name)

        assert found.from_log
        assert found.checks
        assert found.is_right, "\n".join(found.lines())


async def test_a_row_that_was_altered_is_found_out(world: World) -> None:
    """Somebody wrote another tier into the history."""
    name = next(iter(await lived(world, "bent")))
    await world.fetch("UPDATE tier_changes SET ranked_current = 'high_value' WHERE customer_id = $1", name)

    found = await explained(world, name)

    assert not found.is_right
    assert "these differ" in found.verdict()


async def test_a_customer_who_was_never_seen(world: World) -> None:
    """It is said so, with what to look at."""
    with pytest.raises(CanNotExplainError, match="capitals count"):
        await explained(world, "nobody-of-this-name")


async def test_a_trimmed_log_leaves_the_proofs(world: World) -> None:
    """The proofs' own numbers are checked, and the answer says why no more."""
    name = next(iter(await lived(world, "trimmed")))
    await world.fetch("DELETE FROM lane_log WHERE service = 'scorer' AND seq < 3")

    found = await explained(world, name)

    assert not found.from_log
    assert found.is_right, "\n".join(found.lines())
    assert "was deleted" in found.notes[0]


async def test_fit_reads_the_log(world: World) -> None:
    """``tierstream fit`` over Kafka counts the same purchases as were published, each once."""
    people = await lived(world, "fit")
    purchases = Purchases(Policy.default(), int(time.time() * 1000))
    await read_log(world.kafka_bootstrap, purchases)
    found = sample(purchases, until_ms=None)

    assert set(people) <= set(purchases.by_customer)
    assert all(len(set(purchases.by_customer[name])) == 6 for name in people)
    assert found.repeat_customers >= len(people)
