"""Tasks over HTTP on real PostgreSQL: who gets one, who may change it, and what happens to whoever is late."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.api_rig import AMARA, DIEGO, INGRID, LEILA, desk

ACTIONS = ("claim", "renew", "note", "release", "complete")
TOKEN = "00000000-0000-4000-8000-000000000000"  # noqa: S105 -- nobody's


def body_of(action: str, token: str = TOKEN) -> dict[str, Any]:
    """Return a valid body of an action."""
    more: dict[str, dict[str, Any]] = {"note": {"body": "Called."}, "complete": {"outcome": "reached"}}
    return {} if action == "claim" else {"lease_token": token, **more.get(action, {})}


async def test_of_two_who_claim_at_once_one_wins_and_the_other_reads_why(database_url: str) -> None:
    """Nobody calls the same customer twice."""
    async with desk(database_url) as rig:
        diego, leila = rig.as_(DIEGO), rig.as_(LEILA)
        for _ in range(10):
            task = await rig.task()
            both = await asyncio.gather(*(one.post(f"/v1/tasks/{task}/claim") for one in (diego, leila)))

            assert sorted(answer.status_code for answer in both) == [200, 409]
            loser = next(answer for answer in both if answer.status_code == 409)
            assert loser.headers["content-type"] == "application/problem+json"
            assert loser.json()["type"].endswith(":task-taken")
            assert "colleague" in loser.json()["detail"]
            winner = next(answer for answer in both if answer.status_code == 200)
            row = await rig.state(task)
            assert str(row["lease_token"]) == winner.json()["lease_token"]
            assert row["assigned_to"] == winner.json()["task"]["assigned_to"]


async def test_a_claim_that_is_sent_again_answers_the_same(database_url: str) -> None:
    """A double click, or an answer that was lost, neither loses the task nor splits it in two."""
    async with desk(database_url) as rig:
        task = await rig.task(assigned_to=DIEGO)
        diego = rig.as_(DIEGO)
        claims = await asyncio.gather(*(diego.post(f"/v1/tasks/{task}/claim") for _ in range(6)))

        assert {answer.status_code for answer in claims} == {200}
        assert len({answer.json()["lease_token"] for answer in claims}) == 1


async def test_the_most_urgent_task_comes_next_and_two_people_get_two(database_url: str) -> None:
    """Urgency first, then the deadline; then there is nothing left, which is said."""
    async with desk(database_url) as rig:
        soon = datetime.now(UTC) + timedelta(hours=1)
        await rig.task(urgency=3, due_at=soon)
        second = await rig.task(urgency=1)
        first = await rig.task(urgency=1, due_at=soon)
        await rig.task(urgency=1, due_at=soon, team="senior_advisors")
        both = await asyncio.gather(*(rig.as_(who).post("/v1/tasks/next") for who in (DIEGO, LEILA)))

        assert {answer.json()["task_id"] for answer in both} == {first, second}
        assert (await rig.as_(DIEGO).post("/v1/tasks/next")).status_code == 200
        nothing = await rig.as_(LEILA).post("/v1/tasks/next")
        assert (nothing.status_code, nothing.json()["type"]) == (404, "urn:tierstream:problem:queue-empty")


async def test_the_next_task_does_not_wait_for_one_that_is_being_changed(database_url: str) -> None:
    """A lane that works on the first task holds nobody up: the second one comes at once."""
    async with desk(database_url) as rig:
        first, second = await rig.task(urgency=1), await rig.task(urgency=2)
        async with rig.database.transaction():
            await rig.database.execute("SELECT id FROM tasks WHERE id = $1 FOR UPDATE", first)
            answer = await rig.as_(DIEGO).post("/v1/tasks/next")

            assert (answer.status_code, answer.json()["task_id"]) == (200, second)


async def test_a_completion_after_the_lease_ran_out_changes_nothing(database_url: str) -> None:
    """The fence: without it some twenty of 500 completions were stale."""
    async with desk(database_url) as rig:
        task, diego = await rig.task(), rig.as_(DIEGO)
        token = (await diego.post(f"/v1/tasks/{task}/claim")).json()["lease_token"]
        await rig.run_out(task)
        before = await rig.state(task)
        for action in ("renew", "note", "release", "complete"):
            late = await diego.post(f"/v1/tasks/{task}/{action}", json=body_of(action, token))

            assert (late.status_code, late.json()["type"]) == (409, "urn:tierstream:problem:lease-over")
            assert "ran out" in late.json()["detail"]
        assert await rig.state(task) == before
        assert await rig.database.fetchval("SELECT count(*) FROM task_notes") == 0


async def test_a_lease_that_ran_out_needs_nobody_to_end_it(database_url: str) -> None:
    """The task is shown as open and claimed anew; the old token stays worthless."""
    async with desk(database_url) as rig:
        task, diego = await rig.task(assigned_to=DIEGO), rig.as_(DIEGO)
        old = (await diego.post(f"/v1/tasks/{task}/claim")).json()["lease_token"]
        await rig.run_out(task)

        shown = (await diego.get(f"/v1/tasks/{task}")).json()
        assert (shown["state"], shown["lease_until"], shown["lease_token"]) == ("open", None, None)
        assert [one["id"] for one in (await diego.get("/v1/tasks?state=open")).json()["tasks"]] == [task]
        assert (await diego.get("/v1/tasks?state=claimed")).json()["tasks"] == []
        new = (await diego.post(f"/v1/tasks/{task}/claim")).json()["lease_token"]
        assert new != old
        stale = await diego.post(f"/v1/tasks/{task}/complete", json=body_of("complete", old))
        assert (stale.status_code, stale.json()["type"]) == (409, "urn:tierstream:problem:lease-elsewhere")


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("purchase", "bought"),
        ("response", "answered"),
        ("retracted", "warning was wrong"),
        ("resolved", "solved"),
    ],
)
async def test_a_task_taken_back_says_why(database_url: str, reason: str, word: str) -> None:
    """The customer bought while the advisor was writing: said in words, and the row stays taken back."""
    async with desk(database_url) as rig:
        task, diego = await rig.task(assigned_to=DIEGO), rig.as_(DIEGO)
        token = (await diego.post(f"/v1/tasks/{task}/claim")).json()["lease_token"]
        await rig.database.execute(
            "UPDATE tasks SET state = 'withdrawn', lease_token = NULL, lease_until = NULL, closed_by = $2, "
            "closed_at = now(), version = version + 1 WHERE id = $1",
            task,
            reason,
        )
        late = await diego.post(f"/v1/tasks/{task}/complete", json=body_of("complete", token))

        assert (late.status_code, late.json()["type"]) == (409, "urn:tierstream:problem:task-withdrawn")
        assert word in late.json()["detail"]
        assert (await rig.state(task))["state"] == "withdrawn"


async def test_a_completion_and_a_withdrawal_at_once_leave_one_of_them(database_url: str) -> None:
    """Whoever is first stands; an answer of 200 is the truth, and a note is kept only with it."""
    async with desk(database_url) as rig:
        diego = rig.as_(DIEGO)
        for _ in range(12):
            task = await rig.task(assigned_to=DIEGO)
            token = (await diego.post(f"/v1/tasks/{task}/claim")).json()["lease_token"]
            take_back = rig.database.execute(
                "UPDATE tasks SET state = 'withdrawn', lease_token = NULL, lease_until = NULL, closed_by = 'purchase' "
                "WHERE id = $1 AND state IN ('open', 'claimed')",
                task,
            )
            completion = diego.post(
                f"/v1/tasks/{task}/complete",
                json={"lease_token": token, "outcome": "solved", "note": "Fine."},
            )
            answer, _done = await asyncio.gather(completion, take_back)

            row = await rig.state(task)
            notes = await rig.database.fetchval("SELECT count(*) FROM task_notes WHERE task_id = $1", task)
            assert (row["state"], notes) == (("done", 1) if answer.status_code == 200 else ("withdrawn", 0))


async def test_completing_twice_is_no_error_but_completing_otherwise_is(database_url: str) -> None:
    """An answer that was lost may be asked for again; a second opinion is refused."""
    async with desk(database_url) as rig:
        task, diego = await rig.task(assigned_to=DIEGO), rig.as_(DIEGO)
        token = (await diego.post(f"/v1/tasks/{task}/claim")).json()["lease_token"]
        body = {"lease_token": token, "outcome": "reached", "note": "Wants the catalogue."}
        first = await diego.post(f"/v1/tasks/{task}/complete", json=body)
        again = await diego.post(f"/v1/tasks/{task}/complete", json=body)

        assert (first.status_code, again.status_code) == (200, 200)
        assert first.json() == again.json()
        assert [note["body"] for note in again.json()["notes"]] == ["Wants the catalogue."]
        for change in ({"outcome": "lost"}, {"note": "Something else."}):
            other = await diego.post(f"/v1/tasks/{task}/complete", json={**body, **change})
            assert (other.status_code, other.json()["type"]) == (409, "urn:tierstream:problem:task-done")


async def test_note_renew_and_release(database_url: str) -> None:
    """What the holder does takes effect, and bumps the version that desks compare."""
    async with desk(database_url) as rig:
        task, diego = await rig.task(assigned_to=DIEGO), rig.as_(DIEGO)
        claim = (await diego.post(f"/v1/tasks/{task}/claim")).json()
        held = {"lease_token": claim["lease_token"]}

        note = await diego.post(f"/v1/tasks/{task}/note", json={**held, "body": "  Left a message. "})
        assert (note.status_code, note.json()["body"], note.json()["author_name"]) == (
            201,
            "Left a message.",
            "Diego Ferreira",
        )
        renewed = (await diego.post(f"/v1/tasks/{task}/renew", json=held)).json()
        assert renewed["lease_until"] > claim["lease_until"]
        released = (await diego.post(f"/v1/tasks/{task}/release", json=held)).json()
        assert (released["state"], released["assigned_to"], released["lease_token"]) == ("open", DIEGO, None)
        assert released["version"] > claim["task"]["version"]


async def test_a_manager_takes_over_and_the_advisor_reads_so(database_url: str) -> None:
    """A lease that ran out may go to somebody else; the first holder is not left guessing."""
    async with desk(database_url) as rig:
        task, diego, ingrid = await rig.task(assigned_to=DIEGO), rig.as_(DIEGO), rig.as_(INGRID)
        token = (await diego.post(f"/v1/tasks/{task}/claim")).json()["lease_token"]
        assert (await ingrid.post(f"/v1/tasks/{task}/claim")).status_code == 409
        await rig.run_out(task)
        assert (await ingrid.post(f"/v1/tasks/{task}/claim")).status_code == 200

        late = await diego.post(f"/v1/tasks/{task}/complete", json=body_of("complete", token))
        assert (late.status_code, late.json()["type"]) == (409, "urn:tierstream:problem:task-taken")


async def test_the_tasks_of_others_do_not_exist(database_url: str) -> None:
    """404 for a colleague's task, another team's, and one that never was: no telling which."""
    async with desk(database_url) as rig:
        diego, ingrid = rig.as_(DIEGO), rig.as_(INGRID)
        colleagues = await rig.task(assigned_to=LEILA)
        other_team = await rig.task(team="senior_advisors")
        amaras = await rig.task(team="senior_advisors", assigned_to=AMARA)
        mine, waiting = await rig.task(assigned_to=DIEGO), await rig.task()
        answers = []
        for task in (colleagues, other_team, amaras, 2**40):
            answers.append(await diego.get(f"/v1/tasks/{task}"))
            for action in ACTIONS:
                answers.append(await diego.post(f"/v1/tasks/{task}/{action}", json=body_of(action)))  # noqa: PERF401

        assert {(answer.status_code, answer.text) for answer in answers} == {(404, answers[0].text)}
        assert {one["id"] for one in (await diego.get("/v1/tasks")).json()["tasks"]} == {mine, waiting}
        every = {one["id"] for one in (await ingrid.get("/v1/tasks")).json()["tasks"]}
        assert every == {colleagues, other_team, amaras, mine, waiting}
        assert (await ingrid.get(f"/v1/tasks/{colleagues}")).status_code == 200
        assert (await diego.get("/v1/tasks?scope=all")).status_code == 403


async def test_pages_hold_every_task_once_in_order(database_url: str) -> None:
    """Most urgent first, then by deadline, over any number of pages; history is in no queue."""
    async with desk(database_url) as rig:
        now = datetime.now(UTC)
        for number in range(23):
            late = timedelta(hours=(number * 7) % 11 - 4, minutes=30)
            await rig.task(urgency=1 + number % 3, due_at=now + late, assigned_to=DIEGO)
        await rig.task(state="history", assigned_to=DIEGO)
        diego = rig.as_(DIEGO)
        seen: list[dict[str, Any]] = []
        cursor, total = "", None
        while cursor is not None:
            page = (
                await diego.get("/v1/tasks", params={"limit": 5, **({"cursor": cursor} if cursor else {})})
            ).json()
            seen, cursor, total = seen + page["tasks"], page["next_cursor"], page["total"]

        assert (len(seen), total) == (23, 23)
        assert seen == sorted(
            seen, key=lambda one: (one["urgency"], datetime.fromisoformat(one["due_at"]), one["id"])
        )
        assert len({one["id"] for one in seen}) == 23
        assert page["overdue"] == sum(datetime.fromisoformat(one["due_at"]) < now for one in seen)
        assert (await diego.get("/v1/tasks?cursor=nonsense")).json()["type"].endswith(":cursor")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"lease_token": TOKEN, "body": "a\x00b"}, id="NUL, which PostgreSQL's text can't hold"),
        pytest.param({"lease_token": TOKEN, "body": ""}, id="nothing in it"),
        pytest.param({"lease_token": TOKEN, "body": "x" * 4001}, id="too long"),
        pytest.param({"lease_token": "mine", "body": "x"}, id="no token"),
        pytest.param({"lease_token": TOKEN, "body": 7}, id="a number"),
        pytest.param({"lease_token": TOKEN, "body": "x", "author": "leila.haddad"}, id="a field too many"),
    ],
)
async def test_a_body_that_is_wrong_is_named_and_changes_nothing(
    database_url: str, body: dict[str, Any]
) -> None:
    """Every wrong field gets its line."""
    async with desk(database_url) as rig:
        task = await rig.task(assigned_to=DIEGO)
        answer = await rig.as_(DIEGO).post(f"/v1/tasks/{task}/note", json=body)

        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
        assert answer.json()["errors"]


async def test_half_a_character_is_refused(database_url: str) -> None:
    """A lone surrogate is valid JSON to some parsers and no text to PostgreSQL."""
    async with desk(database_url) as rig:
        task = await rig.task(assigned_to=DIEGO)
        raw = b'{"lease_token": "%b", "body": "\\ud800"}' % TOKEN.encode()
        headers = {"Content-Type": "application/json"}
        answer = await rig.as_(DIEGO).post(f"/v1/tasks/{task}/note", content=raw, headers=headers)

        assert answer.status_code == 422
