"""What a score is made of: weights of named metrics, and bonus points."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from services.scorer.core.policy.fault import Fault, PositiveFloat, Share

METRICS: Final = (
    "spend",
    "orders",
    "repurchase_rate",
    "largest_order",
    "purchase_cycle",
    "recency",
    "category_share",
    "brand_share",
    "browse_interest",
    "referrals",
    "interactions",
    "margin",
    "high_grade",
    "assets",
    "predicted_value",
)
# Measured at local midnights as well; a test holds this together with the metrics themselves.
MOVE_WITH_TIME: Final = frozenset(
    {
        "recency",
        "category_share",
        "brand_share",
        "browse_interest",
        "interactions",
        "margin",
        "high_grade",
        "predicted_value",
    }
)
NEEDS_NAMES: Final = frozenset({"category_share", "brand_share", "browse_interest"})
OF_PRODUCTS: Final = frozenset({"margin", "high_grade"})  # ask what was bought
BY_MONTH: Final = NEEDS_NAMES | OF_PRODUCTS | {"interactions"}  # read off the ledger by month
RATIO_MIN, RATIO_MAX = 1e-3, 1e12  # of reference and unit: in between the logarithms are exact enough
Metric = Annotated[str, Meta(description="the name of a metric: " + ", ".join(METRICS))]


class Weight(msgspec.Struct, frozen=True, kw_only=True, dict=True, forbid_unknown_fields=True):
    """One metric's share of the score. ``normaliser`` maps its value to 0..1.

    log: ln(1 + value / unit) / ln(1 + reference / unit) · linear: value / reference ·
    inverse: 1 - value / reference, for what is better when it is small; each kept within 0 and 1.
    """

    metric: Metric
    weight: Share
    normaliser: Literal["log", "linear", "inverse"] = "log"
    reference: PositiveFloat = 1.0  # the value that earns the whole share (inverse: none of it)
    unit: PositiveFloat = 1.0  # log: where the logarithm begins to bend
    of: tuple[str, ...] = ()  # category_share, brand_share, browse_interest: which ones count

    def __post_init__(self) -> None:
        """Refuse a metric that nobody measures, and a logarithm that bends nowhere or everywhere."""
        check_metric(self.metric, self.of)
        if self.normaliser == "log" and not RATIO_MIN <= self.reference / self.unit <= RATIO_MAX:
            raise Fault(
                f"the unit {self.unit:g} of {self.metric} does not go with the reference {self.reference:g}",
                remedy="choose a unit below the reference, some hundredth or thousandth of it",
                at=("unit",),
            )

    @cached_property
    def scale(self) -> float:
        """The logarithm that earns the whole share."""
        return math.log(1 + self.reference / self.unit)

    def normalised(self, value: float) -> float:
        """Return the value as 0..1."""
        if self.normaliser == "log":
            share = math.log(1 + value / self.unit) / self.scale if value > 0 else 0.0
            return min(1.0, share)
        share = min(1.0, max(0.0, value / self.reference))
        return share if self.normaliser == "linear" else 1.0 - share


class Bonus(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Points on top of the weighted score, for each unit of a metric."""

    metric: Metric
    points: Annotated[int, Meta(ge=1, le=10_000)]  # for each whole unit
    points_max: Annotated[int, Meta(ge=1, le=10_000)] = 10_000
    of: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a metric that nobody measures."""
        check_metric(self.metric, self.of)


# What the field calls some of them, where the letters would lead to another one.
_ALSO_CALLED: Final = {
    "frequency": "orders",
    "monetary": "spend",
    "monetary_value": "spend",
    "revenue": "spend",
    "clv": "predicted_value",
    "ltv": "predicted_value",
}


def check_metric(metric: str, of: tuple[str, ...]) -> None:
    """Refuse an unknown metric, and names where none belong.

    Raises:
        Fault: it says which metrics there are.
    """
    if metric not in METRICS:
        near = _nearest(metric)
        hint = "there are " if near is None else f"did you mean {near}? There are "
        raise Fault(f"there is no metric {metric}", remedy=hint + ", ".join(METRICS), at=("metric",))
    if (metric in NEEDS_NAMES) != bool(of):
        what = "needs the names that count" if metric in NEEDS_NAMES else "takes no names"
        raise Fault(f"the metric {metric} {what}", remedy="mend its list `of`", at=("of",))


def _nearest(metric: str) -> str | None:
    from difflib import get_close_matches  # noqa: PLC0415 -- only for a mistake

    near = get_close_matches(metric, METRICS, n=1, cutoff=0.5)
    return _ALSO_CALLED.get(metric.lower()) or next(iter(near), None)
