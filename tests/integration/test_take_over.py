"""A lane that stood on fewer topics goes on with the new ones from their beginning, by one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from prometheus_client import CollectorRegistry

from deploy.migrate import migrate_database
from services.lanes import statement as sql
from services.lanes.database import open_pool
from services.lanes.metrics import LaneMetrics
from services.lanes.owner import LaneOwner
from services.lanes.settings import WorkerSettings
from services.scorer.service import ScorerService

THREE_TOPICS = [1700, 42, 9]
TOPICS = len(ScorerService.topics)


@asynccontextmanager
async def own_database(database_url: str) -> AsyncIterator[asyncpg.Pool[asyncpg.Record]]:
    """Give a pool on a migrated database, with the lanes 0 to 2 as a version of three topics left them."""
    base, name = database_url.rsplit("/", 1)[0], f"take_over_{uuid4().hex[:8]}"
    admin = await asyncpg.connect(database_url)
    try:
        await admin.execute(f"CREATE DATABASE {name}")
    finally:
        await admin.close()
    await asyncio.to_thread(migrate_database, f"{base}/{name}")
    pool = await open_pool(f"{base}/{name}")
    try:
        await pool.execute(sql.CREATE, "scorer", [0, 1, 2], [0, 0, 0], "wall", [4, 1, 4])
        await pool.execute(
            "UPDATE lanes SET epoch = 6, seq = 250, offsets = $1, clock_ms = 1770000000000, owner = 'old'",
            THREE_TOPICS,
        )
        yield pool
    finally:
        await pool.close()


def owner_of(slot: str) -> LaneOwner:
    settings = WorkerSettings(count=3, slot=slot)
    metrics = LaneMetrics("scorer", CollectorRegistry())
    return LaneOwner(ScorerService(), settings, metrics, lambda _: None)


async def rows(pool: Any, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await pool.fetch(query)]


async def test_a_lane_of_three_topics_reads_the_new_ones_from_their_beginning(database_url: str) -> None:
    """Where it stood stays; clock, versions and everything else too. The log says where it begins."""
    async with own_database(database_url) as pool:
        taken = await owner_of("new")._bump(pool, [0, 1])

        padded = THREE_TOPICS + [0] * (TOPICS - 3)
        assert [sql.row_of(row, 3).offsets for row in taken] == [tuple(padded)] * 2
        assert [sql.row_of(row, 3).numbers for row in taken] == [(0,) * TOPICS] * 2
        assert await rows(pool, "SELECT lane, epoch, seq, clock_ms, versions FROM lanes ORDER BY lane") == [
            (0, 7, 251, 1_770_000_000_000, [4, 1, 4]),
            (1, 7, 251, 1_770_000_000_000, [4, 1, 4]),
            (2, 6, 250, 1_770_000_000_000, [4, 1, 4]),
        ]
        assert (
            await rows(pool, "SELECT kind, read_from, read_to FROM lane_log") == [("own", padded, padded)] * 2
        )
        assert await rows(pool, "SELECT offsets FROM lanes WHERE lane = 2") == [(THREE_TOPICS,)]


async def test_taking_over_again_changes_no_position(database_url: str) -> None:
    """A lane that stands on all topics keeps its positions, and a lane never seen begins all of them."""
    async with own_database(database_url) as pool:
        await owner_of("first")._bump(pool, [0])
        await pool.execute("UPDATE lanes SET offsets[5] = 77 WHERE lane = 0")
        taken = await owner_of("second")._bump(pool, [0, 3])

        assert [tuple(row["offsets"]) for row in taken] == [
            (*THREE_TOPICS, 0, 77, *[0] * (TOPICS - 5)),
            (0,) * TOPICS,
        ]


async def test_who_had_the_lane_before_can_not_write_three_positions_again(database_url: str) -> None:
    """The version of three topics is fenced by the same statement: its next turn hits no row."""
    async with own_database(database_url) as pool:
        before = sql.row_of(await pool.fetchrow(sql.READ, "scorer", 0), 3)
        await owner_of("new")._bump(pool, [0])
        turn = sql.turn_statement(
            before, before, kind="chunk", note=b"", writes=[], outbox=[], dead_letters=[]
        )
        hit = await pool.fetchval(turn.sql, *turn.arguments)

        assert hit == 0
        assert len(await pool.fetchval("SELECT offsets FROM lanes WHERE lane = 0")) == TOPICS


@pytest.mark.parametrize("topics", [TOPICS + 1, TOPICS + 3])
async def test_a_lane_of_a_later_version_keeps_what_it_has(database_url: str, topics: int) -> None:
    """Taking over never shortens: the worker ends with an error, and the later version goes on."""
    async with own_database(database_url) as pool:
        await pool.execute("UPDATE lanes SET offsets = $1, numbers = $1", [5] * topics)
        taken = await owner_of("old")._bump(pool, [0])

        assert tuple(taken[0]["offsets"]) == (5,) * topics
