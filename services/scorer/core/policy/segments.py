"""Where the lines run between segments, stages and bands. None of them moves a score or a tier."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from services.scorer.core.policy.fault import Days, Fault, Percent, Positive, PositiveFloat, Share

Points: TypeAlias = Annotated[int, Meta(ge=2, le=5)]
Answer: TypeAlias = Annotated[int, Meta(ge=0, le=10)]
Ages: TypeAlias = tuple[Annotated[int, Meta(ge=1, le=120)], ...]
Amounts: TypeAlias = tuple[PositiveFloat, ...]
Four: TypeAlias = tuple[Positive, Positive, Positive, Positive]
FourAmounts: TypeAlias = tuple[PositiveFloat, PositiveFloat, PositiveFloat, PositiveFloat]


def _check_rising(values: tuple[float, ...], name: str) -> None:
    for index, (one, following) in enumerate(pairwise(values), start=1):
        if one >= following:
            raise Fault(
                f"{name} does not rise: {following:g} stands after {one:g}",
                remedy="list the boundaries from the smallest up",
                at=(name, index),
            )


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every part of the section has."""


class RfmRules(_Section, frozen=True, kw_only=True):
    """How the points 1 to 5 are given. A dimension without boundaries of its own takes the crowd's quintiles."""

    recency_weight: Share = 0.3
    frequency_weight: Share = 0.3
    monetary_weight: Share = 0.4
    high_from: Points = 4  # this many points are high in the 4-way and 8-way groups
    recency_days: Four | None = None  # rising: up to the first 5 points, up to the last 2, later 1
    orders: Four | None = None  # rising: from the first 2 points, from the last 5
    spend: FourAmounts | None = None  # rising, major units of the window

    def __post_init__(self) -> None:
        """Refuse weights that are none, and boundaries out of order."""
        total = self.recency_weight + self.frequency_weight + self.monetary_weight
        if not math.isclose(total, 1.0, abs_tol=1e-9):
            raise Fault(
                f"the three weights add up to {total:.6g}, not 1",
                remedy="change them so that they add up to 1",
                at=("recency_weight",),
            )
        for name in ("recency_days", "orders", "spend"):
            _check_rising(getattr(self, name) or (), name)


class ValueRules(_Section, frozen=True, kw_only=True):
    """From where current and potential value are high in the value matrix.

    An amount counts if it is given, else the best ``top_percent`` of the crowd by spend.
    """

    top_percent: Annotated[int, Meta(ge=20, le=80, multiple_of=20)] = 40
    current_at_least: PositiveFloat | None = None  # major units spent in the window
    potential_at_least: PositiveFloat | None = None  # major units predicted for 12 months
    # Where nothing can be predicted: recent half against older half.
    rising_ratio: Annotated[float, Meta(gt=1, le=100)] = 1.25
    rising_days_min: Days = 60  # a younger customer has no trend yet


class StageRules(_Section, frozen=True, kw_only=True):
    """The lengths of the life-cycle stages."""

    new_days: Days = 30  # after the first purchase
    loyal_days: Days = 365  # of tenure at least
    loyal_purchase_days: Positive = 4  # in the window at least
    dormant_days: Days = 90  # of silence, for who has no usual gap yet
    dormant_gaps: Annotated[float, Meta(gt=0, le=100)] = 3.0  # of silence, in the customer's usual gaps
    dormant_days_min: Days = 30
    dormant_days_max: Days = 180
    lost_days: Days = 365  # of silence

    def __post_init__(self) -> None:
        """Refuse lengths that leave a stage no room."""
        if not self.dormant_days_min <= self.dormant_days_max < self.lost_days:
            raise Fault(
                "the stages dormant and lost overlap",
                remedy="keep dormant_days_min <= dormant_days_max < lost_days",
                at=("lost_days",),
            )
        if self.dormant_days >= self.lost_days:
            raise Fault(
                "the stages dormant and lost overlap",
                remedy="lower dormant_days, or raise lost_days",
                at=("dormant_days",),
            )


class RepurchaseRules(_Section, frozen=True, kw_only=True):
    """The repurchase bands, in percent."""

    high_percent: Percent = 70  # at least
    low_percent: Percent = 30  # less than this is low
    within_days: Days = 180  # for the model's probability to buy again

    def __post_init__(self) -> None:
        """Refuse bands that overlap."""
        if self.low_percent >= self.high_percent:
            raise Fault("the repurchase bands overlap", remedy="lower low_percent", at=("low_percent",))


class LoyaltyRules(_Section, frozen=True, kw_only=True):
    """What counts as satisfied and as recommending, of 0 to 10."""

    satisfied_from: Answer = 7  # mean answer to surveys and reviews
    dissatisfied_below: Answer = 5
    recommends_from: Answer = 9  # the latest answer to the NPS question

    def __post_init__(self) -> None:
        """Refuse a mean that would be both."""
        if self.dissatisfied_below > self.satisfied_from:
            raise Fault(
                "one mean would be satisfied and dissatisfied at once",
                remedy="lower dissatisfied_below to satisfied_from or less",
                at=("dissatisfied_below",),
            )


class RelationshipRules(_Section, frozen=True, kw_only=True):
    """What many customers, and what a high margin is."""

    many_from: Positive = 1_000  # customers in the tier
    few_up_to: Positive = 50
    high_margin_percent: Percent = 40  # of the window's spend, at least
    medium_margin_percent: Percent = 20

    def __post_init__(self) -> None:
        """Refuse bands that overlap."""
        if self.few_up_to >= self.many_from:
            raise Fault("few would be many", remedy="lower few_up_to", at=("few_up_to",))
        if self.medium_margin_percent >= self.high_margin_percent:
            raise Fault(
                "a medium margin would be high",
                remedy="lower medium_margin_percent",
                at=("medium_margin_percent",),
            )


class TagRules(_Section, frozen=True, kw_only=True):
    """When a preference is one; only where the policy's ``tags`` keeps categories and brands by month."""

    months_min: Annotated[int, Meta(ge=2, le=12)] = 3  # one after the other
    mostly_percent: Annotated[int, Meta(ge=51, le=100)] = 60  # of the amount bought
    mostly_purchases_min: Positive = 2
    browses_min: Positive = 5  # without a purchase


class Segments(_Section, frozen=True, kw_only=True):
    """A policy's section ``segments``."""

    rfm: RfmRules = RfmRules()
    value: ValueRules = ValueRules()
    stage: StageRules = StageRules()
    intending_days: Days = 30  # how long a cart, a question or a click shows an intention
    repurchase: RepurchaseRules = RepurchaseRules()
    loyalty: LoyaltyRules = LoyaltyRules()
    relationship: RelationshipRules = RelationshipRules()
    age_from: Ages = (18, 25, 35, 45, 55, 65)  # where an age band begins
    price_from: Amounts = (50.0, 200.0)  # where a price band begins: major units, average order value
    tags: TagRules = TagRules()

    def __post_init__(self) -> None:
        """Refuse bands out of order."""
        _check_rising(self.age_from, "age_from")
        _check_rising(self.price_from, "price_from")
