"""Topics as data: who writes, who reads, how long it stays, how it is partitioned.

Lane i of a service is partition i of every topic that it reads, so all topics marked ``per_lane``
have the same partition count, fixed for life. Publishers must partition by murmur2 of the key (the
Java client's default; librdkafka: ``partitioner=murmur2_random``).
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from schemas import events


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One Kafka topic. ``retention_days`` None keeps it for ever."""

    name: str
    carries: tuple[type[msgspec.Struct], ...]
    writer: str
    readers: tuple[str, ...]
    retention_days: int | None
    per_lane: bool = True
    keyed_by: str = "customer_id"


PURCHASES = Topic(
    name="purchases",
    carries=(events.PurchaseRecorded, events.PurchaseCorrected, events.TimeReached),
    writer="POS and e-commerce systems",
    readers=("scorer",),
    retention_days=None,
)
BROWSES = Topic(
    name="browses",
    carries=(events.ProductBrowsed, events.TimeReached),
    writer="e-commerce systems",
    readers=("scorer",),
    retention_days=400,
)
CAMPAIGN_RESPONSES = Topic(
    name="campaign-responses",
    carries=(events.CampaignResponded, events.TimeReached),
    writer="campaign systems",
    readers=("scorer",),
    retention_days=400,
)
CUSTOMER_ATTRIBUTES = Topic(
    name="customer-attributes",
    carries=(events.CustomerDescribed, events.TimeReached),
    writer="CRM systems",
    readers=("scorer",),
    retention_days=None,
)
REFERRALS = Topic(
    name="referrals",
    carries=(events.ReferralMade, events.TimeReached),
    writer="CRM and loyalty systems; scorer, for a purchase with referred_by",
    readers=("scorer",),
    retention_days=None,
)
SERVICE_CONTACTS = Topic(
    name="service-contacts",
    carries=(events.ServiceContactRecorded, events.TimeReached),
    writer="service desks",
    readers=("scorer",),
    retention_days=None,
)
FEEDBACK = Topic(
    name="feedback",
    carries=(events.FeedbackGiven, events.TimeReached),
    writer="survey and review systems",
    readers=("scorer",),
    retention_days=None,
)
CUSTOMER_DECISIONS = Topic(
    name="customer-decisions",
    carries=(
        events.TierPinned,
        events.TierUnpinned,
        events.ChurnReasonCorrected,
        events.TimeReached,
    ),
    writer="people, through the API",
    readers=("scorer",),
    retention_days=None,
)
PRODUCTS = Topic(
    name="products",
    carries=(events.ProductListed,),
    writer="product information systems",
    readers=("scorer",),
    retention_days=None,
    per_lane=False,
    keyed_by="sku",
)
TIER_CHANGES = Topic(
    name="tier-changes",
    carries=(events.TierChanged, events.TimeReached),
    writer="scorer",
    readers=("alerter", "anyone"),
    retention_days=None,
)
CHURN_WARNINGS = Topic(
    name="churn-warnings",
    carries=(events.ChurnWarned, events.ChurnCleared, events.TimeReached),
    writer="scorer",
    readers=("alerter", "anyone"),
    retention_days=None,
)
CUT_OFFS = Topic(
    name="cut-offs",
    carries=(events.CutOffsComputed,),
    writer="scorer",
    readers=("anyone",),
    retention_days=None,
    per_lane=False,
    keyed_by="nothing",
)

# The order within a service is the order of the positions in its lane rows: append, never reorder.
SCORER_INPUTS = (
    PURCHASES,
    BROWSES,
    CAMPAIGN_RESPONSES,
    CUSTOMER_ATTRIBUTES,
    REFERRALS,
    SERVICE_CONTACTS,
    FEEDBACK,
    CUSTOMER_DECISIONS,
)
ALERTER_INPUTS = (TIER_CHANGES, CHURN_WARNINGS)
ALL_TOPICS = (*SCORER_INPUTS, PRODUCTS, *ALERTER_INPUTS, CUT_OFFS)
