"""The scorer as it is plugged into the lane engine."""

from __future__ import annotations

from typing import Any

from schemas.topics import SCORER_INPUTS
from services.lanes.work import LaneRow
from services.scorer import crowd, store
from services.scorer.book import NO_CUT_OFFS, Board, Book
from services.scorer.catalogue import Catalogue, Shelf
from services.scorer.census import Census
from services.scorer.store import CutOffs
from services.scorer.switch import Policies, Rescoring
from services.scorer.work import ScorerWork


class ScorerService:
    """Plugs the scorer into the lane engine."""

    name = "scorer"
    topics = tuple(topic.name for topic in SCORER_INPUTS)
    # Cut-offs in force, policy, cut-offs that every customer was brought under, policy counted beforehand,
    # products.
    first_versions: tuple[int, ...] = (0, 1, 0, 1, 0)
    numbered_inputs = False
    locks_rows = False  # a lane's customers are changed by nobody else

    def __init__(self) -> None:
        """Start with an empty board."""
        self.board = Board()
        self.policies = Policies()
        self.catalogue = Catalogue()

    async def open(self, connection: Any, row: LaneRow) -> ScorerWork:
        """Load the lane's policy, cut-offs and histogram."""
        in_force_version, policy_version, swept_version, counted, products = row.versions
        in_force = await self._cut_offs(connection, in_force_version)
        # All of them: lanes that this worker gave up must not be waited for. Who saved saves again.
        self.board.barriers.clear()
        return ScorerWork(
            book=Book(self.board, row.lanes, self.policies, in_force.version),
            lane=row.lane,
            lanes=row.lanes,
            policy=await self.policies.get(connection, policy_version),
            policy_version=policy_version,
            in_force=in_force,
            swept=await self._cut_offs(connection, swept_version),
            histogram=await crowd.load_histogram(connection, row.lane),
            policies=self.policies,
            rescoring=Rescoring(row.lane, self.policies, counted),
            census=Census(row.lane),
            shelf=Shelf(
                self.catalogue, products, began=row.clock_ms > 0 and not (row.complete and row.settled)
            ),
        )

    async def _cut_offs(self, connection: Any, version: int) -> CutOffs:
        row = await connection.fetchrow(store.CUT_OFFS_OF, version)
        if row is None:
            return NO_CUT_OFFS
        return store.cut_offs_of(row, await self.policies.get(connection, row[4]))
