"""The repurchase band: high, medium or low, by what was and by what the model expects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from services.scorer.core.models.history import history_at
from services.scorer.core.models.purchases import probability_no_purchase
from services.scorer.core.segments.finding import Finding
from services.scorer.core.segments.wording import counted

if TYPE_CHECKING:
    from services.scorer.core.policy import Policy
    from services.scorer.core.state import State

PLAYBOOK: Final = {
    "high": "Comes back by himself: service and thanks rather than discounts.",
    "medium": "Ladder incentives: the next purchase should follow soon.",
    "low": "An offer for the next purchase, soon after the last one.",
}


def repurchase(state: State, policy: Policy) -> Finding | None:
    """Return the band by the repurchase rate of the window; None before the first purchase.

    The rate is the share of purchase days that came after another one, (d - 1) / d, and 0 for none.
    """
    if state.first_purchase_ms is None:
        return None
    days = state.purchase_days
    rate = (days - 1) / days if days else 0.0
    return _band(rate, policy, f"Bought on {counted(days, 'day')} of the window: repurchase rate")


def repurchase_predicted(state: State, policy: Policy) -> Finding | None:
    """Return the band by the model's probability to buy again; None without a model or a purchase."""
    probability = repurchase_probability(state, policy)
    if probability is None:
        return None
    days = policy.segments.repurchase.within_days
    return _band(probability, policy, f"By the model, probability to buy again within {days} days")


def repurchase_probability(state: State, policy: Policy) -> float | None:
    """Return 1 - P(no purchase in ``within_days``) at the customer's local day; None if nobody can tell.

    A degenerate fit tells it all the same: only P(alive) degenerates.
    """
    model = policy.model
    history = None if model is None else history_at(state, policy, model.purchases)
    if model is None or history is None:
        return None
    horizon = policy.segments.repurchase.within_days / model.purchases.days_per_unit
    return 1.0 - probability_no_purchase(model.purchases, *history, horizon)


def _band(share: float, policy: Policy, what: str) -> Finding:
    """Return the band of a share; its line is compared exactly, not as the percents are shown."""
    rules = policy.segments.repurchase
    percent = 100 * share
    name = "high" if percent >= rules.high_percent else "low" if percent < rules.low_percent else "medium"
    sentence = f"{what} {percent:.0f} %; high from {rules.high_percent} %, low below {rules.low_percent} %."
    return Finding(name=name, evidence=(sentence,), playbook=PLAYBOOK[name])
