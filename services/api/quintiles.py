"""The quintiles of RFM, read off the lanes' latest census."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from schemas.tables import rfm_counts
from services.scorer.core.segments import RfmCounts

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from services.scorer.core.segments import RfmCuts

_KEPT_SECONDS: Final = 60.0  # a lane counts every hour


class Quintiles:
    """Adds the lanes' counts up, now and then."""

    def __init__(self) -> None:
        """Nothing is known before the first question."""
        self._cuts: RfmCuts | None = None
        self._read_at = -_KEPT_SECONDS

    async def get(self, connection: AsyncConnection) -> RfmCuts | None:
        """Return the boundaries of everybody; None before any lane counted somebody."""
        if time.monotonic() - self._read_at >= _KEPT_SECONDS:
            total = RfmCounts()
            for (counts,) in await connection.execute(select(rfm_counts.c.counts)):
                total.add(RfmCounts.from_bytes(counts))
            self._cuts, self._read_at = total.cuts(), time.monotonic()
        return self._cuts
