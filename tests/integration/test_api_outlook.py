"""What keeps or lifts a tier, segments, predictions, and the story of a change: what the core says, to who may know."""

from __future__ import annotations

import asyncio
import json
from threading import Event

import pytest
from msgspec.structs import replace

from schemas.times import from_ms, to_ms
from services.api import outlooks
from services.api.outlook_views import OutlookView
from services.scorer.core.advance import settle
from services.scorer.core.draft import Moment
from services.scorer.core.lift import outlook
from services.scorer.core.models.parameters import Model, PurchaseModel, SpendModel
from services.scorer.core.predictions import predictions
from services.scorer.core.segments import Crowd, segments_of
from tests.e2e.world import NOW, POLICY, World, play
from tests.integration.api_rig import DIEGO, INGRID, WAIT_SECONDS, Rig, desk

CUSTOMERS = 24
MODEL = Model(
    purchases=PurchaseModel(kind="mbg_nbd", unit="day", r=0.64, alpha=51.0, a=0.81, b=1.23),
    spend=SpendModel(p=6.25, q=3.74, gamma_minor=1_544.0, mean_minor=3_500),
)


@pytest.fixture(scope="module")
def world() -> World:
    """Return what the database is filled with."""
    return play(CUSTOMERS)


def moment_of(world: World) -> Moment:
    """Return the lanes' clock and cut-offs."""
    return Moment(now_ms=to_ms(NOW), cuts=world.cuts, cut_offs_version=world.version)


async def set_policy(rig: Rig, policy: object) -> None:
    """Put another policy in the place of version 1."""
    await rig.database.execute("UPDATE policies SET body = $1 WHERE version = 1", json.dumps(policy))


async def test_what_keeps_and_lifts_is_what_the_core_finds(database_url: str, world: World) -> None:
    """Amounts and instants of every customer, at the clock and under the cut-offs of their lane."""
    async with desk(database_url, customers=CUSTOMERS) as rig:
        ingrid = rig.as_(INGRID)
        said = set()
        for state in world.states.values():
            found = outlook(state, moment_of(world), POLICY)
            view = (await ingrid.get(f"/v1/customers/{state.customer_id}/outlook")).json()
            assert view["as_of"].startswith(from_ms(found.as_of_ms).strftime("%Y-%m-%dT%H:%M:%S"))
            assert (view["policy_version"], view["cut_offs_version"]) == (1, world.version)
            assert found.lift is not None
            assert found.keep is not None
            assert (view["lift"]["better"], view["lift"]["amount_minor"], view["lift"]["purchases"]) == (
                found.lift.better, found.lift.amount_minor, found.lift.purchases,
            )  # fmt: skip
            assert (view["keep"]["falls_to"], view["keep"]["amount_minor"]) == (
                found.keep.falls_to, found.keep.amount_minor,
            )  # fmt: skip
            assert (view["keep"]["falls_at"] is None) == (found.keep.falls_ms is None)
            assert (view["clearing"] and tuple(view["clearing"]["by"])) == (
                found.clearing and found.clearing.by
            )
            said |= {name for name in ("lift", "keep", "clearing") if view[name] is not None}
        assert said == {"lift", "keep", "clearing"}


async def test_segments_are_the_core_s_and_the_crowd_s_are_not_yet(database_url: str, world: World) -> None:
    """Nobody counts the crowd's quintiles yet, so RFM groups are null; the tier's size is counted."""
    async with desk(database_url, customers=CUSTOMERS) as rig:
        ingrid = rig.as_(INGRID)
        for state in list(world.states.values())[:8]:
            now = settle(state, moment_of(world), POLICY).state
            size = sum(other.tier == state.tier for other in world.states.values())
            wanted = segments_of(now, POLICY, Crowd(tier_customers=size))
            view = (await ingrid.get(f"/v1/customers/{state.customer_id}/outlook")).json()["segments"]
            assert (view["rfm"], view["four_way"], view["eight_way"]) == (None, None, None)
            for name in ("stage", "sales_status", "repurchase", "loyalty", "relationship"):
                finding = getattr(wanted, name)
                assert view[name]["name"] == finding.name
                assert view[name]["evidence"] == list(finding.evidence)
                assert view[name]["playbook"] == finding.playbook
            assert view["attributes"]["price_band"] == wanted.attributes.price_band
            assert view["tags"] == []


async def test_predictions_come_with_a_model(database_url: str, world: World) -> None:
    """Null without one; a fit that tells nothing of dropouts is named."""
    policy = replace(POLICY, model=MODEL)
    state = next(iter(world.states.values()))
    path = f"/v1/customers/{state.customer_id}/outlook"
    async with desk(database_url, customers=CUSTOMERS) as rig:
        assert (await rig.as_(INGRID).get(path)).json()["predictions"] is None
    async with desk(database_url, customers=CUSTOMERS) as rig:
        await set_policy(rig, policy.to_json())
        view = (await rig.as_(INGRID).get(path)).json()
        wanted = predictions(settle(state, moment_of(world), policy).state, policy)
        assert wanted is not None
        assert view["predictions"]["fit"] == "usable"
        for name in ("alive", "no_purchase", "expected_purchases"):
            assert view["predictions"][name] == pytest.approx(getattr(wanted, name))
        assert view["predictions"]["value_minor"] == wanted.value_minor
        assert view["segments"]["repurchase_predicted"] is not None
    degenerate = replace(MODEL, purchases=replace(MODEL.purchases, a=0.001, b=10.0))
    async with desk(database_url, customers=CUSTOMERS) as rig:
        await set_policy(rig, replace(POLICY, model=degenerate).to_json())
        assert (await rig.as_(INGRID).get(path)).json()["predictions"]["fit"] == "degenerate"


async def test_fixed_rfm_boundaries_give_the_groups_at_once(database_url: str, world: World) -> None:
    """They need no crowd."""
    rfm = replace(
        POLICY.segments.rfm,
        recency_days=(10, 30, 60, 90),
        orders=(2, 4, 8, 16),
        spend=(50.0, 200.0, 500.0, 1_000.0),
    )
    policy = replace(POLICY, segments=replace(POLICY.segments, rfm=rfm))
    async with desk(database_url, customers=CUSTOMERS) as rig:
        await set_policy(rig, policy.to_json())
        path = f"/v1/customers/{next(iter(world.states))}/outlook"
        view = (await rig.as_(INGRID).get(path)).json()["segments"]
        assert view["rfm"]["by_crowd"] is False
        assert all(1 <= view["rfm"][name] <= 5 for name in "rfm")
        assert view["four_way"]["name"] in {"high_value", "potential", "general", "low"}


async def test_every_story_is_told_and_checks(database_url: str, world: World) -> None:
    """Each change of every customer; one that somebody altered does not check."""
    async with desk(database_url, customers=CUSTOMERS) as rig:
        ingrid = rig.as_(INGRID)
        for customer_id in list(world.states)[:6]:
            view = (await ingrid.get(f"/v1/customers/{customer_id}")).json()
            for line in (one for one in view["timeline"] if one["kind"] == "tier"):
                path = f"/v1/customers/{customer_id}/changes/{line['revision']}/story"
                told = (await ingrid.get(path)).json()
                assert (told["checks"], told["flaws"]) == (True, []), told
                assert told["story"][0].endswith(".")
                assert any(f"score {line['proof']['score']:,}." in said for said in told["story"])
        revision = await rig.database.fetchval(
            "UPDATE tier_changes SET ranked_current = 'high_value' WHERE customer_id = $1 AND revision = "
            "(SELECT max(revision) FROM tier_changes WHERE customer_id = $1 AND ranked_current <> 'high_value') "
            "RETURNING revision", customer_id,
        )  # fmt: skip
        bent = (await ingrid.get(f"/v1/customers/{customer_id}/changes/{revision}/story")).json()
        assert bent["checks"] is False
        assert bent["flaws"]
        assert (await ingrid.get(f"/v1/customers/{customer_id}/changes/9999/story")).status_code == 404
        assert (await ingrid.get(f"/v1/customers/{customer_id}/changes/x/story")).status_code == 422


async def test_whoever_may_not_see_the_customer_sees_nothing_below(database_url: str, world: World) -> None:
    """As the customer's own page: an unknown and a forbidden one look the same."""
    async with desk(database_url, customers=CUSTOMERS) as rig:
        rows = await rig.database.fetch(
            "SELECT DISTINCT customer_id FROM tasks WHERE assigned_to = $1 OR "
            "(assigned_to IS NULL AND team = 'customer_service')", DIEGO,
        )  # fmt: skip
        own = {row["customer_id"] for row in rows}
        assert own
        diego = rig.as_(DIEGO)
        for below in ("outlook", "changes/1/story"):
            nobody = await diego.get(f"/v1/customers/C-0/{below}")
            for customer_id in world.states:
                answer = await diego.get(f"/v1/customers/{customer_id}/{below}")
                assert answer.status_code == (200 if customer_id in own else 404)
                if customer_id not in own:
                    assert answer.text == nobody.text


async def test_an_id_may_end_like_an_address(database_url: str) -> None:
    """A slash of the id is written as %2F; then nothing behind it is taken for an address."""
    async with desk(database_url, customers=6) as rig:
        for odd in ("shop/outlook", "shop/changes/1/story"):
            await rig.database.execute(
                "INSERT INTO customers SELECT $1, lane, state, score, band, active, ranked_tier, ranked_since_ms, "
                "tier, tier_since_ms, next_due_ms, revision FROM customers WHERE customer_id = 'C-10214'", odd,
            )  # fmt: skip
            path = f"/v1/customers/{odd.replace('/', '%2F')}"
            ingrid = rig.as_(INGRID)
            assert (await ingrid.get(path)).json()["customer_id"] == odd
            assert (await ingrid.get(f"{path}/outlook")).json()["customer_id"] == odd
            assert (await ingrid.get(f"/v1/customers/{odd}")).status_code == 404  # below a customer "shop"


async def test_an_outlook_is_made_once_and_sent_once(database_url: str, world: World) -> None:
    """While nothing that it rests on has changed; another state makes another one."""
    async with desk(database_url, customers=CUSTOMERS) as rig:
        one, other = list(world.states.values())[:2]
        ingrid, path = rig.as_(INGRID), f"/v1/customers/{one.customer_id}/outlook"
        first = await ingrid.get(path)
        again = await ingrid.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert again.status_code == 304
        kept = rig.app.state.parts.outlooks._kept
        assert len(kept) == 1
        await rig.database.execute(
            "UPDATE customers SET state = (SELECT state FROM customers WHERE customer_id = $2) "
            "WHERE customer_id = $1", one.customer_id, other.customer_id,
        )  # fmt: skip
        assert (await ingrid.get(path)).headers["etag"] != first.headers["etag"]
        assert len(kept) == 2


async def test_nobody_waits_for_long_and_everybody_is_answered_in_the_end(
    database_url: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slow arithmetic: 503 with when to come back, for one who waits too long as for one too many; then 200."""
    may_go_on, answer_of = Event(), outlooks._answer

    def slow(question: outlooks._Question) -> OutlookView:
        assert may_go_on.wait(WAIT_SECONDS)
        return answer_of(question)

    monkeypatch.setattr(outlooks, "_answer", slow)
    monkeypatch.setattr(outlooks, "_WAIT_SECONDS", 0.2)
    monkeypatch.setattr(outlooks, "_WAITING_MAX", 2)
    async with desk(database_url, customers=CUSTOMERS) as rig:
        ingrid = rig.as_(INGRID)
        paths = [f"/v1/customers/{customer_id}/outlook" for customer_id in list(world.states)[:3]]
        for path in (*paths, paths[0]):  # the third is one too many; the fourth waits for the first one's
            answer = await ingrid.get(path)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
            assert answer.json()["type"].endswith(":busy")
        running = rig.app.state.parts.outlooks._running
        assert len(running) == 2
        may_go_on.set()
        await asyncio.wait(list(running.values()), timeout=WAIT_SECONDS)
        assert len(rig.app.state.parts.outlooks._kept) == 2  # made for who gave up
        monkeypatch.setattr(outlooks, "_WAIT_SECONDS", WAIT_SECONDS)
        assert {(await ingrid.get(path)).status_code for path in paths} == {200}


async def test_files_and_pages_are_compressed_and_answers_are_not(database_url: str) -> None:
    """For whoever takes it; a tag still saves the second time."""
    async with desk(database_url, customers=6) as rig:
        ingrid = rig.as_(INGRID)
        for path in ("/static/style.css", "/desk"):
            answer = await ingrid.get(path, headers={"Accept-Encoding": "gzip"})
            assert answer.headers["content-encoding"] == "gzip"
            assert "Accept-Encoding" in answer.headers["vary"]
            plain = await ingrid.get(path, headers={"Accept-Encoding": "identity"})
            assert "content-encoding" not in plain.headers
            assert int(answer.headers["content-length"]) * 2 < len(plain.content)
        style = await ingrid.get("/static/style.css")
        known = {"If-None-Match": style.headers["etag"]}
        assert (await ingrid.get("/static/style.css", headers=known)).status_code == 304
        answer = await ingrid.get("/v1/customers/C-10214", headers={"Accept-Encoding": "gzip"})
        assert "content-encoding" not in answer.headers
