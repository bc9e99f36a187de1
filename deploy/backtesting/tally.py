"""What a backtest counts while a history passes, in the process that holds the customers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from deploy.backtesting.flaps import Flaps
from deploy.backtesting.judge import Judge, Judgement
from services.scorer.core.draft import Step
from services.scorer.offline.share import Share

AS_IS: Final = 0  # the policy as it is
RAW: Final = 1  # the same without hysteresis


@dataclass(slots=True)
class Sizes:
    """How many customers were in each tier at one instant."""

    ranked: Counter[str] = field(default_factory=Counter)  # of active customers
    shown: Counter[str] = field(default_factory=Counter)  # of everybody who ever bought
    differing: int = 0  # active customers whom hysteresis keeps in another tier

    def add(self, other: Sizes) -> None:
        """Add another process's customers."""
        self.ranked += other.ranked
        self.shown += other.shown
        self.differing += other.differing


@dataclass(slots=True)
class Seen:
    """Everything counted by one process, or by all of them."""

    midnights: list[Sizes]
    end: Sizes
    flaps: list[int]  # with hysteresis, without
    judgement: Judgement

    def add(self, other: Seen) -> None:
        """Add what another process saw at the same midnights."""
        for mine, theirs in zip(self.midnights, other.midnights, strict=True):
            mine.add(theirs)
        self.end.add(other.end)
        self.flaps = [sum(both) for both in zip(self.flaps, other.flaps, strict=True)]
        self.judgement.add(other.judgement)


class Tally:
    """Watches the policy as it is, and the same without hysteresis: of that one only ranked tiers."""

    def __init__(self, *, end_ms: int, horizon_ms: int) -> None:
        """Start with nothing; ``end_ms`` is the last instant of the history."""
        self._judge = Judge(end_ms=end_ms, horizon_ms=horizon_ms)
        self._flaps = [Flaps(), Flaps()]
        self._midnights: list[Sizes] = []
        self._end = Sizes()

    def stepped(self, variant: int, who: int, step: Step, now_ms: int) -> None:
        """Note tier changes, and purchases and warnings under the policy as it is."""
        if step.effects:
            self._flaps[variant].take(who, step.effects)
        if variant == AS_IS:
            self._judge.stepped(who, step, now_ms)

    def reached(self, at_ms: int, *, complete: bool, shares: Sequence[Share]) -> None:
        """Count the tiers as they stand at a midnight, or at the end."""
        sizes = sizes_of(shares[AS_IS], shares[RAW])
        if complete:
            self._end = sizes
        else:
            self._midnights.append(sizes)
            self._judge.midnight(at_ms)

    def result(self) -> Seen:
        """Return what was counted."""
        flaps = [flaps.count() for flaps in self._flaps]
        return Seen(self._midnights, self._end, flaps, self._judge.result())


def sizes_of(share: Share, raw: Share) -> Sizes:
    """Return the tiers of one policy, and where another one differs."""
    active = np.frombuffer(share.active, np.bool_)
    ranked = np.frombuffer(share.ranked, np.uint8)
    sizes = Sizes(
        _counted(ranked[active], share.tiers), _counted(np.frombuffer(share.shown, np.uint8), share.tiers)
    )
    # Each share numbers the tiers as it meets them; one that the other never met differs from all of its.
    known = np.array(
        [share.tiers.index(name) if name in share.tiers else len(share.tiers) for name in raw.tiers]
    )
    sizes.differing = int(np.count_nonzero((known[np.frombuffer(raw.ranked, np.uint8)] != ranked) & active))
    return sizes


def _counted(codes: Any, tiers: Sequence[str | None]) -> Counter[str]:
    counts = np.bincount(codes, minlength=len(tiers)).tolist()
    return Counter({name: count for name, count in zip(tiers, counts, strict=True) if name and count})
