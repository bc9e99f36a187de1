"""Margin."""

from __future__ import annotations

from services.scorer.core import months
from services.scorer.core.metrics.metric import Metric
from services.scorer.core.policy import Policy
from services.scorer.core.state import State


def measure(state: State, policy: Policy, _of: tuple[str, ...]) -> float:
    """Return the margin earned in the months of the window, in major units, never below 0."""
    earned = sum(month.margin_minor for month in months.in_window(state, policy))
    return max(0, earned) / policy.minor_per_major


METRIC = Metric(
    name="margin",
    unit="major units",
    meaning="Margin earned in the months of the window, by the products' margins when they were bought.",
    measure=measure,
    moves_with_time=True,
)
