"""Tiers by percentile, with hysteresis, dwell and soft landing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schemas.tiers import Tier

if TYPE_CHECKING:
    from services.scorer.core.cuts import Cuts
    from services.scorer.core.policy import Policy

_RANK: Final = {Tier.AT_RISK: 0, Tier.REGULAR: 1, Tier.HIGH_VALUE: 2}


def first_tier(score: int, cuts: Cuts | None) -> Tier:
    """Return a newcomer's ranked tier: by the plain cut, and never the bottom one.

    A first basket is at the bottom of any base; a newcomer has the dwell's time of grace.
    """
    return Tier.HIGH_VALUE if cuts is not None and score >= cuts.high_20 else Tier.REGULAR


def wanted_tier(ranked: Tier, score: int, cuts: Cuts | None) -> Tier:
    """Return the ranked tier that score and cuts ask for, at most one tier down from ``ranked``.

    ``wanted_tier(..) != ranked`` is the predicate of whom an adoption concerns. In SQL::

        (ranked_tier = 'high_value' AND score < :high_18 AND score < :high_22)
        OR (ranked_tier = 'regular' AND (score >= :high_18 OR score < :low_18))
        OR (ranked_tier = 'at_risk' AND (score >= :high_18 OR score >= :low_22))

    For those, ``adopt`` changes the tier or, while the dwell lasts, the customer's next due. Customers
    outside ``bands_moved`` stand to the new cuts as they stood to the old ones, and need no adoption.
    """
    if cuts is None:
        return ranked
    if score >= cuts.high_18:
        return Tier.HIGH_VALUE
    if ranked is Tier.HIGH_VALUE:
        return Tier.HIGH_VALUE if score >= cuts.high_22 else Tier.REGULAR
    if ranked is Tier.REGULAR:
        return Tier.AT_RISK if score < cuts.low_18 else Tier.REGULAR
    return Tier.REGULAR if score >= cuts.low_22 else Tier.AT_RISK


def is_downgrade(ranked: Tier, wanted: Tier) -> bool:
    """Whether ``wanted`` is below ``ranked``."""
    return wanted is not ranked and _RANK[wanted] < _RANK[ranked]


def next_tier(
    ranked: Tier, score: int, cuts: Cuts | None, *, ranked_since_ms: int, now_ms: int, policy: Policy
) -> Tier:
    """Return the ranked tier at ``now_ms``: upgrades at once, no downgrade before the dwell is over."""
    wanted = wanted_tier(ranked, score, cuts)
    if is_downgrade(ranked, wanted) and now_ms - ranked_since_ms < policy.dwell_ms:
        return ranked
    return wanted


def shown_tier(ranked: Tier, *, orders: int, in_episode: bool) -> Tier:
    """Return the tier that people see: lapsed, else at risk while a warning stands, else the ranked one."""
    if orders == 0:
        return Tier.LAPSED
    return Tier.AT_RISK if in_episode else ranked
