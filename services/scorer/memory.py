"""What a worker remembers of one lane of customers, and what every turn of it is made with.

It changes only when a turn was committed: whatever a turn wants remembered waits in its ``on_commit``.
"""

from __future__ import annotations

import time as clock
from array import array
from dataclasses import dataclass, field
from typing import Final

from services.lanes.work import LaneTime, Turn
from services.scorer import crowd
from services.scorer.book import Book
from services.scorer.catalogue import Catalogue, Shelf
from services.scorer.census import Census
from services.scorer.changes import Changes
from services.scorer.core.cuts import Histogram, count_move
from services.scorer.core.draft import Moment
from services.scorer.core.due import next_due_ms
from services.scorer.core.policy import Policy
from services.scorer.store import CutOffs, Held
from services.scorer.switch import Policies, Rescoring

HISTOGRAM_SECONDS: Final = 1.0


@dataclass(slots=True)
class LaneMemory:
    """One lane of customers."""

    book: Book
    lane: int
    lanes: int
    policy: Policy
    policy_version: int
    in_force: CutOffs
    swept: CutOffs  # every customer of the lane was brought under these, but for those put off
    histogram: Histogram
    policies: Policies
    rescoring: Rescoring
    census: Census
    shelf: Shelf = field(default_factory=lambda: Shelf(Catalogue()))
    passed_over: set[str] = field(default_factory=set)  # whom the sweep under way has put off
    computed: float = 0.0  # when the cut-offs were last looked at, monotonic
    _saved: float = 0.0  # when the histogram was last saved, monotonic
    _dirty: bool = False

    def moment(self, time: LaneTime, seq: int, cut_offs: CutOffs) -> Moment:
        """Return what a step of turn ``seq`` is told of the world, under ``cut_offs``."""
        return Moment(
            now_ms=time.now_ms,
            complete=time.complete and time.barrier,
            cuts=cut_offs.cuts,
            cut_offs_version=cut_offs.version,
            policy_version=self.policy_version,
            lane=self.lane,
            seq=seq,
        )

    def changes(self, moment: Moment) -> Changes:
        """Return an empty collection of changes, for a turn that leaves the customers at ``moment``."""
        return Changes(self.lane, self.lanes, moment, lambda held: self._due_to_store(held, moment))

    def turn(self, kind: str, changes: Changes) -> Turn:
        """Return the turn that writes the changes, and counts their moves once it is committed."""
        moves = changes.moves

        def committed() -> None:
            for move in moves:
                count_move(self.histogram, move)
            self._dirty = self._dirty or any(old != new for old, new in moves)

        return Turn(
            kind=kind,
            writes=changes.rows.writes(changes.due_of),
            outbox=changes.outputs,
            put_off=changes.put_off,
            note=crowd.pack_moves(moves),
            on_commit=committed,
        )

    def versions(self, in_force: CutOffs, *, swept: CutOffs) -> tuple[int, ...]:
        """Return the lane's versions as its row keeps them."""
        counted = self.rescoring.through
        return in_force.version, self.policy_version, swept.version, counted, self.shelf.version

    @property
    def wants_saving(self) -> bool:
        """Whether the histogram moved and was not saved for a while."""
        return self._dirty and clock.monotonic() - self._saved >= HISTOGRAM_SECONDS

    def save_in(self, turn: Turn, time: LaneTime, moves: list[crowd.Moved]) -> Turn:
        """Save the histogram in a turn that makes these moves itself."""
        after = array("I", self.histogram)
        for move in moves:
            count_move(after, move)
        turn.writes.append(
            crowd.save_histogram(
                after, at_ms=time.now_ms, complete=time.complete, policy_version=self.policy_version
            )
        )
        counted = turn.on_commit

        def committed() -> None:
            if counted is not None:
                counted()
            self._saved, self._dirty = clock.monotonic(), False
            if time.barrier:
                self.book.board.barriers[self.lane] = (time.now_ms, time.complete)

        turn.on_commit = committed
        return turn

    def _due_to_store(self, held: Held, moment: Moment) -> int | None:
        """Keep a stored due that only moved later: it fires early, finds nothing, and the index rests."""
        due, stored = next_due_ms(held.known, self.policy, moment.cuts), held.stored_due_ms
        if stored is not None and stored > held.known.settled_ms and (due is None or stored <= due):
            return stored
        return due
