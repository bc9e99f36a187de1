"""A customer's stored state as the customer page shows it."""

from __future__ import annotations

from array import array
from datetime import datetime
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from schemas.times import from_ms
from services.api.task_views import View
from services.scorer.core.cuts import add_histogram, empty_histogram, histogram_from_bytes
from services.scorer.core.policy import Policy
from services.scorer.core.state import decode_state
from services.scorer.core.view import summary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from schemas.events import Pin, ScoreParts

CURVE_BANDS: Final = 50  # 200 points each: enough for a curve of some 300 pixels


class MetricView(View):
    """One metric's share of the score."""

    metric: str
    value: float = Field(description="in the metric's own unit: major units, days, a share of 1, or a count")
    points: float


class PartsView(View):
    """What the score is made of; the points add up to it but for rounding, and bonus points end at 10,000."""

    spend_minor: int
    orders: int
    purchase_days: int
    points: list[MetricView] = Field(description="in the policy's order, bonus points last")


class PurchaseView(View):
    """One sale, or a return as a negative amount."""

    at: datetime
    amount_minor: int


class SightingView(View):
    """A recent browse or campaign response."""

    at: datetime
    kind: str = Field(
        description="viewed, asked, carted; or delivered, opened, clicked, converted, unsubscribed"
    )
    subject: str
    competitor: str | None


class PinView(View):
    """A tier that a manager decided; it overrules what the ranking says."""

    tier: str
    until: datetime | None = Field(description="null: until somebody ends it")
    cause: str
    decided_by: str = Field(description="the manager's name; the user id of somebody unknown")


class Facts(View):
    """What is remembered of a customer; every list oldest first."""

    as_of: datetime = Field(description="the customer's own clock: the window ends here")
    parts: PartsView
    pin: PinView | None
    usual_gap_days: float | None
    first_purchase_at: datetime | None
    last_purchase_at: datetime | None
    last_response_at: datetime | None
    purchases: list[PurchaseView]
    recent: list[SightingView]


class Crowd(View):
    """Where a score stands among everybody active."""

    active: int
    curve: list[int] = Field(
        description="customers per 200 points of score, from 0 up; the last holds 9,800 to 10,000"
    )
    better_than: float | None = Field(
        description="share of the active whose score is lower; null when not active"
    )


class Base:
    """The whole base's histogram, summed over lanes; made once, asked often."""

    def __init__(self, stored: Iterable[bytes]) -> None:
        """Add up the lanes' histograms (about 2 ms each)."""
        total = empty_histogram()
        for lane in stored:
            total = add_histogram(total, histogram_from_bytes(lane))
        self._below = array("Q", accumulate(total, initial=0))
        width = (len(total) - 1) // CURVE_BANDS
        edges = [band * width for band in range(CURVE_BANDS)] + [len(total)]
        self.curve = [self._below[high] - self._below[low] for low, high in pairwise(edges)]
        self.active = self._below[-1]

    def crowd(self, score: int | None) -> Crowd:
        """Return the crowd around a score, None for somebody outside the percentiles."""
        ranked = score is not None and self.active > 0
        better_than = self._below[score] / self.active if ranked and score is not None else None
        return Crowd(active=self.active, curve=self.curve, better_than=better_than)


def policy_of(body: dict[str, Any] | None) -> Policy:
    """Return the policy of a ``policies`` row, the default one while there is none."""
    return Policy.default() if body is None else Policy.from_json(body)


def facts_of(stored: bytes, policy: Policy, name_of: Callable[[str], str | None]) -> Facts:
    """Return what a stored state holds; ``name_of`` gives the name of a user id.

    Raises:
        ValueError: bytes that this version can't read.
    """
    seen = summary(decode_state(stored), policy)
    return Facts(
        as_of=from_ms(seen.settled_ms),
        parts=_parts(seen.parts),
        pin=_pin(seen.pin, name_of),
        usual_gap_days=seen.usual_gap_days,
        first_purchase_at=_at(seen.first_purchase_ms),
        last_purchase_at=_at(seen.last_purchase_ms),
        last_response_at=_at(seen.last_response_ms),
        purchases=[PurchaseView(at=from_ms(at_ms), amount_minor=amount) for at_ms, amount in seen.purchases],
        recent=[
            SightingView(
                at=from_ms(one.time_ms), kind=one.kind, subject=one.subject, competitor=one.competitor or None
            )
            for one in seen.recent
        ],
    )


def _parts(parts: ScoreParts) -> PartsView:
    return PartsView(
        spend_minor=parts.spend_minor,
        orders=parts.orders,
        purchase_days=parts.purchase_days,
        points=[MetricView(metric=one.metric, value=one.value, points=one.points) for one in parts.points],
    )


def _pin(pin: Pin | None, name_of: Callable[[str], str | None]) -> PinView | None:
    if pin is None:
        return None
    decided_by = name_of(pin.decided_by) or pin.decided_by
    return PinView(tier=pin.tier, until=pin.until, cause=pin.cause, decided_by=decided_by)


def _at(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else from_ms(at_ms)
