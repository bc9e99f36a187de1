"""High-grade products."""

from __future__ import annotations

from services.scorer.core import months
from services.scorer.core.metrics.metric import Metric
from services.scorer.core.policy import Policy
from services.scorer.core.state import State


def measure(state: State, policy: Policy, _of: tuple[str, ...]) -> float:
    """Return how many high-grade products were bought and kept, in the months of the window, never below 0."""
    return max(0, sum(month.high_grade for month in months.in_window(state, policy)))


METRIC = Metric(
    name="high_grade",
    unit="products",
    meaning="High-grade products bought and not returned, in the months of the window.",
    measure=measure,
    moves_with_time=True,
)
