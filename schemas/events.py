"""Every event on every topic, as frozen msgspec structs; JSON with the customer id as the Kafka key.

``type`` carries the version. A field may be added with a default under the same version; any other
change makes a new version. Times are RFC 3339 with an offset and are kept to the millisecond.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schemas.tiers import Cause, ChurnRule, EpisodeEnd, Tier

AMOUNT_MINOR_MAX = 10**12
ID_PATTERN = r"^[A-Za-z0-9._:@/+-]{1,128}\Z"

Id = Annotated[str, Meta(pattern=ID_PATTERN, description="1 to 128 of A-Z a-z 0-9 . _ : @ / + -")]
Text = Annotated[str, Meta(min_length=1, max_length=256)]
Instant = Annotated[datetime, Meta(tz=True, description="RFC 3339 with offset, kept to the millisecond")]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z", description="ISO 4217 code")]
AmountMinor = Annotated[int, Meta(ge=0, le=AMOUNT_MINOR_MAX, description="minor units of the currency")]
SignedAmountMinor = Annotated[int, Meta(ge=-AMOUNT_MINOR_MAX, le=AMOUNT_MINOR_MAX)]
Quantity = Annotated[int, Meta(ge=0, le=10**9)]


class PurchaseLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line of a basket."""

    sku: Text
    category: Text
    brand: Text
    quantity: Quantity
    amount_minor: SignedAmountMinor  # negative for a discount line


class PurchaseRecorded(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="type",
    tag="purchase-recorded.v1",
    omit_defaults=True,
):
    """A sale or a return, on ``purchases``, written by POS and e-commerce systems.

    Sales with one ``order_id`` are one order, dated by the earliest. A return that names its order in
    ``returned_order_id`` is taken out of that order's day.
    """

    event_id: Id
    customer_id: Id
    occurred_at: Instant
    kind: Literal["sale", "return"]
    order_id: Id
    amount_minor: AmountMinor  # a return's is > 0
    currency: Currency
    channel: Text
    store_id: Text
    lines: tuple[PurchaseLine, ...] | None = None
    referred_by: Id | None = None
    returned_order_id: Id | None = None


class ProductBrowsed(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="type",
    tag="product-browsed.v1",
    omit_defaults=True,
    gc=False,
):
    """A customer looked at a product, on ``browses``."""

    event_id: Id
    customer_id: Id
    occurred_at: Instant
    sku: Text
    category: Text
    brand: Text
    action: Literal["viewed", "asked", "carted"]
    competitor: Text | None = None


class CampaignResponded(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="type",
    tag="campaign-responded.v1",
    omit_defaults=True,
):
    """What became of one campaign message, on ``campaign-responses``."""

    event_id: Id
    customer_id: Id
    occurred_at: Instant
    campaign_id: Id
    response: Literal["delivered", "opened", "clicked", "converted", "unsubscribed"]


class TimeReached(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="time-reached.v1"):
    """A replay's promise that every event earlier than ``through`` stands before this record.

    Written to every partition of every input topic, without a key, by replays only; scorer lanes hand
    it on to the alerter's lanes in the output topics.
    """

    event_id: Id
    through: Instant
    complete: bool = False  # the last one: events at ``through`` itself are in as well
    clock: Literal["event", "wall"] = "event"  # "wall": the replay is over, live time goes on from here


class ScoreParts(msgspec.Struct, frozen=True, kw_only=True):
    """What a score is made of: the facts of the window and each metric's share of the 10,000 points."""

    spend_minor: int  # net, never below 0
    orders: int
    purchase_days: int
    spend_points: float
    orders_points: float
    repurchase_points: float


class CutPoints(msgspec.Struct, frozen=True, kw_only=True):
    """The cut-offs read off one histogram, in score points. ``high_*``: at or above; ``low_*``: below."""

    high_18: int
    high_20: int
    high_22: int
    low_18: int
    low_20: int
    low_22: int


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """Enough to recompute a tier from the event log and ``lane_log``."""

    score: int
    parts: ScoreParts
    cut_offs_version: int  # 0: none yet
    cut_offs: CutPoints | None
    policy_version: int
    lane: int
    seq: int  # of the lane transaction that decided


class TierChanged(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="tier-changed.v1"):
    """A customer's shown or ranked tier moved, on ``tier-changes``; only the scorer writes it.

    ``event_id`` is derived from the customer and the revision, so a repeat carries the same id.
    """

    event_id: Id
    customer_id: Id
    occurred_at: Instant  # when it took effect, never when it was noticed
    revision: int  # the customer's counter of published changes
    previous: Tier | None  # shown; null for a first tier
    current: Tier
    ranked_previous: Tier | None
    ranked_current: Tier
    cause: Cause
    causation_id: str | None  # the event that moved it, where one did
    proof: Proof


class SilenceEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """What a silence warning rests on."""

    silent_since: Instant  # the latest purchase or response
    silent_days: int  # the rule's length
    last_purchase_at: Instant | None
    last_response_at: Instant | None
    usual_gap_days: float | None  # mean gap between purchase days; null with fewer than two
    orders: int  # in the window
    spend_minor: int  # in the window
    ranked_tier: Tier
    last_browse: str | None = None  # what was looked at last, in words
    competitor: str | None = None  # named in the latest browse that named one


class ChurnWarned(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="churn-warned.v1"):
    """A churn episode (customer, rule, start) began, on ``churn-warnings``; only the scorer writes it."""

    event_id: Id
    customer_id: Id
    occurred_at: Instant  # the start of the episode
    revision: int
    rule: ChurnRule
    severity: Literal["medium", "high"]
    evidence: SilenceEvidence


class ChurnCleared(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="churn-cleared.v1"):
    """A churn episode is over, on ``churn-warnings``; only the scorer writes it."""

    event_id: Id
    customer_id: Id
    occurred_at: Instant
    revision: int
    rule: ChurnRule
    started_at: Instant
    cause: EpisodeEnd


class CutOffsComputed(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="cut-offs-computed.v1"
):
    """New cut-offs of the whole base, on ``cut-offs``; written by the owner of lane 0."""

    event_id: Id
    occurred_at: Instant
    version: int
    active: int  # customers in the percentiles
    cut_offs: CutPoints | None  # null when nobody is active
    tied_high: int  # customers whose score is exactly the last one below the 20 % high cut
    tied_low: int  # customers whose score is exactly the 20 % low cut


Input = PurchaseRecorded | ProductBrowsed | CampaignResponded
Output = TierChanged | ChurnWarned | ChurnCleared | CutOffsComputed
Event = Input | TimeReached | Output

ALL_EVENTS: tuple[type[msgspec.Struct], ...] = (
    PurchaseRecorded,
    ProductBrowsed,
    CampaignResponded,
    TimeReached,
    TierChanged,
    ChurnWarned,
    ChurnCleared,
    CutOffsComputed,
)


def type_of(event: type[msgspec.Struct] | msgspec.Struct) -> str:
    """Return the wire name, such as ``purchase-recorded.v1``."""
    return str(event.__struct_config__.tag)
