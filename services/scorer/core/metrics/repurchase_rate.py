"""Repurchase rate."""

from __future__ import annotations

from services.scorer.core.metrics.metric import Metric
from services.scorer.core.policy import Policy
from services.scorer.core.state import State


def measure(state: State, _policy: Policy, _of: tuple[str, ...]) -> float:
    """Return the share of purchase days in the window that repeat an earlier one: (d - 1) / d."""
    days = state.purchase_days
    return (days - 1) / days if days else 0.0


METRIC = Metric(
    name="repurchase_rate",
    unit="0 to 1",
    meaning="Share of the purchase days in the window that came after another one.",
    measure=measure,
)
