"""What the policy's model expects of one customer, all of it at one instant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from services.scorer.core.metrics.predicted_value import predicted_value_minor
from services.scorer.core.models.expectation import expected_purchases
from services.scorer.core.models.history import history_at
from services.scorer.core.models.parameters import Kind
from services.scorer.core.models.purchases import probability_alive, probability_no_purchase
from services.scorer.core.models.spend import YEAR_DAYS

if TYPE_CHECKING:
    from services.scorer.core.policy import Policy
    from services.scorer.core.state import State


class Predictions(msgspec.Struct, frozen=True, kw_only=True):
    """Prospects of a customer who has bought; probabilities are shares of 1."""

    model: Kind
    fit: Literal["usable", "degenerate"]  # degenerate: nobody ever drops out, so ``alive`` tells nothing
    alive: float  # P(alive)
    within_days: int  # that ``no_purchase`` looks ahead
    no_purchase: float  # P(no purchase within ``within_days``)
    expected_purchases: float  # purchase days in the next 12 months
    value_minor: int | None  # spend in the next 12 months; None: the policy has no spend model


def predictions(state: State, policy: Policy) -> Predictions | None:
    """Return what is expected at ``state.settled_ms``; None without a model, or before the first purchase.

    A degenerate fit is named and still told: only P(alive) means nothing then.
    For the present, let time pass (``advance.settle``) first.
    """
    if policy.model is None:
        return None
    bought = policy.model.purchases
    history = history_at(state, policy, bought)
    if history is None:
        return None
    within_days = policy.segments.repurchase.within_days
    return Predictions(
        model=bought.kind,
        fit="degenerate" if bought.degenerate else "usable",
        alive=probability_alive(bought, *history),
        within_days=within_days,
        no_purchase=probability_no_purchase(bought, *history, within_days / bought.days_per_unit),
        expected_purchases=expected_purchases(bought, *history, YEAR_DAYS / bought.days_per_unit),
        value_minor=predicted_value_minor(state, policy),
    )
