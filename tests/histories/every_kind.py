"""A synthetic history with every kind of input laid over it: the same settings give the same bytes.

``synthetic`` makes the purchases, browses and responses; here each customer gets what else can be said of him.
The choices come from a generator of random numbers of their own, so that the seeds of ``synthetic`` keep
their bytes. Two attributes or two decisions never share an instant: which one counts then is the scorer's.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from tests.histories.synthetic import DAY, TICK, YEAR, Event, Settings
from tests.histories.synthetic import events as plain_events

KINDS = (
    *("currencies", "referred", "responses", "corrections", "late_corrections", "browses", "contacts"),
    *("feedback", "pins", "reasons", "attributes", "referrals"),
)

RETURN_MINOR_MIN = 1000
LATE_DAYS = 30.0


@dataclass(frozen=True, kw_only=True)
class Extras:
    """What is laid over a plain history."""

    kinds: tuple[str, ...] = KINDS
    tiers: tuple[str, ...] = ("high_value", "regular", "at_risk")  # to pin
    rules: tuple[str, ...] = ("early_silence", "high_value_silence")  # whose reasons are corrected
    currencies: tuple[str, ...] = ("EUR", "JPY", "KWD", "CHF")
    repeated: bool = False  # corrections said again word for word, in another event


@dataclass(kw_only=True)
class Layer:
    """One customer's part of the history, and what it takes to add to it."""

    who: str
    others: list[str]
    own: list[Event]  # as the plain history has them
    settings: Settings
    extras: Extras
    rng: Random
    made: int = 0

    def head(self, kind: str, at: datetime) -> Event:
        """Return what every event has."""
        self.made += 1
        event_id = f"x{self.settings.seed}-{self.who}-{self.made}"
        text = at.astimezone(UTC).isoformat(timespec="milliseconds")
        return {"type": kind, "event_id": event_id, "customer_id": self.who, "occurred_at": text}

    def moment(self) -> datetime:
        """Return any instant, often one near an event of the customer's own."""
        if self.own and self.rng.random() < 0.7:
            return at_of(self.rng.choice(self.own)) + DAY * self.rng.choice((0, 0, 1, 6, 7, 8, 29, 90))
        span_ms = self.settings.years * 365 * 86_400_000
        return self.settings.start + TICK * self.rng.randrange(span_ms)

    def purchases(self) -> list[Event]:
        """Return the customer's own sales and returns, each once."""
        found = {one["event_id"]: one for one in self.own if one["type"] == "purchase-recorded.v1"}
        return list(found.values())


def at_of(event: Event) -> datetime:
    """Return when an event occurred."""
    return datetime.fromisoformat(event["occurred_at"]).astimezone(UTC)


def corrections(layer: Layer) -> Iterator[Event]:
    """Correct purchases soon: other amounts, times, kinds and orders, voids; revisions in any order."""
    for purchase in layer.purchases():
        if layer.rng.random() < 0.15:
            yield from corrected(layer, purchase, layer.rng.choice((0.0, 0.5, 3.0, 20.0, 29.0)))
    if layer.rng.random() < 0.2 and layer.purchases():
        unknown = layer.rng.choice(layer.purchases()) | {"event_id": f"never-{layer.who}"}
        yield from corrected(layer, unknown, 1.0)


def late_corrections(layer: Layer) -> Iterator[Event]:
    """Correct purchases months later, some so late that nobody remembers them."""
    for purchase in layer.purchases():
        if layer.rng.random() < 0.1:
            yield from corrected(layer, purchase, layer.rng.choice((31.0, 60.0, 95.0, 200.0, 390.0, 396.0)))


def corrected(layer: Layer, purchase: Event, days: float) -> Iterator[Event]:
    """Yield one to three revisions of a purchase, the first about so many days later."""
    rng = layer.rng
    at = at_of(purchase) + DAY * days
    first = 1 if days < LATE_DAYS else 4  # a purchase may be corrected soon, and again months later
    revisions = list(range(first, first + rng.choice((1, 1, 2, 3))))
    if rng.random() < 0.3:
        rng.shuffle(revisions)
    for revision in revisions:
        body = None if rng.random() < 0.3 else other_body(layer, purchase, at)
        correction = layer.head("purchase-corrected.v1", at)
        correction |= {"corrects": purchase["event_id"], "revision": revision, "purchase": body}
        yield correction
        if rng.random() < 0.1:  # said again: the same, or something else under the same revision
            again = layer.head("purchase-corrected.v1", at + DAY)
            again |= {"corrects": purchase["event_id"], "revision": revision}
            other = other_body(layer, purchase, at)
            if layer.extras.repeated or other != body:
                yield again | {"purchase": body if layer.extras.repeated else other}
        at += DAY * rng.choice((0.01, 1, 5))


def other_body(layer: Layer, purchase: Event, at: datetime) -> Event:
    """Return a body for a purchase that is corrected at an instant, never dated after it."""
    rng = layer.rng
    body = {
        key: value
        for key, value in purchase.items()
        if key not in ("type", "event_id", "customer_id", "referred_by", "lines")
    }
    way = rng.randrange(6)
    moved = (
        at_of(purchase) + DAY * rng.choice((0, -1, -20, -0.3, 1, 10)) if way in (0, 1) else at_of(purchase)
    )
    body["occurred_at"] = min(moved, at).isoformat(timespec="milliseconds")
    if way == 2:
        body["amount_minor"] = rng.choice((1, 999, 5000, 2_000_000))
    elif way == 3:
        near = [one for one in layer.purchases() if abs(at_of(one) - at_of(purchase)) < 180 * DAY]
        body["order_id"] = rng.choice([purchase, *near])["order_id"]
    elif way == 4:
        body["kind"] = "return" if body["kind"] == "sale" else "sale"
        body["amount_minor"] = max(1, body["amount_minor"])
    elif way == 5 and is_convertible(body):
        body["currency"] = rng.choice((layer.settings.currency, *layer.extras.currencies))
    return body


def browses(layer: Layer) -> Iterator[Event]:
    """Look at things, long and short, now and then at a competitor's."""
    for _ in range(layer.rng.randint(0, 5)):
        event = layer.head("product-browsed.v1", layer.moment())
        event |= {"sku": "sku-1", "category": "shoes", "brand": "Acme", "action": "viewed"}
        event |= {"dwell_seconds": layer.rng.randint(0, 600)}
        yield event | ({"competitor": "Rival"} if layer.rng.random() < 0.5 else {})


def contacts(layer: Layer) -> Iterator[Event]:
    """Turn to service; complaints are solved in time, at the last millisecond, late or never."""
    for number in range(layer.rng.randint(0, 4)):
        opened, which = layer.moment() + TICK * layer.rng.randint(1, 10**6), f"case-{layer.who}-{number}"
        kind = layer.rng.choice(("complaint", "complaint", "inquiry", "ticket", "urgent_need"))
        case = {"contact_id": which, "kind": kind, "channel": "phone"}
        first = layer.head("service-contact-recorded.v1", opened) | case
        yield first | ({"competitor": "Rival"} if layer.rng.random() < 0.3 else {})
        if layer.rng.random() < 0.4:
            yield layer.head("service-contact-recorded.v1", opened + DAY) | case | {"status": "answered"}
        if layer.rng.random() < 0.6:
            after = DAY * layer.rng.choice((2, 7, 7, 9, 40)) + TICK * layer.rng.choice((-1, 0, 1))
            yield layer.head("service-contact-recorded.v1", opened + after) | case | {"status": "solved"}


def feedback(layer: Layer) -> Iterator[Event]:
    """Give an opinion."""
    for _ in range(layer.rng.randint(0, 2)):
        event = layer.head("feedback-given.v1", layer.moment())
        yield event | {"kind": "nps", "score": layer.rng.randint(0, 10)}


def pins(layer: Layer) -> Iterator[Event]:
    """Be pinned with and without an end, and unpinned."""
    decided: Event = {"cause": "agreed", "decided_by": "m.okafor"}
    for _ in range(layer.rng.choice((0, 0, 1, 2, 3))):
        at = layer.moment() + TICK * layer.rng.randint(1, 10**6)
        if layer.rng.random() < 0.3:
            yield layer.head("tier-unpinned.v1", at) | decided
            continue
        event = layer.head("tier-pinned.v1", at) | decided | {"tier": layer.rng.choice(layer.extras.tiers)}
        if layer.rng.random() < 0.6:
            event["until"] = (at + DAY * layer.rng.choice((1, 30, 90, 365))).isoformat(
                timespec="milliseconds"
            )
        yield event


def reasons(layer: Layer) -> Iterator[Event]:
    """Have the reason of a warning corrected that may never have been."""
    for purchase in layer.purchases():
        if layer.rng.random() < 0.1:
            event = layer.head("churn-reason-corrected.v1", at_of(purchase) + DAY * 91)
            started = (at_of(purchase) + DAY * 90).isoformat(timespec="milliseconds")
            event |= {"rule": layer.rng.choice(layer.extras.rules), "started_at": started}
            yield event | {"reason": "price", "cause": "said so", "decided_by": "m.okafor"}


def attributes(layer: Layer) -> Iterator[Event]:
    """Be described, with assets in several currencies, and have it cleared."""
    for _ in range(layer.rng.randint(0, 3)):
        event = layer.head("customer-described.v1", layer.moment() + TICK * layer.rng.randint(1, 10**6))
        way = layer.rng.randrange(4)
        if way == 0:
            yield event | {"cleared": ["assets"], "city": "Berlin"}
        elif way == 1:
            yield event | {"name": "Ana", "cleared": ["birth_year"]}
        else:
            currency = layer.rng.choice((layer.settings.currency, *layer.extras.currencies))
            yield event | {"assets_minor": layer.rng.randrange(10**7), "assets_currency": currency}


def referrals(layer: Layer) -> Iterator[Event]:
    """Bring others, and be told so more than once."""
    for _ in range(layer.rng.choice((0, 0, 1, 3))):
        brought = layer.rng.choice(layer.others)
        for _ in range(layer.rng.choice((1, 1, 2))):
            yield layer.head("referral-made.v1", layer.moment()) | {"referred_customer_id": brought}


LAYERS: dict[str, Callable[[Layer], Iterator[Event]]] = {
    "corrections": corrections,
    "late_corrections": late_corrections,
    "browses": browses,
    "contacts": contacts,
    "feedback": feedback,
    "pins": pins,
    "reasons": reasons,
    "attributes": attributes,
    "referrals": referrals,
}


def is_convertible(purchase: Event) -> bool:
    """Whether it is something in every currency: of a return of next to nothing little is left to return."""
    return bool(purchase["kind"] == "sale" or purchase["amount_minor"] >= RETURN_MINOR_MIN)


def varied(event: Event, people: list[str], extras: Extras, rng: Random) -> Event:
    """Return an event of the plain history in another currency, referred by somebody, or another answer."""
    event = dict(event)
    if event["type"] == "purchase-recorded.v1":
        if "currencies" in extras.kinds and rng.random() < 0.2 and is_convertible(event):
            event["currency"] = rng.choice(extras.currencies)
        if "referred" in extras.kinds and rng.random() < 0.1:
            event["referred_by"] = rng.choice(people)
    elif event["type"] == "campaign-responded.v1" and "responses" in extras.kinds and rng.random() < 0.3:
        event["response"] = rng.choice(("liked", "answered", "opened", "unsubscribed"))
    return event


def events(settings: Settings, extras: Extras | None = None) -> list[Event]:
    """Return a history in file order: days ascend (UTC), the order within a day is shuffled."""
    extras = Extras() if extras is None else extras
    plain = plain_events(settings)
    people = sorted({event["customer_id"] for event in plain})
    rng = Random(f"every kind of {settings.seed}")
    history = [varied(event, people, extras, rng) for event in plain]
    for who in people:
        own = [event for event in history if event["customer_id"] == who]
        layer = Layer(
            who=who,
            others=[one for one in people if one != who] or [f"{who}-friend"],
            own=own,
            settings=settings,
            extras=extras,
            rng=Random(f"every kind of {settings.seed} {who}"),
        )
        for kind in extras.kinds:
            if kind in LAYERS:
                history.extend(LAYERS[kind](layer))
    last = settings.start + YEAR * settings.years
    placed = [(at_of(event).date(), rng.random(), event) for event in history if at_of(event) <= last]
    return [event for _, _, event in sorted(placed, key=lambda one: one[:2])]


def write(path: Path, settings: Settings, extras: Extras | None = None) -> int:
    """Write the history as JSON Lines; return how many lines there are."""
    history = events(settings, extras)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(event, separators=(",", ":")) + "\n" for event in history)
    return len(history)
