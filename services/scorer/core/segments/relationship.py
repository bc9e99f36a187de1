"""The relationship level that pays: from how many customers share the tier, and the margin of this one.

                  high margin    medium       low
    many          accountable    reactive     basic
    medium        proactive      accountable  reactive
    few           partnership    proactive    accountable

Source: Kotler (1992), "Marketing's New Paradigm", Planning Review 20(5), 50-52; Marketing Management,
"Levels of relationship marketing". The book says "basic or reactive" for many customers at a low margin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from services.scorer.core import months
from services.scorer.core.segments.finding import Finding
from services.scorer.core.segments.wording import counted

if TYPE_CHECKING:
    from services.scorer.core.policy import Policy
    from services.scorer.core.state import State

PLAYBOOK: Final = {
    "basic": "Sell, and serve who asks.",
    "reactive": "Sell, and invite to call with any question or complaint.",
    "accountable": "Call soon after the sale: does it meet what was expected?",
    "proactive": "Call from time to time with better uses and helpful new products.",
    "partnership": "Work with the customer all the time on better results for both.",
}
_LEVELS: Final = {
    ("many", "high"): "accountable",
    ("many", "medium"): "reactive",
    ("many", "low"): "basic",
    ("medium", "high"): "proactive",
    ("medium", "medium"): "accountable",
    ("medium", "low"): "reactive",
    ("few", "high"): "partnership",
    ("few", "medium"): "proactive",
    ("few", "low"): "accountable",
}


def relationship(state: State, policy: Policy, tier_customers: int | None) -> Finding | None:
    """Return the suggested level; None for who never bought, or where the tier's size is not known.

    Args:
        state: the customer.
        policy: what many, few and a high margin are.
        tier_customers: how many customers the tier has.
    """
    if tier_customers is None or state.first_purchase_ms is None:
        return None
    size, margin = size_of(tier_customers, policy), margin_percent(state, policy)
    band = "medium" if margin is None else margin_band(margin, policy)
    name = _LEVELS[size, band]
    earned = (
        "The margin is not known and taken as medium."
        if margin is None
        else f"A margin of {margin:.0f} % of the spend is {band}."
    )
    return Finding(
        name=name,
        evidence=(f"{counted(tier_customers, 'customer')} in the tier: {size}.", earned),
        playbook=PLAYBOOK[name],
    )


def size_of(tier_customers: int, policy: Policy) -> str:
    """Return whether a tier has many, medium or few customers."""
    rules = policy.segments.relationship
    if tier_customers >= rules.many_from:
        return "many"
    return "few" if tier_customers <= rules.few_up_to else "medium"


def margin_band(percent: float, policy: Policy) -> str:
    """Return whether a margin is high, medium or low."""
    rules = policy.segments.relationship
    if percent >= rules.high_margin_percent:
        return "high"
    return "medium" if percent >= rules.medium_margin_percent else "low"


def margin_percent(state: State, policy: Policy) -> float | None:
    """Return the margin of the window's months in percent of its spend; None where no margin is known."""
    earned_minor = sum(month.margin_minor for month in months.in_window(state, policy))
    if earned_minor == 0 or state.net_minor <= 0:
        return None
    return 100 * earned_minor / state.net_minor
