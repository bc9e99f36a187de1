"""A history through shares of customers, in step: events, midnights with their cut-offs, and the end.

The order is that of the lanes: events by time; at every local midnight what is due fires, the histograms
are summed, cuts are computed, the customers concerned adopt them; only then come the events dated at
midnight itself. After the last event the same once more, with that instant complete.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

import numpy as np

from schemas.events import Input, ProductListed
from schemas.times import to_ms
from schemas.wire import Refused, decode_input
from services.scorer.core.cuts import Cuts, Histogram, cuts_of
from services.scorer.core.draft import Step
from services.scorer.core.policy import Policy
from services.scorer.core.products import NO_PRODUCTS, Products
from services.scorer.offline.share import Share

# Kinds of input that the core does not take up; the lanes drop the same ones, and anonymous ids.
NOT_SCORED: Final = ProductListed  # about no customer


class Stretch(NamedTuple):
    """Events in order of time, and the instant that follows them."""

    lines: Sequence[list[bytes]]  # in wire form, for each share of customers its own
    ends_ms: int | None  # every event earlier than this is in; None: more is to come
    complete: bool = False  # the end: the events at ``ends_ms`` are in, too


class Watcher(Protocol):
    """Looks on in the process that holds a share; what it comes to must pickle."""

    def stepped(self, variant: int, who: int, step: Step, now_ms: int) -> None:
        """Look at one customer's step under the policy of that number; ``now_ms`` is the replay's clock."""

    def reached(self, at_ms: int, *, complete: bool, shares: Sequence[Share]) -> None:
        """Look at everybody at a midnight or at the end, under the new cuts; one share for each policy."""

    def result(self) -> Any:
        """Return what was seen, when the replay is over."""


class CutRow(NamedTuple):
    """The cut-offs of one instant, under the policy of that number."""

    variant: int
    version: int
    at_ms: int
    active: int
    cuts: Cuts | None


@dataclass(slots=True)
class Counts:
    """What became of the events."""

    applied: int = 0
    duplicates: int = 0
    not_scored: int = 0
    refused: Counter[str] = field(default_factory=Counter)  # by reason

    def add(self, other: Counts) -> None:
        """Add another share's."""
        self.applied += other.applied
        self.duplicates += other.duplicates
        self.not_scored += other.not_scored
        self.refused += other.refused


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a replay came to."""

    counts: Counts
    cut_rows: list[CutRow]
    watched: list[Any]  # the result of each share's watcher


class Runner:
    """One share of the customers, under one policy or several in step, each with cuts of its own."""

    def __init__(
        self, policies: Sequence[Policy], watcher: Watcher, products: Products = NO_PRODUCTS
    ) -> None:
        """Start with nobody; ``products`` are in force from the first event to the last."""
        self.counts = Counts()
        self.watcher = watcher
        self.shares = [Share(policy, self._watch(number), products) for number, policy in enumerate(policies)]
        self._numbers: dict[str, int] = {}
        self._anonymous = frozenset[str]().union(*(policy.anonymous_ids for policy in policies))

    def take(self, lines: Iterable[bytes]) -> None:
        """Apply events given in order of time.

        Raises:
            Refused: a line is no event; those that the core refuses are counted instead.
        """
        for line in lines:
            event = decode_input(line)
            if isinstance(event, NOT_SCORED) or event.customer_id in self._anonymous:
                self.counts.not_scored += 1
                continue
            self._apply(event)

    def pass_time(self, to_ms: int, *, complete: bool) -> list[Histogram]:
        """Let everything due fire; return the histogram of each policy."""
        for share in self.shares:
            share.pass_time(to_ms, complete=complete)
        return [share.histogram for share in self.shares]

    def adopt(self, cuts: Sequence[Cuts | None], version: int, at_ms: int, *, complete: bool) -> None:
        """Adopt the cuts of each policy, and let the watcher look."""
        for share, new in zip(self.shares, cuts, strict=True):
            share.adopt(new, version, at_ms, complete=complete)
        self.watcher.reached(at_ms, complete=complete, shares=self.shares)

    def _apply(self, event: Input) -> None:
        who = self._numbers.setdefault(event.customer_id, len(self._numbers))
        at_ms = to_ms(event.occurred_at)
        news = False
        for share in self.shares:  # in all of them, whatever the first refuses: they are compared one by one
            share.make_room(len(self._numbers))
        try:
            for share in self.shares:
                news = share.apply(who, event, at_ms)
        except Refused as refused:  # by every policy alike: what is refused does not depend on tiers
            self.counts.refused[refused.reason.value] += 1
            return
        self.counts.applied += news
        self.counts.duplicates += not news

    def _watch(self, variant: int) -> Callable[[int, Step], None]:
        def watch(who: int, step: Step) -> None:
            self.watcher.stepped(variant, who, step, self.shares[variant].now_ms)

        return watch


class Crowd:
    """Draws cuts from everybody's histograms, and keeps them."""

    def __init__(self, policies: Sequence[Policy]) -> None:
        """Start without cuts."""
        self.policies = policies
        self.version = 0
        self.cut_rows: list[CutRow] = []

    def compute(self, histograms: Iterable[Sequence[Histogram]], at_ms: int) -> list[Cuts | None]:
        """Return the cuts of each policy, from every share's histograms."""
        self.version += 1
        found = []
        for variant, (policy, shares) in enumerate(
            zip(self.policies, zip(*histograms, strict=True), strict=True)
        ):
            total = _sum(shares)
            cuts = cuts_of(total, policy)
            self.cut_rows.append(CutRow(variant, self.version, at_ms, sum(total), cuts))
            found.append(cuts)
        return found


def _sum(histograms: Sequence[Histogram]) -> Histogram:
    columns = np.array([np.frombuffer(one, np.uint32) for one in histograms])
    return array("I", columns.sum(axis=0, dtype=np.uint32).tobytes())


def replay(
    stretches: Iterable[Stretch],
    policies: Sequence[Policy],
    watcher: Watcher,
    *,
    products: Products = NO_PRODUCTS,
    progress: Callable[[int], None] | None = None,
) -> Outcome:
    """Replay a history in this process; ``progress(at_ms)`` is called at every midnight.

    Raises:
        Refused: a line is no event.
    """
    runner, crowd = Runner(policies, watcher, products), Crowd(policies)
    for stretch in stretches:
        for lines in stretch.lines:
            runner.take(lines)
        if stretch.ends_ms is None:
            continue
        histograms = runner.pass_time(stretch.ends_ms, complete=stretch.complete)
        cuts = crowd.compute([histograms], stretch.ends_ms)
        runner.adopt(cuts, crowd.version, stretch.ends_ms, complete=stretch.complete)
        if progress is not None:
            progress(stretch.ends_ms)
    return Outcome(runner.counts, crowd.cut_rows, [watcher.result()])
