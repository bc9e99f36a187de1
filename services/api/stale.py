"""Why a change came too late, in words that an advisor can act on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.tasks import TaskState
from services.api.problems import Problem, not_found

if TYPE_CHECKING:
    from services.api.access import Principal

_TAKEN_BACK = {
    "purchase": "The customer bought in the meantime, so the task was taken back. There is nothing left to do.",
    "response": "The customer answered a campaign in the meantime, so the task was taken back.",
    "resolved": "The customer's complaint was solved in the meantime, so the task was taken back.",
    "retracted": "A late record showed that the warning was wrong, so the task was taken back.",
    "tier moved on": "The customer's tier has changed again, so the task was taken back.",
}
_KEPT = "Your note is still in this window."


def stale(me: Principal, row: Any | None) -> Problem:
    """Return the answer to a change that hit no row.

    ``row`` is the task as it is now: state (a lease that ran out counts as open), team, assigned_to,
    closed_by. A colleague's task is 404 unless it is one of the own team that somebody holds or did:
    whoever lost a race for it must read why, and learns no more than that.
    """
    if row is None or not (me.is_manager or _lost_to_team(me, row) or _own(me, row)):
        return not_found("task")
    code, detail = _words(me, row)
    return Problem(409, code, detail)


def _own(me: Principal, row: Any) -> bool:
    return bool(row.assigned_to == me.user_id or (row.assigned_to is None and row.team == me.team))


def _lost_to_team(me: Principal, row: Any) -> bool:
    return bool(row.team == me.team and row.state in {TaskState.CLAIMED, TaskState.DONE})


def _words(me: Principal, row: Any) -> tuple[str, str]:
    if row.state == TaskState.WITHDRAWN:
        taken_back = _TAKEN_BACK.get(row.closed_by or "", "The task was taken back; its reason is over.")
        return "task-withdrawn", f"{taken_back} {_KEPT}"
    if row.state == TaskState.DONE:
        by = "You have" if row.closed_by == me.user_id else "A colleague has"
        return "task-done", f"{by} completed this task already ({row.outcome}). {_KEPT}"
    if row.state == TaskState.HISTORY:
        return (
            "task-history",
            f"This task was due long before the replay ended and is kept as history. {_KEPT}",
        )
    if row.state == TaskState.CLAIMED and row.assigned_to != me.user_id:
        return "task-taken", f"A colleague holds this task now. {_KEPT}"
    if row.state == TaskState.CLAIMED:
        return "lease-elsewhere", f"You hold this task by a newer claim, perhaps in another window. {_KEPT}"
    return "lease-over", f"Your hold on the task ran out, so it is open again. Claim it and go on. {_KEPT}"
