"""A bug in a service's own code: told apart from what must end a turn, named by its place, logged once.

One record or one customer that meets a bug must not stop the lane of all the others. So a service guards
the work on each of them, which is pure, like this::

    try:
        step = advance(state, event)
    except faults.NEVER_CAUGHT:
        raise
    except Exception as error:
        turn.dead_letters.append(faults.dead_letter(record, error, lane))

It never puts such a guard around a statement of the database, whose errors leave the outcome unknown.
"""

from __future__ import annotations

import traceback
from pathlib import PurePath
from typing import Final

import structlog

from schemas.wire import Reason
from services.lanes.database import DATABASE_ERRORS
from services.lanes.work import DeadLetter, Record

# Not the fault of what is worked on: no memory, and whatever the lane waits for PostgreSQL at. Cancellation
# and the end of the process are no ``Exception`` at all.
NEVER_CAUGHT: Final = (MemoryError, *DATABASE_ERRORS)
FRAMES_MAX: Final = 20  # the innermost ones; a recursion without end has a thousand alike

log = structlog.get_logger()
_traced: Final[set[str]] = set()  # places whose traceback this process has logged; no more than the code has


def place_of(error: Exception) -> str:
    """Return the exception's type and the innermost line it came from.

    Not its message: that may hold what the record holds.
    """
    frames = traceback.extract_tb(error.__traceback__, limit=-1)
    name = type(error).__name__
    if not frames:
        return name
    file = "/".join(PurePath(frames[-1].filename).parts[-3:])
    return f"{name} at {file}:{frames[-1].lineno} in {frames[-1].name}"


def dead_letter(record: Record, error: Exception, lane: int) -> DeadLetter:
    """Log the bug and return the record as a dead letter with its exact bytes."""
    place = place_of(error)
    source = f"{record.topic}/{record.partition}/{record.offset}"
    _tell("record_failed", error, place, lane=lane, record=source)
    return DeadLetter(record, Reason.INTERNAL.value, place)


def put_off(work: str, error: Exception, lane: int) -> None:
    """Log a bug that hit one customer in ``work`` without a record."""
    _tell("customer_put_off", error, place_of(error), lane=lane, work=work)


def _tell(event: str, error: Exception, place: str, **where: str | int) -> None:
    """Log with the traceback the first time; a bug that hits everybody must not fill the disk with it."""
    if place in _traced:
        log.error(event, place=place, **where)
        return
    _traced.add(place)
    trace = "".join(traceback.format_tb(error.__traceback__, limit=-FRAMES_MAX))
    log.error(event, place=place, trace=trace, **where)
