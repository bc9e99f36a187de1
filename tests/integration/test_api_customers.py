"""Customers, the overview and ops, on rows that the real core made."""

from __future__ import annotations

import asyncio
import json
from copy import copy
from datetime import datetime

import pytest

from schemas.times import DAY_MS, from_ms
from services.scorer.core.cuts import cuts_of, empty_histogram
from services.scorer.core.policy import Ladder, Level, Policy
from services.scorer.core.state import Decision, encode_state
from services.scorer.core.view import summary
from tests.e2e.world import NOW, POLICY, World, play
from tests.integration.api_rig import DIEGO, INGRID, WAIT_SECONDS, desk

CUSTOMERS = 40


@pytest.fixture(scope="module")
def world() -> World:
    """Return what the database is filled with."""
    return play(CUSTOMERS)


async def test_the_customer_page_shows_what_the_core_knows(database_url: str, world: World) -> None:
    """Every customer, figure by figure."""
    async with desk(database_url, customers=CUSTOMERS) as rig:
        ingrid = rig.as_(INGRID)
        for state in world.states.values():
            view = (await ingrid.get(f"/v1/customers/{state.customer_id}")).json()
            seen = summary(state, POLICY)
            assert (view["tier"], view["ranked_tier"], view["score"]) == (
                state.tier,
                state.ranked,
                state.score,
            )
            assert view["facts"]["parts"]["spend_minor"] == seen.spend_minor
            assert len(view["facts"]["purchases"]) == len(seen.purchases)
            assert {one["rule"] for one in view["warnings"]} == {e.rule for e in state.episodes if e.is_open}
            active = [other.score for other in world.states.values() if other.orders]
            assert view["crowd"]["active"] == sum(view["crowd"]["curve"]) == len(active)
            assert view["crowd"]["better_than"] == sum(score < state.score for score in active) / len(active)
            moves = [line for line in view["timeline"] if line["kind"] == "tier"]
            assert moves[0]["current"] == state.tier
            points = moves[0]["proof"]["parts"]["points"]
            assert abs(sum(one["points"] for one in points) - moves[0]["proof"]["score"]) <= 1
            assert [one["metric"] for one in view["facts"]["parts"]["points"]] == [
                weight.metric for weight in POLICY.score
            ]
            assert all("basis" in one["evidence"] and one["evidence"]["reason"] for one in view["warnings"])
        assert cuts_of(empty_histogram(), POLICY) is None  # and that world had some
        cuts = view["cut_offs"]
        assert cuts["by"] == "percentile"
        found = [(one["above"], one["enter"], one["plain"], one["leave"]) for one in cuts["cuts"]]
        assert found == [(one.above, one.enter, one.plain, one.leave) for one in world.cuts.points]
        assert [one["below"] for one in cuts["cuts"]] == ["regular", "at_risk"]
        assert [one["from_top"] for one in cuts["cuts"]] == [True, False]


async def test_a_pin_is_shown_with_who_and_why(database_url: str, world: World) -> None:
    """A manager overruled the ranking: the page names them, the end and the cause."""
    state = next(iter(world.states.values()))
    until = state.settled_ms + 10 * DAY_MS
    pinned = copy(state)
    pinned.decision = Decision(state.settled_ms, 1, "high_value", until, "founder's friend", INGRID)
    async with desk(database_url, customers=CUSTOMERS) as rig:
        ingrid, path = rig.as_(INGRID), f"/v1/customers/{state.customer_id}"
        assert (await ingrid.get(path)).json()["facts"]["pin"] is None
        await rig.database.execute(
            "UPDATE customers SET state = $1 WHERE customer_id = $2", encode_state(pinned), state.customer_id
        )
        pin = (await ingrid.get(path)).json()["facts"]["pin"]
        assert (pin["tier"], pin["cause"], pin["decided_by"]) == (
            "high_value",
            "founder's friend",
            "Ingrid Moreau",
        )
        assert datetime.fromisoformat(pin["until"]) == from_ms(until)


async def test_another_ladder_is_shown_with_its_own_names(database_url: str) -> None:
    """Any number of levels: cut-offs carry the names of the policy that they were computed under."""
    metals = Policy(
        churn=(),
        tiers=Ladder(
            levels=(Level(name="gold", percent=5), Level(name="silver", percent=15), Level(name="tin")),
        ),
    )
    async with desk(database_url, customers=6) as rig:
        await rig.database.execute(
            "INSERT INTO policies (version, body) VALUES (2, $1)", json.dumps(metals.to_json())
        )
        before = (await rig.as_(INGRID).get("/v1/overview")).json()
        assert [one["above"] for one in before["cut_offs"]["cuts"]] == ["high_value", "regular"]
        await rig.database.execute("UPDATE customers SET tier = 'silver' WHERE customer_id = 'C-10214'")
        await rig.database.execute(
            "INSERT INTO cut_offs (version, at_ms, complete, active, cuts, tied, policy_version, seq) "
            "VALUES (1000, 0, false, 6, '{9000,8900,8800,5000,4900,4800}', '{1,0}', 2, 2)"
        )
        after = before
        async with asyncio.timeout(WAIT_SECONDS):  # an overview is as old as counting was slow
            while after["cut_offs"]["version"] != 1000:
                await asyncio.sleep(0.1)
                after = (await rig.as_(INGRID).get("/v1/overview")).json()

    assert [(one["above"], one["below"], one["from_top"]) for one in after["cut_offs"]["cuts"]] == [
        ("gold", "silver", True),
        ("silver", "tin", True),
    ]
    assert [one["tied"] for one in after["cut_offs"]["cuts"]] == [1, 0]
    assert {"gold", "silver", "tin", "at_risk", "lapsed", "regular"} <= after["tiers"].keys()
    assert after["tiers"]["silver"] == 1
    assert after["levels"] == ["gold", "silver", "tin"]


async def test_an_advisor_sees_the_customers_of_their_tasks_only(database_url: str, world: World) -> None:
    """Now or earlier; everybody else does not exist."""
    async with desk(database_url, customers=CUSTOMERS) as rig:
        rows = await rig.database.fetch(
            "SELECT DISTINCT customer_id FROM tasks WHERE assigned_to = $1 OR "
            "(assigned_to IS NULL AND team = 'customer_service')", DIEGO,
        )  # fmt: skip
        own = {row["customer_id"] for row in rows}
        assert own
        assert own < set(world.states)
        diego = rig.as_(DIEGO)
        nobody = await diego.get("/v1/customers/C-0")
        for customer_id in world.states:
            answer = await diego.get(f"/v1/customers/{customer_id}")
            assert answer.status_code == (200 if customer_id in own else 404)
            if customer_id not in own:
                assert answer.text == nobody.text


async def test_a_customer_that_did_not_change_is_not_sent_again(database_url: str, world: World) -> None:
    """By its ETag; a change gives another one."""
    async with desk(database_url, customers=CUSTOMERS) as rig:
        ingrid, customer_id = rig.as_(INGRID), next(iter(world.states))
        path = f"/v1/customers/{customer_id}"
        tag = (await ingrid.get(path)).headers["etag"]
        assert (await ingrid.get(path, headers={"If-None-Match": tag})).status_code == 304
        await rig.task(customer_id=customer_id)
        assert (await ingrid.get(path, headers={"If-None-Match": tag})).status_code == 200


async def test_any_id_that_an_event_may_carry_has_a_page(database_url: str) -> None:
    """Slashes, colons and plus signs are part of ids."""
    async with desk(database_url, customers=6) as rig:
        odd = "shop/eu:7+a@b"
        await rig.database.execute("UPDATE customers SET customer_id = $1 WHERE customer_id = 'C-10214'", odd)
        for path in ("shop%2Feu%3A7%2Ba%40b", "shop/eu:7+a@b"):
            assert (await rig.as_(INGRID).get(f"/v1/customers/{path}")).json()["customer_id"] == odd
        assert (await rig.as_(INGRID).get("/v1/customers/a%00b")).status_code == 422


async def test_the_overview_counts_what_is_there(database_url: str, world: World) -> None:
    """In the replay's own time; names are for managers only."""
    async with desk(database_url, customers=CUSTOMERS) as rig:
        managers = (await rig.as_(INGRID).get("/v1/overview")).json()
        assert managers["mode"] == "replay"
        assert managers["now"].startswith(NOW.strftime("%Y-%m-%dT%H:%M"))
        assert managers["customers"] == sum(managers["tiers"].values()) == len(world.states)
        assert managers["records_applied"] == world.records
        assert managers["warnings_open"] == sum(
            episode.is_open for state in world.states.values() for episode in state.episodes
        )
        assert managers["warnings"]
        advisors = (await rig.as_(DIEGO).get("/v1/overview")).json()
        assert advisors["warnings"] == []
        assert advisors["tiers"] == managers["tiers"]


async def test_an_empty_base_is_no_error(database_url: str) -> None:
    """The first second of a fresh installation."""
    async with desk(database_url) as rig:
        overview = (await rig.as_(INGRID).get("/v1/overview")).json()
        assert (overview["customers"], overview["cut_offs"], overview["mode"]) == (0, None, "wall")
        assert (await rig.visitor().get("/")).status_code == 200


async def test_dead_letters_show_their_bytes_and_the_remedy(database_url: str) -> None:
    """Whatever the bytes are, and without letting them act."""
    async with desk(database_url) as rig:
        await rig.database.execute(
            'INSERT INTO dead_letters (service, lane, topic, partition, "offset", reason, detail, key, value, headers, '
            "timestamp_ms) SELECT 'scorer', 1, 'purchases', 1, n, 'NOT_JSON', 'no object', 'C-1', $1, '', 0 "
            "FROM generate_series(1, 7) AS n", b"\x00\xff<b>\\" + b"x" * 5000,
        )  # fmt: skip
        ingrid = rig.as_(INGRID)
        page = (await ingrid.get("/v1/ops/dead-letters?limit=5")).json()
        letter = page["dead_letters"][0]
        assert page["counts"] == {"NOT_JSON": 7}
        assert letter["value"].startswith("\\x00\\xff<b>\\x5cxxx")
        assert (letter["value_bytes"], len(letter["value"]) < 2100) == (5006, True)
        assert "JSON object" in letter["remedy"]
        rest = (await ingrid.get(f"/v1/ops/dead-letters?limit=5&before={page['next_before']}")).json()
        assert [one["offset"] for one in rest["dead_letters"]] == [2, 1]
        assert rest["next_before"] is None


async def test_lanes_show_where_they_are(database_url: str) -> None:
    """Scorer first, in order."""
    async with desk(database_url, customers=6) as rig:
        lanes = (await rig.as_(INGRID).get("/v1/ops/lanes")).json()
        assert [(one["service"], one["lane"]) for one in lanes] == [
            ("scorer", 0), ("scorer", 1), ("alerter", 0), ("alerter", 1),
        ]  # fmt: skip
        assert lanes[0]["clock_mode"] == "event"
