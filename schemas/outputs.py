"""What Tierstream publishes: tier changes with their proof, churn warnings with their evidence, cut-offs."""

from __future__ import annotations

from datetime import date
from typing import Literal

import msgspec

from schemas.fields import Id, Instant
from schemas.tiers import Cause, ChurnKind, EpisodeEnd, WinBackReason


class MetricPoints(msgspec.Struct, frozen=True, kw_only=True):
    """One metric's share of a score."""

    metric: str
    value: float  # as measured, in the metric's own unit
    points: float


class ScoreParts(msgspec.Struct, frozen=True, kw_only=True):
    """What a score is made of: the facts of the window, and each metric's share of the 10,000 points."""

    spend_minor: int  # net, never below 0
    orders: int
    purchase_days: int
    points: tuple[MetricPoints, ...]  # in the policy's order, bonus points last


class CutPoint(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One edge of the ladder of tiers, in score points (by spend: minor units)."""

    above: str  # the tier above it
    enter: int  # at or above: up into it
    plain: int  # at or above: a newcomer's first tier
    leave: int  # below: down out of it


class CutPoints(msgspec.Struct, frozen=True, kw_only=True):
    """The edges in force, the best first; one less than there are levels."""

    points: tuple[CutPoint, ...]


class Pin(msgspec.Struct, frozen=True, kw_only=True):
    """A tier that a manager decided."""

    tier: str
    until: Instant | None
    cause: str
    decided_by: str


class Proof(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Enough to recompute a tier from the event log and ``lane_log``."""

    score: int
    parts: ScoreParts
    cut_offs_version: int  # 0: none yet
    cut_offs: CutPoints | None
    policy_version: int
    lane: int
    seq: int  # of the lane transaction that decided
    pin: Pin | None = None  # a person overruled the shown tier
    never_bought: bool = False  # the only purchase was voided: lapsed, and ranked last at once


class TierChanged(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="tier-changed.v1"):
    """A customer's shown or ranked tier moved, on ``tier-changes``; only the scorer writes it.

    ``event_id`` is derived from the customer and the revision, so a repeat carries the same id.
    """

    event_id: Id
    customer_id: Id
    occurred_at: Instant  # when it took effect, never when it was noticed
    revision: int  # the customer's counter of published changes
    previous: str | None  # shown; null for a first tier
    current: str
    ranked_previous: str | None
    ranked_current: str
    ranked_level: int  # of ranked_current; 0 is the best
    cause: Cause
    causation_id: str | None  # the event that moved it, where one did
    proof: Proof


class SilenceBasis(msgspec.Struct, frozen=True, kw_only=True, tag="silence"):
    """Nothing was heard for so long."""

    silent_since: Instant  # the latest purchase or response
    silent_days: int  # the rule's length


class FrequencyBasis(msgspec.Struct, frozen=True, kw_only=True, tag="frequency"):
    """Bought half as often as before, or less; both the plain rule and the test are shown."""

    recent_orders: int
    recent_days: int
    past_orders: int
    past_days: int  # fewer than the rule's for a younger customer
    ratio: float  # recent rate over past rate
    probability: float  # that chance alone makes it as low: exact, conditional on the sum
    significant: bool


class CompetitorBasis(msgspec.Struct, frozen=True, kw_only=True, tag="competitor"):
    """A competitor was browsed or asked about."""

    competitor: str
    at: Instant


class ModelBasis(msgspec.Struct, frozen=True, kw_only=True, tag="model"):
    """The purchase model gives little hope."""

    probability_no_purchase: float
    within_days: int
    probability_alive: float
    threshold: float
    last_purchase_day: date


class DisengagedBasis(msgspec.Struct, frozen=True, kw_only=True, tag="disengaged"):
    """Unsubscribed, or a complaint found no solution in time."""

    what: Literal["unsubscribed", "complaint"]
    at: Instant
    contact_id: str | None = None


ChurnBasis = SilenceBasis | FrequencyBasis | CompetitorBasis | ModelBasis | DisengagedBasis


class ChurnEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """What a warning rests on, and what an advisor must know of the customer."""

    basis: ChurnBasis
    last_purchase_at: Instant | None
    last_response_at: Instant | None
    usual_gap_days: float | None  # mean gap between purchase days; null with fewer than two
    orders: int  # in the window
    spend_minor: int  # in the window
    ranked_tier: str
    ranked_level: int  # 0 is the best
    last_browse: str | None = None  # what was looked at last, in words
    competitor: str | None = None  # named in the latest browse or contact that named one
    reason: WinBackReason = WinBackReason.UNKNOWN
    reason_evidence: tuple[str, ...] = ()  # sentences, the strongest first


class ChurnWarned(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="churn-warned.v1"):
    """A churn episode (customer, rule, start) began, on ``churn-warnings``; only the scorer writes it."""

    event_id: Id
    customer_id: Id
    occurred_at: Instant  # the start of the episode
    revision: int
    rule: str  # its name in the policy
    kind: ChurnKind
    severity: Literal["medium", "high"]
    contact_within_hours: int  # the suggested deadline
    evidence: ChurnEvidence
    again: bool = False  # it was ended by what turned out never to have been, and stands again


class ChurnCleared(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="churn-cleared.v1"):
    """A churn episode is over, on ``churn-warnings``; only the scorer writes it."""

    event_id: Id
    customer_id: Id
    occurred_at: Instant
    revision: int
    rule: str
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
    tied: tuple[int, ...]  # per edge: customers who stand exactly at it
