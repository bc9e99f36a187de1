"""The customers around a story: percentiles need a base."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.stories.story import LAST_DAY

FIRST: Final = datetime(2025, 1, 1, 9, 0, tzinfo=UTC)
EVERY: Final = timedelta(days=45)


def crowd(count: int) -> Iterator[dict[str, Any]]:
    """Yield the purchases of ``count`` customers who buy every 45 days, each a little more than the last."""
    end = datetime.fromisoformat(LAST_DAY).replace(hour=23, tzinfo=UTC)
    for number in range(count):
        at = FIRST + timedelta(hours=5 * number)
        order = 0
        while at < end:
            order += 1
            name = f"crowd-{number}-{order}"
            yield {
                "type": "purchase-recorded.v1",
                "event_id": name,
                "customer_id": f"crowd-{number}",
                "occurred_at": at.isoformat(),
                "kind": "sale",
                "order_id": name,
                "amount_minor": 500 + 50 * number,
                "currency": "USD",
                "channel": "store",
                "store_id": "1",
            }
            at += EVERY
