"""Interactions."""

from __future__ import annotations

from services.scorer.core import months
from services.scorer.core.metrics.metric import Metric
from services.scorer.core.policy import Policy
from services.scorer.core.state import State


def measure(state: State, policy: Policy, _of: tuple[str, ...]) -> float:
    """Return browses, campaign responses, service contacts and answers in the months of the window."""
    return sum(month.interactions for month in months.in_window(state, policy))


METRIC = Metric(
    name="interactions",
    unit="contacts",
    meaning="Browses, campaign responses, service contacts and feedback in the months of the window.",
    measure=measure,
    moves_with_time=True,
)
