"""The churn rules of a policy: each raises warnings with its evidence, and one is enough."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from services.scorer.core.policy.fault import Days, Fault, Name, Positive

Severity = Literal["medium", "high"]
Probability = Annotated[float, Meta(gt=0, lt=1)]
Months = Annotated[int, Meta(ge=1, le=36)]


class _Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """What every rule has."""

    name: Name
    severity: Severity = "medium"
    contact_within_hours: Annotated[int, Meta(ge=1, le=87_600)] = 48  # the suggested deadline
    tiers: tuple[str, ...] = ()  # only for customers ranked so at the start; empty: for everybody


class SilenceRule(_Rule, frozen=True, kw_only=True, tag_field="rule", tag="silence"):
    """Nothing was heard for so long: no purchase and no response."""

    days: Annotated[int, Meta(ge=7, le=1_100)] | None = None
    months: Months | None = None  # calendar months of the policy's time zone, in place of days
    opened_counts: bool = False  # whether an opened campaign breaks the silence as well

    def __post_init__(self) -> None:
        """Refuse two lengths, or none."""
        if (self.days is None) == (self.months is None):
            raise Fault(
                f"the rule {self.name} needs one length",
                remedy="give either days or months",
                at=() if self.days is None else ("months",),
            )


class FrequencyRule(_Rule, frozen=True, kw_only=True, tag_field="rule", tag="frequency"):
    """Buys seldom by the customer's own standard: half as often as before, or less.

    The past is the time before the recent days; with a younger customer as much of it as there is.
    ``guard: binomial`` asks besides that chance alone seldom does it: the exact conditional binomial test of
    two Poisson rates, P(X <= recent | recent + past) < significance.

    Source: Przyborowski and Wilenski 1940, Homogeneity of results in testing samples from Poisson series.
    """

    recent_days: Days = 90
    past_days: Days = 270
    ratio: Probability = 0.5
    guard: Literal["binomial", "none"] = "binomial"
    significance: Probability = 0.10
    orders_min: Positive = 4  # in the past; fewer are too little history to say anything


class CompetitorRule(_Rule, frozen=True, kw_only=True, tag_field="rule", tag="competitor"):
    """Browsed a competitor, or asked about one."""


class ModelRule(_Rule, frozen=True, kw_only=True, tag_field="rule", tag="model"):
    """The purchase model gives little hope: P(no purchase in the next days) is over a threshold."""

    within_days: Days = 180
    threshold: Probability = 0.70
    quiet_days: Days = 30  # after a purchase: nobody is called back the day after he came
    accept_degenerate: bool = False  # a fit in which nobody drops out still tells P(no purchase)


class DisengagedRule(_Rule, frozen=True, kw_only=True, tag_field="rule", tag="disengaged"):
    """Unsubscribed, or complained and found no solution in time."""

    complaint_days: Annotated[int, Meta(ge=1, le=90)] = 7


ChurnRules = SilenceRule | FrequencyRule | CompetitorRule | ModelRule | DisengagedRule

DEFAULT_RULES: tuple[ChurnRules, ...] = (
    SilenceRule(name="early_silence", days=90),
    SilenceRule(name="high_value_silence", days=180, tiers=("high_value",), severity="high"),
)


def shortest_days(rule: SilenceRule) -> int:
    """Return the fewest days that the rule's length can have: no month has less than 28."""
    return rule.days if rule.days is not None else 28 * (rule.months or 0)
