"""RFM: points 1 to 5 for recency, frequency and monetary value, and one weighted score of them.

Recency is the date of the last purchase, so that nothing moves while nothing happens; frequency counts the
orders of the window and monetary value is its net spend. The boundaries are the crowd's quintiles
(``rfm_counts``) or fixed ones of the policy.

Source: Hughes (1994), Strategic Database Marketing: customers cut into quintiles by each of the three.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import msgspec

from services.scorer.core.segments.wording import days_since

if TYPE_CHECKING:
    from services.scorer.core.policy import Policy
    from services.scorer.core.state import State

POINTS_MAX: Final = 5
Boundaries: TypeAlias = tuple[int, int, int, int]


class RfmFacts(NamedTuple):
    """What an active customer counts as in the crowd."""

    last_day: int  # local day of the last purchase, as ``Policy.local_day`` numbers them
    orders: int  # in the window, not fully returned
    spend_minor: int  # net, in the window, never below 0


class RfmCuts(msgspec.Struct, frozen=True, kw_only=True):
    """The crowd's quintiles: four boundaries each, ascending. On or above each there is one point more."""

    last_day: Boundaries
    orders: Boundaries
    spend_minor: Boundaries
    customers: int  # that they were read off


class RfmPoints(msgspec.Struct, frozen=True, kw_only=True):
    """A customer's points, each 1 to 5; 5 is the best."""

    r: int
    f: int
    m: int
    weighted: float  # 1 to 5, by the policy's weights
    by_crowd: bool  # some of them are quintiles, and may move when others buy


def rfm_facts(state: State, policy: Policy) -> RfmFacts | None:
    """Return what the customer counts as in the crowd; None for who is outside the percentiles."""
    if state.last_purchase_ms is None or state.orders < policy.tiers.orders_min:
        return None
    return RfmFacts(policy.local_day(state.last_purchase_ms), state.orders, max(0, state.net_minor))


def rfm_points(state: State, policy: Policy, cuts: RfmCuts | None) -> RfmPoints | None:
    """Return the points at the customer's clock.

    Who bought nothing in the window is measured against the crowd as well, and gets 1 for each.

    Args:
        state: the customer.
        policy: its fixed boundaries come first.
        cuts: the crowd's, None while there is no crowd.

    Returns:
        None before the first purchase, or where a boundary is wanted that nobody can draw yet.
    """
    rules = policy.segments.rfm
    if state.last_purchase_ms is None:
        return None
    if cuts is None and None in {rules.recency_days, rules.orders, rules.spend}:
        return None
    points = RfmPoints(
        r=_recency(state, policy, cuts),
        f=_points(state.orders, rules.orders or (cuts and cuts.orders) or ()),
        m=_monetary(state, policy, cuts),
        weighted=0.0,
        by_crowd=None in {rules.recency_days, rules.orders, rules.spend},
    )
    weighted = (
        rules.recency_weight * points.r + rules.frequency_weight * points.f + rules.monetary_weight * points.m
    )
    return msgspec.structs.replace(points, weighted=round(weighted, 6))


def _recency(state: State, policy: Policy, cuts: RfmCuts | None) -> int:
    rules, last_ms = policy.segments.rfm, state.last_purchase_ms or 0
    if rules.recency_days is not None:
        days = days_since(last_ms, state.settled_ms, policy)
        return POINTS_MAX - bisect_left(rules.recency_days, days)
    return _points(policy.local_day(last_ms), (cuts and cuts.last_day) or ())


def _monetary(state: State, policy: Policy, cuts: RfmCuts | None) -> int:
    fixed, spend_minor = policy.segments.rfm.spend, max(0, state.net_minor)
    if fixed is not None:
        return _points(spend_minor, tuple(round(major * policy.minor_per_major) for major in fixed))
    return _points(spend_minor, (cuts and cuts.spend_minor) or ())


def _points(value: int, boundaries: tuple[int, ...]) -> int:
    return 1 + bisect_right(boundaries, value)
