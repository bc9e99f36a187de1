"""Made-up histories that are hard to count right, from a seed: the same seed gives the same bytes.

Each customer lives one of several lives (``LIVES``); on top of that, the whole history gets exact duplicates,
conflicting repeats and an order of lines that is shuffled within each UTC day.

Two things stay inside what a scorer that forgets can know, unless ``unbounded`` asks for more: sales that share
an order id are at most 200 days apart, and a return comes at most 30 days before its order. A scorer keeps
purchases for the window and 30 days; beyond that "one order" cannot be told from two.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

Event = dict[str, Any]

DAY = timedelta(days=1)
YEAR = timedelta(days=365)
TICK = timedelta(milliseconds=1)
OFFSETS_MINUTES = (0, 60, 120, 330, 345, 540, 765, 840, -210, -300, -480, -720)
ROUND_MINOR = (0, 1, 999, 1000, 1000, 2500, 5000, 5000, 5000, 9999, 25000, 199_999, 2_000_000)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What kind of history to make."""

    seed: int
    customers: int = 200
    years: int = 3
    start: datetime = datetime(2019, 1, 5, tzinfo=UTC)  # 29 February 2020 is inside
    currency: str = "USD"
    time_zone: str = "UTC"  # whose midnights and clock changes are aimed at
    duplicates: float = 0.03  # share of events that come twice
    conflicts: float = 0.005  # share whose id comes again with another body
    unbounded: bool = False  # also what only an unlimited memory counts right


class Maker:
    """Makes events of one history; every choice comes from the one generator of random numbers."""

    def __init__(self, settings: Settings) -> None:
        """Start with the seed."""
        self.settings = settings
        self.rng = Random(settings.seed)
        self.zone = ZoneInfo(settings.time_zone)
        self.made = 0

    def head(self, kind: str, customer: str, at: datetime) -> Event:
        """Return what every event has; the instant is written in one of many offsets."""
        self.made += 1
        offset = timezone(timedelta(minutes=self.rng.choice(OFFSETS_MINUTES)))
        text = at.astimezone(offset).isoformat(timespec="milliseconds")
        if offset.utcoffset(None) == timedelta(0) and self.rng.random() < 0.5:
            text = text.replace("+00:00", "Z")
        event_id = f"s{self.settings.seed}-{self.made}"
        return {"type": kind, "event_id": event_id, "customer_id": customer, "occurred_at": text}

    def sale(
        self, customer: str, at: datetime, *, order: str | None = None, amount: int | None = None
    ) -> Event:
        """Return a sale; one in ten has lines."""
        event = self.head("purchase-recorded.v1", customer, at) | {
            "kind": "sale",
            "order_id": order or f"o-{self.made}",
            "amount_minor": self.amount() if amount is None else amount,
            "currency": self.settings.currency,
            "channel": self.rng.choice(("store", "web")),
            "store_id": f"store-{self.rng.randint(1, 5)}",
        }
        if self.rng.random() < 0.1:
            event["lines"] = [
                {
                    "sku": f"sku-{self.rng.randint(1, 50)}",
                    "category": "shoes",
                    "brand": "Søren & Söhne",
                    "quantity": 1,
                    "amount_minor": event["amount_minor"],
                }
            ]
        return event

    def refund(self, customer: str, at: datetime, amount: int, returned: str | None) -> Event:
        """Return a return of at least 1; ``returned`` is the order it names."""
        event = self.head("purchase-recorded.v1", customer, at) | {
            "kind": "return",
            "order_id": f"r-{self.made}",
            "amount_minor": max(1, amount),
            "currency": self.settings.currency,
            "channel": "store",
            "store_id": "store-1",
        }
        return event if returned is None else event | {"returned_order_id": returned}

    def browse(self, customer: str, at: datetime) -> Event:
        """Return a browse."""
        event = self.head("product-browsed.v1", customer, at) | {
            "sku": f"sku-{self.rng.randint(1, 50)}",
            "category": "shoes",
            "brand": "Acme",
            "action": self.rng.choice(("viewed", "asked", "carted")),
        }
        return event | ({"competitor": "Rival"} if self.rng.random() < 0.2 else {})

    def response(self, customer: str, at: datetime, response: str | None = None) -> Event:
        """Return a campaign response."""
        answers = ("delivered", "opened", "clicked", "converted", "unsubscribed")
        return self.head("campaign-responded.v1", customer, at) | {
            "campaign_id": f"campaign-{self.rng.randint(1, 9)}",
            "response": response or self.rng.choice(answers),
        }

    def amount(self) -> int:
        """Return an amount in minor units: round ones are common, so that scores tie."""
        if self.rng.random() < 0.6:
            return self.rng.choice(ROUND_MINOR)
        return int(self.rng.lognormvariate(8.3, 1.2))

    def moment(self) -> datetime:
        """Return an instant of the history, to the millisecond."""
        span_ms = self.settings.years * 365 * 86_400_000
        return self.settings.start + TICK * self.rng.randrange(span_ms)

    def midnight(self, near: datetime) -> datetime:
        """Return the local midnight that begins the business day of an instant."""
        local = near.astimezone(self.zone)
        return datetime(local.year, local.month, local.day, tzinfo=self.zone).astimezone(UTC)


def steady(make: Maker, who: str) -> Iterator[Event]:
    """Shop at random intervals, return part of it, browse and answer in between."""
    at, gap = make.moment(), make.rng.choice((3, 10, 30, 60))
    end = make.settings.start + YEAR * make.settings.years
    while at < end:
        sale = make.sale(who, at)
        yield sale
        if make.rng.random() < 0.15:
            share = make.rng.choice((0.3, 0.5, 1.0, 1.0, 1.7))
            later = at + DAY * make.rng.choice((0, 1, 14, 60, 364, 365, 366))
            yield make.refund(who, later, int(sale["amount_minor"] * share), sale["order_id"])
        if make.rng.random() < 0.4:
            yield make.response(who, at + DAY * make.rng.uniform(0, gap))
        if make.rng.random() < 0.3:
            yield make.browse(who, at + DAY * make.rng.uniform(0, gap))
        at += DAY * make.rng.expovariate(1 / gap)


def silent(make: Maker, who: str) -> Iterator[Event]:
    """Fall silent for exactly 90 or 180 days, a millisecond less or more, from sales and answers."""
    at = make.moment()
    for _ in range(make.rng.randint(2, 8)):
        yield make.sale(who, at, amount=make.rng.choice((5000, 500_000, 2_000_000)))
        at += DAY * make.rng.choice((89, 90, 90, 180, 180, 181, 365)) + TICK * make.rng.choice((-1, 0, 0, 1))
        answer = make.rng.choice((None, "delivered", "opened", "clicked", "converted", "unsubscribed"))
        if answer is not None:
            yield make.response(who, at, answer)
            at += DAY * make.rng.choice((0, 0, 30, 90, 180))


def on_edges(make: Maker, who: str) -> Iterator[Event]:
    """Buy exactly at local midnights and one millisecond to either side, and again exactly 365 days later."""
    for _ in range(make.rng.randint(2, 10)):
        at = make.midnight(make.moment()) + TICK * make.rng.choice((-1, 0, 0, 0, 1))
        yield make.sale(who, at, amount=make.rng.choice(ROUND_MINOR))
        if make.rng.random() < 0.6:
            yield make.sale(who, at + YEAR + TICK * make.rng.choice((-1, 0, 0, 1)))
        if make.rng.random() < 0.3:
            yield make.refund(who, at + YEAR, make.amount(), f"never-{make.made}")


def around_clock_changes(make: Maker, who: str) -> Iterator[Event]:
    """Buy around 29 February, the year's end and the last Sundays of March and October, hour by hour."""
    days = ((2, 29), (2, 28), (3, 1), (3, 10), (3, 26), (3, 31), (10, 27), (10, 29), (11, 3), (12, 31))
    for _ in range(make.rng.randint(3, 12)):
        month, day = make.rng.choice(days)
        year = make.settings.start.year + make.rng.randrange(max(1, make.settings.years))
        if (month, day) == (2, 29) and year % 4 != 0:
            day = 28
        noon = datetime(year, month, day, 12, tzinfo=make.zone).astimezone(UTC)
        at = make.midnight(noon) + timedelta(minutes=30 * make.rng.randint(-2, 50))
        yield make.sale(who, max(at, make.settings.start))


def refunder(make: Maker, who: str) -> Iterator[Event]:
    """Return more than was bought, of unknown orders, of none, before the sale, and twice."""
    for _ in range(make.rng.randint(2, 12)):
        at, order, amount = make.moment() + 31 * DAY, f"{who}-{make.made}", make.amount()
        earlier = make.rng.choice((31 * DAY, 400 * DAY) if make.settings.unbounded else (30 * DAY, DAY, TICK))
        way = make.rng.randrange(7)
        if way != 0:
            yield make.sale(who, at, order=order, amount=amount)
        if way in (0, 1):
            yield make.refund(who, at + DAY, amount * 3 + 1, order)  # 0: its order never comes
        elif way == 2:
            yield make.refund(who, at - earlier, amount, order)
        elif way == 3:
            yield make.refund(who, at + 3 * DAY, amount // 2, order)
            yield make.refund(who, at + 9 * DAY, amount - amount // 2, order)
        elif way == 4:
            yield make.refund(who, at + DAY, amount, None)
        elif way == 5:
            yield make.refund(who, at, amount, order)  # the same millisecond
        else:
            yield make.refund(who, at + YEAR + TICK * make.rng.choice((-1, 0, 1)), amount, order)


def splitter(make: Maker, who: str) -> Iterator[Event]:
    """Let several sales share an order id, on one day and on many."""
    for _ in range(make.rng.randint(1, 6)):
        at, order = make.moment(), f"{who}-{make.made}"
        furthest = 500 if make.settings.unbounded else 200
        for _ in range(make.rng.randint(2, 4)):
            yield make.sale(who, at + DAY * make.rng.choice((0, 0, 1, 7, 100, furthest)), order=order)
        if make.rng.random() < 0.5:
            yield make.refund(who, at + 20 * DAY, make.amount(), order)


def only_returns(make: Maker, who: str) -> Iterator[Event]:
    """Never buy, but bring things back."""
    for _ in range(make.rng.randint(1, 3)):
        yield make.refund(who, make.moment(), make.amount(), make.rng.choice((None, f"lost-{make.made}")))


def only_looks(make: Maker, who: str) -> Iterator[Event]:
    """Browse and answer, and buy late or never: a prospect cannot churn."""
    at = make.moment()
    for _ in range(make.rng.randint(1, 6)):
        yield make.rng.choice((make.browse, make.response))(who, at)
        at += DAY * make.rng.choice((1, 30, 90, 180))
    if make.rng.random() < 0.3:
        yield make.sale(who, at)


def crowd(make: Maker, who: str) -> Iterator[Event]:
    """Buy on shared instants for shared prices, so that many tie at the cuts."""
    for number in range(make.rng.randint(1, 4)):
        week = make.rng.randrange(0, make.settings.years * 52, 13)
        yield make.sale(
            who, make.settings.start + week * 7 * DAY, order=f"{who}-{number}-{week}", amount=5000
        )


LIVES: tuple[Callable[[Maker, str], Iterator[Event]], ...] = (
    *(steady, steady, steady, crowd, crowd, silent, silent, on_edges),
    *(around_clock_changes, refunder, refunder, splitter, only_returns, only_looks),
)


def events(settings: Settings) -> list[Event]:
    """Return a history in file order: days ascend (UTC), the order within a day is shuffled."""
    make = Maker(settings)
    history: list[tuple[datetime, float, Event]] = []
    for number in range(settings.customers):
        life = LIVES[number % len(LIVES)] if number < len(LIVES) else make.rng.choice(LIVES)
        for event in life(make, f"s{settings.seed}-c{number}"):
            history.extend(spread(make, event))
    # Lives that would go on for a decade end with the history: an event of the future would be refused.
    last = make.settings.start + YEAR * make.settings.years
    history = [entry for entry in history if entry[0] <= last]
    history.sort(key=lambda entry: entry[:2])
    return [event for _, _, event in history]


def spread(make: Maker, event: Event) -> Iterator[tuple[datetime, float, Event]]:
    """Yield the event, and now and then its duplicate or a repeat with another body, with a place each."""
    copies = [event]
    if make.rng.random() < make.settings.duplicates:  # the order of keys is no part of a body
        copies.append(dict(reversed(event.items())) if make.rng.random() < 0.25 else event)
    if make.rng.random() < make.settings.conflicts:
        copies.append(event | changed(make, event))
    for copy in copies:
        at = datetime.fromisoformat(copy["occurred_at"]).astimezone(UTC)
        yield at.replace(hour=0, minute=0, second=0, microsecond=0), make.rng.random(), copy


def changed(make: Maker, event: Event) -> Event:
    """Return other content for an event: another time, or another field of its body."""
    if make.rng.random() < 0.3:
        moved = datetime.fromisoformat(event["occurred_at"]) + timedelta(hours=1)
        return {"occurred_at": moved.isoformat(timespec="milliseconds")}
    if event["type"] == "purchase-recorded.v1":
        return {"amount_minor": event["amount_minor"] + 7}
    return {"brand": "Other"} if event["type"] == "product-browsed.v1" else {"campaign_id": "campaign-other"}


def write(path: Path, settings: Settings) -> int:
    """Write the history as JSON Lines; return how many lines there are."""
    history = events(settings)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(
            json.dumps(event, separators=(",", ":"), ensure_ascii=False) + "\n" for event in history
        )
    return len(history)
