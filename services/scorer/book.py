"""The book of cut-offs: what every lane reads, and lane 0 writes, from the sum of all histograms."""

from __future__ import annotations

import time as clock
from dataclasses import dataclass, field
from typing import Any, Final

from services.lanes.work import LaneTime, Turn
from services.scorer import crowd, store
from services.scorer.core.cuts import Histogram
from services.scorer.core.policy import Policy
from services.scorer.outputs import cut_offs_message
from services.scorer.store import CutOffs
from services.scorer.switch import Policies

LOOK_SECONDS: Final = 0.05  # between two looks at what other workers wrote
NO_CUT_OFFS: Final = CutOffs(version=0, at_ms=0, complete=False, cuts=None)


@dataclass(slots=True)
class Board:
    """What the lanes of one worker tell each other, so that they need not ask PostgreSQL in a loop."""

    barriers: dict[int, tuple[int, bool]] = field(default_factory=dict)  # lane -> histogram saved at
    latest: CutOffs | None = None


@dataclass(slots=True)
class Book:
    """The cut-offs as one lane sees them."""

    board: Board
    lanes: int
    policies: Policies
    switched: int  # the cut-offs of a switch that other lanes may still be at; 0: none
    _looked: float = 0.0

    async def newest(self, connection: Any, in_force: CutOffs, *, at_once: bool) -> CutOffs:
        """Return the newest cut-offs known; asks PostgreSQL now and then, or ``at_once``."""
        now = clock.monotonic()
        if at_once or now - self._looked >= LOOK_SECONDS:
            self._looked = now
            row = await connection.fetchrow(store.CUT_OFFS_AFTER, in_force.version)
            if row is not None:
                self.board.latest = store.cut_offs_of(row, await self.policies.get(connection, row[4]))
        latest = self.board.latest
        return in_force if latest is None or latest.version < in_force.version else latest

    async def all_there(self, connection: Any, instant: tuple[int, bool]) -> bool:
        """Return whether every lane saved its histogram of a replayed instant."""
        if any(reached != instant for reached in self.board.barriers.values()):
            return False
        return int(await connection.fetchval(store.HISTOGRAMS_AT, *instant)) == self.lanes

    async def compute(
        self, connection: Any, time: LaneTime, last: CutOffs, policy: Policy, *, always: bool
    ) -> Turn | None:
        """Sum all lanes' histograms and write the next version; live only when the cuts moved, or it is time."""
        if not always and not await self._is_one_scale(connection):
            return None
        total = await crowd.total_histogram(connection)
        cuts, _ = crowd.new_cut_offs(total, policy)
        old = time.now_ms - last.at_ms >= crowd.VERSION_MS_MAX
        if not (always or old or crowd.moved_enough(total, last.cuts, cuts)):
            return None
        return self._next(total, time, last, policy, last.policy_version)

    async def compute_switch(
        self, connection: Any, time: LaneTime, last: CutOffs, target: int
    ) -> Turn | None:
        """Write the first cut-offs of policy ``target`` once every lane counted its customers under it."""
        total = await crowd.rescored_total(connection, target, self.lanes)
        if total is None:
            return None
        return self._next(total, time, last, await self.policies.get(connection, target), target)

    async def _is_one_scale(self, connection: Any) -> bool:
        """Whether every lane is wholly under one policy: a sum over two scales of score means nothing."""
        if self.switched and await connection.fetchval(store.ALL_SWITCHED, self.switched, self.lanes):
            self.switched = 0
        return not self.switched

    def _next(
        self, total: Histogram, time: LaneTime, last: CutOffs, policy: Policy, policy_version: int
    ) -> Turn:
        """Return the turn that writes the next version."""
        cuts, ties = crowd.new_cut_offs(total, policy)
        new = CutOffs(last.version + 1, time.now_ms, time.complete, cuts, policy_version)
        write = crowd.cut_offs_write(new, ties)

        def written() -> None:
            self.board.latest = new

        return Turn(kind="cut-offs", writes=[write], outbox=[cut_offs_message(new, ties)], on_commit=written)
