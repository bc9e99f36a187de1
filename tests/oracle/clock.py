"""Instants, business days and local midnights. All instants are integer milliseconds UTC."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.oracle.events import EPOCH

DAY_MS = 86_400_000
YEAR_MS = 365 * DAY_MS


def local_day(at_ms: int, zone: ZoneInfo) -> date:
    """Return the business day of an instant."""
    return (EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone).date()


def midnights(first_ms: int, last_ms: int, zone: ZoneInfo) -> Iterator[int]:
    """Yield every local midnight M with ``first_ms < M <= last_ms``, ascending.

    Midnight is a day's first instant: where the clocks jump over 00:00, the instant of the jump (that is
    what fold 0 gives), and the earlier one where 00:00 comes twice. A day that a zone leaves out
    (Apia, 30 December 2011) has the next day's first instant and is yielded once.
    """
    day, previous = local_day(first_ms, zone), first_ms
    while True:
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
        at_ms = (midnight - EPOCH) // timedelta(milliseconds=1)
        if at_ms > last_ms:
            return
        if at_ms > previous:
            yield at_ms
            previous = at_ms
        day += timedelta(days=1)


def rfc3339(at_ms: int | None) -> str:
    """Return ``2026-01-31T10:00:00.000Z``, and nothing for no instant."""
    if at_ms is None:
        return ""
    moment = EPOCH + timedelta(milliseconds=at_ms)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
