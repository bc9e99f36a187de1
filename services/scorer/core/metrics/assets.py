"""Assets."""

from __future__ import annotations

from services.scorer.core.metrics.metric import Metric
from services.scorer.core.policy import Policy
from services.scorer.core.state import State


def measure(state: State, policy: Policy, _of: tuple[str, ...]) -> float:
    """Return the assets that the customer's attributes name, in major units; 0 when they name none."""
    found = next((one.value for one in state.attributes if one.name == "assets_minor"), None)
    return found / policy.minor_per_major if isinstance(found, int) else 0.0


METRIC = Metric(
    name="assets",
    unit="major units",
    meaning="Assets under management, as the customer's attributes say.",
    measure=measure,
)
