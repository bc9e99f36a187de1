"""Instants, business days, local midnights and calendar months. Instants are integer milliseconds UTC."""

from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TICK = timedelta(milliseconds=1)
DAY_MS = 86_400_000
YEAR_MS = 365 * DAY_MS


def instant_ms(text: str) -> int:
    """Milliseconds since 1970 of an RFC 3339 time; a finer fraction is cut off, never rounded up.

    Raises:
        ValueError: not a time, or one without an offset.
    """
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        message = f"{text!r} has no offset; write it as 2026-01-31T10:00:00Z or with +01:00"
        raise ValueError(message)
    return (parsed - EPOCH) // TICK


@lru_cache(maxsize=1 << 18)
def local_day(at_ms: int, zone: ZoneInfo) -> date:
    """Return the business day of an instant."""
    return (EPOCH + TICK * at_ms).astimezone(zone).date()


@lru_cache(maxsize=1 << 14)
def midnight_ms(day: date, zone: ZoneInfo) -> int:
    """Return a day's first instant.

    Where the clocks jump over 00:00 it is the instant of the jump (that is what fold 0 gives), and the
    earlier one where 00:00 comes twice. A day that a zone leaves out (Apia, 30 December 2011) has the next
    day's first instant.
    """
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
    return (midnight - EPOCH) // TICK


def next_midnight_ms(after_ms: int, zone: ZoneInfo) -> int:
    """Return the first local midnight later than an instant."""
    day = local_day(after_ms, zone)
    while midnight_ms(day, zone) <= after_ms:
        day += timedelta(days=1)
    return midnight_ms(day, zone)


def midnights(first_ms: int, last_ms: int, zone: ZoneInfo) -> Iterator[int]:
    """Yield every local midnight M with ``first_ms < M <= last_ms``, ascending."""
    at_ms = next_midnight_ms(first_ms, zone)
    while at_ms <= last_ms:
        yield at_ms
        at_ms = next_midnight_ms(at_ms, zone)


def months_later_ms(at_ms: int, months: int, zone: ZoneInfo) -> int:
    """Return the same local time of day so many months on, on the month's last day where it is too short."""
    local = (EPOCH + TICK * at_ms).astimezone(zone)
    years, month = divmod(local.month - 1 + months, 12)
    year, month = local.year + years, month + 1
    day = min(local.day, monthrange(year, month)[1])
    return (local.replace(year=year, month=month, day=day, fold=0).astimezone(UTC) - EPOCH) // TICK


def rfc3339(at_ms: int | None) -> str:
    """Return ``2026-01-31T10:00:00.000Z``, and nothing for no instant."""
    if at_ms is None:
        return ""
    moment = EPOCH + TICK * at_ms
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
