"""How a customer stands to each churn rule now: warned, at ease, or known too little to say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from schemas.times import from_ms
from services.scorer.core.churn import frequency
from services.scorer.core.policy import FrequencyRule

if TYPE_CHECKING:
    from services.scorer.core.policy import ChurnRules, Policy
    from services.scorer.core.state import State

Word = Literal["warned", "clear", "insufficient history", "not for this tier", "never bought"]


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One rule's word on a customer, and the sentence behind it."""

    rule: str
    word: Word
    why: str


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
        )
    return Standing(rule=rule.name, word="clear", why=f"{counts}.")
