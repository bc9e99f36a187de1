"""How many purchase days to expect within a time.

The closed forms of the literature hold a hypergeometric function 2F1 between terms that cancel near
a = 1 and for short horizons, and overflow for loyal customers. What they are the closed form of is an
integral over the customer's dropout chance p,

    E[Y(N)] = P(alive) * E_p[(1 - (1 + p*N/(alpha+T))^-(r+x)) / p],    p ~ Beta(a, b+x [+1 for MBG/NBD]),

whose integrand is positive, bounded and smooth. In v = log(p / (1-p)) the trapezoid rule on it converges
exponentially, so one short loop is right to some twelve digits for every parameter, a = 1 and a -> 0
included, and needs no library.

Source: Fader, Hardie, Lee (2005), appendix (the integral); Trefethen, Weideman (2014), SIAM Review 56(3),
385-458 (the rule). The tests compare it with the closed forms and with 40-digit arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, expm1, log, log1p, sqrt
from typing import TYPE_CHECKING, Final

from services.scorer.core.models.purchases import probability_alive

if TYPE_CHECKING:
    from services.scorer.core.models.parameters import PurchaseModel

_STEP_MAX: Final = 0.3  # error exp(-pi^2 / step) = 5e-15: the integrand is tame within pi/2 of the real line
_NEGLIGIBLE: Final = 1e-16
_WIDTHS_PER_STEP: Final = 0.6  # of a bell that is narrower than the step
_LOG_LARGEST: Final = 700.0  # exp of it is finite


@dataclass(frozen=True, slots=True)
class _Dropout:
    """The dropout chance of who is alive, Beta(a, beta), against the rate at which it would buy."""

    a: float
    beta: float
    purchases: float  # r + x
    stretch: float  # N / (alpha + T)

    def log_weight(self, v: float) -> float:
        """Return the log density of v, up to a constant; ``log1p`` of the small side of p and 1 - p."""
        if v < 0:
            return self.a * v - (self.a + self.beta) * log1p(exp(v))
        return -self.beta * v - (self.a + self.beta) * log1p(exp(-v))

    def purchases_at(self, v: float) -> float:
        """Return the expected purchases of who drops out with chance p = 1 / (1 + exp(-v))."""
        p = exp(v) / (1 + exp(v)) if v < 0 else 1 / (1 + exp(-v))
        return -expm1(-self.purchases * log1p(p * self.stretch)) / p


def expected_purchases(
    model: PurchaseModel, repeat_days: int, last_age: float, age: float, horizon: float
) -> float:
    """Return the expected number of purchase days within ``horizon`` from ``age``.

    Between P(purchase within ``horizon``) and P(alive) * (r+x) * N / (alpha+T). Costs about a tenth of a
    millisecond, so it is for cards and daily figures, not for every event.
    """
    if horizon <= 0:
        return 0.0
    beta = model.b + repeat_days + (1 if model.kind == "mbg_nbd" else 0)
    stretch = horizon / (model.alpha + age)
    dropout = _Dropout(model.a, beta, model.r + repeat_days, stretch)
    return probability_alive(model, repeat_days, last_age, age) * _mean(dropout)


def _mean(dropout: _Dropout) -> float:
    """Return the mean of ``purchases_at`` over the dropout chance."""
    a, beta = dropout.a, dropout.beta
    middle = log(a / beta)
    step = min(_STEP_MAX, _WIDTHS_PER_STEP * sqrt(1 / a + 1 / beta))
    peak = dropout.log_weight(middle)
    steepest = max(1.0, a + beta, dropout.purchases * dropout.stretch)
    total, weights = dropout.purchases_at(middle), 1.0
    for direction, slope, flat_at in (
        (-step, a, log(_NEGLIGIBLE / steepest)),
        (step, beta, -log(_NEGLIGIBLE)),
    ):
        v = middle
        while True:
            v += direction
            weight = exp(dropout.log_weight(v) - peak)
            value = dropout.purchases_at(v)
            # From here on the value is constant and each weight a fixed part of the last: sum them all.
            flat = v < flat_at if direction < 0 else v > flat_at
            if flat and slope * step < _LOG_LARGEST:
                weight += weight / expm1(slope * step)
            total += weight * value
            weights += weight
            if flat or weight < _NEGLIGIBLE:
                break
    return total / weights
