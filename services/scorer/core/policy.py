"""The policy: every number that the scorer decides by. Frozen, and stored as JSON in ``policies``."""

from __future__ import annotations

import math
from datetime import datetime
from functools import cached_property
from operator import itemgetter
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from schemas.tiers import ChurnRule
from schemas.times import DAY_MS
from services.scorer.core.currencies import exponent_of

Days = Annotated[int, Meta(ge=1, le=3_660)]
Percent = Annotated[int, Meta(ge=0, le=100)]
Share = Annotated[float, Meta(ge=0, le=1)]
Positive = Annotated[int, Meta(ge=1)]


class Policy(msgspec.Struct, frozen=True, kw_only=True, dict=True, forbid_unknown_fields=True):
    """The three-tier default policy; another history may need another currency and time zone.

    Raises:
        ValueError: an unknown currency or time zone, or numbers that contradict each other.
    """

    currency: str = "USD"
    time_zone: str = "UTC"  # IANA; business days and midnights follow it

    window_days: Days = 365
    lateness_days: Days = 30
    returns_days: Days = 365  # a return attaches to an order at most this much older than itself

    high_percent: Percent = 20
    low_percent: Percent = 20
    margin_percent: Percent = 2  # hysteresis, in percentage points of rank
    dwell_days: Days = 90  # no downgrade within this time of the last change

    early_silence_days: Days = 90
    high_value_silence_days: Days = 180

    purchases_max: Positive = 5_000  # in the window; above it an id stands for many people

    spend_weight: Share = 0.4
    orders_weight: Share = 0.3
    repurchase_weight: Share = 0.3
    spend_reference: Positive = 20_000  # major units that earn the whole spend share
    spend_unit: Positive = 10  # major units; where the logarithm begins to bend
    orders_reference: Positive = 100

    def __post_init__(self) -> None:
        """Refuse what can't be a policy, and load the time zone once."""
        _ = self.exponent, self.zone
        if not 0 <= self.margin_percent <= min(self.high_percent, self.low_percent):
            raise ValueError("margin_percent must be between 0 and the smaller of high_ and low_percent")
        if self.high_percent + self.low_percent + 2 * self.margin_percent >= 100:  # noqa: PLR2004
            raise ValueError("high_percent, low_percent and their margins must leave room for regular")
        if not math.isclose(self.spend_weight + self.orders_weight + self.repurchase_weight, 1.0):
            raise ValueError("spend_weight, orders_weight and repurchase_weight must add up to 1")

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
        """Return the policy as a JSON object."""
        return dict(msgspec.to_builtins(self))

    @cached_property
    def exponent(self) -> int:
        """Decimals of the currency."""
        return exponent_of(self.currency)

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone of business days."""
        try:
            return ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(
                f"{self.time_zone!r} is not an IANA time zone; give one such as UTC or Europe/London"
            ) from error

    def local_day(self, at_ms: int) -> int:
        """Return the business day of an instant, as a proleptic ordinal (only differences mean anything)."""
        if self._is_utc:  # the usual zone, at a tenth of the cost
            return at_ms // DAY_MS
        return datetime.fromtimestamp(at_ms // 1_000, self.zone).toordinal()

    @cached_property
    def _is_utc(self) -> bool:
        return self.time_zone == "UTC"

    @cached_property
    def minor_per_major(self) -> int:
        """Minor units in a major one: 100 cents in a dollar."""
        return int(10**self.exponent)

    @cached_property
    def window_ms(self) -> int:
        """Length of the rolling window."""
        return self.window_days * DAY_MS

    @cached_property
    def memory_ms(self) -> int:
        """How long facts are remembered: the window, and as much again as an event may be late."""
        return (self.window_days + self.lateness_days) * DAY_MS

    @cached_property
    def returns_ms(self) -> int:
        """How much older than itself an order may be that a return attaches to."""
        return self.returns_days * DAY_MS

    @cached_property
    def dwell_ms(self) -> int:
        """How long a ranked tier is safe from a downgrade."""
        return self.dwell_days * DAY_MS

    @cached_property
    def silences(self) -> tuple[tuple[ChurnRule, int], ...]:
        """Each silence rule with its length in ms, the shorter first."""
        rules = (
            (ChurnRule.EARLY_SILENCE, self.early_silence_days * DAY_MS),
            (ChurnRule.HIGH_VALUE_SILENCE, self.high_value_silence_days * DAY_MS),
        )
        return tuple(sorted(rules, key=itemgetter(1)))

    @cached_property
    def shortest_silence_ms(self) -> int:
        """Contacts closer than this can't start an episode."""
        return self.silences[0][1]

    @cached_property
    def spend_scale(self) -> float:
        """The logarithm that earns the whole spend share."""
        return math.log(1 + self.spend_reference / self.spend_unit)

    @cached_property
    def orders_scale(self) -> float:
        """The logarithm that earns the whole orders share."""
        return math.log(1 + self.orders_reference)
