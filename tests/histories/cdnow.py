"""CDNOW in wire form: 69,659 purchases of 23,570 customers, January 1997 to June 1998.

Read from ``CDNOW_master.txt`` in the installed wheel ``lifetimes`` (Fader and Hardie's copy), as text. What is
in it, and how it is turned into events:

- There are only dates. Times of day are derived from a hash of the line's number, so they are always the
  same; ``at_midnight`` puts every purchase at 00:00 of the zone instead, which makes ties and cut edges.
- 255 lines are equal to another one, and 2,068 fall on another's customer and day: they are separate orders
  (the line's number is the order id), as every published count of the data set has them.
- 80 purchases of 0.00 are sales. Nothing is negative.
"""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

DAY_MS = 86_400_000


def events(
    *, at_midnight: bool = False, time_zone: str = "UTC", currency: str = "USD"
) -> Iterator[dict[str, Any]]:
    """Yield the purchases in the file's order (by customer), their days being those of ``time_zone``."""
    zone = ZoneInfo(time_zone)
    lines = master_file().read_text(encoding="ascii").splitlines()
    for number, line in enumerate(lines[1:], start=1):
        if not line.strip():
            continue
        customer, day, copies, dollars = line.split()
        midnight = datetime.strptime(day, "%Y%m%d").replace(tzinfo=zone).astimezone(UTC)
        into_ms = 0 if at_midnight else time_of_day_ms(number)
        moment = (midnight + timedelta(milliseconds=into_ms)).isoformat(timespec="milliseconds")
        yield {
            "type": "purchase-recorded.v1",
            "event_id": f"cdnow-{number}",
            "customer_id": f"cdnow-{customer}",
            "occurred_at": moment,
            "kind": "sale",
            "order_id": f"cdnow-order-{number}",
            "amount_minor": int(Decimal(dollars) * 100),
            "currency": currency,
            "channel": "web",
            "store_id": "cdnow",
            "lines": [
                {
                    "sku": "cd",
                    "category": "music",
                    "brand": "unknown",
                    "quantity": int(copies),
                    "amount_minor": int(Decimal(dollars) * 100),
                }
            ],
        }


def time_of_day_ms(number: int) -> int:
    """Return a time of day for a line, 0 to 22:59:59.999, the same on every run.

    Below 23 h, so that it stays within its day where the clocks go forward.
    """
    digest = hashlib.blake2b(f"cdnow {number}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % (DAY_MS - 3_600_000)


def master_file() -> Path:
    """Return where the data lies in the installed wheel.

    Raises:
        FileNotFoundError: ``lifetimes`` is not installed.
    """
    spec = find_spec("lifetimes")
    if spec is None or spec.origin is None:
        message = "CDNOW is in the wheel 'lifetimes'; install the development requirements"
        raise FileNotFoundError(message)
    return Path(spec.origin).parent / "datasets" / "CDNOW_master.txt"


def write(path: Path, *, at_midnight: bool = False, time_zone: str = "UTC", currency: str = "USD") -> int:
    """Write the events as JSON Lines; return how many there are."""
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for event in events(at_midnight=at_midnight, time_zone=time_zone, currency=currency):
            file.write(json.dumps(event, separators=(",", ":")) + "\n")
            count += 1
    return count
