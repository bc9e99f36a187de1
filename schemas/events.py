"""Every event on every topic, as frozen msgspec structs; JSON with the customer id as the Kafka key.

``type`` carries the version. A field may be added with a default under the same version; any other
change makes a new version. Times are RFC 3339 with an offset and are kept to the millisecond.
This module is where the rest of the code imports events from. What others write stands in
``purchases`` and ``inputs``, what we write stands here.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from schemas.fields import AMOUNT_MINOR_MAX, ID_PATTERN, CustomerEvent, Id, Instant
from schemas.inputs import (
    CampaignResponded,
    ChurnReasonCorrected,
    CustomerDescribed,
    FeedbackGiven,
    ProductBrowsed,
    ProductListed,
    ReferralMade,
    ServiceContactRecorded,
    TierPinned,
    TierUnpinned,
)
from schemas.outputs import (
    ChurnBasis,
    ChurnCleared,
    ChurnEvidence,
    ChurnWarned,
    CompetitorBasis,
    CutOffsComputed,
    CutPoint,
    CutPoints,
    DisengagedBasis,
    FrequencyBasis,
    MetricPoints,
    ModelBasis,
    Pin,
    Proof,
    ScoreParts,
    SilenceBasis,
    TierChanged,
)
from schemas.purchases import PurchaseBody, PurchaseCorrected, PurchaseLine, PurchaseRecorded

__all__ = [
    "ALL_EVENTS",
    "AMOUNT_MINOR_MAX",
    "ID_PATTERN",
    "CampaignResponded",
    "ChurnBasis",
    "ChurnCleared",
    "ChurnEvidence",
    "ChurnReasonCorrected",
    "ChurnWarned",
    "CompetitorBasis",
    "CustomerDescribed",
    "CustomerEvent",
    "CutOffsComputed",
    "CutPoint",
    "CutPoints",
    "DisengagedBasis",
    "Event",
    "FeedbackGiven",
    "FrequencyBasis",
    "Id",
    "Input",
    "Instant",
    "MetricPoints",
    "ModelBasis",
    "Output",
    "Pin",
    "ProductBrowsed",
    "ProductListed",
    "Proof",
    "Published",
    "PurchaseBody",
    "PurchaseCorrected",
    "PurchaseLine",
    "PurchaseRecorded",
    "ReferralMade",
    "ScoreParts",
    "ServiceContactRecorded",
    "SilenceBasis",
    "TierChanged",
    "TierPinned",
    "TierUnpinned",
    "TimeReached",
    "type_of",
]


class TimeReached(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="time-reached.v1"):
    """A replay's promise that every event earlier than ``through`` stands before this record.

    Written to every partition of every input topic, without a key, by replays only; scorer lanes hand
    it on to the alerter's lanes in the output topics.
    """

    event_id: Id
    through: Instant
    complete: bool = False  # the last one: events at ``through`` itself are in as well
    clock: Literal["event", "wall"] = "event"  # "wall": the replay is over, live time goes on from here


# About one customer: what the scorer's lanes read.
Input = (
    PurchaseRecorded
    | PurchaseCorrected
    | ProductBrowsed
    | CampaignResponded
    | CustomerDescribed
    | ReferralMade
    | ServiceContactRecorded
    | FeedbackGiven
    | TierPinned
    | TierUnpinned
    | ChurnReasonCorrected
)
Published = Input | ProductListed  # all that others publish: what a file of events may hold
Output = TierChanged | ChurnWarned | ChurnCleared | CutOffsComputed
Event = Published | TimeReached | Output

ALL_EVENTS: tuple[type[msgspec.Struct], ...] = (
    PurchaseRecorded,
    PurchaseCorrected,
    ProductBrowsed,
    CampaignResponded,
    CustomerDescribed,
    ReferralMade,
    ServiceContactRecorded,
    FeedbackGiven,
    TierPinned,
    TierUnpinned,
    ChurnReasonCorrected,
    ProductListed,
    TimeReached,
    TierChanged,
    ChurnWarned,
    ChurnCleared,
    CutOffsComputed,
)


def type_of(event: type[msgspec.Struct] | msgspec.Struct) -> str:
    """Return the wire name, such as ``purchase-recorded.v1``."""
    return str(event.__struct_config__.tag)
