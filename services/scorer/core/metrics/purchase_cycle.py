"""Mean purchase cycle."""

from __future__ import annotations

from services.scorer.core import window
from services.scorer.core.metrics.metric import Metric
from services.scorer.core.policy import Policy
from services.scorer.core.state import State

_DAYS_OF_A_GAP = 2


def measure(state: State, policy: Policy, _of: tuple[str, ...]) -> float:
    """Return the mean gap between purchase days in the window, in days; the window's length below two days.

    Short is good: weigh it with the normaliser ``inverse``.
    """
    if state.purchase_days < _DAYS_OF_A_GAP:
        return policy.window_days
    orders = window.counted_orders(state.purchases, state.settled_ms, policy)
    days = [policy.local_day(order.time_ms) for order in orders]
    return (max(days) - min(days)) / (state.purchase_days - 1)


METRIC = Metric(
    name="purchase_cycle",
    unit="days",
    meaning="Mean gap between purchase days in the window; short is good.",
    measure=measure,
)
