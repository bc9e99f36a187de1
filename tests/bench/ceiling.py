"""The ceiling: the bare PostgreSQL transaction, the same statements without anything around them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from typing import Any, Final

from schemas.topics import SCORER_INPUTS
from services.lanes import statement
from services.lanes.database import open_pool
from services.lanes.work import LaneRow, Write
from services.scorer import store
from tests.bench.cpu import Usage
from tests.bench.recording import Recorded, Recording
from tests.bench.world import LANES

# Per round these columns move on, so that the same turns can be written again: revisions, starts.
_KEYS: Final = {store.INSERT_TIER_CHANGES: (1, 1_000), store.INSERT_WARNINGS: (2, 1)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """What PostgreSQL takes when nobody thinks."""

    events_per_second: float
    seconds: float
    events: int
    rounds: float
    cores: dict[str, float]


async def run(
    dsn: str, recording: Recording, pids: dict[str, int], *, warm_up_seconds: float, seconds: float
) -> Ceiling:
    """Write the recorded turns on as many connections as a worker has, again and again, and count for ``seconds``."""
    pool = await open_pool(dsn)
    try:
        rows = await pool.fetch(
            statement.TAKE_OVER, "scorer", list(range(LANES)), "ceiling", len(SCORER_INPUTS)
        )
        lanes = [_Lane(pool, statement.row_of(row, LANES), recording) for row in rows]
        tasks = [asyncio.create_task(lane.run()) for lane in lanes]
        try:
            await _sleep(tasks, warm_up_seconds)
            usage, began, before = Usage(pids), time.monotonic(), sum(lane.events for lane in lanes)
            await _sleep(tasks, seconds)
            elapsed, events = time.monotonic() - began, sum(lane.events for lane in lanes) - before
            cores = usage.cores()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
    finally:
        pool.terminate()
    return Ceiling(
        events_per_second=round(events / elapsed, 1),
        seconds=round(elapsed, 2),
        events=events,
        rounds=round((events + before) / recording.events, 1),
        cores=cores,
    )


async def _sleep(tasks: list[asyncio.Task[None]], seconds: float) -> None:
    """Sleep, unless a lane fails."""
    done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


class _Lane:
    """One lane that writes its recorded turns in order, round after round."""

    def __init__(self, pool: Any, row: LaneRow, recording: Recording) -> None:
        self._pool, self._row = pool, row
        self._turns = [one for one in recording.turns if one.lane == row.lane]
        self.events = 0

    async def run(self) -> None:
        number = 0
        while True:
            for one in self._turns:
                await self._write(one, number)
                self.events += one.records
            number += 1

    async def _write(self, one: Recorded, number: int) -> None:
        turn, before = one.turn, self._row
        after = replace(
            before,
            seq=before.seq + 1,
            offsets=(before.offsets[0] + one.records, *before.offsets[1:]),
            outbox_number=before.outbox_number + len(turn.outbox),
            published=before.outbox_number,  # what the last turn left is published by now
        )
        query, arguments = statement.turn_statement(
            before, after, kind=turn.kind, note=turn.note, writes=[_again(write, number) for write in turn.writes],
            outbox=turn.outbox, dead_letters=turn.dead_letters,
        )  # fmt: skip
        async with self._pool.acquire() as connection:
            await connection.fetch(store.TOUCHED, one.touched)
            hit, _ = await connection.fetchrow(query, *arguments)
        if hit != 1:
            raise RuntimeError("the fence refused a turn of the ceiling, whose lanes nobody else has")
        self._row = after


def _again(write: Write, number: int) -> Write:
    if number == 0 or write.sql not in _KEYS:
        return write
    column, step = _KEYS[write.sql]
    arrays = list(write.arrays)
    arrays[column] = [value + number * step for value in arrays[column]]
    return Write(write.sql, tuple(arrays))
