"""What is happening, in figures: cheap, cached, the same for everybody but for the names."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field
from sqlalchemy import func, select

from schemas.tables import customers, lanes, tasks, tier_changes, warnings
from schemas.tiers import AT_RISK, LAPSED
from schemas.times import from_ms
from services.api.customers import Customers
from services.api.cuts_view import CutsView
from services.api.task_views import View

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from services.api.desk_clock import DeskClock

# Counting a million rows takes a tenth of a second or more. It may take this share of the time, so a large
# base is counted less often and PostgreSQL never notices.
_SHARE_OF_TIME: Final = 0.05
_ROWS_PER_SECOND: Final = 10_000_000
_WARNINGS_SHOWN: Final = 6


class FirstWarning(View):
    """One of the latest warnings that stand."""

    customer_id: str
    rule: str
    severity: str
    started_at: datetime


class Overview(View):
    """The base at a glance."""

    now: datetime = Field(description="a replay's own time while one runs, else the wall's")
    mode: str = Field(description="replay or wall")
    replay_from: datetime | None = Field(description="the first tier change, while a replay runs")
    currency: str
    exponent: int = Field(description="decimals of the currency")
    time_zone: str = Field(description="IANA; business days follow it")
    window_days: int = Field(description="in which purchases count")
    levels: list[str] = Field(description="the ranked tiers, the best first")
    ranks_by: str = Field(description="percentile, score or spend")
    customers: int
    active: int = Field(description="bought in the window: counted in the percentiles")
    tiers: dict[str, int] = Field(
        description="customers by shown tier: the levels, those shown besides, and what is left of others"
    )
    cut_offs: CutsView | None
    tier_changes: int = Field(description="so far")
    warnings_open: int
    warnings: list[FirstWarning] = Field(
        description="the latest that stand; empty for advisors, who see their tasks"
    )
    tasks: dict[str, int] = Field(description="tasks by state")
    records_applied: int = Field(description="records of the input topics that the scorer has applied")


class Overviews:
    """Makes overviews, each at most half a second old, or as old as its base is large."""

    def __init__(
        self,
        engine: AsyncEngine,
        clock: DeskClock,
        customer_pages: Customers,
        *,
        seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``seconds`` is the age at which an overview is made anew."""
        self._engine = engine
        self._clock = clock
        self._customers = customer_pages
        self._seconds = seconds
        self._monotonic = monotonic
        self._cached: Overview | None = None
        self._good_until = float("-inf")
        self._one_at_a_time = asyncio.Lock()

    async def get(self) -> Overview:
        """Return the whole overview; ``without_names`` is for whoever may not see customers."""
        async with self._one_at_a_time:  # many desks ask at once; one asks PostgreSQL
            if self._cached is None or self._monotonic() >= self._good_until:
                began = self._monotonic()
                self._cached = await self._make()
                ended = self._monotonic()
                self._good_until = ended + max(self._seconds, pause_seconds(self._cached, ended - began))
            return self._cached

    async def _make(self) -> Overview:
        desk_time = await self._clock.now()
        async with self._engine.connect() as connection:
            changes, first_ms = (
                await connection.execute(
                    select(func.count(), func.min(tier_changes.c.at_ms)).select_from(tier_changes)
                )
            ).one()
            policy = await self._customers.policy(connection)
            sizes = await _sizes(connection, policy.tiers.names)
            return Overview(
                now=desk_time.now,
                mode=desk_time.mode,
                replay_from=from_ms(first_ms) if first_ms and desk_time.mode == "replay" else None,
                currency=policy.currency,
                exponent=policy.exponent,
                time_zone=policy.time_zone,
                window_days=policy.window_days,
                levels=list(policy.tiers.names),
                ranks_by=policy.tiers.by,
                customers=sizes["customers"],
                active=sizes["active"],
                tiers=sizes["tiers"],
                cut_offs=await self._customers.cuts(connection),
                tier_changes=changes,
                warnings_open=await _open_warnings(connection),
                warnings=await _first_warnings(connection),
                tasks=await _by_state(connection),
                records_applied=await _applied(connection),
            )


def pause_seconds(made: Overview, took_seconds: float) -> float:
    """Return how long an overview stays good for PostgreSQL's sake.

    By the rows that it counts, not by the time that it took: a small shop on a busy machine would stand still
    for seconds because its first count waited for a connection or for a processor. Still at least as long as
    it took, so that a database that is slow for whatever reason is left alone half of the time.
    """
    rows = made.customers + made.tier_changes + sum(made.tasks.values())
    return max(took_seconds, rows / _ROWS_PER_SECOND / _SHARE_OF_TIME)


def without_names(overview: Overview) -> Overview:
    """Return the overview without anybody's id."""
    return overview.model_copy(update={"warnings": []})


async def _sizes(connection: AsyncConnection, levels: tuple[str, ...]) -> dict[str, Any]:
    c = customers.c
    query = select(c.tier, func.count(), func.count().filter(c.active)).group_by(c.tier)
    rows = (await connection.execute(query)).all()
    counts = {tier: count for tier, count, _active in rows}
    return {
        "customers": sum(counts.values()),
        "active": sum(active for _tier, _count, active in rows),
        "tiers": {tier: counts.get(tier, 0) for tier in _in_order(counts, levels)},
    }


def _in_order(counts: dict[str | None, int], levels: tuple[str, ...]) -> list[str]:
    """Return the levels, the two tiers shown besides, and what an earlier policy left."""
    others = sorted(tier for tier in counts if tier is not None)
    return list(dict.fromkeys([*levels, AT_RISK, LAPSED, *others]))


async def _open_warnings(connection: AsyncConnection) -> int:
    query = select(func.count()).select_from(warnings).where(warnings.c.ended_ms.is_(None))
    return int((await connection.execute(query)).scalar_one())


async def _first_warnings(connection: AsyncConnection) -> list[FirstWarning]:
    w = warnings.c
    query = (
        select(w.customer_id, w.rule, w.severity, w.started_ms)
        .where(w.ended_ms.is_(None))
        .order_by(w.started_ms.desc(), w.customer_id)
        .limit(_WARNINGS_SHOWN)
    )
    return [
        FirstWarning(
            customer_id=row.customer_id,
            rule=row.rule,
            severity=row.severity,
            started_at=from_ms(row.started_ms),
        )
        for row in (await connection.execute(query)).all()
    ]


async def _by_state(connection: AsyncConnection) -> dict[str, int]:
    rows = (await connection.execute(select(tasks.c.state, func.count()).group_by(tasks.c.state))).all()
    return {state: int(count) for state, count in rows}


async def _applied(connection: AsyncConnection) -> int:
    offsets = func.unnest(lanes.c.offsets).label("offset")
    each = select(offsets).where(lanes.c.service == "scorer").subquery()
    return int((await connection.execute(select(func.coalesce(func.sum(each.c.offset), 0)))).scalar_one())
