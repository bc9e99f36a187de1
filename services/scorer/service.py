"""The scorer as it is plugged into the lane engine."""

from __future__ import annotations

from typing import Any

import msgspec

from schemas.topics import SCORER_INPUTS
from services.lanes.work import LaneRow
from services.scorer import crowd, store
from services.scorer.core.policy import Policy
from services.scorer.work import NO_CUT_OFFS, Board, ScorerWork


class ScorerService:
    """Plugs the scorer into the lane engine."""

    name = "scorer"
    topics = tuple(topic.name for topic in SCORER_INPUTS)
    first_versions: tuple[int, ...] = (
        0,
        1,
        0,
    )  # cut-offs in force, policy, cut-offs that every customer was brought under
    numbered_inputs = False
    locks_rows = False  # a lane's customers are changed by nobody else

    def __init__(self) -> None:
        """Start with an empty board."""
        self.board = Board()

    async def open(self, connection: Any, row: LaneRow) -> ScorerWork:
        """Load the lane's policy, cut-offs and histogram."""
        body = await connection.fetchval(store.POLICY, row.versions[1])
        if body is None:
            raise RuntimeError(f"policy version {row.versions[1]} is missing: run tierstream migrate")
        in_force = await connection.fetchrow(store.CUT_OFFS_OF, row.versions[0])
        swept = await connection.fetchrow(store.CUT_OFFS_OF, row.versions[2])
        # All of them: lanes that this worker gave up must not be waited for. Who saved saves again.
        self.board.barriers.clear()
        return ScorerWork(
            board=self.board,
            lane=row.lane,
            lanes=row.lanes,
            policy=Policy.from_json(msgspec.json.decode(body)),
            policy_version=row.versions[1],
            in_force=NO_CUT_OFFS if in_force is None else store.cut_offs_of(in_force),
            swept=NO_CUT_OFFS if swept is None else store.cut_offs_of(swept),
            histogram=await crowd.load_histogram(connection, row.lane),
        )
