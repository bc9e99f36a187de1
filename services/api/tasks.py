"""Tasks in PostgreSQL. Every change is one conditional statement; every read carries the principal."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, func, insert, literal, null, select, update
from sqlalchemy.dialects.postgresql import UUID as PG_UUID

from schemas.tables import task_notes, tasks
from schemas.tasks import TaskAction, TaskState, after
from services.api import task_sql as sql
from services.api.problems import Problem, not_found
from services.api.stale import stale
from services.api.task_sql import NOW, t
from services.api.task_views import Lease, NoteView, Outcome, Scope, Shown, TaskCard, TaskList, TaskView

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import ColumnElement, Executable
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from services.api.access import Principal
    from services.api.metrics import ApiMetrics
    from services.api.people import People

_CLAIMED = after(TaskState.OPEN, TaskAction.CLAIM).value
_RELEASED = after(TaskState.CLAIMED, TaskAction.RELEASE).value
_DONE = after(TaskState.CLAIMED, TaskAction.COMPLETE).value


class Tasks:
    """The advisors' tasks."""

    def __init__(
        self, engine: AsyncEngine, people: People, metrics: ApiMetrics, *, lease_minutes: int
    ) -> None:
        """A claimed task is one's own for ``lease_minutes``, unless it is renewed."""
        self._engine = engine
        self._people = people
        self._metrics = metrics
        self._lease = timedelta(minutes=lease_minutes)

    async def page(
        self,
        me: Principal,
        *,
        now: datetime,
        which: Shown = Shown.LIVE,
        scope: Scope | None = None,
        kind: str | None = None,
        tier: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> TaskList:
        """Return one page of a queue, most urgent first; ``now`` is what deadlines are measured against."""
        conditions: list[ColumnElement[bool]] = [sql.scoped(me, scope), sql.shown(which)]
        if kind is not None:
            conditions.append(t.kind == kind)
        if tier is not None:
            conditions.append(t.tier == tier)
        counts = select(func.count(), func.count().filter(t.due_at < now)).where(*conditions)
        query = sql.after(select(*sql.CARD).where(*conditions), cursor).order_by(*sql.ORDER).limit(limit + 1)
        async with self._engine.connect() as connection:
            total, overdue = (await connection.execute(counts)).one()
            rows = (await connection.execute(query)).all()
        await self._people.active()  # names
        return TaskList(
            tasks=[self.card(row) for row in rows[:limit]],
            next_cursor=sql.cursor_behind(rows[limit - 1]) if len(rows) > limit else None,
            total=total,
            overdue=overdue,
            now=now,
        )

    async def cards(self, task_ids: Sequence[int]) -> dict[int, TaskCard]:
        """Return cards by id for the stream, which decides itself who sees them."""
        async with self._engine.connect() as connection:
            rows = (await connection.execute(select(*sql.CARD).where(t.id.in_(task_ids)))).all()
        await self._people.active()
        return {row.id: self.card(row) for row in rows}

    async def get(self, me: Principal, task_id: int) -> TaskView:
        """Return a task.

        Raises:
            Problem: 404, when there is none or it is not ``me``'s to see.
        """
        async with self._engine.connect() as connection:
            query = select(*sql.WHOLE).where(t.id == task_id, sql.visible(me))
            row = (await connection.execute(query)).one_or_none()
            if row is None:
                raise not_found("task")
            return await self._whole(connection, me, row)

    async def claim(self, me: Principal, task_id: int) -> Lease:
        """Take a task that nobody holds. Claiming what one holds answers with the same lease, prolonged.

        Raises:
            Problem: 409 when somebody was faster or the task is over, 404 when it is not ``me``'s to see.
        """
        async with self._engine.connect() as connection:
            free_or_mine = sql.free() | (t.assigned_to == me.user_id)
            live = t.state.in_([TaskState.OPEN.value, TaskState.CLAIMED.value])
            lease = await self._take(
                connection, me, (t.id == task_id) & sql.visible(me) & live & free_or_mine
            )
            if lease is None:
                raise await self._stale(connection, me, task_id)
            return lease

    async def claim_next(self, me: Principal) -> Lease:
        """Take the most urgent task of mine that nobody holds; two people at once get two tasks.

        Raises:
            Problem: 404 when nothing waits.
        """
        head = (
            select(t.id)
            .where(sql.mine(me), sql.free())
            .order_by(*sql.ORDER)
            .limit(1)
            .with_for_update(skip_locked=True)
            .cte("head")
            .prefix_with("MATERIALIZED", dialect="postgresql")
        )
        async with self._engine.connect() as connection:
            lease = await self._take(
                connection, me, (t.id == select(head.c.id).scalar_subquery()) & sql.free()
            )
        if lease is None:
            raise Problem(
                404, "queue-empty", "No open task waits for you. New ones appear here by themselves."
            )
        return lease

    async def renew(self, me: Principal, task_id: int, token: UUID) -> Lease:
        """Prolong a lease that is still in force."""
        change = (
            update(tasks)
            .where(sql.held(me, task_id, token))
            .values(lease_until=NOW + self._lease)
            .returning(t.id, t.lease_token, t.lease_until)
        )
        row = await self._change(me, task_id, change)
        return Lease(task_id=row.id, lease_token=row.lease_token, lease_until=row.lease_until)

    async def note(self, me: Principal, task_id: int, token: UUID, body: str) -> NoteView:
        """Add a note to a task that ``me`` holds."""
        touched = (
            update(tasks)
            .where(sql.held(me, task_id, token))
            .values(version=t.version + 1)
            .returning(t.id)
            .cte()
        )
        n = task_notes.c
        source = select(touched.c.id, literal(me.user_id), literal(body))
        change = (
            insert(task_notes)
            .from_select(["task_id", "author", "body"], source, include_defaults=False)
            .returning(n.at, n.author, n.body)
        )
        row = await self._change(me, task_id, change)
        return NoteView(at=row.at, author=row.author, author_name=me.name, body=row.body)

    async def release(self, me: Principal, task_id: int, token: UUID) -> TaskView:
        """Give a task back to the queue; it stays assigned as it was."""
        change = (
            update(tasks)
            .where(sql.held(me, task_id, token))
            .values(state=_RELEASED, lease_token=None, lease_until=None, version=t.version + 1)
            .returning(t.id)
        )
        await self._change(me, task_id, change)
        return await self.get(me, task_id)

    async def complete(
        self, me: Principal, task_id: int, token: UUID, outcome: Outcome, note: str | None
    ) -> TaskView:
        """End a task with an outcome, and keep the note with it. The same completion again is no error."""
        done = (
            update(tasks)
            .where(sql.held(me, task_id, token))
            .values(
                state=_DONE,
                outcome=outcome.value,
                closed_at=NOW,
                closed_by=me.user_id,
                lease_token=None,
                lease_until=None,
                version=t.version + 1,
            )
            .returning(t.id)
            .cte("done")
        )
        change: Executable = select(done.c.id)
        if note is not None:
            kept = insert(task_notes).from_select(
                ["task_id", "author", "body"],
                select(done.c.id, literal(me.user_id), literal(note)),
                include_defaults=False,
            )
            change = select(done.c.id).add_cte(kept.cte("kept"))
        async with self._engine.connect() as connection:
            row = (await connection.execute(change)).one_or_none()
            if row is None and not await _was_completed(connection, me, task_id, outcome, note):
                raise await self._stale(connection, me, task_id)
        return await self.get(me, task_id)

    def card(self, row: Any) -> TaskCard:
        """Return a row as a card."""
        values = {
            column: getattr(row, column) for column in TaskCard.model_fields if column != "assigned_name"
        }
        return TaskCard(**values, assigned_name=self._people.name(row.assigned_to))

    async def _take(
        self, connection: AsyncConnection, me: Principal, which: ColumnElement[bool]
    ) -> Lease | None:
        still_mine = (t.state == TaskState.CLAIMED) & (t.assigned_to == me.user_id) & (t.lease_until > NOW)
        change = (
            update(tasks)
            .where(which)
            .values(
                state=_CLAIMED,
                lease_token=case((still_mine, t.lease_token), else_=func.gen_random_uuid(type_=PG_UUID())),
                lease_until=NOW + self._lease,
                assigned_to=me.user_id,  # whoever claims is whose it is, also for the rotation
                assigned_at=case((t.assigned_to == me.user_id, t.assigned_at), else_=NOW),
                version=t.version + 1,
            )
            .returning(t.id, t.lease_token, t.lease_until)
        )
        row = (await connection.execute(change)).one_or_none()
        if row is None:
            return None
        return Lease(task_id=row.id, lease_token=row.lease_token, lease_until=row.lease_until)

    async def _change(self, me: Principal, task_id: int, change: Executable) -> Any:
        async with self._engine.connect() as connection:
            row = (await connection.execute(change)).one_or_none()
            if row is None:
                raise await self._stale(connection, me, task_id)
            return row

    async def _stale(self, connection: AsyncConnection, me: Principal, task_id: int) -> Problem:
        query = select(sql.STATE, t.team, t.assigned_to, t.outcome, t.closed_by).where(t.id == task_id)
        problem = stale(me, (await connection.execute(query)).one_or_none())
        if problem.status == 409:  # noqa: PLR2004 -- conflict
            self._metrics.stale_leases.inc()
        return problem

    async def _whole(self, connection: AsyncConnection, me: Principal, row: Any) -> TaskView:
        notes = (await connection.execute(sql.notes_of(row.id))).all()
        await self._people.active()
        names = self._people.name
        whole = ("why", "advice", "evidence", "causes", "episode", "outcome", "closed_at", "closed_by")
        return TaskView(
            **self.card(row).model_dump(),
            **{column: getattr(row, column) for column in whole},
            closed_by_name=names(row.closed_by) if row.state == TaskState.DONE else None,
            lease_token=row.lease_token if row.assigned_to == me.user_id else None,
            notes=[
                NoteView(at=note.at, author=note.author, author_name=names(note.author), body=note.body)
                for note in notes
            ],
        )


async def _was_completed(
    connection: AsyncConnection, me: Principal, task_id: int, outcome: Outcome, note: str | None
) -> bool:
    """Whether this very completion stands already: its answer was lost and it was sent again."""
    n = task_notes.c
    conditions = [t.id == task_id, t.state == _DONE, t.closed_by == me.user_id, t.outcome == outcome.value]
    if note is not None:
        kept = select(null()).where(n.task_id == t.id, n.author == me.user_id, n.body == note)
        conditions.append(kept.exists())
    return (await connection.execute(select(t.id).where(*conditions))).one_or_none() is not None
