"""The newest browses and campaign responses: for display, for evidence, and to know a repeat."""

from __future__ import annotations

from bisect import insort
from typing import Final

from schemas.events import CampaignResponded, Input, ProductBrowsed
from schemas.times import to_ms
from services.scorer.core.identity import body_crc, stable_hash
from services.scorer.core.state import Sighting, State

RECENT_MAX: Final = 16
_SUBJECT_CHARACTERS_MAX: Final = 160  # bounds the state; a sku, category and brand seldom need half
_ANSWERS: Final = frozenset({"clicked", "liked", "answered", "converted"})


BROWSE_WORDS: Final = {"viewed": "viewed", "asked": "asked about", "carted": "put into the cart"}


def sighting_of(event: Input) -> Sighting:
    """Return what is remembered of a browse or a response.

    Raises:
        TypeError: it is neither; who calls must not give what he does not score.
    """
    kind: str
    if isinstance(event, ProductBrowsed):
        topic, kind, competitor = "browses", event.action, event.competitor or ""
        subject = f"{event.sku} ({event.category}, {event.brand})"[:_SUBJECT_CHARACTERS_MAX]
    elif isinstance(event, CampaignResponded):
        topic, kind, competitor, subject = "campaign-responses", event.response, "", event.campaign_id
    else:
        raise TypeError(f"{type(event).__name__} is neither a browse nor a response")
    return Sighting(
        to_ms(event.occurred_at),
        stable_hash(f"{topic}/{event.event_id}"),  # event ids are unique per topic
        kind,
        subject,
        competitor,
        body_crc(event),
    )


def is_response(sighting: Sighting) -> bool:
    """Whether it is a contact: opening a message is not an answer to it."""
    return sighting.kind in _ANSWERS


def is_browse(sighting: Sighting) -> bool:
    """Whether the customer looked at a product."""
    return sighting.kind in {"viewed", "asked", "carted"}


def with_sighting(recent: tuple[Sighting, ...], sighting: Sighting) -> tuple[Sighting, ...]:
    """Return the newest ``RECENT_MAX`` by time; at the same time by event, so that arrival order can't show."""
    if not recent or (recent[-1].time_ms, recent[-1].event) < (sighting.time_ms, sighting.event):
        return (*recent, sighting)[-RECENT_MAX:]  # the usual one is the newest
    kept = list(recent)
    insort(kept, sighting, key=lambda one: (one.time_ms, one.event))
    return tuple(kept[-RECENT_MAX:])


def last_browse(recent: tuple[Sighting, ...]) -> str | None:
    """Return in words what was looked at last."""
    return next(
        (f"{BROWSE_WORDS[one.kind]} {one.subject}" for one in reversed(recent) if is_browse(one)), None
    )


def last_competitor(state: State) -> str | None:
    """Return the competitor named last, in a browse or a service contact."""
    return state.mentions[-1].competitor if state.mentions else None
