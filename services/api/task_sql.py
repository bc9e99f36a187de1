"""The parts that the statements on tasks are made of: what is visible, what is free, how it is ordered."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Select, and_, case, func, literal, null, or_, select, true, tuple_

from schemas.tables import task_notes, tasks
from schemas.tasks import LIVE_STATES, TaskState
from services.api.problems import Problem
from services.api.task_views import Scope, Shown

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from services.api.access import Principal

t = tasks.c
NOW: Final = (
    func.clock_timestamp()
)  # not now(): a statement that waited for a lock must see the time after it

LEASE_OVER: Final = and_(t.state == TaskState.CLAIMED, t.lease_until <= NOW)
# A lease that ran out needs nobody to end it: it is shown and claimed as open.
STATE: Final = case((LEASE_OVER, literal(TaskState.OPEN.value)), else_=t.state).label("state")
ORDER: Final = (t.urgency, t.due_at, t.id)

CARD: Final = (
    t.id,
    t.customer_id,
    t.playbook,
    t.kind,
    t.team,
    t.urgency,
    t.tier,
    t.title,
    STATE,
    t.created_at,
    t.due_at,
    t.assigned_to,
    case((LEASE_OVER, null()), else_=t.lease_until).label("lease_until"),
    t.version,
)
WHOLE: Final = (
    *CARD,
    t.why,
    t.advice,
    t.evidence,
    t.causes,
    t.episode,
    t.outcome,
    t.closed_at,
    t.closed_by,
    case((LEASE_OVER, null()), else_=t.lease_token).label("lease_token"),
)


def mine(me: Principal) -> ColumnElement[bool]:
    """Return "assigned to me, or to nobody yet in my team"."""
    return or_(t.assigned_to == me.user_id, and_(t.assigned_to.is_(None), t.team == me.team))


def visible(me: Principal) -> ColumnElement[bool]:
    """Return what ``me`` may see. Everything else does not exist for them."""
    return true() if me.is_manager else mine(me)


def scoped(me: Principal, scope: Scope | None) -> ColumnElement[bool]:
    """Return whose tasks a list holds: an advisor's own by default, all of them for a manager.

    Raises:
        Problem: 403, when an advisor asks for more than their own.
    """
    scope = scope or (Scope.ALL if me.is_manager else Scope.MINE)
    if scope is Scope.MINE:
        return mine(me)
    if not me.is_manager:
        raise Problem(
            403, "role", f"Only a manager may list scope={scope}; leave scope out for your own tasks."
        )
    return true() if scope is Scope.ALL else t.team == me.team


def shown(which: Shown) -> ColumnElement[bool]:
    """Return the states of a list; ``history`` is in none."""
    if which is Shown.LIVE:
        return t.state.in_([state.value for state in LIVE_STATES])
    if which is Shown.OPEN:
        return or_(t.state == TaskState.OPEN, LEASE_OVER)
    if which is Shown.CLAIMED:
        return and_(t.state == TaskState.CLAIMED, t.lease_until > NOW)
    return t.state == which.value


def free() -> ColumnElement[bool]:
    """Return "nobody holds it"."""
    return or_(t.state == TaskState.OPEN, LEASE_OVER)


def held(me: Principal, task_id: int, token: Any) -> ColumnElement[bool]:
    """Return "``me`` holds this task by this very lease": the fence of every change.

    Of 500 completions without it some twenty were stale, so no change goes without it.
    """
    return and_(
        t.id == task_id,
        t.assigned_to == me.user_id,
        t.lease_token == token,
        t.lease_until > NOW,
        t.state == TaskState.CLAIMED,
    )


def after(query: Select[Any], cursor: str | None) -> Select[Any]:
    """Return ``query`` from behind the cursor on.

    Raises:
        Problem: 422, when the cursor is none of ours.
    """
    if cursor is None:
        return query
    try:
        urgency, due_us, task_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        due_at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(due_us))
        place = (int(urgency) % 2**15, due_at, int(task_id) % 2**63)
    except (ValueError, TypeError, OverflowError, binascii.Error):
        raise Problem(422, "cursor", "Give `next_cursor` of the page before, unchanged.") from None
    return query.where(tuple_(*ORDER) > tuple_(*(literal(value) for value in place)))


def cursor_behind(row: Any) -> str:
    """Return the cursor of the page that begins behind ``row``."""
    due_us = (row.due_at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(json.dumps([row.urgency, due_us, row.id]).encode()).decode()


def notes_of(task_id: int) -> Select[Any]:
    """Return the notes of a task, oldest first."""
    n = task_notes.c
    return select(n.at, n.author, n.body).where(n.task_id == task_id).order_by(n.id).limit(200)
