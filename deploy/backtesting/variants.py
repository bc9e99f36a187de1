"""The policies that a backtest lays beside the one it was given."""

from __future__ import annotations

import msgspec

from services.scorer.core.policy import Policy
from services.scorer.core.policy.segments import Segments


def without_hysteresis(policy: Policy) -> Policy:
    """Return the policy with no margin and no dwell: every customer in the tier of the plain cut."""
    ladder = msgspec.structs.replace(policy.tiers, margin_percent=0, dwell_days=0, soft_landing=False)
    return msgspec.structs.replace(policy, tiers=ladder)


def ranks_alone(policy: Policy) -> Policy:
    """Return the policy without all that no ranked tier depends on: no warnings, no segments, no tags.

    Of the variant without hysteresis nothing else is looked at, and warnings are a third of the work.
    """
    return msgspec.structs.replace(policy, churn=(), segments=Segments(), tags=False)
