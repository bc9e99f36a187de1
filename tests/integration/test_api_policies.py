"""Policies over HTTP: read, checked, put in force by managers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from services.scorer.core.policy import Policy
from services.scorer.policies import template
from tests.integration.api_rig import DIEGO, INGRID, Rig, desk
from tests.integration.policy_database import put_lane

if TYPE_CHECKING:
    import httpx

TYPO = "name: shop\nwindw_days: 300\nscore:\n  - {metric: spend, weight: 0.9}\n"
YAML = {"Content-Type": "application/yaml"}


async def manager(rig: Rig) -> httpx.AsyncClient:
    """Return a manager's client, on a database that keeps sources and notes."""
    return rig.as_(INGRID)


async def test_a_check_names_every_mistake_and_writes_nothing(database_url: str) -> None:
    """Line, column, part, what, remedy; a policy in order comes back whole."""
    async with desk(database_url) as rig:
        ingrid = await manager(rig)
        before = await rig.database.fetchval("SELECT count(*) FROM policies")
        found = (await ingrid.post("/v1/policies/check", content=TYPO, headers=YAML)).json()
        assert not found["valid"]
        assert [(one["line"], one["column"], one["path"]) for one in found["mistakes"]] == [
            (2, 1, "windw_days"), (3, 1, "score"),
        ]  # fmt: skip
        assert found["mistakes"][0]["remedy"] == "did you mean window_days?"
        fine = (await ingrid.post("/v1/policies/check", content=template("retail").text, headers=YAML)).json()
        assert fine["valid"]
        assert fine["body"]["name"] == "retail"
        assert await rig.database.fetchval("SELECT count(*) FROM policies") == before


async def test_a_policy_is_put_in_force_once(database_url: str) -> None:
    """The next version, with who and why; the same again is no new one; lanes are counted."""
    async with desk(database_url) as rig:
        ingrid, text = await manager(rig), template("hospitality").text
        await rig.database.execute("DELETE FROM policies")
        first = await ingrid.post("/v1/policies?note=guests", content=text, headers=YAML)
        assert (first.status_code, first.json()) == (201, {"version": 1, "is_new": True})
        again = await ingrid.post("/v1/policies", content=text, headers=YAML)
        assert (again.status_code, again.json()) == (200, {"version": 1, "is_new": False})
        second = await ingrid.post("/v1/policies", content=template("default").text, headers=YAML)
        assert second.json() == {"version": 2, "is_new": True}

        await rig.database.execute("DELETE FROM lanes")
        for lane, version in ((0, 1), (1, 2)):
            await asyncio.to_thread(put_lane, rig.database_url, lane, version)
        lines = (await ingrid.get("/v1/policies")).json()
        assert [(one["version"], one["name"], one["lanes"], one["lanes_here"]) for one in lines] == [
            (2, "default", 2, 1), (1, "hospitality", 2, 1),
        ]  # fmt: skip
        assert lines[1]["note"] == f"{INGRID}: guests"
        one = (await ingrid.get("/v1/policies/1")).json()
        assert one["source"] == text
        assert Policy.from_json(one["body"]).name == "hospitality"
        assert (await ingrid.get("/v1/policies/9")).status_code == 404


async def test_a_policy_with_a_mistake_is_not_put_in_force(database_url: str) -> None:
    """The problem has a line for each mistake."""
    async with desk(database_url) as rig:
        ingrid = await manager(rig)
        before = await rig.database.fetchval("SELECT count(*) FROM policies")
        for content in (TYPO.encode(), b"", b"- a", b"\xff\xfe", b"a: [", b"[" * 5_000):
            refused = await ingrid.post("/v1/policies", content=content, headers=YAML)
            assert refused.status_code == 422
            assert "errors" in refused.json() or content.startswith(b"\xff")
        problem = (await ingrid.post("/v1/policies", content=TYPO, headers=YAML)).json()
        assert problem["type"] == "urn:tierstream:problem:policy-invalid"
        assert problem["errors"][0].startswith("policy:2:1: windw_days: there is no key")
        assert await rig.database.fetchval("SELECT count(*) FROM policies") == before
        assert (await ingrid.post("/v1/policies", content=b"#" * 70_000, headers=YAML)).status_code == 413


async def test_two_at_once_get_a_version_each(database_url: str) -> None:
    """None is lost, none is overwritten."""
    async with desk(database_url) as rig:
        ingrid = await manager(rig)
        await rig.database.execute("DELETE FROM policies")
        texts = [f"name: p{number}\n" for number in range(5)]
        answers = await asyncio.gather(
            *(ingrid.post("/v1/policies", content=text, headers=YAML) for text in texts)
        )
        assert sorted(one.json()["version"] for one in answers) == [1, 2, 3, 4, 5]


async def test_advisors_have_no_say_in_policies(database_url: str) -> None:
    """Neither reading nor writing."""
    async with desk(database_url) as rig:
        diego = rig.as_(DIEGO)
        for method, path in (("GET", ""), ("GET", "/1"), ("POST", "/check"), ("POST", "")):
            assert (await diego.request(method, f"/v1/policies{path}", content=b"name: a")).status_code == 403
            assert (await rig.visitor().request(method, f"/v1/policies{path}")).status_code in {401, 403}
