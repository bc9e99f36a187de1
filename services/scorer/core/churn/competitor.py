"""A competitor was browsed, or asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.events import CompetitorBasis
from schemas.times import from_ms
from services.scorer.core.churn.start import Start

if TYPE_CHECKING:
    from services.scorer.core.policy import CompetitorRule, Policy
    from services.scorer.core.state import State


def starts(state: State, _policy: Policy, _rule: CompetitorRule) -> list[Start]:
    """Return every mention since the first purchase: who never bought can't churn."""
    first_ms = state.first_purchase_ms
    if first_ms is None:
        return []
    return [Start(mention.time_ms, sure=True) for mention in state.mentions if mention.time_ms >= first_ms]


def basis(state: State, _policy: Policy, _rule: CompetitorRule, start_ms: int) -> CompetitorBasis:
    """Return who was mentioned; a warning that stands again may be older than what is remembered."""
    named = next((one.competitor for one in state.mentions if one.time_ms == start_ms), "a competitor")
    return CompetitorBasis(competitor=named, at=from_ms(start_ms))
