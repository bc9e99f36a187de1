"""Net spend."""

from __future__ import annotations

from services.scorer.core.metrics.metric import Metric
from services.scorer.core.policy import Policy
from services.scorer.core.state import State


def measure(state: State, policy: Policy, _of: tuple[str, ...]) -> float:
    """Return the net spend of the window in major units, never below 0."""
    return max(0, state.net_minor) / policy.minor_per_major


METRIC = Metric(
    name="spend", unit="major units", meaning="Net spend in the window, after returns.", measure=measure
)
