"""The feed of task changes, read so that a transaction that commits late is never lost.

A row's place is (xid, id), not id alone: of two transactions the one that began first may write its feed
row last and commit last, with the greater id or the smaller. What is below ``pg_snapshot_xmin`` is final:
every transaction that could still add a row there is over. So the reader never passes an open one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import Select, String, bindparam, cast, func, literal_column, select, text

from schemas.tables import feed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

_PLACE: Final = re.compile(r"([0-9]{1,19})\.([0-9]{1,18})\Z")
BATCH_ROWS: Final = 1000


class Place(NamedTuple):
    """Where a reader is: everything up to it is read. Ordered as the feed is."""

    xid: int
    id: int

    def __str__(self) -> str:
        """Return the id of a server-sent event."""
        return f"{self.xid}.{self.id}"


BEGINNING: Final = Place(0, 0)


class Change(NamedTuple):
    """One row of the feed."""

    place: Place
    kind: str  # task-opened | task-changed
    customer_id: str
    task_id: int | None
    assigned_to: str | None


def place_of(text_of_place: str | None) -> Place | None:
    """Return the place that a ``Last-Event-ID`` names, None when it names none."""
    match = _PLACE.fullmatch(text_of_place or "")
    return Place(int(match[1]), int(match[2])) if match else None


c = feed.c
# PostgreSQL orders xid8 itself but has no cast from a number; asyncpg sends and takes it as text.
_XID: Final = cast(c.xid, String)
_FINAL: Final = c.xid < func.pg_snapshot_xmin(func.pg_current_snapshot())


async def head(connection: AsyncConnection) -> Place:
    """Return the last final place, ``BEGINNING`` of an empty feed."""
    query = select(_XID, c.id).where(_FINAL).order_by(c.xid.desc(), c.id.desc()).limit(1)
    row = (await connection.execute(query)).one_or_none()
    return BEGINNING if row is None else Place(int(row[0]), row[1])


async def behind(
    connection: AsyncConnection, place: Place, *, through: Place | None = None, limit: int = BATCH_ROWS
) -> Sequence[Change]:
    """Return the final rows behind ``place``, in order, at most ``limit``; ``through`` is the last one wanted."""
    after = text("(feed.xid, feed.id) > (CAST(CAST(:xid AS text) AS xid8), :id)")
    query = select(_XID, c.id, c.kind, c.customer_id, c.task_id, c.assigned_to).where(_FINAL, after)
    arguments: dict[str, object] = {"xid": str(place.xid), "id": place.id}
    if through is not None:
        query = query.where(text("(feed.xid, feed.id) <= (CAST(CAST(:last_xid AS text) AS xid8), :last_id)"))
        arguments |= {"last_xid": str(through.xid), "last_id": through.id}
    rows = (await connection.execute(query.order_by(c.xid, c.id).limit(limit), arguments)).all()
    return [Change(Place(int(row[0]), row[1]), *row[2:]) for row in rows]


async def is_known(connection: AsyncConnection, place: Place) -> bool:
    """Whether nothing behind ``place`` can have been deleted: its own row is still there."""
    if place == BEGINNING:
        return True
    query: Select[Any] = select(literal_column("1")).where(c.id == bindparam("id"), bindparam("xid") == _XID)
    return (
        await connection.execute(query, {"id": place.id, "xid": str(place.xid)})
    ).one_or_none() is not None
