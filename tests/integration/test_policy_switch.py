"""Another policy while customers buy and the scorer is killed: everybody is rescored, silently, and lanes switch."""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.scorer.core.cuts import count_move, empty_histogram, histogram_from_bytes
from services.scorer.core.policy import Ladder, Level, Policy, SilenceRule, Weight
from services.scorer.core.score import score_of
from services.scorer.core.segments.rfm_counts import RfmCounts
from services.scorer.core.tiers import placed_tier, value_of
from services.scorer.crowd import apply_note
from tests.integration.scorer_rig import LANES, Publishing, World, counted, running_scorer

SILVER_AND_GOLD = Policy(
    name="silver_and_gold",
    tiers=Ladder(
        by="spend",
        levels=(Level(name="gold", at_least=200), Level(name="silver", at_least=100), Level(name="member")),
    ),
    churn=(SilenceRule(name="long_silence", months=6),),
)
BY_ORDERS = Policy(
    name="by_orders",
    score=(Weight(metric="orders", weight=1.0, reference=10),),
    churn=(),
)
PEOPLE = {f"switch-{number}": (number + 1) * 1_000 for number in range(30)}
SWITCHED = (
    "SELECT count(*) FROM lanes WHERE service = 'scorer' AND versions[2] = $1 AND versions[3] >= versions[1]"
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Run one scorer."""
    with running_scorer(tmp_path_factory.mktemp("logs")) as running:
        yield running


async def test_policies_switch_under_load_and_kills(world: World) -> None:
    """Two switches, purchases all the while, a kill -9 in each: nobody is lost, counted twice, or alerted."""
    async with Publishing(world, acks="all") as shop:
        for name, amount_minor in PEOPLE.items():
            await shop.sale(name, 1, amount_minor)
        await world.states("switch-", counted(dict.fromkeys(PEOPLE, 1)))
        for version, policy in ((2, SILVER_AND_GOLD), (3, BY_ORDERS)):
            await world.fetch(
                "INSERT INTO policies (version, body) VALUES ($1, $2)", version, json.dumps(policy.to_json())
            )
            buying = asyncio.create_task(buy(shop, version))
            await asyncio.sleep(0.7)
            worker = world.supervisor.processes()[0].child
            assert worker is not None
            worker.kill9()
            await buying
            await world.states("switch-", counted(dict.fromkeys(PEOPLE, version)))
            await world.until(lambda rows: rows[0][0] == LANES, SWITCHED, version)
            await check(world, policy, version)
    causes = {change["cause"] for change in await published(world)}
    assert causes <= {"event", "time", "crowd"}
    kinds = {
        row[0] for row in await world.fetch("SELECT DISTINCT kind FROM lane_log WHERE service = 'scorer'")
    }
    assert {"rescore", "switch", "sweep"} <= kinds


async def buy(shop: Any, number: int) -> None:
    """Let everybody buy once more, over two seconds."""
    for name in PEOPLE:
        await shop.sale(name, number, 100)
        await asyncio.sleep(0.06)


async def check(world: World, policy: Policy, version: int) -> None:
    """Hold every customer and the histograms against the policy, computed here from the stored facts."""
    states = await world.states("switch-", lambda found: len(found) == len(PEOPLE))
    rows = await world.fetch("SELECT policy_version, score FROM customers")
    assert {row[0] for row in rows} == {version}
    total = empty_histogram()
    for state in states.values():
        assert state.score == score_of(state, policy)
        assert len(state.starts) == len(policy.churn)
        count_move(total, (None, policy.bin_of(state)))
        if policy.fixed_cuts is not None:
            wanted = placed_tier(value_of(state, policy), policy.fixed_cuts, policy.tiers)
            assert (state.ranked, state.tier) == (wanted, wanted)
        else:
            assert state.ranked in policy.tiers.names
    counted_ = empty_histogram()
    for lane in range(LANES):
        saved = await world.fetch("SELECT seq, counts, policy_version FROM histograms WHERE lane = $1", lane)
        assert [row["policy_version"] for row in saved] == [version]
        histogram = histogram_from_bytes(saved[0]["counts"])
        for row in await world.fetch(
            "SELECT note FROM lane_log WHERE service = 'scorer' AND lane = $1 AND seq > $2 ORDER BY seq",
            lane,
            saved[0]["seq"],
        ):
            apply_note(histogram, row["note"])
        for score, count in enumerate(histogram):
            counted_[score] += count
    assert counted_ == total


async def published(world: World) -> list[dict[str, Any]]:
    """Return every tier change that Kafka has."""
    consumer = AIOKafkaConsumer(bootstrap_servers=world.kafka_bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        places = [TopicPartition("tier-changes", lane) for lane in range(LANES)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        found: list[dict[str, Any]] = []
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += [json.loads(record.value or b"{}") for record in records]
        return found
    finally:
        await consumer.stop()


def test_the_logs_are_where_one_looks(world: World) -> None:
    """The worker that was killed was started again, and wrote to the same place."""
    assert all(Path(process.log_path).exists() for process in world.supervisor.processes())


async def test_every_lane_takes_its_census(world: World) -> None:
    """The quintiles of RFM are read off a count of the day, in every lane, of everybody active."""

    def everybody(rows: list[Any]) -> bool:
        total = RfmCounts()
        for row in rows:
            total.add(RfmCounts.from_bytes(row[0]))
        cuts = total.cuts()
        return cuts is not None and cuts.customers == len(PEOPLE)

    await world.until(everybody, "SELECT counts FROM rfm_counts")
