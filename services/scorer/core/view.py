"""A customer as exports and the customer page show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.events import Pin, ScoreParts
from services.scorer.core import facts
from services.scorer.core.contacts import cause_of, contact_ms
from services.scorer.core.gap import usual_gap_days
from services.scorer.core.pins import published_pin
from services.scorer.core.score import parts_of
from services.scorer.core.state import Episode, Sighting, State

if TYPE_CHECKING:
    from services.scorer.core.policy import Policy


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of the window at ``settled_ms``, and what is remembered beside them; oldest first."""

    customer_id: str
    settled_ms: int
    score: int
    parts: ScoreParts
    ranked_tier: str | None
    ranked_since_ms: int
    tier: str | None
    tier_since_ms: int
    pin: Pin | None  # a person overruled the shown tier
    spend_minor: int  # net, never below 0
    orders: int
    purchase_days: int
    first_purchase_ms: int | None
    last_purchase_ms: int | None
    last_response_ms: int | None
    last_opened_ms: int | None
    usual_gap_days: float | None
    purchases: tuple[tuple[int, int], ...]  # (time_ms, signed amount_minor)
    recent: tuple[Sighting, ...]
    contacts: tuple[tuple[int, str], ...]  # (time_ms, "purchase" | "response"), thinned
    episodes: tuple[Episode, ...]


def summary(state: State, policy: Policy) -> Summary:
    """Return the view of a state as it stands at its own clock."""
    return Summary(
        customer_id=state.customer_id,
        settled_ms=state.settled_ms,
        score=state.score,
        parts=parts_of(state, policy),
        ranked_tier=state.ranked,
        ranked_since_ms=state.ranked_since_ms,
        tier=state.tier,
        tier_since_ms=state.tier_since_ms,
        pin=published_pin(state, state.settled_ms),
        spend_minor=max(0, state.net_minor),
        orders=state.orders,
        purchase_days=state.purchase_days,
        first_purchase_ms=state.first_purchase_ms,
        last_purchase_ms=state.last_purchase_ms,
        last_response_ms=state.last_response_ms,
        last_opened_ms=state.last_opened_ms,
        usual_gap_days=usual_gap_days(state, policy),
        purchases=tuple((fact.time_ms, fact.amount_minor) for fact in facts.every(state.purchases)),
        recent=state.recent,
        contacts=tuple((contact_ms(one), cause_of(one).value) for one in state.contacts),
        episodes=state.episodes,
    )
