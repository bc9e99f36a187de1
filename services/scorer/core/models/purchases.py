"""Is a customer still there, and will it buy within a time? About a microsecond each: plain floats, in logs.

Callers give ``0 <= last_age <= age`` and ``horizon >= 0`` in the model's unit; nothing is checked here.
"""

from __future__ import annotations

from math import exp, expm1, log, log1p
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.scorer.core.models.parameters import PurchaseModel


def probability_alive(model: PurchaseModel, repeat_days: int, last_age: float, age: float) -> float:
    """Return the probability that the customer has not dropped out by ``age``.

    1 / (1 + a/(b+x-1) * ((alpha+T)/(alpha+t_x))^(r+x)) for BG/NBD and x > 0, always 1 for x = 0; with
    b+x in place of b+x-1, and for every x, for MBG/NBD.

    Source: Fader, Hardie (2008), brucehardie.com/notes/021 (BG/NBD); Batislam, Denizel, Filiztekin (2007),
    Appendix A (5), in the form of Wagner, Hoppe (2008), IJRM 25(3), 225-226 (MBG/NBD).
    """
    survived = model.b + repeat_days
    if model.kind == "bg_nbd":
        if repeat_days == 0:
            return 1.0
        survived -= 1
    alpha = model.alpha
    log_odds = log(model.a / survived) + (model.r + repeat_days) * log((alpha + age) / (alpha + last_age))
    if log_odds > 0:  # whichever sign it has, the exponential can't overflow
        odds = exp(-log_odds)
        return odds / (1 + odds)
    return 1 / (1 + exp(log_odds))


def probability_no_purchase(
    model: PurchaseModel, repeat_days: int, last_age: float, age: float, horizon: float
) -> float:
    """Return the probability of no purchase within ``horizon`` from ``age``: gone, or alive and silent.

    1 - P(alive) * [1 - ((alpha+T)/(alpha+T+N))^(r+x)]. It rises with ``age`` and falls with ``horizon``,
    and it keeps telling customers apart where P(alive) degenerates. Its complement is the repurchase
    probability.

    Source: the rate of who is alive is Gamma(r+x, alpha+T), Fader, Hardie, Lee (2005), section 4.
    """
    buys = -expm1(-(model.r + repeat_days) * log1p(horizon / (model.alpha + age)))
    return 1.0 - buys * probability_alive(model, repeat_days, last_age, age)
