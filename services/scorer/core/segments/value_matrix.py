"""The value matrix: what a customer is worth today against what he may be worth.

    potential high, current high: strategic     potential high, current low: growth
    potential low,  current high: base          potential low,  current low: marginal

Current value is the net spend of the window. Potential is the predicted 12-month value; where there is no
model, no spend model, or a fit in which nobody ever drops out, it is a rising trend instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from schemas.times import DAY_MS
from services.scorer.core import window
from services.scorer.core.metrics.predicted_value import predicted_value_minor
from services.scorer.core.models.spend import YEAR_DAYS
from services.scorer.core.segments.finding import Finding
from services.scorer.core.segments.wording import amount, counted

if TYPE_CHECKING:
    from services.scorer.core.policy import Policy
    from services.scorer.core.segments.rfm import RfmCuts
    from services.scorer.core.state import State

_NAMES: Final = {
    (True, True): ("strategic", "Invest: own advisor, joint plans, best terms."),
    (False, True): ("growth", "Develop: the next product, an entry offer, more contact than spend asks for."),
    (True, False): ("base", "Hold: reliable service at fair cost."),
    (False, False): ("marginal", "Serve at low cost; look again when something changes."),
}
_ORDERS_OF_A_TREND: Final = 2


class Trend(NamedTuple):
    """The recent half of the window against the older one."""

    older_orders: int
    recent_orders: int
    older_minor: int
    recent_minor: int
    rising: bool | None  # None: too young to have one


def value_matrix(state: State, policy: Policy, cuts: RfmCuts | None) -> Finding | None:
    """Return the field that the customer is in.

    Returns:
        None before the first purchase, and where neither the policy nor a crowd says what is high.
    """
    if state.first_purchase_ms is None:
        return None
    current = _current(state, policy, cuts)
    potential = _potential(state, policy, cuts)
    if current is None or potential is None:
        return None
    name, playbook = _NAMES[current[0], potential[0]]
    return Finding(name=name, evidence=(current[1], potential[1]), playbook=playbook)


def trend(state: State, policy: Policy) -> Trend:
    """Return how orders and spend of the window moved, each half counted by the orders' own days.

    The halves are those of the time that there was to buy in: of the window, or since the first purchase
    if that came later.
    """
    rules, now_ms = policy.segments.value, state.settled_ms
    start_ms = max(now_ms - policy.window_ms, state.first_purchase_ms or 0)
    middle_ms = (start_ms + now_ms) // 2
    older_orders = recent_orders = older_minor = recent_minor = 0
    for order in window.counted_orders(state.purchases, now_ms, policy):
        if order.time_ms > middle_ms:
            recent_orders, recent_minor = recent_orders + 1, recent_minor + order.net_minor
        else:
            older_orders, older_minor = older_orders + 1, older_minor + order.net_minor
    rising = None
    if now_ms - start_ms >= rules.rising_days_min * DAY_MS:
        rising = (
            recent_orders >= _ORDERS_OF_A_TREND
            and recent_orders >= rules.rising_ratio * older_orders
            and recent_minor >= rules.rising_ratio * max(1, older_minor)
        )
    return Trend(older_orders, recent_orders, older_minor, recent_minor, rising)


def _current(state: State, policy: Policy, cuts: RfmCuts | None) -> tuple[bool, str] | None:
    least_minor = _least_minor(policy.segments.value.current_at_least, policy, cuts)
    if least_minor is None:
        return None
    spend_minor = max(0, state.net_minor)
    high = spend_minor >= least_minor
    return high, (
        f"Spent {amount(spend_minor, policy)} in {policy.window_days} days, "
        f"{'at least' if high else 'less than'} {amount(least_minor, policy)}."
    )


def _potential(state: State, policy: Policy, cuts: RfmCuts | None) -> tuple[bool, str] | None:
    model = policy.model
    usable = model is not None and not model.purchases.degenerate
    value_minor = predicted_value_minor(state, policy) if usable else None
    if value_minor is None:
        return _by_trend(state, policy)
    least_minor = _least_minor(policy.segments.value.potential_at_least, policy, cuts, days=YEAR_DAYS)
    if least_minor is None:
        return None
    high = value_minor >= least_minor
    return high, (
        f"By the model {amount(value_minor, policy)} in the next 12 months, "
        f"{'at least' if high else 'less than'} {amount(least_minor, policy)}."
    )


def _by_trend(state: State, policy: Policy) -> tuple[bool, str]:
    found = trend(state, policy)
    if found.rising is None:
        return False, "Nothing can be predicted, and it is too early for a trend."
    moved = (
        f"{counted(found.recent_orders, 'order')} for {amount(found.recent_minor, policy)} in the recent half, "
        f"{found.older_orders} for {amount(found.older_minor, policy)} in the half before"
    )
    return found.rising, f"{'Rising' if found.rising else 'Not rising'}: {moved}."


def _least_minor(
    major: float | None, policy: Policy, cuts: RfmCuts | None, *, days: int | None = None
) -> int | None:
    """Return from which amount on a value is high; the crowd's spend is brought to ``days`` days."""
    if major is not None:
        return round(major * policy.minor_per_major)
    if cuts is None:
        return None
    boundary = cuts.spend_minor[(100 - policy.segments.value.top_percent) // 20 - 1]
    return boundary if days is None else boundary * days // policy.window_days
