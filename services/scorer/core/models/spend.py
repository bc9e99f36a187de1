"""What a customer will spend: on a purchase day, and within a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.scorer.core.models.expectation import expected_purchases

if TYPE_CHECKING:
    from services.scorer.core.models.history import History
    from services.scorer.core.models.parameters import Model, SpendModel

YEAR_DAYS = 365


def expected_spend_minor(model: SpendModel, repeat_days: int, mean_minor: float | None) -> float:
    """Return the expected spend of a customer's next purchase day, in minor units.

    E[M] = p (gamma + x m) / (p x + q - 1): the customer's own mean ``m`` of ``x`` repeat purchase days,
    drawn towards everybody's. Who has no repeat purchase, or a mean that is not positive (all came back,
    or was free), is expected to spend what the population does: the model knows no such mean.

    Source: Fader, Hardie (2013), brucehardie.com/notes/025, (5).
    """
    if repeat_days <= 0 or mean_minor is None or mean_minor <= 0:
        return float(model.mean_minor)
    spent = model.gamma_minor + repeat_days * mean_minor
    return model.p * spent / (model.p * repeat_days + model.q - 1)


def expected_value_minor(
    model: Model, history: History, mean_minor: float | None, *, days: int = YEAR_DAYS
) -> int | None:
    """Return what a customer will spend in the next ``days``, in minor units; None without a spend model.

    Expected purchase days times expected spend of each: the two models are independent. Not discounted.
    Rounded once, half to even.
    """
    if model.spend is None:
        return None
    horizon = days / model.purchases.days_per_unit
    purchases = expected_purchases(model.purchases, *history, horizon)
    return round(purchases * expected_spend_minor(model.spend, history.repeat_days, mean_minor))
