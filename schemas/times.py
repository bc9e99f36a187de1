"""Times on the wire and in state: aware datetimes outside, integer milliseconds UTC inside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


def to_ms(at: datetime) -> int:
    """Return milliseconds since 1970 UTC, cut (not rounded) to the millisecond."""
    return (at - EPOCH) // _MS


def from_ms(at_ms: int) -> datetime:
    """Return the aware UTC datetime of ``at_ms``."""
    return EPOCH + timedelta(milliseconds=at_ms)
