"""One share of the customers under one policy: what a lane keeps in tables, kept in memory."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Final

import numpy as np

from schemas.events import Input
from services.scorer.core.advance import adopt, advance, settle
from services.scorer.core.cuts import BINS, Cuts, Histogram, count_move, empty_histogram
from services.scorer.core.draft import Moment, Step
from services.scorer.core.due import next_due_ms
from services.scorer.core.policy import Policy
from services.scorer.core.products import NO_PRODUCTS, Products
from services.scorer.core.state import State
from services.scorer.offline.crossed import crossed

NEVER_MS: Final = 2**62
Watch = Callable[[int, Step], None]  # the customer's number, and what happened to him


class Share:
    """Customers by number, 0 upwards in the order of their first event.

    Timers are lazy, as in the lanes: a due instant that only moves later fires early, finds nothing and
    is armed again, so the heap holds about one entry for each customer.
    """

    def __init__(self, policy: Policy, watch: Watch | None = None, products: Products = NO_PRODUCTS) -> None:
        """Start with nobody and no cuts; ``watch`` is told of every step that changed somebody."""
        self.policy = policy
        self.products = products if policy.needs_products else NO_PRODUCTS
        self.cuts: Cuts | None = None
        self.version = 0  # of the cuts in force; 0 for none yet
        self.now_ms = 0
        self.states: list[State | None] = []  # None: his first event was refused
        self.histogram: Histogram = empty_histogram()
        # One entry for each customer, for counting and finding by the column.
        self.scores = array("H")
        self.active = array("B")
        self.ranked = array("B")  # an index into ``tiers``
        self.shown = array("B")
        self.tiers: list[str | None] = [None]  # by the order of first sight; None is nobody's yet
        self._code_of: dict[str | None, int] = {None: 0}
        self._armed = array("q")
        self._timers: list[tuple[int, int]] = []
        self._watch = watch

    def make_room(self, customers: int) -> None:
        """Make room for so many customers in all."""
        while len(self.states) < customers:
            self.states.append(None)
            self._armed.append(NEVER_MS)
            for column in (self.scores, self.active, self.ranked, self.shown):
                column.append(0)

    def apply(self, who: int, event: Input, at_ms: int) -> bool:
        """Apply one event of customer ``who``; return whether it was news.

        Raises:
            Refused: as the core does; nothing changed then.
        """
        self.now_ms = at_ms
        step = advance(self.states[who], event, self._moment(at_ms), self.policy)
        if step.duplicate:
            return False
        self._take(who, step)
        return True

    def pass_time(self, to_ms: int, *, complete: bool) -> None:
        """Fire everything due before a midnight, or at the ``complete`` end of a history."""
        self.now_ms = to_ms
        moment = self._moment(to_ms, complete=complete)
        due = []
        while self._timers and self._timers[0][0] <= moment.known_until_ms:
            at_ms, who = heappop(self._timers)
            if self._armed[who] == at_ms:  # else armed for another instant since
                self._armed[who] = NEVER_MS
                due.append(who)
        for who in due:
            self._take(who, settle(self._known(who), moment, self.policy))

    def adopt(self, cuts: Cuts | None, version: int, at_ms: int, *, complete: bool) -> None:
        """Bring everybody whom moved cuts concern under new ones; ``pass_time`` to ``at_ms`` comes first.

        Nobody needs to be settled under the old cuts here: what was due has fired.
        """
        concerned = self._concerned(cuts)
        self.cuts, self.version = cuts, version
        moment = self._moment(at_ms, complete=complete)
        for who in concerned:
            self._take(who, adopt(self._known(who), moment, self.policy))

    def _concerned(self, cuts: Cuts | None) -> list[int]:
        scores, ranked = np.frombuffer(self.scores, np.uint16), np.frombuffer(self.ranked, np.uint8)
        ranges = crossed(self.cuts, cuts)
        if ranges is None:
            return _numbers_where(ranked != 0)
        if not ranges:
            return []
        passed = np.zeros(BINS, np.bool_)
        for scores_passed in ranges:
            passed[scores_passed.start : scores_passed.stop] = True
        return _numbers_where(passed[scores] & (ranked != 0))

    def _take(self, who: int, step: Step) -> None:
        """Take over what a step came to."""
        state = step.state
        self.states[who] = state
        if step.moved[0] != step.moved[1]:
            count_move(self.histogram, step.moved)
        self.scores[who] = state.score
        self.active[who] = self.policy.bin_of(state) is not None
        if step.effects:
            self.ranked[who], self.shown[who] = self._code(state.ranked), self._code(state.tier)
        due_ms = next_due_ms(state, self.policy, self.cuts)
        if due_ms is not None and due_ms < self._armed[who]:
            self._armed[who] = due_ms
            heappush(self._timers, (due_ms, who))
        if self._watch is not None:
            self._watch(who, step)

    def _code(self, tier: str | None) -> int:
        code = self._code_of.get(tier)
        if code is None:
            code = self._code_of[str(tier)] = len(self.tiers)
            self.tiers.append(str(tier))
        return code

    def _known(self, who: int) -> State:
        state = self.states[who]
        if state is None:
            raise AssertionError("a timer or a tier of somebody who was never taken up")
        return state

    def _moment(self, now_ms: int, *, complete: bool = False) -> Moment:
        return Moment(
            now_ms=now_ms,
            complete=complete,
            cuts=self.cuts,
            cut_offs_version=self.version,
            products=self.products,
        )


def _numbers_where(chosen: Any) -> list[int]:
    found: list[int] = np.flatnonzero(chosen).tolist()
    return found
