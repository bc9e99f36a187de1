"""Customers, the overview and ops, on rows that the real core made."""

from __future__ import annotations

import pytest

from services.scorer.core.cuts import cuts_of, empty_histogram
from services.scorer.core.view import summary
from tests.e2e.world import NOW, POLICY, World, play
from tests.integration.api_rig import DIEGO, INGRID, desk

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
            points = moves[0]["proof"]["parts"]
            total = points["spend_points"] + points["orders_points"] + points["repurchase_points"]
            assert abs(total - moves[0]["proof"]["score"]) <= 1
        assert cuts_of(empty_histogram(), POLICY) is None  # and that world had some
        assert view["cut_offs"]["high_20"] == world.cuts.high_20


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
