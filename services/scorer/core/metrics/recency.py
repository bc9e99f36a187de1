"""Recency."""

from __future__ import annotations

from services.scorer.core.metrics.metric import Metric
from services.scorer.core.policy import Policy
from services.scorer.core.state import State


def measure(state: State, policy: Policy, _of: tuple[str, ...]) -> float:
    """Return the local days since the last purchase, at most the window's length; weigh it ``inverse``."""
    if state.last_purchase_ms is None:
        return policy.window_days
    days = policy.local_day(state.settled_ms) - policy.local_day(state.last_purchase_ms)
    return min(policy.window_days, max(0, days))


METRIC = Metric(
    name="recency",
    unit="days",
    meaning="Local days since the last purchase; few are good.",
    measure=measure,
    moves_with_time=True,
)
