"""Largest order."""

from __future__ import annotations

from services.scorer.core import window
from services.scorer.core.metrics.metric import Metric
from services.scorer.core.policy import Policy
from services.scorer.core.state import State


def measure(state: State, policy: Policy, _of: tuple[str, ...]) -> float:
    """Return the largest order of the window in major units, after its returns."""
    orders = window.counted_orders(state.purchases, state.settled_ms, policy)
    return max((order.net_minor for order in orders), default=0) / policy.minor_per_major


METRIC = Metric(
    name="largest_order",
    unit="major units",
    meaning="The largest order in the window, after its returns.",
    measure=measure,
)
