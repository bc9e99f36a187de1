"""Tasks: see, claim, note, complete."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request

from services.api.access import Staff
from services.api.parts import parts_of
from services.api.problems import ProblemView
from services.api.task_views import (
    Claim,
    Completion,
    Held,
    Lease,
    NoteBody,
    NoteView,
    Scope,
    Shown,
    TaskList,
    TaskView,
)

TaskId = Annotated[int, Path(ge=1, le=2**63 - 1)]
_NOT_FOUND: Final[dict[int | str, dict[str, Any]]] = {
    404: {"model": ProblemView, "description": "No such task that you may see."}
}
_STALE: Final[dict[int | str, dict[str, Any]]] = {
    **_NOT_FOUND,
    409: {
        "model": ProblemView,
        "description": "Not yours any more; `detail` says what happened, nothing was changed.",
    },
}
router = APIRouter(prefix="/v1/tasks", tags=["tasks"], responses={401: {"model": ProblemView}})


@router.get("")
async def list_tasks(
    request: Request,
    me: Staff,
    *,
    state: Annotated[Shown, Query(description="which tasks")] = Shown.LIVE,
    scope: Annotated[
        Scope | None, Query(description="whose: `mine` (default for advisors), or `team`, `all` (managers)")
    ] = None,
    kind: Annotated[str | None, Query(max_length=32, pattern=r"^[a-z_]+$")] = None,
    tier: Annotated[str | None, Query(max_length=40, pattern=r"^[a-z][a-z0-9_]*$")] = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> TaskList:
    """List tasks, most urgent first, then by deadline."""
    parts = parts_of(request)
    now = (await parts.clock.now()).now
    return await parts.tasks.page(
        me, now=now, which=state, scope=scope, kind=kind, tier=tier, cursor=cursor, limit=limit
    )


@router.post("/next", responses=_NOT_FOUND)
async def claim_next_task(request: Request, me: Staff) -> Claim:
    """Claim the most urgent task of yours that nobody holds. Two people at once get two tasks."""
    tasks = parts_of(request).tasks
    lease = await tasks.claim_next(me)
    return Claim(**lease.model_dump(), task=await tasks.get(me, lease.task_id))


@router.get("/{task_id}", responses=_NOT_FOUND)
async def get_task(request: Request, me: Staff, task_id: TaskId) -> TaskView:
    """Read a task with its evidence, advice and notes."""
    return await parts_of(request).tasks.get(me, task_id)


@router.post("/{task_id}/claim", responses=_STALE)
async def claim_task(request: Request, me: Staff, task_id: TaskId) -> Claim:
    """Claim a task that nobody holds; it is yours until `lease_until`.

    Claiming what you hold already answers with the same lease, prolonged, so it may be sent again.
    """
    tasks = parts_of(request).tasks
    lease = await tasks.claim(me, task_id)
    return Claim(**lease.model_dump(), task=await tasks.get(me, task_id))


@router.post("/{task_id}/renew", responses=_STALE)
async def renew_lease(request: Request, me: Staff, task_id: TaskId, body: Held) -> Lease:
    """Keep a task for another while."""
    return await parts_of(request).tasks.renew(me, task_id, body.lease_token)


@router.post("/{task_id}/note", responses=_STALE, status_code=201)
async def add_note(request: Request, me: Staff, task_id: TaskId, body: NoteBody) -> NoteView:
    """Add a note to a task that you hold."""
    return await parts_of(request).tasks.note(me, task_id, body.lease_token, body.body)


@router.post("/{task_id}/release", responses=_STALE)
async def release_task(request: Request, me: Staff, task_id: TaskId, body: Held) -> TaskView:
    """Give a task back to the queue."""
    return await parts_of(request).tasks.release(me, task_id, body.lease_token)


@router.post("/{task_id}/complete", responses=_STALE)
async def complete_task(request: Request, me: Staff, task_id: TaskId, body: Completion) -> TaskView:
    """End a task with an outcome. The same completion sent again answers the same."""
    return await parts_of(request).tasks.complete(me, task_id, body.lease_token, body.outcome, body.note)
