"""From a lane's records to input events; what is no event becomes a dead letter, never an error."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from aiokafka.partitioner import murmur2

from schemas.events import (
    Input,
    PurchaseCorrected,
)
from schemas.times import MINUTE_MS, to_ms
from schemas.wire import HEADERS_MAX, KEY_BYTES_MAX, Reason, Refused, decode
from services.lanes import faults
from services.lanes.work import DeadLetter, Record

FUTURE_MS_MAX: Final = 10 * MINUTE_MS


@dataclass(slots=True)
class Intake:
    """What a chunk holds: events with the records that they came in, and dead letters."""

    events: list[tuple[Record, Input]] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)


def read(records: Iterable[Record], *, wall_ms: int, lane: int = 0) -> Intake:
    """Decode every record strictly, in order; one that meets a bug is given up, and the rest goes on."""
    intake = Intake()
    for record in records:
        try:
            event = event_of(record, wall_ms=wall_ms)
        except Refused as refused:
            intake.dead_letters.append(dead_letter(record, refused))
            continue
        except faults.NEVER_CAUGHT:
            raise
        except Exception as error:  # noqa: BLE001 -- logged there; see faults
            intake.dead_letters.append(faults.dead_letter(record, error, lane))
            continue
        intake.events.append((record, event))
    return intake


def event_of(record: Record, *, wall_ms: int) -> Input:
    """Return the record's event.

    Raises:
        Refused: the record can't be an event of its topic.
    """
    if len(record.headers) > HEADERS_MAX:
        raise Refused(Reason.SIZE, f"the record has {len(record.headers)} headers, more than {HEADERS_MAX}")
    if record.key is not None and len(record.key) > KEY_BYTES_MAX:
        raise Refused(Reason.SIZE, f"the key has {len(record.key)} bytes, more than {KEY_BYTES_MAX}")
    event = decode(record.topic, record.value)
    if not isinstance(event, Input):
        raise Refused(
            Reason.VERSION, "time-reached.v1 is written by replays, and this lane follows the wall clock"
        )
    if record.key != event.customer_id.encode():
        raise Refused(Reason.KEY, "the record's key is not its customer_id")
    if wall_ms:
        _refuse_future(event, wall_ms + FUTURE_MS_MAX)
    return event


def _refuse_future(event: Input, latest_ms: int) -> None:
    if to_ms(event.occurred_at) > latest_ms:
        raise Refused(Reason.TIME, "the event is dated more than 10 minutes after the wall clock")
    if not isinstance(event, PurchaseCorrected) or event.purchase is None:
        return
    if to_ms(event.purchase.occurred_at) > latest_ms:
        raise Refused(Reason.TIME, "the purchase is dated more than 10 minutes after the wall clock")


def partition_of(customer_id: str, partitions: int) -> int:
    """Return the partition that every publisher must use: murmur2 of the key, as the Java client does."""
    return int((murmur2(customer_id.encode()) & 0x7FFFFFFF) % partitions)


def dead_letter(record: Record, refused: Refused) -> DeadLetter:
    """Return the record as a dead letter with its exact bytes."""
    return DeadLetter(record, refused.reason.value, refused.detail)
