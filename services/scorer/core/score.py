"""The composite score: spend 40 %, purchase count 30 %, repurchase rate 30 %, on a grid of 10,001 bins."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Final

from schemas.events import ScoreParts

if TYPE_CHECKING:
    from services.scorer.core.policy import Policy

SCORE_MAX: Final = 10_000


def score_of(net_minor: int, orders: int, purchase_days: int, policy: Policy) -> int:
    """Return the score, 0 to 10,000, rounded once (half to even) before anything else sees it."""
    spend, count, repurchase = _metrics(net_minor, orders, purchase_days, policy)
    return round(
        SCORE_MAX
        * (policy.spend_weight * spend + policy.orders_weight * count + policy.repurchase_weight * repurchase)
    )


def parts_of(net_minor: int, orders: int, purchase_days: int, policy: Policy) -> ScoreParts:
    """Return what the score is made of, each metric's share in points."""
    spend, count, repurchase = _metrics(net_minor, orders, purchase_days, policy)
    return ScoreParts(
        spend_minor=max(0, net_minor),
        orders=orders,
        purchase_days=purchase_days,
        spend_points=SCORE_MAX * policy.spend_weight * spend,
        orders_points=SCORE_MAX * policy.orders_weight * count,
        repurchase_points=SCORE_MAX * policy.repurchase_weight * repurchase,
    )


def _metrics(net_minor: int, orders: int, purchase_days: int, policy: Policy) -> tuple[float, float, float]:
    """Return spend and order count against their references, and the repurchase rate: 0 to 1 each."""
    spend_major = max(0, net_minor) / policy.minor_per_major
    return (
        min(1.0, log(1 + spend_major / policy.spend_unit) / policy.spend_scale),
        min(1.0, log(1 + orders) / policy.orders_scale),
        (purchase_days - 1) / purchase_days if purchase_days else 0.0,
    )
