"""The census: a lane counts its customers every hour, for the quintiles of RFM.

No score and no tier rests on it, so a sample of the hour is enough; it is taken beside the events, a batch a
turn, and a lane that was interrupted begins anew. A replay has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from schemas.times import HOUR_MS, SECOND_MS
from services.lanes import faults
from services.lanes.work import Turn, Write
from services.scorer import store
from services.scorer.core.policy import Policy
from services.scorer.core.segments.rfm import rfm_facts
from services.scorer.core.segments.rfm_counts import RfmCounts
from services.scorer.core.state import decode_state

EVERY_MS: Final = HOUR_MS
EVERY_EMPTY_MS: Final = 10 * SECOND_MS  # while nobody is there to be counted


@dataclass(slots=True)
class Census:
    """One lane's count, and when the next one is due by the lane's clock."""

    lane: int
    due_ms: int = 0
    _counts: RfmCounts | None = None  # of the count under way
    _after: str = ""

    async def next_turn(self, connection: Any, now_ms: int, policy: Policy) -> Turn | None:
        """Count the next batch; None until a census is due."""
        if now_ms < self.due_ms:
            return None
        if self._counts is None:
            self._counts, self._after = RfmCounts(), ""
        rows = await connection.fetch(store.EVERYBODY, self.lane, self._after, store.BATCH)
        turn = Turn(kind="census")
        for row in rows:
            state = decode_state(row[1])
            try:
                self._counts.move(None, rfm_facts(state, policy))
            except faults.NEVER_CAUGHT:
                raise
            except Exception as error:  # noqa: BLE001 -- logged there; this census does without him
                faults.put_off("census", error, self.lane)
                turn.put_off.append("census")
        if len(rows) == store.BATCH:
            self._after = rows[-1][0]
            return turn
        nobody = self._counts.cuts() is None
        turn.writes.append(Write(store.SAVE_CENSUS, ([now_ms], [self._counts.to_bytes()])))

        def committed() -> None:
            self._counts = None
            self.due_ms = now_ms + (EVERY_EMPTY_MS if nobody else EVERY_MS)

        turn.on_commit = committed
        return turn
