"""What is remembered of an event, in the shape in which it is looked for, refused and taken up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from schemas.events import (
    CampaignResponded,
    CustomerDescribed,
    FeedbackGiven,
    ProductBrowsed,
    PurchaseCorrected,
    PurchaseRecorded,
    ReferralMade,
    ServiceContactRecorded,
    TierPinned,
    TierUnpinned,
)
from schemas.times import to_ms
from services.scorer.core.facts import Fact, fact_of
from services.scorer.core.identity import body_crc, stable_hash
from services.scorer.core.policy import CompetitorRule, DisengagedRule
from services.scorer.core.sightings import is_browse, is_response, sighting_of
from services.scorer.core.state import Sighting

if TYPE_CHECKING:
    from schemas.events import Input
    from services.scorer.core.policy import Policy


class Amendment(NamedTuple):
    """A purchase gets another body, or turns out never to have been."""

    time_ms: int  # when it was corrected
    purchase: int  # hash of the purchase's event id
    number: int  # of the revision; the highest counts
    crc: int
    fact: Fact | None  # None: it never was


class Note(NamedTuple):
    """An event of a quieter topic."""

    time_ms: int
    event: int  # hash of topic and event id
    crc: int
    body: Any  # the event


News: TypeAlias = Fact | Sighting | Amendment | Note


def news_of(event: Input, policy: Policy) -> News:
    """Return what is remembered of an event."""
    if isinstance(event, PurchaseRecorded):
        return fact_of(event, stable_hash(event.event_id), body_crc(event), policy)
    if isinstance(event, ProductBrowsed | CampaignResponded):
        return sighting_of(event)
    if isinstance(event, PurchaseCorrected):
        purchase, body = stable_hash(event.corrects), event.purchase
        crc = body_crc(body)  # whoever says the same again, says nothing new
        fact = None if body is None else fact_of(body, purchase, crc, policy)
        return Amendment(to_ms(event.occurred_at), purchase, event.revision, crc, fact)
    name = f"{type(event).__name__}/{event.event_id}"
    return Note(to_ms(event.occurred_at), stable_hash(name), body_crc(event), event)


def moves_a_tier(news: News, policy: Policy) -> bool:
    """Return whether the event may move score, ranked or shown tier; else it is for people to read.

    What can't must not be named as the cause of what time did at its instant.
    """
    if isinstance(news, Fact | Amendment):
        return True
    if isinstance(news, Sighting):
        return is_response(news) or _sighting_moves(news, policy)
    return _note_moves(news.body, policy)


_BROWSE_METRICS: Final = frozenset({"browse_interest", "interactions"})


def _sighting_moves(news: Sighting, policy: Policy) -> bool:
    if is_browse(news):
        named = bool(news.competitor) and policy.has_rule(CompetitorRule)
        return named or not _BROWSE_METRICS.isdisjoint(policy.measured)
    if "interactions" in policy.measured:
        return True
    return (news.kind == "opened" and policy.heeds_openings) or (
        news.kind == "unsubscribed" and policy.has_rule(DisengagedRule)
    )


def _note_moves(body: Any, policy: Policy) -> bool:
    match body:
        case TierPinned() | TierUnpinned():
            return True
        case ServiceContactRecorded():
            return "interactions" in policy.measured or policy.has_rule(CompetitorRule, DisengagedRule)
        case FeedbackGiven():
            return "interactions" in policy.measured
        case ReferralMade():
            return "referrals" in policy.measured
        case CustomerDescribed():
            return "assets" in policy.measured
        case _:
            return False
