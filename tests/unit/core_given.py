"""Events and steps in few words, for the tests of the scorer's core."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any, Literal

from msgspec.structs import replace

from schemas.events import (
    CampaignResponded,
    ChurnCleared,
    ChurnWarned,
    CutPoint,
    Input,
    ProductBrowsed,
    PurchaseBody,
    PurchaseCorrected,
    PurchaseRecorded,
    ReferralMade,
    ServiceContactRecorded,
    TierChanged,
    TierPinned,
)
from schemas.fields import ContactTopic
from schemas.times import DAY_MS, from_ms, to_ms
from services.scorer.core.advance import adopt, advance, settle
from services.scorer.core.cuts import Cuts
from services.scorer.core.draft import Effect, Moment, Step
from services.scorer.core.policy import Ladder, Level, Policy
from services.scorer.core.state import State

POLICY = Policy.default()
T0 = to_ms(datetime.fromisoformat("2024-01-01T12:00:00+00:00"))


def cuts_at(high: tuple[int, int, int], low: tuple[int, int, int]) -> Cuts:
    """Return cuts of the default ladder: each edge as (enter, plain, leave)."""
    return Cuts(
        points=(
            CutPoint(above="high_value", enter=high[0], plain=high[1], leave=high[2]),
            CutPoint(above="regular", enter=low[0], plain=low[1], leave=low[2]),
        )
    )


# By spend, with a margin, a short dwell and one silence.
GOLD = replace(
    POLICY,
    tiers=Ladder(
        by="spend",
        levels=(Level(name="gold", at_least=200.0), Level(name="silver", at_least=100.0), Level(name="base")),
        margin_percent=10,
        dwell_days=30,
    ),
    churn=POLICY.churn[:1],
)

CUTS = cuts_at((5_000, 4_800, 4_600), (1_900, 1_700, 1_500))
_numbers = count(1)

ContactKind = Literal["inquiry", "urgent_need", "complaint", "ticket"]
ContactStatus = Literal["opened", "answered", "solved"]
ResponseKind = Literal["delivered", "opened", "clicked", "liked", "answered", "converted", "unsubscribed"]


def at(day: float) -> int:
    """Return the instant ``day`` days after T0, in ms."""
    return T0 + round(day * DAY_MS)


def sale(
    time_ms: int, amount_minor: int = 5_000, *, order: str = "", event: str = "", currency: str = "USD"
) -> PurchaseRecorded:
    """Return a sale, of an order of its own unless one is named."""
    name = event or f"e{next(_numbers)}"
    return PurchaseRecorded(
        event_id=name,
        customer_id="c",
        occurred_at=from_ms(time_ms),
        kind="sale",
        order_id=order or f"order-of-{name}",
        amount_minor=amount_minor,
        currency=currency,
        channel="store",
        store_id="s",
    )


def returned(
    time_ms: int, amount_minor: int, *, order: str | None = None, event: str = ""
) -> PurchaseRecorded:
    """Return a return, which names ``order`` if given."""
    name = event or f"e{next(_numbers)}"
    return PurchaseRecorded(
        event_id=name,
        customer_id="c",
        occurred_at=from_ms(time_ms),
        kind="return",
        order_id=f"return-{name}",
        amount_minor=amount_minor,
        currency="USD",
        channel="store",
        store_id="s",
        returned_order_id=order,
    )


def browse(time_ms: int, *, competitor: str | None = None, event: str = "") -> ProductBrowsed:
    """Return a browse."""
    return ProductBrowsed(
        event_id=event or f"e{next(_numbers)}",
        customer_id="c",
        occurred_at=from_ms(time_ms),
        sku="sku-1",
        category="seats",
        brand="acme",
        action="viewed",
        competitor=competitor,
    )


def response(time_ms: int, kind: ResponseKind = "clicked", *, event: str = "") -> CampaignResponded:
    """Return a campaign response."""
    return CampaignResponded(
        event_id=event or f"e{next(_numbers)}",
        customer_id="c",
        occurred_at=from_ms(time_ms),
        campaign_id="campaign-1",
        response=kind,
    )


@dataclass
class Life:
    """One customer's life under given cuts: what was published, and the state as it stands."""

    cuts: Cuts | None = None
    policy: Policy = POLICY
    state: State | None = None
    effects: list[Effect] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)

    def moment(self, now_ms: int, *, complete: bool = False) -> Moment:
        """Return the moment of a step."""
        return Moment(now_ms=now_ms, complete=complete, cuts=self.cuts, cut_offs_version=1)

    def happens(self, *events: Input, clock_ms: int = 0) -> Life:
        """Apply events, with the lane's clock at ``clock_ms``."""
        for event in events:
            self._take(advance(self.state, event, self.moment(clock_ms), self.policy))
        return self

    def until(self, now_ms: int, *, complete: bool = False) -> Life:
        """Let time pass."""
        self._take(settle(self.known, self.moment(now_ms, complete=complete), self.policy))
        return self

    def crowd(self, now_ms: int, cuts: Cuts | None) -> Life:
        """Let the customer's lane adopt new cuts."""
        self.until(now_ms)
        self.cuts = cuts
        self._take(adopt(self.known, self.moment(now_ms), self.policy))
        return self

    @property
    def known(self) -> State:
        """The state of a customer who was seen."""
        assert self.state is not None
        return self.state

    @property
    def facts(self) -> tuple[int, int, int]:
        """Net spend, orders, purchase days."""
        return self.known.net_minor, self.known.orders, self.known.purchase_days

    @property
    def tier_changes(self) -> list[TierChanged]:
        """The published tier changes, in order."""
        return [one for one in self.effects if isinstance(one, TierChanged)]

    @property
    def churn(self) -> list[tuple[str, str, int, int]]:
        """(rule, what, start, at) of the published warnings, in order."""
        found = []
        for one in self.effects:
            if isinstance(one, ChurnWarned):
                start = to_ms(one.occurred_at)
                found.append((one.rule, "warned", start, start))
            elif isinstance(one, ChurnCleared):
                found.append((one.rule, one.cause.value, to_ms(one.started_at), to_ms(one.occurred_at)))
        return found

    def _take(self, step: Step) -> None:
        self.state = step.state
        self.effects += step.effects
        self.steps.append(step)


def corrected(
    original: PurchaseRecorded, revision: int, *, at_ms: int | None = None, **changes: Any
) -> PurchaseCorrected:
    """Return a correction of a purchase; without changes the purchase never was."""
    body = None
    if changes:
        fields = {name: getattr(original, name) for name in PurchaseBody.__struct_fields__}
        body = PurchaseBody(**(fields | changes))
    return PurchaseCorrected(
        event_id=f"{original.event_id}-r{revision}",
        customer_id=original.customer_id,
        occurred_at=original.occurred_at if at_ms is None else from_ms(at_ms),
        corrects=original.event_id,
        revision=revision,
        purchase=body,
    )


def contact(
    time_ms: int,
    name: str = "t1",
    *,
    kind: ContactKind = "complaint",
    status: ContactStatus = "opened",
    topics: tuple[ContactTopic, ...] = (),
    competitor: str | None = None,
) -> ServiceContactRecorded:
    """Return an event of a service contact."""
    return ServiceContactRecorded(
        event_id=f"{name}-{status}-{next(_numbers)}",
        customer_id="c",
        occurred_at=from_ms(time_ms),
        contact_id=name,
        kind=kind,
        channel="phone",
        status=status,
        topics=topics,
        competitor=competitor,
    )


def pinned(time_ms: int, tier: str, *, until_ms: int | None = None, event: str = "") -> TierPinned:
    """Return a manager's pin."""
    return TierPinned(
        event_id=event or f"e{next(_numbers)}",
        customer_id="c",
        occurred_at=from_ms(time_ms),
        tier=tier,
        until=None if until_ms is None else from_ms(until_ms),
        cause="a promise",
        decided_by="manager",
    )


def referral(time_ms: int, referred: str, *, event: str = "") -> ReferralMade:
    """Return a referral that the customer made."""
    return ReferralMade(
        event_id=event or f"e{next(_numbers)}",
        customer_id="c",
        occurred_at=from_ms(time_ms),
        referred_customer_id=referred,
    )


def spent(*amounts_minor: int, policy: Policy = GOLD) -> Life:
    """Return somebody who spent these amounts on day 0, 1, 2.."""
    return Life(CUTS, policy).happens(*(sale(at(day), minor) for day, minor in enumerate(amounts_minor)))
