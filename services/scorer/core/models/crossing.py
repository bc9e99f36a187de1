"""When, without another purchase, a customer's prospects will fall below a line: an age, so one timer.

Both functions depend on what the customer did and not on its age now: a timer is computed once per
purchase. Both answer ``math.inf`` for never, and the age of the last purchase when the line is crossed
there already.
"""

from __future__ import annotations

from math import exp, expm1, inf, log
from typing import TYPE_CHECKING, Final

from services.scorer.core.models.purchases import probability_no_purchase

if TYPE_CHECKING:
    from services.scorer.core.models.parameters import PurchaseModel

_LOG_LARGEST: Final = 700.0


def age_alive_falls_to(model: PurchaseModel, repeat_days: int, last_age: float, threshold: float) -> float:
    """Return the age at which P(alive) falls to ``threshold``, which is between 0 and 1, both excluded.

    T* = (alpha+t_x) * [(1/theta - 1) * (b+x-1)/a]^(1/(r+x)) - alpha for BG/NBD, never for x = 0; with b+x
    in place of b+x-1 for MBG/NBD.

    Source: ``probability_alive``, solved for T.
    """
    survived = model.b + repeat_days
    if model.kind == "bg_nbd":
        if repeat_days == 0:
            return inf
        survived -= 1
    log_growth = log((1 / threshold - 1) * survived / model.a) / (model.r + repeat_days)
    if log_growth <= 0:
        return last_age
    if log_growth > _LOG_LARGEST:
        return inf
    return last_age + (model.alpha + last_age) * expm1(log_growth)


def age_no_purchase_reaches(
    model: PurchaseModel,
    repeat_days: int,
    last_age: float,
    *,
    horizon: float,
    threshold: float,
    step: float,
    age_max: float,
) -> float:
    """Return the first age at which P(no purchase in ``horizon``) is ``threshold`` or more.

    The age is ``last_age`` plus a whole number of ``step``, so a timer never fires just before the line,
    and machines whose logarithms differ in the last digit agree on it. P(no purchase) rises with age:
    bisection finds the first step in about log2(steps) microseconds.

    Args:
        model: the fitted parameters.
        repeat_days: the customer's.
        last_age: the customer's.
        horizon: how long nothing is bought, in units, above 0.
        threshold: between 0 and 1, both excluded.
        step: in units; 1 day where prospects are looked at daily.
        age_max: beyond it the answer is never; a forecast of decades is none.
    """
    if probability_no_purchase(model, repeat_days, last_age, last_age, horizon) >= threshold:
        return last_age
    latest = min(age_max, _certainly_reached(model, repeat_days, last_age, horizon, threshold))
    low, high = 0, max(1, int((latest - last_age) / step) + 1)
    if probability_no_purchase(model, repeat_days, last_age, last_age + high * step, horizon) < threshold:
        high += 1  # the bound itself was rounded down by a digit
    while high - low > 1:
        middle = (low + high) // 2
        age = last_age + middle * step
        if probability_no_purchase(model, repeat_days, last_age, age, horizon) >= threshold:
            high = middle
        else:
            low = middle
    age = last_age + high * step
    return age if age <= age_max else inf


def _certainly_reached(
    model: PurchaseModel, repeat_days: int, last_age: float, horizon: float, threshold: float
) -> float:
    """Return an age by which P(no purchase) has reached ``threshold``: gone for that, or slow for that."""
    gone = age_alive_falls_to(model, repeat_days, last_age, 1 - threshold)
    silent = exp(log(threshold) / (model.r + repeat_days))  # (alpha+T) / (alpha+T+N) at that age
    slow = inf if silent == 1 else horizon * silent / (1 - silent) - model.alpha
    return max(last_age, min(gone, slow))
