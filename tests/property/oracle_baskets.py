"""Baskets, products and repeats, laid over a history of ``every_kind``: the same seed gives the same bytes.

Purchases and their corrections get lines, browses get categories, brands and dwell times, products are
listed (some twice, some at one instant, some never), events come again word for word and under the same id
with another body, two words on one thing share an instant, and the lines of the file are shuffled.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from random import Random
from typing import Any, Final

from tests.histories.every_kind import at_of

Event = dict[str, Any]

CATEGORIES: Final = ("shoes", "hats", "bags", "Æther", "socks", "belts")
BRANDS: Final = ("Acme", "Brava", "Søren & Söhne", "Zeta")
SKUS: Final = tuple(f"sku-{number}" for number in range(1, 31))  # synthetic browses name up to 50
MARGINS: Final = (0, 0.5, 12.5, 31.5, 33.3, 100, None)
REPEATED, CONTRADICTED, TWINNED = 0.06, 0.02, 0.2
_TICK: Final = timedelta(milliseconds=1)


def with_baskets(history: list[Event], seed: int, tiers: tuple[str, ...]) -> list[Event]:
    """Return the history with all that, in an order of lines that means nothing."""
    laid: list[Event] = []
    for event in history:
        # By event id, so that what was a repeat stays one.
        rng = Random(f"baskets {seed} {event['event_id']}")
        full = filled(event, rng)
        laid += [full, *more_of(full, rng, tiers)]
    rng = Random(f"baskets {seed}")
    laid += listings(history, rng)
    rng.shuffle(laid)
    return laid


def standing(history: list[Event], currencies: Collection[str]) -> list[Event]:
    """Return the history without the voids of anybody's first purchase: so nobody becomes a prospect again."""
    first: dict[str, Event] = {}
    for event in history:
        if event["type"] == "purchase-recorded.v1" and event["currency"] in currencies:
            known = first.get(event["customer_id"])
            if known is None or at_of(event) < at_of(known):
                first[event["customer_id"]] = event
    return [
        event
        for event in history
        if event.get("purchase", ()) is not None
        or first.get(event["customer_id"], {}).get("event_id") != event["corrects"]
    ]


def filled(event: Event, rng: Random) -> Event:
    """Return the event with lines, or with what was looked at."""
    match event["type"]:
        case "purchase-recorded.v1":
            return event | lines_of(event, rng)
        case "purchase-corrected.v1" if event["purchase"] is not None:
            return event | {"purchase": event["purchase"] | lines_of(event["purchase"], rng)}
        case "product-browsed.v1":
            seen = {"category": rng.choice(CATEGORIES), "dwell_seconds": rng.choice((0, 3, 600))}
            other_body = event["brand"] == "Other"  # a repeat that contradicts stays one
            return event | seen | ({} if other_body else {"brand": rng.choice(BRANDS)})
    return event


def lines_of(body: Event, rng: Random) -> Event:
    """Return the lines of a purchase that costs so much: a few, none in a list, or no list."""
    way = rng.random()
    if way < 0.15:
        return {"lines": None} if way < 0.1 else {"lines": []}
    lines = [line(rng, rng.randint(0, body["amount_minor"])) for _ in range(rng.choice((1, 1, 2, 4)))]
    if rng.random() < 0.2:
        lines.append(line(rng, -rng.randint(0, body["amount_minor"])))  # a discount
    return {"lines": lines}


def line(rng: Random, amount_minor: int) -> Event:
    """Return one line."""
    return {
        "sku": rng.choice((*SKUS, "never-listed")),
        "category": rng.choice(CATEGORIES),
        "brand": rng.choice(BRANDS),
        "quantity": rng.choice((0, 1, 1, 1, 2, 12)),
        "amount_minor": amount_minor,
    }


def more_of(event: Event, rng: Random, tiers: tuple[str, ...]) -> list[Event]:
    """Return what comes besides an event: itself, its contradiction, or another word of the same instant."""
    found = []
    if rng.random() < REPEATED:
        found.append(event)
    if rng.random() < CONTRADICTED:
        found += contradictions(event)
    if rng.random() < TWINNED:
        found += twins(event, rng, tiers)
    return found


def contradictions(event: Event) -> list[Event]:
    """Return another body under the id of an event of the quieter topics."""
    match event["type"]:
        case "service-contact-recorded.v1":
            return [event | {"channel": "letter"}]
        case "feedback-given.v1":
            return [event | {"score": 10 - event["score"] or 1}]
        case "product-browsed.v1":
            return [event | {"dwell_seconds": 601}]
        case "campaign-responded.v1":
            return [event | {"campaign_id": "another"}]
    return []


def twins(event: Event, rng: Random, tiers: tuple[str, ...]) -> list[Event]:
    """Return another event of the very instant, which says something else of the same thing."""
    twin = event | {"event_id": f"{event['event_id']}-twin"}
    match event["type"]:
        case "customer-described.v1" if "assets_minor" in event:
            return [twin | {"assets_minor": rng.randrange(10**7)}]
        case "tier-pinned.v1":
            return [twin | {"tier": rng.choice(tiers)}]
        case "product-browsed.v1" | "feedback-given.v1":
            return [twin]
    return []


def listings(history: list[Event], rng: Random) -> list[Event]:
    """Return what products are: most are listed once, others again and once more at the same instant."""
    found = []
    for sku in SKUS[:-5]:  # the others never are
        at = at_of(rng.choice(history))
        for number in range(rng.choice((1, 1, 2, 3))):
            listed = {
                "type": "product-listed.v1",
                "event_id": f"{sku}-{number}",
                "occurred_at": at.isoformat(timespec="milliseconds"),
                "sku": sku,
                "brand": rng.choice(BRANDS),
                "category": rng.choice(CATEGORIES),
                "grade": rng.choice(("entry", "standard", "high", "high")),
            }
            margin = rng.choice(MARGINS)
            found.append(listed | ({} if margin is None else {"margin_percent": margin}))
            at += rng.choice((_TICK, _TICK * 0, -_TICK))
    return found
