"""From a record's bytes to an event that asks something of an advisor, or a refusal with its reason."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import msgspec

from schemas.events import ChurnCleared, ChurnWarned, TierChanged, TimeReached, type_of
from schemas.topics import ALERTER_INPUTS
from schemas.wire import Reason, Refused, decode
from services.alerter.core.decide import Event

# Of any instant in an event: what a deadline and a time zone are added to must stay a date.
_INSTANT_MIN: Final = datetime(1900, 1, 1, tzinfo=UTC)
_INSTANT_MAX: Final = datetime(9000, 1, 1, tzinfo=UTC)
_DEADLINE_HOURS_MAX: Final = 87_600  # ten years: more is a broken event, and would leave the calendar
_CARRIES: Final = {topic.name: topic.carries for topic in ALERTER_INPUTS}


def read(topic: str, key: bytes | None, value: bytes | None) -> Event:
    """Return the event of one record.

    Raises:
        Refused: it is not an event of this topic, or its key is not its customer.
    """
    event = decode(topic, value)
    if isinstance(event, TimeReached) or not isinstance(event, _CARRIES[topic]):
        raise Refused(Reason.VERSION, f"{type_of(event)} is no customer's event on {topic}")
    if not isinstance(event, TierChanged | ChurnWarned | ChurnCleared):  # tells mypy what topics.py says
        raise Refused(Reason.VERSION, f"{type_of(event)} is not for the alerter")
    if any(not _INSTANT_MIN <= at < _INSTANT_MAX for at in _instants(event)):
        raise Refused(Reason.TIME, "an instant lies outside the years 1900 to 8999")
    if isinstance(event, ChurnWarned) and not 1 <= event.contact_within_hours <= _DEADLINE_HOURS_MAX:
        raise Refused(Reason.RANGE, f"contact_within_hours is not within 1 and {_DEADLINE_HOURS_MAX:,}")
    if key != event.customer_id.encode():
        raise Refused(Reason.KEY, "the key is not the event's customer_id")
    return event


def _instants(event: Event) -> Iterator[datetime]:
    """Give every instant in the event that a task is computed from."""
    holders: list[msgspec.Struct] = [event]
    if isinstance(event, ChurnWarned):
        holders += [event.evidence, event.evidence.basis]
    for holder in holders:
        values = (getattr(holder, name) for name in holder.__struct_fields__)
        yield from (value for value in values if isinstance(value, datetime))
