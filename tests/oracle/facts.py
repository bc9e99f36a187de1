"""What is known of one customer, as plain lists that only grow: nothing is summed, nothing is forgotten."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from tests.oracle.baskets import BasketLine, basket
from tests.oracle.clock import instant_ms
from tests.oracle.events import Event, body_digest
from tests.oracle.policy import Policy
from tests.oracle.products import Products

ANSWERS = ("clicked", "liked", "answered", "converted")


class Refused(Exception):  # noqa: N818 -- a dead letter, which is an outcome
    """The event becomes a dead letter; the message is the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """A sale or a return as one body of it says."""

    at_ms: int
    kind: str
    order_id: str
    amount_minor: int  # of the base currency
    returned_order_id: str | None
    lines: tuple[BasketLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """One thing that was said of a purchase: its record is revision 0, corrections are 1 and more."""

    event_id: str  # of the purchase
    revision: int
    digest: bytes
    purchase: Purchase | None  # None: it never was


@dataclass(slots=True)
class Facts:
    """Everything said so far, in the order in which it was taken up; times in ms.

    Of attributes and decisions the latest counts; its time and its hash tell which that is.
    """

    policy: Policy
    products: Products = field(default_factory=dict)
    bodies: list[Body] = field(default_factory=list)
    responses: list[int] = field(default_factory=list)  # clicked, liked, answered, converted
    openings: list[int] = field(default_factory=list)
    unsubscriptions: list[int] = field(default_factory=list)
    mentions: list[int] = field(default_factory=list)  # of a competitor
    complaints: list[tuple[str, int]] = field(default_factory=list)  # contact_id, when it was opened
    solutions: list[tuple[str, int]] = field(default_factory=list)  # contact_id, when it was solved
    referrals: list[tuple[str, int]] = field(default_factory=list)  # who was brought, when
    assets: list[tuple[tuple[int, int], int | None]] = field(
        default_factory=list
    )  # minor units; None: cleared
    decisions: list[tuple[tuple[int, int], str | None, int | None]] = field(
        default_factory=list
    )  # tier, until
    browses: list[tuple[int, str, str]] = field(default_factory=list)  # when, category, brand
    interactions: list[int] = field(default_factory=list)

    def add(self, event: Event) -> None:
        """Take in one event.

        Raises:
            Refused: it can't be counted; nothing was taken in.
        """
        at_ms, fields = event.at_ms, event.fields
        self.interactions += [at_ms] if event.is_interaction else []
        match event.kind:
            case "purchase-recorded.v1":
                self.bodies.append(self._record(event))
            case "purchase-corrected.v1":
                self._correct(event)
            case "product-browsed.v1":
                self._browse(fields, at_ms)
            case "campaign-responded.v1":
                self._respond(fields["response"], at_ms)
            case "service-contact-recorded.v1":
                self._contact(fields, at_ms)
            case "referral-made.v1":
                self.referrals.append((fields["referred_customer_id"], at_ms))
            case "customer-described.v1":
                self._describe(fields, event.rank)
            case "tier-pinned.v1":
                until = fields.get("until")
                until_ms = None if until is None else instant_ms(until)
                self.decisions.append((event.rank, fields["tier"], until_ms))
            case "tier-unpinned.v1":
                self.decisions.append((event.rank, None, None))

    def purchases(self) -> list[Purchase]:
        """Return every sale and return as its highest revision has it; what never was is left out."""
        highest: dict[str, Body] = {}
        for body in self.bodies:
            known = highest.get(body.event_id)
            if known is None or body.revision > known.revision:
                highest[body.event_id] = body
        return [body.purchase for body in highest.values() if body.purchase is not None]

    def pin(self, now_ms: int) -> str | None:
        """Return the tier that the latest decision shows at an instant, if it shows one."""
        if not self.decisions:
            return None
        (at_ms, _), tier, until_ms = max(self.decisions, key=lambda one: one[0])
        return tier if at_ms <= now_ms and (until_ms is None or now_ms < until_ms) else None

    def _record(self, event: Event) -> Body:
        # What another body replaced already is not looked at, not even for its currency.
        is_replaced = any(one.event_id == event.event_id for one in self.bodies)
        purchase = None if is_replaced else self._purchase(event.fields, event.at_ms)
        return Body(event_id=event.event_id, revision=0, digest=event.body_digest, purchase=purchase)

    def _correct(self, event: Event) -> None:
        """Take in a correction, unless a higher revision makes it mean nothing."""
        fields = event.fields
        body, revision, corrects = fields.get("purchase"), fields["revision"], fields["corrects"]
        at_ms = event.at_ms if body is None else instant_ms(body["occurred_at"])
        digest = b"" if body is None else body_digest(body, at_ms)
        self._forget(corrects, event.at_ms - self.policy.window_ms - self.policy.lateness_ms)
        said = [known for known in self.bodies if known.event_id == corrects]
        highest = max(said, key=lambda known: known.revision, default=None)
        if highest is not None and highest.revision >= revision:
            if highest.revision == revision and highest.digest != digest:
                raise Refused("CONFLICT")
            return
        replaced = None if highest is None else highest.purchase
        oldest_ms = at_ms if replaced is None else min(at_ms, replaced.at_ms)
        if oldest_ms < event.at_ms - self.policy.window_ms - self.policy.lateness_ms:
            raise Refused("LATE")
        counted = None if body is None else self._purchase(body, at_ms)
        self.bodies.append(Body(event_id=corrects, revision=revision, digest=digest, purchase=counted))

    def _forget(self, corrects: str, horizon_ms: int) -> None:
        """Leave a purchase that is no longer remembered as it is: nothing can be said of it by its id any more."""
        for place, body in enumerate(self.bodies):
            if body.event_id == corrects and body.purchase is not None and body.purchase.at_ms < horizon_ms:
                orders = {body.purchase.order_id, body.purchase.returned_order_id} - {None}
                others = (one.purchase for one in self.bodies if one.purchase is not None)
                kin = (one for one in others if {one.order_id, one.returned_order_id} & orders)
                if all(one.at_ms < horizon_ms for one in kin):
                    self.bodies[place] = replace(body, event_id=f"{corrects} (forgotten)")

    def _purchase(self, fields: Mapping[str, Any], at_ms: int) -> Purchase:
        amount_minor = self._converted(fields["amount_minor"], fields["currency"])
        return Purchase(
            at_ms=at_ms,
            kind=fields["kind"],
            order_id=fields["order_id"],
            amount_minor=max(1 if fields["kind"] == "return" else 0, amount_minor),
            returned_order_id=fields.get("returned_order_id"),
            lines=basket(fields, self.policy.conversions[fields["currency"]], self.products),
        )

    def _converted(self, amount_minor: int, currency: str) -> int:
        """Return an amount in the base currency: exact, and rounded once, half to even."""
        rate = self.policy.conversions.get(currency)
        if rate is None:
            raise Refused("CURRENCY")
        return round(Fraction(amount_minor) * rate)

    def _browse(self, fields: Mapping[str, Any], at_ms: int) -> None:
        self.browses.append((at_ms, fields["category"], fields["brand"]))
        if "competitor" in fields:
            self.mentions.append(at_ms)

    def _respond(self, response: str, at_ms: int) -> None:
        if response in ANSWERS:
            self.responses.append(at_ms)
        elif response == "opened":
            self.openings.append(at_ms)
        elif response == "unsubscribed":
            self.unsubscriptions.append(at_ms)

    def _contact(self, fields: Mapping[str, Any], at_ms: int) -> None:
        status = fields.get("status", "opened")
        if "competitor" in fields:
            self.mentions.append(at_ms)
        if status == "solved":
            self.solutions.append((fields["contact_id"], at_ms))
        elif status == "opened" and fields["kind"] == "complaint":
            self.complaints.append((fields["contact_id"], at_ms))

    def _describe(self, fields: Mapping[str, Any], rank: tuple[int, int]) -> None:
        # Assets without a rate are left out, and the rest of the description counts.
        if "assets_minor" in fields and fields["assets_currency"] in self.policy.conversions:
            self.assets.append((rank, self._converted(fields["assets_minor"], fields["assets_currency"])))
        if "assets" in fields.get("cleared", ()):
            self.assets.append((rank, None))
