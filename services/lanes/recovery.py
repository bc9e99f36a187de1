"""How a lane begins, and how it goes on after a turn whose outcome is unknown: from its row."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from typing import Final

import structlog

from services.lanes import statement as sql
from services.lanes.clock import LaneClock
from services.lanes.context import LaneContext
from services.lanes.database import DATABASE_ERRORS
from services.lanes.publisher import LanePublisher
from services.lanes.work import LaneRow, LaneWork, Message

EXIT_ZOMBIE: Final = 70

log = structlog.get_logger()


async def load(context: LaneContext, row: LaneRow, publisher: LanePublisher, clock: LaneClock) -> LaneWork:
    """Open the service's memory of the lane, and the outbox that was left.

    Raises:
        RuntimeError: a later version, which reads more topics, had the lane before.
    """
    known = len(context.service.topics)
    if len(row.offsets) > known:
        raise RuntimeError(
            f"lane {row.lane} of {row.service} reads {len(row.offsets)} topics and this "
            f"version knows {known}: run the version that had it"
        )
    async with context.pool.acquire() as connection:
        work = await context.service.open(connection, row)
        left = await connection.fetch(sql.UNPUBLISHED, row.service, row.lane, publisher.published)
        now_ms = await connection.fetchval(sql.NOW_MS)
    clock.heard(now_ms)
    publisher.restart([(number, Message(*message)) for number, *message in left])
    return work


async def reread(
    context: LaneContext, row: LaneRow, *, beat: Callable[[], None], is_stopping: Callable[[], bool]
) -> LaneRow:
    """Return the lane's row, once it can be read; the one that is known when the lane stops before that.

    Never bumps the epoch: a zombie must not steal. A worker that finds itself to be one ends here.
    """
    pause = 0.05
    while not is_stopping():
        beat()
        try:
            async with context.pool.acquire() as connection:
                found = await connection.fetchrow(sql.READ, row.service, row.lane)
        except DATABASE_ERRORS:
            await asyncio.sleep(pause * (0.5 + random.random()))  # noqa: S311 -- jitter
            pause = min(1.0, pause * 1.6)
            continue
        now = sql.row_of(found, row.lanes)
        if now.epoch == row.epoch:
            return now
        if not is_stopping():  # else given up in good order; the next owner was quicker
            log.error("zombie", lane=now.lane, mine=row.epoch, theirs=now.epoch)
            os._exit(EXIT_ZOMBIE)
    return row
