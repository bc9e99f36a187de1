"""The usual gap: a customer's inter-purchase time, over all that was ever bought."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from services.scorer.core.policy import Policy
    from services.scorer.core.state import State

_DAYS_OF_A_GAP: Final = 2


def usual_gap_days(state: State, policy: Policy) -> float | None:
    """Return the mean gap between purchase days, None with fewer than two."""
    first, last = state.first_purchase_ms, state.last_purchase_ms
    if first is None or last is None or state.lifetime_days < _DAYS_OF_A_GAP:
        return None
    return (policy.local_day(last) - policy.local_day(first)) / (state.lifetime_days - 1)
