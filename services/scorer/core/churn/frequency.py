"""Frequency down by half, against the customer's own past.

Judged at each instant at which an order turns ``recent_days`` old: only then can the recent count have
fallen. The past is the time before the recent days, as much of it as the customer has. What counts is how
often the customer comes: an order that was returned was a visit all the same.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from math import exp, lgamma, log, log1p
from typing import TYPE_CHECKING, Final, NamedTuple

from schemas.events import FrequencyBasis
from schemas.times import DAY_MS
from services.scorer.core import facts
from services.scorer.core.churn.start import Start

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from services.scorer.core.policy import FrequencyRule, Policy
    from services.scorer.core.state import State


_FEW: Final = 64  # to look at more than so many orders, all are read at once


class Comparison(NamedTuple):
    """Recent orders beside those of the past."""

    recent: int
    past: int
    past_ms: int

    def ratio(self, rule: FrequencyRule) -> float:
        """Return the recent rate over the past one; 1 when there is no past to compare with."""
        if not self.past or self.past_ms <= 0:
            return 1.0
        return (self.recent / (rule.recent_days * DAY_MS)) / (self.past / self.past_ms)


def starts(state: State, policy: Policy, rule: FrequencyRule) -> list[Start]:
    """Return the instants at which frequency is down, among those that late events can still touch.

    The ones ahead hold if nothing more is bought until then; more orders only make them less true.
    """
    return list(starts_since(state, policy, rule, 0))


def starts_since(state: State, policy: Policy, rule: FrequencyRule, since_ms: int) -> Iterator[Start]:
    """Yield the starts from an instant on, ascending: often the first of thousands is all that is asked."""
    first_ms = state.first_purchase_ms
    if first_ms is None or facts.count(state.purchases) < rule.orders_min:
        return
    times = order_times(state)
    recent_ms = rule.recent_days * DAY_MS
    since_ms = max(since_ms, state.settled_ms - policy.lateness_ms)
    first = bisect_left(times, since_ms - recent_ms)
    if len(times) - first > _FEW:
        times = list(times)
    for index in range(first, len(times)):
        at_ms = times[index] + recent_ms
        if is_down(compare(times, at_ms, first_ms, rule), rule):
            yield Start(at_ms)


def order_times(state: State) -> Sequence[int]:
    """Return the times of all remembered orders, ascending; an order is dated by its first sale."""
    if not state.has_links and facts.are_sales(state.purchases):
        return facts.Times(state.purchases)  # each fact is an order: nothing has to be read but what is asked
    first: dict[int, int] = {}
    for fact in facts.every(state.purchases):
        if fact.is_sale:
            first.setdefault(fact.order, fact.time_ms)
    return list(first.values())


def compare(times: Sequence[int], at_ms: int, first_ms: int, rule: FrequencyRule) -> Comparison:
    """Return the two counts at an instant: in (at - recent, at], and in the past before it."""
    recent_from = at_ms - rule.recent_days * DAY_MS
    past_from = max(recent_from - rule.past_days * DAY_MS, first_ms - 1)
    edge = bisect_right(times, recent_from)
    return Comparison(
        recent=bisect_right(times, at_ms) - edge,
        past=edge - bisect_right(times, past_from),
        past_ms=recent_from - past_from,
    )


def is_down(seen: Comparison, rule: FrequencyRule) -> bool:
    """Return whether the rule applies: the ratio is low, and with the guard not by chance."""
    if seen.past < rule.orders_min or seen.ratio(rule) > rule.ratio:
        return False
    return rule.guard == "none" or chance(seen, rule) < rule.significance


def is_insufficient(seen: Comparison, rule: FrequencyRule) -> bool:
    """Return whether there is too little history to say anything: even no recent order would prove nothing."""
    if seen.past < rule.orders_min:
        return True
    nothing = seen._replace(recent=0)
    return rule.guard == "binomial" and chance(nothing, rule) >= rule.significance


def chance(seen: Comparison, rule: FrequencyRule) -> float:
    """Return P(X <= recent) for X ~ Binomial(recent + past, share of the recent time).

    Source: Przyborowski and Wilenski 1940: given the sum, the count in one of two Poisson processes with
    the same rate is binomial.
    """
    recent_ms = rule.recent_days * DAY_MS
    return _binomial(seen.recent, seen.recent + seen.past, recent_ms / (recent_ms + max(0, seen.past_ms)))


def basis(state: State, _policy: Policy, rule: FrequencyRule, start_ms: int) -> FrequencyBasis:
    """Return both counts, the plain ratio and the test."""
    first_ms = state.first_purchase_ms or 0
    seen = compare(order_times(state), start_ms, first_ms, rule)
    probability = chance(seen, rule)
    return FrequencyBasis(
        recent_orders=seen.recent,
        recent_days=rule.recent_days,
        past_orders=seen.past,
        past_days=round(seen.past_ms / DAY_MS),
        ratio=seen.ratio(rule),
        probability=probability,
        significant=probability < rule.significance,
    )


def _binomial(at_most: int, trials: int, share: float) -> float:
    """Return P(X <= at_most), summed from the largest term down until nothing more is added.

    By logarithms: thousands of orders have binomial coefficients that no float holds. The terms shrink
    steadily only below the mean; above it none is left out before the first that adds nothing.
    """
    if at_most >= trials or share >= 1.0:
        return 1.0 if at_most >= trials else 0.0
    mode = min(at_most, int((trials + 1) * share))
    down, up = _term(mode, trials, share), 0.0
    total, term, odds = down, down, share / (1 - share)
    for hits in range(mode, 0, -1):
        term *= hits / ((trials - hits + 1) * odds)
        if total + term == total:
            break
        total += term
    term = down
    for hits in range(mode, at_most):
        term *= (trials - hits) * odds / (hits + 1)
        up += term
    return min(1.0, total + up)


def _term(hits: int, trials: int, share: float) -> float:
    """Return P(X = hits)."""
    ways = lgamma(trials + 1) - lgamma(hits + 1) - lgamma(trials - hits + 1)
    return exp(ways + hits * log(share) + (trials - hits) * log1p(-share))
