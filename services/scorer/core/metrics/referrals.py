"""Referrals."""

from __future__ import annotations

from services.scorer.core.metrics.metric import Metric
from services.scorer.core.policy import Policy
from services.scorer.core.state import State


def measure(state: State, policy: Policy, _of: tuple[str, ...]) -> float:
    """Return how many people came by this customer's word, in the window; each counts once, ever."""
    start_ms = state.settled_ms - policy.window_ms
    return sum(start_ms < referral.time_ms <= state.settled_ms for referral in state.referrals)


METRIC = Metric(
    name="referrals",
    unit="people",
    meaning="People who came by this customer's word, in the window.",
    measure=measure,
)
