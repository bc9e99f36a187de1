"""Referrals."""

from __future__ import annotations

from services.scorer.core.metrics.metric import Metric
from services.scorer.core.policy import Policy
from services.scorer.core.state import NEVER_MS, State


def measure(state: State, policy: Policy, _of: tuple[str, ...]) -> float:
    """Return how many people came by this customer's word, in the window; each counts once, ever."""
    start_ms = state.settled_ms - policy.window_ms
    return sum(start_ms < referral.time_ms <= state.settled_ms for referral in state.referrals)


def next_expiry_ms(state: State, policy: Policy) -> int:
    """Return when the next referral leaves the window, never when none is in it."""
    leave = (referral.time_ms + policy.window_ms for referral in state.referrals)
    return min((at_ms for at_ms in leave if at_ms > state.settled_ms), default=NEVER_MS)


METRIC = Metric(
    name="referrals",
    unit="people",
    meaning="People who came by this customer's word, in the window.",
    measure=measure,
)
