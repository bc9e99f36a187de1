"""The scorer as the lane engine sees it: which turn comes next, and what is read for it.

No rule is here: every change of a customer is a call of the core, every decision about cut-offs is
``crowd``'s.
"""

from __future__ import annotations

import time as clock
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from services.lanes.work import LaneTime, Record, Turn
from services.scorer import records, store, sweep, timers
from services.scorer.chunk import Chunk, skus_in
from services.scorer.memory import LaneMemory
from services.scorer.outputs import time_marks
from services.scorer.store import CutOffs

COMPUTE_SECONDS: Final = 1.0  # at most one version of cut-offs a second


class ScorerWork(LaneMemory):
    """One lane of customers. Its memory changes only when a turn was committed."""

    __slots__ = ()

    async def chunk(self, connection: Any, records_: Sequence[Record], time: LaneTime, seq: int) -> Turn:
        """Apply records in order; whatever is no event, or can't be one here, becomes a dead letter."""
        intake = records.read(records_, wall_ms=time.wall_ms, lane=self.lane)
        products = None if time.live else await self.shelf.first(connection)
        moment = self.moment(time, seq, self.in_force)
        if self.policy.needs_products:
            found = await self.shelf.look_up(connection, skus_in(intake, self.lane), products)
            moment = msgspec.structs.replace(moment, products=found)
        wanted = {event.customer_id for _, event in intake.events}
        rows = await connection.fetch(store.TOUCHED, list(wanted)) if wanted else []
        olds = await sweep.others(self.policies, connection, rows, self.policy_version)
        turn = Chunk(self, intake, rows, olds, moment, live=time.live).turn()
        turn.applied = len(records_) - len(turn.dead_letters)
        return turn if products is None else self._adopt(turn, products)

    async def tend(self, connection: Any, time: LaneTime, seq: int) -> Turn | None:
        """Fire what is due, bring customers under new cut-offs, and settle a replay's instants."""
        # First of all: they were loaded before the purchases that wait.
        products = await self.shelf.due(connection, barrier=time.barrier)
        if products is not None:
            return self._adopt(Turn(kind="products"), products)
        if self.swept.version < self.in_force.version:
            return await sweep.sweep(self, connection, time, seq, self.in_force)
        # A lane that waits for the others is asked again and again; what was due has fired before.
        waits = time.barrier and self.book.board.barriers.get(self.lane) == (time.now_ms, time.complete)
        turn = None if waits else await timers.fire(self, connection, time, seq)
        if turn is not None:
            return turn
        then = self._settle if time.barrier else self._live
        return await then(connection, time, seq)

    def _adopt(self, turn: Turn, products: int) -> Turn:
        """Let the lane go over to another version of the products with this turn."""
        versions = self.versions(self.in_force, swept=self.swept)
        return self.shelf.adopt(turn, products, others=versions[:-1])

    async def _settle(self, connection: Any, time: LaneTime, seq: int) -> Turn | None:
        """A replay's instant: save the histogram, wait for everybody's, adopt what comes of them."""
        instant = (time.now_ms, time.complete)
        if (self.in_force.at_ms, self.in_force.complete) == instant:  # adopted; only the word is missing
            return Turn(kind="settle", outbox=time_marks(self.lane, time), settled=True)
        if self.book.board.barriers.get(self.lane) != instant:
            return self.save_in(Turn(kind="settle"), time, [])
        latest = self.book.board.latest
        if latest is not None and (latest.at_ms, latest.complete) == instant:
            return await sweep.sweep(self, connection, time, seq, latest)
        must_know = self.lane == 0 and await self.book.all_there(connection, instant)
        latest = await self.book.newest(connection, self.in_force, at_once=must_know)
        if (latest.at_ms, latest.complete) == instant:
            return await sweep.sweep(self, connection, time, seq, latest)
        if not must_know:
            return None
        return await self.book.compute(connection, time, latest, self.policy, always=True)

    async def _live(self, connection: Any, time: LaneTime, seq: int) -> Turn | None:
        """Now and then: adopt cut-offs that were written, write those that moved, save the histogram.

        In this order: under load a histogram is dirty again at once, and nothing may starve behind it.
        """
        latest = await self.book.newest(connection, self.in_force, at_once=self.lane == 0)
        if latest.policy_version != self.policy_version and latest.version > self.in_force.version:
            return await sweep.switch(self, connection, time, latest)
        if latest.version > self.in_force.version:
            return await sweep.sweep(self, connection, time, seq, latest)
        moment = self.moment(time, seq, self.in_force)
        turn = await self.rescoring.next_turn(connection, moment, self.policy_version)
        if turn is not None:
            if turn.writes:  # through: the lane's row says so
                before = self.versions(self.in_force, swept=self.swept)
                turn.versions = (*before[:3], self.rescoring.target, *before[4:])
            return turn
        turn = await self._compute(connection, time, latest)
        if turn is not None:
            return turn
        if self.wants_saving:
            return self.save_in(Turn(kind="histogram"), time, [])
        return await self.census.next_turn(connection, time.now_ms, self.policy)

    async def _compute(self, connection: Any, time: LaneTime, latest: CutOffs) -> Turn | None:
        """Write the next cut-offs, which only lane 0 does; None when it is too soon or they hardly moved."""
        now = clock.monotonic()
        if self.lane != 0 or now - self.computed < COMPUTE_SECONDS:
            return None
        self.computed = now
        target = self.rescoring.through
        if target > self.policy_version:
            turn = await self.book.compute_switch(connection, time, latest, target)
            if turn is not None:
                return turn
        return await self.book.compute(connection, time, latest, self.policy, always=False)
