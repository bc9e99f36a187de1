"""Customers, read from their lane's rows. Nothing here writes."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select

from schemas.tables import (
    customers,
    cut_offs,
    histograms,
    policies,
    task_notes,
    tasks,
    tier_changes,
    warnings,
)
from schemas.times import from_ms
from services.api import task_sql as sql
from services.api.customer_view import Base, facts_of, policy_of
from services.api.customer_views import (
    ClearedEvent,
    CustomerView,
    TaskEvent,
    TierEvent,
    TimelineEvent,
    WarnedEvent,
    WarningView,
)
from services.api.cuts_view import CutsView, cuts_view
from services.api.problems import not_found

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from services.api.access import Principal
    from services.api.people import People
    from services.scorer.core.policy import Policy

_BASE_SECONDS: Final = 5.0  # a curve of the crowd that is this old still looks the same
_POLICY_SECONDS: Final = 5.0
_TIMELINE_MAX: Final = 120


def visible(me: Principal) -> ColumnElement[bool]:
    """Return which customers ``me`` may see: an advisor, those with a task of theirs, now or earlier."""
    if me.is_manager:
        return customers.c.customer_id.is_not(None)
    work = select(tasks.c.id).where(tasks.c.customer_id == customers.c.customer_id, sql.mine(me))
    return work.exists()


class Customers:
    """The customer page's repository."""

    def __init__(
        self, engine: AsyncEngine, people: People, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """``monotonic`` ages the caches of policy and crowd."""
        self._engine = engine
        self._people = people
        self._monotonic = monotonic
        self._base: tuple[float, Base] | None = None
        self._policy: tuple[float, Policy] | None = None
        self._policies: dict[int, Policy] = {}  # by version: a version never changes

    async def get(self, me: Principal, customer_id: str, now: datetime) -> CustomerView:
        """Return one customer.

        Raises:
            Problem: 404, when there is none or ``me`` has no task with them.
        """
        c = customers.c
        async with self._engine.connect() as connection:
            query = select(customers).where(c.customer_id == customer_id, visible(me))
            row = (await connection.execute(query)).one_or_none()
            if row is None:
                raise not_found("customer")
            policy = await self.policy(connection)
            base = await self._crowd(connection)
            cuts = await self.cuts(connection)
            warned = await _warnings(connection, customer_id)
            timeline = await self._timeline(connection, me, customer_id, warned)
        return CustomerView(
            customer_id=customer_id,
            now=now,
            tier=row.tier,
            tier_since=_at(row.tier_since_ms),
            ranked_tier=row.ranked_tier,
            ranked_since=_at(row.ranked_since_ms),
            active=row.active,
            score=row.score,
            cut_offs=cuts,
            crowd=base.crowd(row.score if row.active else None),
            facts=facts_of(row.state, policy, self._people.name),
            warnings=[one for one in warned if one.ended_at is None],
            next_due=_at(row.next_due_ms),
            timeline=timeline,
        )

    async def policy(self, connection: AsyncConnection) -> Policy:
        """Return the policy in force, at most 5 s old."""
        if self._policy is None or self._monotonic() - self._policy[0] > _POLICY_SECONDS:
            query = select(policies.c.body).order_by(policies.c.version.desc()).limit(1)
            body = (await connection.execute(query)).scalar_one_or_none()
            self._policy = self._monotonic(), policy_of(body)
        return self._policy[1]

    async def cuts(self, connection: AsyncConnection) -> CutsView | None:
        """Return the cut-offs in force, None while there are none."""
        query = select(cut_offs).order_by(cut_offs.c.version.desc()).limit(1)
        row = (await connection.execute(query)).one_or_none()
        return None if row is None else cuts_view(row, await self.of_version(connection, row.policy_version))

    async def of_version(self, connection: AsyncConnection, version: int) -> Policy:
        """Return the policy of a version: what was decided under it keeps its names and its numbers."""
        if version not in self._policies:
            query = select(policies.c.body).where(policies.c.version == version)
            body = (await connection.execute(query)).scalar_one_or_none()
            if body is None:
                return policy_of(None)
            self._policies[version] = policy_of(body)
        return self._policies[version]

    async def _crowd(self, connection: AsyncConnection) -> Base:
        if self._base is None or self._monotonic() - self._base[0] > _BASE_SECONDS:
            rows = (await connection.execute(select(histograms.c.counts))).scalars().all()
            # In a thread: 24 lanes of 10,001 bins would hold up every other answer for 50 ms.
            self._base = self._monotonic(), await asyncio.to_thread(Base, rows)
        return self._base[1]

    async def _timeline(
        self, connection: AsyncConnection, me: Principal, customer_id: str, warned: list[WarningView]
    ) -> list[TimelineEvent]:
        lines: list[TimelineEvent] = [*await _tier_events(connection, customer_id)]
        for one in warned:
            lines.append(
                WarnedEvent(at=one.started_at, rule=one.rule, severity=one.severity, evidence=one.evidence)
            )
            if one.ended_at is not None:
                lines.append(ClearedEvent(at=one.ended_at, rule=one.rule, ended_by=one.ended_by))
        await self._people.active()
        for row in await _task_rows(connection, me, customer_id):
            names = self._people.name
            lines.append(
                TaskEvent(
                    at=row.created_at,
                    task_id=row.id,
                    playbook=row.playbook,
                    title=row.title,
                    state=row.state,
                    outcome=row.outcome,
                    assigned_name=names(row.assigned_to),
                    closed_at=row.closed_at,
                    closed_by=names(row.closed_by) if row.state == "done" else row.closed_by,
                    notes=row.notes,
                )
            )
        return sorted(lines, key=lambda line: line.at, reverse=True)[:_TIMELINE_MAX]


async def _warnings(connection: AsyncConnection, customer_id: str) -> list[WarningView]:
    w = warnings.c
    query = (
        select(warnings)
        .where(w.customer_id == customer_id)
        .order_by(w.started_ms.desc())
        .limit(_TIMELINE_MAX)
    )
    return [
        WarningView(
            rule=row.rule,
            severity=row.severity,
            started_at=from_ms(row.started_ms),
            ended_at=_at(row.ended_ms),
            ended_by=row.ended_by,
            evidence=json.loads(row.evidence),
        )
        for row in (await connection.execute(query)).all()
    ]


async def _tier_events(connection: AsyncConnection, customer_id: str) -> list[TierEvent]:
    c = tier_changes.c
    query = (
        select(tier_changes)
        .where(c.customer_id == customer_id)
        .order_by(c.revision.desc())
        .limit(_TIMELINE_MAX)
    )
    names = ("revision", "previous", "current", "ranked_previous", "ranked_current", "cause", "causation_id")
    return [
        TierEvent(
            at=from_ms(row.at_ms), proof=json.loads(row.proof), **{name: getattr(row, name) for name in names}
        )
        for row in (await connection.execute(query)).all()
    ]


async def _task_rows(connection: AsyncConnection, me: Principal, customer_id: str) -> Any:
    t = sql.t
    notes = select(func.count()).where(task_notes.c.task_id == t.id).scalar_subquery().label("notes")
    columns = (
        t.id,
        t.playbook,
        t.title,
        sql.STATE,
        t.outcome,
        t.assigned_to,
        t.created_at,
        t.closed_at,
        t.closed_by,
    )
    query = (
        select(*columns, notes)
        .where(t.customer_id == customer_id, sql.visible(me))
        .order_by(t.created_at.desc())
        .limit(_TIMELINE_MAX)
    )
    return (await connection.execute(query)).all()


def _at(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else from_ms(at_ms)
