"""Fits the purchase and the spend model to a sample, and names a fit that tells nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from deploy.fitting.likelihood import log_likelihood, spend_log_likelihood
from deploy.fitting.optimum import LARGEST, SMALLEST, Optimum, maximize
from services.scorer.core.models.parameters import (
    DAYS_PER_UNIT,
    DROPOUT_SHARE_MIN,
    PurchaseModel,
    SpendModel,
)

if TYPE_CHECKING:
    from deploy.fitting.sample import Groups, Sample
    from services.scorer.core.models.parameters import Kind, Unit

CUSTOMERS_MIN: Final = 100
REPEAT_CUSTOMERS_MIN: Final = 30
"""From fewer the standard errors are as large as the parameters. Source: 40 random subsets of the CDNOW
sample each, MBG/NBD: of 50 customers (19 repeat buyers) 7 had no peak and median errors were 83 to 169 %; of
100 (40) 6 and 59 to 103 %; of 200 (82) none and 43 to 68 %."""
PARAMETERS: Final = ("r", "alpha", "a", "b")
SPEND_PARAMETERS: Final = ("p", "q", "gamma")


@dataclass(frozen=True, slots=True)
class PurchaseFit:
    """A fitted purchase model, or why there is none. ``reason`` is None when it may be used for warnings."""

    model: PurchaseModel | None
    optimum: Optimum | None
    reason: str | None

    @property
    def is_storable(self) -> bool:
        """Whether a policy may hold it: a peak was found, at most with a dropout that hardly happens.

        The scorer sees that from the parameters themselves, and P(no purchase) works with them.
        """
        sound = self.reason is None or (self.model is not None and self.model.degenerate)
        return self.model is not None and self.optimum is not None and not self.optimum.ran_off and sound


@dataclass(frozen=True, slots=True)
class SpendFit:
    """A fitted spend model, or why there is none."""

    model: SpendModel | None
    optimum: Optimum | None  # gamma in minor units
    reason: str | None
    customers: int  # repeat customers with a positive mean
    correlation: float | None  # of repeat days and mean spend; the model takes it as 0


def fit_purchases(sample: Sample, *, kind: Kind, unit: Unit) -> PurchaseFit:
    """Return the purchase model of largest likelihood."""
    if not sample.repeat_customers:
        return PurchaseFit(
            None, None, "no repeat buyers: nobody bought on a second day, so no rhythm can be seen"
        )
    groups = sample.groups(DAYS_PER_UNIT[unit])
    optimum = maximize(
        lambda logs: log_likelihood(logs, groups, kind), _starts(groups), weight=float(groups.counts.sum())
    )
    model = PurchaseModel(kind=kind, unit=unit, **_named(PARAMETERS, optimum))
    return PurchaseFit(model, optimum, _reason(sample, model, optimum))


def fit_spend(sample: Sample) -> SpendFit:
    """Return the spend model of largest likelihood, over repeat customers with a positive mean spend."""
    repeat_days, mean = sample.spenders()
    customers = len(mean)
    if customers < REPEAT_CUSTOMERS_MIN:
        reason = f"{customers} repeat buyers with positive spend, fewer than {REPEAT_CUSTOMERS_MIN}"
        return SpendFit(None, None, reason, customers, None)
    typical = float(np.mean(mean))
    correlation = None
    if np.ptp(repeat_days) > 0 and np.ptp(mean) > 0:
        correlation = float(np.corrcoef(repeat_days, mean)[0, 1])
    optimum = maximize(
        lambda logs: spend_log_likelihood(logs, repeat_days, mean),
        [(1.0, 2.0, typical), (5.0, 4.0, typical / 2), (0.5, 1.5, 2 * typical)],
        weight=customers,
        largest=(LARGEST, LARGEST, LARGEST * max(1.0, typical)),
    )
    p, q, gamma_minor = optimum.values
    if optimum.ran_off:
        which = ", ".join(SPEND_PARAMETERS[index] for index in optimum.ran_off)
        return SpendFit(None, optimum, f"{which} ran off: customers hardly differ", customers, correlation)
    if q <= 1:
        return SpendFit(
            None, optimum, "q is not above 1: such spend has no mean to expect", customers, correlation
        )
    mean_minor = max(1, round(typical))
    model = SpendModel(p=p, q=q, gamma_minor=gamma_minor, mean_minor=mean_minor)
    return SpendFit(model, optimum, None, customers, correlation)


def _starts(groups: Groups) -> list[tuple[float, float, float, float]]:
    """Return where to start: a rate as observed, with little, some and much dropout."""
    days = float(np.dot(groups.repeat_days, groups.counts))
    time = float(np.dot(groups.age, groups.counts)) or 1.0
    rate = max(days / time, SMALLEST)
    return [
        (r, min(r / rate, LARGEST / 10), a, b)
        for r, a, b in ((1.0, 1.0, 1.0), (0.3, 0.5, 3.0), (1.0, 0.05, 5.0), (3.0, 2.0, 2.0))
    ]


def _reason(sample: Sample, model: PurchaseModel, optimum: Optimum) -> str | None:
    """Return why the fit can't be used for warnings, in words; None when it can."""
    customers, repeat = len(sample.customers), sample.repeat_customers
    if customers < CUSTOMERS_MIN or repeat < REPEAT_CUSTOMERS_MIN:
        return (
            f"too few customers: {customers:,} with {repeat:,} repeat buyers; "
            f"at least {CUSTOMERS_MIN} with {REPEAT_CUSTOMERS_MIN} are needed"
        )
    if model.degenerate:
        return (
            f"degenerate: the mean dropout a/(a+b) is {model.dropout_share:.2g}, below {DROPOUT_SHARE_MIN}, "
            "so P(alive) stays at 1 for everybody"
        )
    if optimum.ran_off:
        which = ", ".join(PARAMETERS[index] for index in optimum.ran_off)
        return f"{which} ran off to a bound: these purchases do not determine it"
    if optimum.standard_errors is None:
        return "the likelihood has no peak: these purchases do not determine all parameters"
    return None


def _named(names: tuple[str, ...], optimum: Optimum) -> dict[str, Any]:
    return dict(zip(names, optimum.values, strict=True))
