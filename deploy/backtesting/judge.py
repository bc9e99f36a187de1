"""Whether warnings came true: each against the silence that followed it, and each silence against its warnings.

One yardstick for every rule, with H = 90 days unless told otherwise. A purchase is a sale; E is the end of
the history, which is the end of everybody's observation.

- A warning at w is **true** when no purchase follows in (w, w + H]. When w + H is later than E it
  is *censored*, and left out even if a purchase came: else only the false ones of the last days would stay.
- ``precision`` = true / judged.
- A customer is **lost** when 2 H have passed since a purchase L without another one: H of silence, which is
  when the simplest rule (early silence) speaks, and the H more that prove it right. ``recall`` is the share
  of those lost (L + 2 H not later than E) whom the rule warned of in (L, L + 2 H].
- ``lead`` runs from the rule's first warning of a lost customer to L + 2 H. Early silence has H by this
  definition, less after a response; a rule that speaks before has more, one that waits 2 H has none.
- ``recall_of_silences`` is the literal other reading: the share of silences of at least H (L + H not later
  than E) in which the rule warned at all before the next purchase, if one came. Early silence warns of
  each of them, a response apart.
- ``base_rate`` is what a warning at random would reach: the share of customer-days (active customers at local
  midnights up to E - H) after which H of silence came. A purchase at midnight itself comes after it.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass, field

from schemas.events import ChurnCleared, ChurnWarned
from schemas.times import to_ms
from services.scorer.core.draft import Effect, Step

_RETRACTED = "retracted"


@dataclass(slots=True)
class RuleCounts:
    """What became of one rule's warnings."""

    warnings: int = 0
    judged: int = 0
    true: int = 0
    lost_warned: int = 0
    silences_warned: int = 0
    leads_ms: array[int] = field(default_factory=lambda: array("q"))  # one for each of ``lost_warned``

    def add(self, other: RuleCounts) -> None:
        """Add what another process saw."""
        self.warnings += other.warnings
        self.judged += other.judged
        self.true += other.true
        self.lost_warned += other.lost_warned
        self.silences_warned += other.silences_warned
        self.leads_ms += other.leads_ms


@dataclass(slots=True)
class Judgement:
    """What was found; ``lost`` and ``silences`` are those whose whole length was observed."""

    rules: dict[str, RuleCounts] = field(default_factory=lambda: defaultdict(RuleCounts))
    lost: int = 0
    silences: int = 0
    days: int = 0  # of active customers, early enough to be judged
    silent_days: int = 0  # of those, followed by silence

    def add(self, other: Judgement) -> None:
        """Add what another process saw."""
        for rule, counts in other.rules.items():
            self.rules[rule].add(counts)
        self.lost += other.lost
        self.silences += other.silences
        self.days += other.days
        self.silent_days += other.silent_days


@dataclass(slots=True)
class _Gap:
    """The time since a customer's latest purchase."""

    bought_ms: int | None = None
    left_ms: int | None = None  # when the customer ceased to be active
    warnings: list[tuple[int, str]] = field(default_factory=list)  # (time, rule)


class Judge:
    """Follows every customer from purchase to purchase; needs to know where the history ends."""

    def __init__(self, *, end_ms: int, horizon_ms: int) -> None:
        """Start with nobody."""
        self._end_ms = end_ms
        self._horizon_ms = horizon_ms
        self._gaps: defaultdict[int, _Gap] = defaultdict(_Gap)
        self._midnights: list[int] = []
        self._found = Judgement()

    def midnight(self, at_ms: int) -> None:
        """Note a midnight that everybody passed."""
        self._midnights.append(at_ms)

    def stepped(self, who: int, step: Step, now_ms: int) -> None:
        """Look at a step; steps of one customer come in order of time."""
        gap = self._gaps[who]
        for effect in step.effects:
            self._note(gap, effect)
        bought_ms = step.state.last_purchase_ms
        if bought_ms is not None and bought_ms != gap.bought_ms:
            if gap.bought_ms is None or bought_ms > gap.bought_ms:
                self._close(gap, bought_ms)
            gap.bought_ms, gap.left_ms = bought_ms, None
        elif step.moved[0] is not None and step.moved[1] is None:
            gap.left_ms = now_ms
        elif step.moved[0] is None and step.moved[1] is not None:
            gap.left_ms = None

    def result(self) -> Judgement:
        """Return what was found; the replay is over."""
        for gap in self._gaps.values():
            self._close(gap, None)
        self._gaps.clear()
        return self._found

    def _note(self, gap: _Gap, effect: Effect) -> None:
        if isinstance(effect, ChurnWarned):
            gap.warnings.append((to_ms(effect.occurred_at), effect.rule))
        elif isinstance(effect, ChurnCleared) and effect.cause == _RETRACTED:
            warned = (to_ms(effect.started_at), str(effect.rule))
            if warned in gap.warnings:  # else of an earlier gap, and counted as people saw it
                gap.warnings.remove(warned)

    def _close(self, gap: _Gap, next_ms: int | None) -> None:
        """Judge what lies before the next purchase; None when none came."""
        if next_ms is None:
            here, gap.warnings = gap.warnings, []
        else:
            here = [one for one in gap.warnings if one[0] < next_ms]
            gap.warnings = [one for one in gap.warnings if one[0] >= next_ms]
        for at_ms, rule in here:
            counts = self._found.rules[rule]
            counts.warnings += 1
            if at_ms + self._horizon_ms <= self._end_ms:
                counts.judged += 1
                counts.true += self._is_silent(at_ms, self._horizon_ms, next_ms)
        if gap.bought_ms is not None:
            self._weigh(gap.bought_ms, here, next_ms)
            self._count_days(gap.bought_ms, gap.left_ms, next_ms)

    def _is_silent(self, from_ms: int, length_ms: int, next_ms: int | None) -> bool:
        """Whether it was seen that nothing was bought in (from, from + length]."""
        until_ms = from_ms + length_ms
        return until_ms <= self._end_ms and (next_ms is None or next_ms > until_ms)

    def _weigh(self, bought_ms: int, warnings: list[tuple[int, str]], next_ms: int | None) -> None:
        """Hold a silence that was long enough against the rules that spoke."""
        first: dict[str, int] = {}
        for at_ms, rule in warnings:
            first[rule] = min(at_ms, first.get(rule, at_ms))
        if self._is_silent(bought_ms, self._horizon_ms, next_ms):
            self._found.silences += 1
            for rule in first:
                self._found.rules[rule].silences_warned += 1
        if self._is_silent(bought_ms, 2 * self._horizon_ms, next_ms):
            self._found.lost += 1
            lost_ms = bought_ms + 2 * self._horizon_ms
            for rule, at_ms in first.items():
                if at_ms <= lost_ms:
                    self._found.rules[rule].lost_warned += 1
                    self._found.rules[rule].leads_ms.append(lost_ms - at_ms)

    def _count_days(self, bought_ms: int, left_ms: int | None, next_ms: int | None) -> None:
        """Count the midnights of this gap at which the customer was active, and the silent ones of them."""
        until_ms = min(self._end_ms - self._horizon_ms, self._end_ms if next_ms is None else next_ms)
        if left_ms is not None:
            until_ms = min(until_ms, left_ms - 1)
        first, last = bisect_right(self._midnights, bought_ms), bisect_right(self._midnights, until_ms)
        self._found.days += max(0, last - first)
        if next_ms is not None:
            last = min(last, bisect_left(self._midnights, next_ms - self._horizon_ms))
        self._found.silent_days += max(0, last - first)
