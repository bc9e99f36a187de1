"""Recognises the time marks of a replay among a lane's records."""

from __future__ import annotations

from schemas.events import TimeReached
from schemas.times import to_ms
from schemas.wire import Refused, decode
from services.lanes import faults
from services.lanes.queues import Marker
from services.lanes.work import Record


def marker_of(record: Record) -> Marker | None:
    """Return the mark that a record without a key holds, None when it holds none."""
    try:
        event = decode(record.topic, record.value)
    except Refused:
        return None
    except faults.NEVER_CAUGHT:
        raise
    except Exception:  # noqa: BLE001 -- a bug: met again, and given up, where the lane takes the record
        return None
    if not isinstance(event, TimeReached):
        return None
    return Marker(to_ms(event.through), event.complete, event.clock == "wall")
