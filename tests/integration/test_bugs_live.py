"""A bug in the core, planted, on the real stack: the worker lives, the lane goes on, and one is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from deploy.doctor import examine
from schemas.wire import Reason
from tests.integration.scorer_rig import Publishing, World, counted, good, in_every_lane, running_scorer


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Run a scorer with the bug."""
    with running_scorer(
        tmp_path_factory.mktemp("logs"), module="tests.integration.planted_scorer"
    ) as running:
        yield running


async def test_a_bug_costs_the_record_that_meets_it_and_nothing_else(world: World) -> None:
    """Three sales each, the second one of every other customer meets the bug: kept, told, and all others count."""
    people = in_every_lane("bug")
    expected, times = {}, {}
    async with Publishing(world, linger_ms=50) as shop:
        for number, name in enumerate(people):
            is_hit = number % 2 == 0
            times[name] = 2 if is_hit else 3
            await shop.sale(name, 1)
            value = good("purchases", name, 2, event_id=f"{name}-{'bug' if is_hit else 'fine'}")
            place = await shop.send("purchases", value, to=name)
            if is_hit:
                expected[place] = (Reason.INTERNAL, name.encode(), value)
            await shop.sale(name, 3)
    letters = await world.dead_letters(expected)
    states = await world.states("bug-", counted(times))

    assert {name: state.orders for name, state in states.items()} == times
    assert all(one["detail"].startswith("ZeroDivisionError at ") for one in letters)
    assert not any(name in one["detail"] for one in letters for name in people)
    (process,) = world.supervisor.processes()
    assert process.exits == []
    log = process.log_path.read_text()
    assert log.count('"event": "record_failed"') >= len(expected)
    assert log.count("Traceback") == 0
    assert log.count('"trace":') == 1
    assert not any(f'"{name}"' in log for name in people)
    found = await asyncio.wait_for(examine(world.database_url, world.kafka_bootstrap), 30)
    (bug,) = [one for one in found if one.what == "bugs"]
    assert bug.found.startswith(f"{len(expected)} records met a bug of scorer: ZeroDivisionError at ")
    assert "traceback in the worker's log" in bug.remedy
