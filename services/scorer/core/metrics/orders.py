"""Purchase count."""

from __future__ import annotations

from services.scorer.core.metrics.metric import Metric
from services.scorer.core.policy import Policy
from services.scorer.core.state import State


def measure(state: State, _policy: Policy, _of: tuple[str, ...]) -> float:
    """Return the number of orders in the window that were not fully returned."""
    return state.orders


METRIC = Metric(
    name="orders",
    unit="orders",
    meaning="Orders in the window that were not fully returned.",
    measure=measure,
)
