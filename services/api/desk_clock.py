"""The time that deadlines are shown against: a replay's own while one runs, else the wall's."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

from sqlalchemy import func, select

from schemas.tables import lanes
from schemas.times import from_ms

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.ext.asyncio import AsyncEngine

_CACHE_SECONDS: Final = 0.5
Mode = Literal["wall", "replay"]


@dataclass(frozen=True, slots=True)
class DeskTime:
    """Now, and by which clock."""

    now: datetime
    mode: Mode


class DeskClock:
    """Reads the scorer's lanes; the slowest one says how far the replay is."""

    def __init__(
        self,
        engine: AsyncEngine,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """``monotonic`` ages the cache, ``wall`` gives seconds since 1970."""
        self._engine = engine
        self._monotonic = monotonic
        self._wall = wall
        self._replay: datetime | None = None
        self._read_at = float("-inf")

    async def now(self) -> DeskTime:
        """Return the desk's time, at most half a second old."""
        if self._monotonic() - self._read_at >= _CACHE_SECONDS:
            c = lanes.c
            replayed = func.min(c.clock_ms).filter(c.clock_mode != "wall")
            async with self._engine.connect() as connection:
                clock_ms = (
                    await connection.execute(select(replayed).where(c.service == "scorer"))
                ).scalar_one()
            self._replay = from_ms(clock_ms) if clock_ms else None
            self._read_at = self._monotonic()
        if self._replay is not None:
            return DeskTime(self._replay, "replay")
        return DeskTime(datetime.fromtimestamp(self._wall(), UTC), "wall")
