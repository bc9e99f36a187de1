"""A lane's turns: decided on what is committed, written through the fence, then remembered."""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from services.lanes import statement as sql
from services.lanes.clock import LaneClock
from services.lanes.context import LaneContext
from services.lanes.flood import FloodGate
from services.lanes.publisher import LanePublisher
from services.lanes.work import LaneRow, Turn

Decide = Callable[[Any, int], Awaitable[Turn | None]]  # connection, the turn's seq


class Refenced(Exception):  # noqa: N818 -- a signal to the lane
    """The fence refused the turn, or its outcome is unknown; read the row again."""


class Turns:
    """The one place that writes a lane. ``row`` is the lane as the latest turn left it."""

    def __init__(
        self, context: LaneContext, row: LaneRow, publisher: LanePublisher, clock: LaneClock
    ) -> None:
        """Begin at the row as it was taken."""
        self.row = row
        self.publisher = publisher
        self._context = context
        self._clock = clock
        self._flood = FloodGate(row.lane)

    async def decide_and_commit(self, decide: Decide, after: LaneRow) -> bool:
        """Let the service decide a turn and commit it; False when it had nothing to do.

        Raises:
            Refenced: another worker has the lane, or a turn of ours was committed unknown to us.
        """
        started = time.monotonic()
        async with self._context.pool.acquire() as connection:
            if self._context.service.locks_rows:
                async with connection.transaction():
                    turn = await decide(connection, self.row.seq + 1)
                    after = await self._execute(connection, turn, after)
            else:
                turn = await decide(connection, self.row.seq + 1)
                after = await self._execute(connection, turn, after)
        if turn is None:
            return False
        self._committed(turn, after)
        self._context.metrics.turn_seconds.observe(time.monotonic() - started)
        return True

    async def commit(self, turn: Turn, after: LaneRow) -> None:
        """Commit a turn of the engine's own.

        Raises:
            Refenced: as ``decide_and_commit``.
        """
        async with self._context.pool.acquire() as connection:
            after = await self._execute(connection, turn, after)
        self._committed(turn, after)

    async def _execute(self, connection: Any, turn: Turn | None, after: LaneRow) -> LaneRow:
        if turn is None:
            return after
        settled = after.settled or turn.settled
        after = replace(
            after,
            seq=self.row.seq + 1,
            versions=after.versions if turn.versions is None else turn.versions,
            outbox_number=self.row.outbox_number + len(turn.outbox),
            published=self.publisher.published,
            settled=settled,
            clock_mode="wall" if settled and after.clock_mode == "ending" else after.clock_mode,
        )
        query, arguments = sql.turn_statement(
            self.row,
            after,
            kind=turn.kind,
            note=turn.note,
            writes=turn.writes,
            outbox=turn.outbox,
            dead_letters=turn.dead_letters,
        )
        hit, now_ms = await connection.fetchrow(query, *arguments)
        if hit != 1:
            self._context.metrics.fenced.inc()
            raise Refenced
        self._clock.heard(now_ms)
        return after

    def _committed(self, turn: Turn, after: LaneRow) -> None:
        first = self.row.outbox_number + 1
        self.row = after
        self.publisher.add(first, turn.outbox)
        if turn.on_commit is not None:
            turn.on_commit()
        metrics = self._context.metrics
        metrics.turns.labels(turn.kind).inc()
        metrics.records.inc(turn.applied)
        for reason, count in Tally(letter.reason for letter in turn.dead_letters).items():
            metrics.dead_letters.labels(reason).inc(count)
        for work, count in Tally(turn.put_off).items():
            metrics.put_off.labels(work).inc(count)
        self._flood.watch(turn)
