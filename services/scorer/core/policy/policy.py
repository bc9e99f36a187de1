"""The whole policy."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Final, Self
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from schemas.events import CutPoints
from schemas.times import DAY_MS, HOUR_MS, to_ms
from services.scorer.core.currencies import exponent_of
from services.scorer.core.models.parameters import Model
from services.scorer.core.policy.checks import CHECKS, zone_of
from services.scorer.core.policy.churn import DEFAULT_RULES, ChurnRules, SilenceRule, shortest_days
from services.scorer.core.policy.fault import Days, Name, Positive
from services.scorer.core.policy.ladder import Ladder
from services.scorer.core.policy.scoring import (
    BY_MONTH,
    MOVE_WITH_TIME,
    NEEDS_NAMES,
    OF_PRODUCTS,
    Bonus,
    Weight,
)
from services.scorer.core.policy.segments import Segments

if TYPE_CHECKING:
    from services.scorer.core.state import State

Rate = Annotated[Decimal, Meta(description="base units for one unit of the currency")]

DEFAULT_WEIGHTS: Final = (
    Weight(metric="spend", weight=0.4, reference=20_000, unit=10),
    Weight(metric="orders", weight=0.3, reference=100),
    Weight(metric="repurchase_rate", weight=0.3, normaliser="linear"),
)


class Policy(msgspec.Struct, frozen=True, kw_only=True, dict=True, forbid_unknown_fields=True):
    """Every number that the scorer decides by. The defaults are the template ``default``: three tiers.

    Raises:
        Fault: an unknown currency or time zone, or numbers that contradict each other.
    """

    name: Name = "default"
    currency: str = "USD"  # the base currency, ISO 4217
    accepts: tuple[str, ...] = ()  # the currencies that purchases come in: each needs a rate
    rates: dict[str, Rate] = {}  # other currencies; a purchase is converted once, when it is taken up
    time_zone: str = "UTC"  # IANA; business days and midnights follow it

    window_days: Days = 365
    lateness_days: Days = 30
    returns_days: Days = 365  # a return attaches to an order at most this much older than itself
    purchases_max: Positive = 5_000  # in the window; above it an id stands for many people
    anonymous: tuple[str, ...] = ()  # ids that stand for many people, which are never scored

    score: tuple[Weight, ...] = DEFAULT_WEIGHTS
    bonus: tuple[Bonus, ...] = ()
    tiers: Ladder = Ladder()
    churn: tuple[ChurnRules, ...] = DEFAULT_RULES
    model: Model | None = None  # predicted behaviour, as ``tierstream fit`` finds it
    segments: Segments = Segments()  # views of the state; no score and no tier depends on them
    tags: bool = False  # infer preference tags; keeps categories and brands by month

    def __post_init__(self) -> None:
        """Refuse what can't be a policy, and load the time zone once."""
        for check in CHECKS:
            for fault in check.faults(self):
                raise fault
        _ = self.zone

    @classmethod
    def default(cls, *, currency: str = "USD", time_zone: str = "UTC") -> Self:
        """Return the default policy for a history in ``currency`` with business days of ``time_zone``.

        Raises:
            ValueError: an unknown currency or time zone.
        """
        return cls(currency=currency, time_zone=time_zone)

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> Self:
        """Return the policy that a row of ``policies`` holds.

        Raises:
            ValueError: a field that is unknown, of another type, or out of its bounds.
        """
        return msgspec.convert(body, cls)  # msgspec's ValidationError is a ValueError

    def to_json(self) -> dict[str, Any]:
        """Return the policy as a JSON object, whole: a later version may have other defaults."""
        return dict(msgspec.to_builtins(self))

    @cached_property
    def exponent(self) -> int:
        """Decimals of the currency."""
        return exponent_of(self.currency)

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone of business days."""
        return zone_of(self.time_zone)

    def bin_of(self, state: State) -> int | None:
        """Return the histogram's bin: the score of an active customer, None for everybody else."""
        return state.score if state.orders >= self.tiers.orders_min else None

    def local_day(self, at_ms: int) -> int:
        """Return the business day of an instant, as a proleptic ordinal (only differences mean anything)."""
        if self._is_utc:  # the usual zone, at a tenth of the cost
            return at_ms // DAY_MS
        return datetime.fromtimestamp(at_ms // 1_000, self.zone).toordinal()

    def next_midnight_ms(self, at_ms: int) -> int:
        """Return the first instant of the next local day; where clocks leave it out, the first there is."""
        if self._is_utc:
            return (at_ms // DAY_MS + 1) * DAY_MS
        day = datetime.fromtimestamp(at_ms // 1_000, self.zone).date()
        midnight_ms = at_ms
        while midnight_ms <= at_ms:
            day += timedelta(days=1)
            midnight_ms = to_ms(datetime(day.year, day.month, day.day, tzinfo=self.zone))
        return midnight_ms

    def midnight_ms(self, day: int) -> int:
        """Return the first instant of a business day, as ``local_day`` numbers them."""
        if self._is_utc:
            return day * DAY_MS
        return to_ms(datetime.fromordinal(day).replace(tzinfo=self.zone))

    @cached_property
    def _is_utc(self) -> bool:
        return self.time_zone == "UTC"

    @cached_property
    def minor_per_major(self) -> int:
        """Minor units in a major one: 100 cents in a dollar."""
        return int(10**self.exponent)

    @cached_property
    def fixed_cuts(self) -> CutPoints | None:
        """The cuts of a ladder by score or spend; None when the crowd decides."""
        return self.tiers.fixed_cuts(self.minor_per_major)

    @cached_property
    def conversions(self) -> dict[str, Fraction]:
        """Minor units of the base currency for one minor unit of each currency that has a rate."""
        return {self.currency: Fraction(1)} | {
            code: Fraction(rate) * self.minor_per_major / 10 ** exponent_of(code)
            for code, rate in self.rates.items()
            if code != self.currency
        }

    @cached_property
    def window_ms(self) -> int:
        """Length of the rolling window."""
        return self.window_days * DAY_MS

    @cached_property
    def lateness_ms(self) -> int:
        """How late an event may be and still be counted as if it had come in time."""
        return self.lateness_days * DAY_MS

    @cached_property
    def memory_ms(self) -> int:
        """How long facts are remembered: the length of the window and the lateness together."""
        return (self.window_days + self.lateness_days) * DAY_MS

    @cached_property
    def returns_ms(self) -> int:
        """How much older than itself an order may be that a return attaches to."""
        return self.returns_days * DAY_MS

    @cached_property
    def shortest_silence_ms(self) -> int:
        """Contacts closer than this can't start a silence."""
        silences = [shortest_days(rule) for rule in self.churn if isinstance(rule, SilenceRule)]
        return min(silences, default=self.window_days) * DAY_MS - HOUR_MS * any_months(self.churn)

    @cached_property
    def heeds_openings(self) -> bool:
        """Whether an opened campaign breaks some silence."""
        return any(isinstance(rule, SilenceRule) and rule.opened_counts for rule in self.churn)

    def has_rule(self, *kinds: type) -> bool:
        """Return whether the policy has a churn rule of one of these kinds."""
        return not self._kinds.isdisjoint(kinds)

    @cached_property
    def _kinds(self) -> frozenset[type]:
        return frozenset(type(rule) for rule in self.churn)

    @cached_property
    def measured(self) -> frozenset[str]:
        """The metrics that the score is made of."""
        return frozenset([*(one.metric for one in self.score), *(one.metric for one in self.bonus)])

    @cached_property
    def keeps_interests(self) -> bool:
        """Whether categories and brands are kept by month: for metrics, or for preference tags."""
        return self.tags or not NEEDS_NAMES.isdisjoint(self.measured)

    @cached_property
    def keeps_months(self) -> bool:
        """Whether anything is kept by month."""
        return self.keeps_interests or not BY_MONTH.isdisjoint(self.measured)

    @cached_property
    def needs_products(self) -> bool:
        """Whether the score asks what was bought: only then products are looked up."""
        return not OF_PRODUCTS.isdisjoint(self.measured)

    @cached_property
    def samples_daily(self) -> bool:
        """Whether the score has a metric that moves with time alone."""
        return not MOVE_WITH_TIME.isdisjoint(self.measured)

    @cached_property
    def anonymous_ids(self) -> frozenset[str]:
        """The ids that stand for many people."""
        return frozenset(self.anonymous)


def any_months(rules: tuple[ChurnRules, ...]) -> bool:
    """Return whether a rule counts in calendar months, one of which may lose an hour to the clocks."""
    return any(isinstance(rule, SilenceRule) and rule.months is not None for rule in rules)
