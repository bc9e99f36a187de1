"""What other systems and people write about customers and products, purchases apart."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schemas.fields import (
    AmountMinor,
    ChurnReason,
    ContactTopic,
    Currency,
    CustomerEvent,
    Day,
    DwellSeconds,
    Id,
    Instant,
    LongText,
    Percent,
    Score10,
    Text,
)

BirthYear = Annotated[int, Meta(ge=1900, le=2100)]
Attribute = Literal[
    "name",
    "email",
    "phone",
    "birthday",
    "birth_year",
    "wedding_date",
    "sex",
    "occupation",
    "region",
    "city",
    "assets",
    "language",
    "channel",
    "do_not_contact",
]


class ProductBrowsed(CustomerEvent, frozen=True, kw_only=True, tag="product-browsed.v1", gc=False):
    """A customer looked at a product, on ``browses``."""

    sku: Text
    category: Text
    brand: Text
    action: Literal["viewed", "asked", "carted"]
    competitor: Text | None = None
    dwell_seconds: DwellSeconds | None = None


class CampaignResponded(CustomerEvent, frozen=True, kw_only=True, tag="campaign-responded.v1"):
    """What became of one campaign message, on ``campaign-responses``."""

    campaign_id: Id
    response: Literal["delivered", "opened", "clicked", "liked", "answered", "converted", "unsubscribed"]


class CustomerDescribed(CustomerEvent, frozen=True, kw_only=True, tag="customer-described.v1"):
    """What is known of a customer as a person, on ``customer-attributes``, written by CRM systems.

    An attribute that is absent (or null) stays as it is; one named in ``cleared`` is forgotten. Per
    attribute the latest ``occurred_at`` counts.
    """

    name: Text | None = None
    email: Text | None = None
    phone: Text | None = None
    birthday: Day | None = None
    birth_year: BirthYear | None = None  # where the day is not known
    wedding_date: Day | None = None
    sex: Literal["female", "male", "other"] | None = None
    occupation: Text | None = None
    region: Text | None = None
    city: Text | None = None
    assets_minor: AmountMinor | None = None  # both or none; "assets" in ``cleared``
    assets_currency: Currency | None = None
    language: Text | None = None  # a BCP 47 tag, such as de or pt-BR
    channel: Text | None = None  # the one that the customer prefers
    do_not_contact: bool | None = None
    cleared: tuple[Attribute, ...] = ()


class ReferralMade(CustomerEvent, frozen=True, kw_only=True, tag="referral-made.v1"):
    """A customer brought another one, on ``referrals``; ``customer_id`` is the referrer.

    Written by whoever keeps referrals, and by the scorer for a purchase with ``referred_by``. It counts
    once per pair, however often it is said.
    """

    referred_customer_id: Id
    purchase_event_id: Id | None = None  # the purchase that showed it


class ServiceContactRecorded(CustomerEvent, frozen=True, kw_only=True, tag="service-contact-recorded.v1"):
    """A customer turned to service, or service got back, on ``service-contacts``."""

    contact_id: Id  # the ticket or case; its events share it
    kind: Literal["inquiry", "urgent_need", "complaint", "ticket"]
    channel: Text
    status: Literal["opened", "answered", "solved"] = "opened"
    topics: Annotated[tuple[ContactTopic, ...], Meta(max_length=16)] = ()
    competitor: Text | None = None
    severity: Literal["minor", "medium", "serious"] | None = None
    sku: Text | None = None
    category: Text | None = None
    brand: Text | None = None
    text: LongText | None = None


class FeedbackGiven(CustomerEvent, frozen=True, kw_only=True, tag="feedback-given.v1"):
    """A customer gave an opinion with a score, on ``feedback``.

    The score of ``nps`` is the answer to how likely a recommendation is; that of a survey or a review is
    brought to 0 to 10 by who publishes it (four stars of five: 8).
    """

    kind: Literal["survey", "nps", "review"]
    score: Score10
    subject: Text | None = None  # what was asked about
    sku: Text | None = None
    text: LongText | None = None


class TierPinned(CustomerEvent, frozen=True, kw_only=True, tag="tier-pinned.v1"):
    """Somebody decided that a customer is shown in a tier, on ``customer-decisions``.

    It holds from ``occurred_at`` until ``until`` (null: until it is unpinned). The ranked tier goes on
    below it.
    """

    tier: Text  # one of the policy's
    until: Instant | None = None
    cause: LongText
    decided_by: Id


class TierUnpinned(CustomerEvent, frozen=True, kw_only=True, tag="tier-unpinned.v1"):
    """Somebody took a pin back, on ``customer-decisions``."""

    cause: LongText
    decided_by: Id


class ChurnReasonCorrected(CustomerEvent, frozen=True, kw_only=True, tag="churn-reason-corrected.v1"):
    """Somebody knows better why a customer is leaving, on ``customer-decisions``.

    ``rule`` and ``started_at`` name the episode, as ``churn-warned.v1`` gave them.
    """

    rule: Text
    started_at: Instant
    reason: ChurnReason
    cause: LongText
    decided_by: Id


class ProductListed(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="product-listed.v1", omit_defaults=True
):
    """What a product is, on ``products``, keyed by ``sku``; the latest ``occurred_at`` of a sku counts."""

    event_id: Id
    occurred_at: Instant
    sku: Text
    brand: Text
    category: Text
    grade: Literal["entry", "standard", "high"]
    name: Text | None = None
    margin_percent: Percent | None = None
    price_minor: AmountMinor | None = None  # both or none
    currency: Currency | None = None
    launched_on: Day | None = None
