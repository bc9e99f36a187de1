"""Whether warnings came true: each against the silence that followed it, and each silence against its warnings.

One yardstick for every rule, with H = 90 days unless told otherwise. A purchase is a sale, as its highest
revision has it in the end; E is the end of the history, which is the end of everybody's observation. A
warning is an episode (customer, rule, start): it counts once, and not at all when it was retracted.

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
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from schemas.events import ChurnCleared, ChurnWarned
from schemas.tiers import EpisodeEnd
from schemas.times import to_ms
from services.scorer.core import facts
from services.scorer.core.draft import Effect, Step
from services.scorer.core.state import NEVER_MS, Revision, State


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
class _Life:
    """What was seen of one customer."""

    bought: array[int] = field(default_factory=lambda: array("q"))  # ascending, each instant once
    active: array[int] = field(default_factory=lambda: array("q"))  # became so, ceased to be so, and again
    warnings: set[tuple[int, str]] = field(default_factory=set)  # (start, rule), without the retracted
    revisions: tuple[Revision, ...] = ()  # corrections that ``bought`` has taken in

    def gaps(self) -> Iterator[tuple[int, int]]:
        """Yield each purchase with the next one; before the first is -1, after the last ``NEVER_MS``."""
        return pairwise((-1, *self.bought, NEVER_MS))

    def spells(self) -> Iterator[tuple[int, int]]:
        """Yield the times of being active, each with its end."""
        return zip(self.active[::2], (*self.active[1::2], NEVER_MS), strict=False)


class Judge:
    """Follows every customer, and judges at the end: a correction may show later that nothing was bought."""

    def __init__(self, *, end_ms: int, horizon_ms: int) -> None:
        """Start with nobody."""
        self._end_ms = end_ms
        self._horizon_ms = horizon_ms
        self._lives: defaultdict[int, _Life] = defaultdict(_Life)
        self._midnights: list[int] = []
        self._found = Judgement()

    def midnight(self, at_ms: int) -> None:
        """Note a midnight that everybody passed."""
        self._midnights.append(at_ms)

    def stepped(self, who: int, step: Step, now_ms: int) -> None:
        """Look at a step; steps of one customer come in order of time."""
        life, state = self._lives[who], step.state
        for effect in step.effects:
            _note(life, effect)
        last_ms = state.last_purchase_ms
        if state.revisions != life.revisions:
            _correct(life, state)
        elif last_ms is not None and (not life.bought or last_ms > life.bought[-1]):
            life.bought.append(last_ms)
        if (step.moved[0] is None) != (step.moved[1] is None):
            life.active.append(now_ms)

    def result(self) -> Judgement:
        """Return what was found; the replay is over."""
        while self._lives:
            _, life = self._lives.popitem()
            self._judge(life)
        return self._found

    def _judge(self, life: _Life) -> None:
        spoken: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)  # by the purchase before it
        for at_ms, rule in life.warnings:
            place = bisect_right(life.bought, at_ms)
            next_ms = life.bought[place] if place < len(life.bought) else NEVER_MS
            counts = self._found.rules[rule]
            counts.warnings += 1
            if at_ms + self._horizon_ms <= self._end_ms:
                counts.judged += 1
                counts.true += self._is_silent(at_ms, self._horizon_ms, next_ms)
            spoken[place].append((at_ms, rule))
        spells = list(life.spells())
        for place, (bought_ms, next_ms) in enumerate(life.gaps()):
            if place:
                self._weigh(bought_ms, spoken.get(place, []), next_ms)
            for from_ms, until_ms in spells:
                self._count_days(max(bought_ms, from_ms), until_ms, next_ms)

    def _is_silent(self, from_ms: int, length_ms: int, next_ms: int) -> bool:
        """Whether it was seen that nothing was bought in (from, from + length]."""
        return from_ms + length_ms <= self._end_ms and next_ms > from_ms + length_ms

    def _weigh(self, bought_ms: int, warnings: list[tuple[int, str]], next_ms: int) -> None:
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
                if bought_ms < at_ms <= lost_ms:
                    self._found.rules[rule].lost_warned += 1
                    self._found.rules[rule].leads_ms.append(lost_ms - at_ms)

    def _count_days(self, from_ms: int, left_ms: int, next_ms: int) -> None:
        """Count the midnights of a gap at which the customer was active, and the silent ones of them."""
        until_ms = min(self._end_ms - self._horizon_ms, next_ms, left_ms - 1)
        first, last = bisect_right(self._midnights, from_ms), bisect_right(self._midnights, until_ms)
        self._found.days += max(0, last - first)
        last = min(last, bisect_left(self._midnights, next_ms - self._horizon_ms))
        self._found.silent_days += max(0, last - first)


def _note(life: _Life, effect: Effect) -> None:
    """Keep a warning once, also when it stands again after a correction; one that never was is none.

    One that was retracted and turns out to have been, but is over, is only cleared and not raised again.
    """
    if isinstance(effect, ChurnWarned):
        life.warnings.add((to_ms(effect.occurred_at), effect.rule))
    elif isinstance(effect, ChurnCleared):
        change = life.warnings.discard if effect.cause == EpisodeEnd.RETRACTED else life.warnings.add
        change((to_ms(effect.started_at), str(effect.rule)))


def _correct(life: _Life, state: State) -> None:
    """Take over when the remembered purchases were made; the forgotten ones can't be corrected any more."""
    life.revisions = state.revisions
    forgotten_ms = state.forgotten_last_ms
    kept = () if forgotten_ms is None else life.bought[: bisect_right(life.bought, forgotten_ms)]
    known = (fact.time_ms for fact in facts.every(state.purchases) if fact.is_sale)
    life.bought = array("q", sorted({*kept, *known}))
