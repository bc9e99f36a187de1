"""For whoever runs it: lanes and dead letters. Managers only until there is a role for ops."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from pydantic import Field
from sqlalchemy import func, select

from schemas.tables import dead_letters, lanes
from schemas.times import from_ms
from schemas.wire import REMEDIES, Reason
from services.api.access import Manager
from services.api.parts import parts_of
from services.api.problems import ProblemView
from services.api.task_views import View

router = APIRouter(prefix="/v1/ops", tags=["ops"], responses={403: {"model": ProblemView}})
_BYTES_SHOWN_MAX: Final = 2048
_PLAIN: Final = frozenset(range(0x20, 0x7F)) - {ord("\\")}


class LaneView(View):
    """One lane of one service."""

    service: str
    lane: int
    owner: str
    epoch: int
    seq: int
    offsets: list[int] = Field(description="next to read, per input topic")
    clock: datetime
    clock_mode: str
    settled: bool
    outbox_waiting: int = Field(description="messages committed that Kafka has not acknowledged")
    idle_seconds: float = Field(description="since the lane's last transaction")


class DeadLetterView(View):
    """A record that could not be processed."""

    id: int
    service: str
    lane: int
    topic: str
    partition: int
    offset: int
    reason: str
    detail: str
    remedy: str
    at: datetime
    key: str | None = Field(description="bytes; what is not printable ASCII is escaped as in Python")
    value: str | None = Field(description="as `key`, the first 2 KiB")
    value_bytes: int


class DeadLetterPage(View):
    """Dead letters, newest first."""

    counts: dict[str, int] = Field(description="all of them, by reason")
    dead_letters: list[DeadLetterView]
    next_before: int | None = Field(description="give it as `before` for the next page; null on the last")


@router.get("/lanes")
async def list_lanes(request: Request, _me: Manager) -> list[LaneView]:
    """List all lanes: who owns them, how far they are."""
    idle = func.extract("epoch", func.clock_timestamp() - lanes.c.updated_at).label("idle_seconds")
    query = select(lanes, idle).order_by(lanes.c.service.desc(), lanes.c.lane)
    async with parts_of(request).engine.connect() as connection:
        rows = (await connection.execute(query)).all()
    return [
        LaneView(
            service=row.service,
            lane=row.lane,
            owner=row.owner,
            epoch=row.epoch,
            seq=row.seq,
            offsets=row.offsets,
            clock=from_ms(row.clock_ms),
            clock_mode=row.clock_mode,
            settled=row.settled,
            outbox_waiting=max(0, row.outbox_number - row.published),
            idle_seconds=round(float(row.idle_seconds), 3),
        )
        for row in rows
    ]


@router.get("/dead-letters")
async def list_dead_letters(
    request: Request,
    _me: Manager,
    *,
    reason: Reason | None = None,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> DeadLetterPage:
    """List dead letters with their bytes, and what to do about each."""
    d = dead_letters.c
    query = select(dead_letters).order_by(d.id.desc()).limit(limit + 1)
    if reason is not None:
        query = query.where(d.reason == reason.value)
    if before is not None:
        query = query.where(d.id < before)
    async with parts_of(request).engine.connect() as connection:
        counts = (await connection.execute(select(d.reason, func.count()).group_by(d.reason))).all()
        rows = (await connection.execute(query)).all()
    plain = ("id", "service", "lane", "topic", "partition", "offset", "reason", "detail", "at")
    return DeadLetterPage(
        counts={name: int(count) for name, count in counts},
        next_before=rows[limit - 1].id if len(rows) > limit else None,
        dead_letters=[
            DeadLetterView(
                **{name: getattr(row, name) for name in plain},
                remedy=_remedy(row.reason),
                key=escaped(row.key),
                value=escaped(row.value),
                value_bytes=len(row.value or b""),
            )
            for row in rows[:limit]
        ],
    )


def escaped(value: bytes | None) -> str | None:
    """Return bytes as printable ASCII, the rest as hexadecimal escapes, at most 2 KiB of them."""
    if value is None:
        return None
    return "".join(chr(byte) if byte in _PLAIN else f"\\x{byte:02x}" for byte in value[:_BYTES_SHOWN_MAX])


def _remedy(reason: str) -> str:
    return REMEDIES[Reason(reason)] if reason in Reason.__members__ else "see the detail"
