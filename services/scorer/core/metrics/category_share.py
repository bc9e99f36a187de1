"""Category preference."""

from __future__ import annotations

from services.scorer.core import months
from services.scorer.core.metrics.metric import Metric
from services.scorer.core.policy import Policy
from services.scorer.core.state import State


def measure(state: State, policy: Policy, of: tuple[str, ...]) -> float:
    """Return the share of what was bought, by amount, that falls on the named categories, 0 to 1."""
    return months.bought_share(months.in_window(state, policy), "categories", of)


METRIC = Metric(
    name="category_share",
    unit="0 to 1",
    meaning="Share of the amount bought in the named categories, in the months of the window.",
    measure=measure,
    moves_with_time=True,
)
