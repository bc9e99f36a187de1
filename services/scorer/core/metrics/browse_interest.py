"""Interest shown by browsing."""

from __future__ import annotations

from services.scorer.core import months
from services.scorer.core.metrics.metric import Metric
from services.scorer.core.policy import Policy
from services.scorer.core.state import State


def measure(state: State, policy: Policy, of: tuple[str, ...]) -> float:
    """Return how often the named categories were looked at, in the months of the window."""
    return sum(
        interest.browses
        for month in months.in_window(state, policy)
        for interest in month.categories
        if interest.name in of
    )


METRIC = Metric(
    name="browse_interest",
    unit="browses",
    meaning="Browses of the named categories in the months of the window.",
    measure=measure,
    moves_with_time=True,
)
