"""Live updates: nothing lost, nothing repeated, nobody else's."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from tests.integration.api_rig import DIEGO, INGRID, LEILA, WAIT_SECONDS, Rig, desk, following

INSERT = (
    "INSERT INTO tasks (task_key, customer_id, lane, playbook, kind, team, urgency, title, why, advice, evidence, "
    "causes, created_at, due_at, assigned_to) VALUES ($1, $1, 0, 'call_back_silent', 'call', 'customer_service', 3, "
    "'Call', 'Why', 'Do', '[]', '[]', now(), now(), $2) RETURNING id"
)


async def open_transactions(rig: Rig, count: int) -> list[asyncpg.Connection[Any]]:
    """Return connections, each in a transaction that has its transaction id already, in this order."""
    connections = []
    for _ in range(count):
        connection = await asyncpg.connect(rig.database_url)
        await connection.execute("BEGIN")
        await connection.fetchval("SELECT pg_current_xact_id()")
        connections.append(connection)
    return connections


async def test_a_transaction_that_commits_late_is_not_lost(database_url: str) -> None:
    """The first to begin writes first and commits last: a reader of ids alone would have passed it."""
    async with desk(database_url) as rig, following(rig.as_(DIEGO)) as stream:
        await stream.next("begin")
        slow, fast = await open_transactions(rig, 2)
        early = await slow.fetchval(INSERT, "early", DIEGO)
        late = await fast.fetchval(INSERT, "late", DIEGO)
        await fast.execute("COMMIT")
        await asyncio.sleep(0.3)
        await slow.execute("COMMIT")

        assert [(await stream.next("task")).data["task_id"] for _ in range(2)] == [early, late]
        assert await stream.quiet("task")
        await slow.close()
        await fast.close()


async def test_ids_in_another_order_than_transactions_lose_nothing(database_url: str) -> None:
    """The second to begin takes the smaller id and commits after the reader has seen the greater one."""
    async with desk(database_url) as rig, following(rig.as_(DIEGO)) as stream:
        await stream.next("begin")
        first, second = await open_transactions(rig, 2)
        smaller = await second.fetchval(INSERT, "smaller", DIEGO)
        greater = await first.fetchval(INSERT, "greater", DIEGO)
        assert smaller < greater
        await first.execute("COMMIT")
        assert (await stream.next("task")).data["task_id"] == greater
        await second.execute("COMMIT")

        assert (await stream.next("task")).data["task_id"] == smaller
        await first.close()
        await second.close()


async def test_a_stream_goes_on_where_it_broke_off(database_url: str) -> None:
    """By Last-Event-ID: what was missed comes once, what was seen does not come again."""
    async with desk(database_url) as rig:
        diego = rig.as_(DIEGO)
        async with following(diego) as stream:
            begin = await stream.next("begin")
            seen = await rig.task(assigned_to=DIEGO)
            last = await stream.next("task")
            assert last.data["task_id"] == seen
        missed = [await rig.task(assigned_to=DIEGO) for _ in range(3)]
        async with following(diego, last.id) as stream:
            assert [(await stream.next("task")).data["task_id"] for _ in missed] == missed
            now = await rig.task(assigned_to=DIEGO)
            assert (await stream.next("task")).data["task_id"] == now
            assert await stream.quiet("task", "resync")
        # Somebody who saw no task yet comes back to where they began.
        async with following(diego, begin.id) as stream:
            assert (await stream.next("task")).data["task_id"] == seen


async def test_changes_while_a_stream_resumes_come_once(database_url: str) -> None:
    """Between what was missed and what is live there is neither a hole nor an overlap."""
    async with desk(database_url) as rig:
        diego = rig.as_(DIEGO)
        async with following(diego) as stream:
            last = (await stream.next("begin")).id
        made: list[int] = []

        async def make() -> None:
            for _ in range(150):
                made.append(await rig.task(assigned_to=DIEGO))  # noqa: PERF401 -- seen while it grows

        making = asyncio.create_task(make())
        seen: list[int] = []
        while len(seen) < 150:
            async with following(diego, last) as stream:
                for _ in range(min(17, 150 - len(seen))):
                    event = await stream.next("task")
                    seen.append(event.data["task_id"])
                    last = event.id
        await making
        assert seen == made


async def test_a_process_that_is_behind_repeats_nothing(database_url: str) -> None:
    """A client may come from another process, which had read further than this one."""
    async with desk(database_url) as rig:
        diego, hub = rig.as_(DIEGO), rig.app.state.parts.hub
        async with following(diego) as ahead:
            await ahead.next("begin")
            start = hub._place
            await rig.task(assigned_to=DIEGO)
            last = (await ahead.next("task")).id
            hub._place = start
            async with following(diego, last) as stream:
                hub._place = start
                assert await stream.quiet("task", "resync")


async def test_a_place_that_is_no_longer_known_asks_for_a_fresh_start(database_url: str) -> None:
    """The feed is trimmed at times; a client that was away too long must read its lists again."""
    async with desk(database_url) as rig:
        diego = rig.as_(DIEGO)
        async with following(diego) as stream:
            await stream.next("begin")
            await rig.task(assigned_to=DIEGO)
            last = (await stream.next("task")).id
        await rig.task(assigned_to=DIEGO)
        await rig.database.execute("DELETE FROM feed")
        for place in (last, "nonsense"):
            async with following(diego, place) as stream:
                fresh = await stream.next("resync", "task")
                assert (fresh.name, fresh.data) == ("resync", {})


async def test_streams_show_nobody_else_s_tasks(database_url: str) -> None:
    """An advisor hears of their own; whoever loses a task hears that it is gone, and nothing about it."""
    async with (
        desk(database_url) as rig,
        following(rig.as_(DIEGO)) as diego,
        following(rig.as_(LEILA)) as leila,
        following(rig.as_(INGRID)) as ingrid,
    ):
        for stream in (diego, leila, ingrid):
            await stream.next("begin")
        other_team = await rig.task(team="senior_advisors")
        task = await rig.task()
        for stream in (diego, leila):
            event = (await stream.next("task")).data
            assert (event["task_id"], event["task"]["id"]) == (task, task)
        assert (await rig.as_(DIEGO).post(f"/v1/tasks/{task}/claim")).status_code == 200

        mine = (await diego.next("task")).data
        assert mine["task"]["state"] == "claimed"
        gone = (await leila.next("task")).data
        assert gone == {"task_id": task, "kind": "task-changed", "task": None}
        assert {(await ingrid.next("task")).data["task_id"] for _ in range(2)} == {other_team, task}
        await rig.database.execute(
            "UPDATE tasks SET why = 'secret', version = version + 1 WHERE id = $1", task
        )
        assert await leila.quiet("task")


async def test_who_has_not_signed_in_sees_figures_and_nothing_else(database_url: str) -> None:
    """And only where anybody could sign in as anybody anyway."""
    async with desk(database_url) as rig, following(rig.visitor()) as stream:
        assert (await stream.next("overview")).data["tasks"] == {}
        await rig.task(assigned_to=DIEGO)
        assert (await stream.next("overview")).data["tasks"] == {"open": 1}
        assert await stream.quiet("task")


async def test_an_overview_comes_when_it_changed_and_not_otherwise(database_url: str) -> None:
    """A quiet desk is sent nothing."""
    async with desk(database_url) as rig, following(rig.as_(DIEGO)) as stream:
        await stream.next("begin")
        await asyncio.sleep(0.7)
        assert await stream.quiet("overview", seconds=1.2)


async def test_somebody_switched_off_loses_the_stream(database_url: str) -> None:
    """An open stream is asked again whether it may go on."""
    quick: dict[str, Any] = {"stream_recheck_seconds": 0.1, "stream_heartbeat_seconds": 0.1}
    async with desk(database_url, **quick) as rig, following(rig.as_(DIEGO)) as stream:
        await stream.next("begin")
        await rig.database.execute("UPDATE people SET active = false WHERE user_id = $1", DIEGO)
        rig.app.state.parts.people._read_at = float("-inf")
        with pytest.raises(EOFError):
            await stream.next("task")


async def test_one_person_can_t_take_all_streams(database_url: str) -> None:
    """A bound per person, and leaving makes room."""
    async with desk(database_url, stream_clients_per_person_max=1) as rig:
        diego = rig.as_(DIEGO)
        async with following(diego) as stream:
            await stream.next("begin")
            refused = await diego.get("/v1/stream")
            assert (refused.status_code, refused.json()["type"]) == (
                429,
                "urn:tierstream:problem:too-many-streams",
            )
        for _ in range(50):
            if rig.app.state.parts.hub.clients == 0:
                break
            await asyncio.sleep(0.05)
        async with following(diego) as stream:
            await stream.next("begin")


async def test_a_stop_ends_the_streams_at_once(database_url: str) -> None:
    """A restart does not wait for desks that are open all day."""
    async with desk(database_url) as rig, following(rig.as_(DIEGO)) as stream:
        await stream.next("begin")
        rig.app.state.parts.hub.close()
        with pytest.raises(EOFError):
            await asyncio.wait_for(stream.next("task"), WAIT_SECONDS / 4)
