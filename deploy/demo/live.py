"""Synthetic shoppers for the live part of the demo; every event id says so."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any, Final

LIVE_EVENTS_MAX: Final = 1_000


def live_events(
    rng: Random, customers: Sequence[str], now: datetime, *, limit: int = 10
) -> Iterator[dict[str, Any]]:
    """Yield up to ``limit`` synthetic events of ``now``, every id marked ``synthetic-``.

    Half are sales of around 30 dollars, three in ten browses (one in fifteen of them of a competitor), the
    rest campaign responses. Some customers come far more often than others. Call it once per tick with a
    later ``now``; the time is part of every id, so ticks never collide.

    Raises:
        ValueError: no customers, a naive ``now``, or a limit outside 0 to 1,000.
    """
    if not customers or now.tzinfo is None or not 0 <= limit <= LIVE_EVENTS_MAX:
        message = f"give customers, an aware now and a limit of 0 to {LIVE_EVENTS_MAX}, not {limit}"
        raise ValueError(message)
    moment = now.astimezone(UTC)
    stamp = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    for number in range(limit):
        unique = f"synthetic-{moment:%Y%m%d%H%M%S%f}-{number}-{rng.getrandbits(48):012x}"
        customer = customers[int(len(customers) * rng.random() ** 3)]  # the head of the list comes often
        make = rng.choices((_live_sale, _live_browse, _live_response), (5, 3, 2))[0]
        head = {"event_id": unique, "customer_id": customer, "occurred_at": stamp}
        yield head | make(rng, unique)


LIVE_PRODUCTS: Final = (  # category, brand, usual price in cents
    ("SOFT DRINKS", "National", 299),
    ("FLUID MILK PRODUCTS", "Private", 249),
    ("BEEF", "National", 899),
    ("CHEESE", "Private", 349),
    ("COFFEE", "National", 1099),
    ("DIAPERS", "National", 2499),
    ("FROZEN PIZZA", "National", 599),
    ("BAKED BREAD", "Private", 199),
)


def _live_sale(rng: Random, unique: str) -> dict[str, Any]:
    lines = []
    for _ in range(min(20, 1 + int(rng.expovariate(1 / 6)))):
        category, brand, price = rng.choice(LIVE_PRODUCTS)
        quantity = rng.choice((1, 1, 1, 2, 3))
        minor = quantity * round(price * rng.uniform(0.7, 1.3))
        sku = f"synthetic-{category.lower().replace(' ', '-')}"
        line = {"sku": sku, "category": category, "brand": brand, "quantity": quantity, "amount_minor": minor}
        lines.append(line)
    online = rng.random() < 0.25  # noqa: PLR2004 - a quarter of the synthetic orders
    return {
        "type": "purchase-recorded.v1",
        "kind": "sale",
        "order_id": unique,
        "amount_minor": sum(int(str(line["amount_minor"])) for line in lines),
        "currency": "USD",
        "channel": "online" if online else "store",
        "store_id": "synthetic-web" if online else f"synthetic-{rng.randint(1, 20)}",
        "lines": lines,
    }


def _live_browse(rng: Random, _unique: str) -> dict[str, Any]:
    category, brand, _ = rng.choice(LIVE_PRODUCTS)
    browse = {
        "type": "product-browsed.v1",
        "sku": f"synthetic-{category.lower().replace(' ', '-')}",
        "category": category,
        "brand": brand,
        "action": rng.choices(("viewed", "asked", "carted"), (7, 1, 2))[0],
    }
    return browse | ({"competitor": "Synthetic Rival"} if rng.random() < 1 / 15 else {})


def _live_response(rng: Random, _unique: str) -> dict[str, Any]:
    answers = ("delivered", "opened", "clicked", "converted", "unsubscribed")
    return {
        "type": "campaign-responded.v1",
        "campaign_id": f"synthetic-campaign-{rng.randint(1, 3)}",
        "response": rng.choices(answers, (50, 30, 12, 6, 2))[0],
    }
