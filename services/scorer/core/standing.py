"""How a customer stands to each churn rule now: warned, at ease, or known too little to say."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Literal

import msgspec

from schemas.times import DAY_MS, from_ms
from services.scorer.core.churn import frequency
from services.scorer.core.policy import FrequencyRule

if TYPE_CHECKING:
    from services.scorer.core.policy import ChurnRules, Policy
    from services.scorer.core.state import State

Word = Literal["warned", "clear", "insufficient history", "not for this tier", "never bought"]


class TooLittle(msgspec.Struct, frozen=True, kw_only=True):
    """What a frequency rule has to compare at this instant, and what it would take."""

    recent_orders: int
    recent_days: int
    past_orders: int
    past_days: int  # of the past as long as it is so far; 0: the first purchase is within the recent days
    needed_orders: int  # in that past: from here on a fall can be told from chance


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One rule's word on a customer, and the sentence behind it."""

    rule: str
    word: Word
    why: str
    too_little: TooLittle | None = None  # with "insufficient history" only


def standings(state: State, policy: Policy) -> tuple[Standing, ...]:
    """Return every rule's word at the customer's clock, in the policy's order."""
    return tuple(_standing(state, policy, rule) for rule in policy.churn)


def _standing(state: State, policy: Policy, rule: ChurnRules) -> Standing:
    for episode in state.episodes:
        if episode.rule == rule.name and episode.is_open:
            day = from_ms(episode.start_ms).astimezone(policy.zone).date().isoformat()
            return Standing(rule=rule.name, word="warned", why=f"A warning stands since {day}.")
    if state.first_purchase_ms is None:
        return Standing(rule=rule.name, word="never bought", why="Who never bought can't be lost.")
    if rule.tiers and state.ranked not in rule.tiers:
        return Standing(
            rule=rule.name, word="not for this tier", why="For " + ", ".join(rule.tiers) + " only."
        )
    if isinstance(rule, FrequencyRule):
        return _frequency(state, rule, state.first_purchase_ms)
    return Standing(rule=rule.name, word="clear", why="Nothing of the kind is known.")


def _frequency(state: State, rule: FrequencyRule, first_ms: int) -> Standing:
    seen = frequency.compare(frequency.order_times(state), state.settled_ms, first_ms, rule)
    counts = (
        f"{seen.recent} orders in the last {rule.recent_days} days, {seen.past} in the up to "
        f"{rule.past_days} days before"
    )
    if frequency.is_insufficient(seen, rule):
        return Standing(
            rule=rule.name,
            word="insufficient history",
            why=f"{counts}: even no order at all would say nothing.",
            too_little=TooLittle(
                recent_orders=seen.recent,
                recent_days=rule.recent_days,
                past_orders=seen.past,
                past_days=round(max(0, seen.past_ms) / DAY_MS),
                needed_orders=_needed(seen, rule),
            ),
        )
    return Standing(rule=rule.name, word="clear", why=f"{counts}.")


def _needed(seen: frequency.Comparison, rule: FrequencyRule) -> int:
    """Return the fewest past orders with which the rule could judge; more always can as well."""

    def can_judge(past: int) -> bool:
        return not frequency.is_insufficient(seen._replace(past=past), rule)

    enough = seen.past + 1
    while not can_judge(enough):
        enough *= 2
    return bisect_left(range(enough), 1, lo=seen.past, key=can_judge)
