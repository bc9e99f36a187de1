"""On the way to another policy: rescore everybody beside the policy in force, then switch together.

Each lane counts how the new policy would score its customers, without touching them, and says when it is
through. When every lane is, lane 0 writes the first cut-offs of the new policy from the sum; that row is
the word on which each lane switches. So no histogram ever holds two scales of score.
"""

from __future__ import annotations

import time as clock
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from services.lanes import faults
from services.lanes.work import Turn
from services.scorer import crowd, store
from services.scorer.core.cuts import Histogram, count_move, empty_histogram
from services.scorer.core.draft import Moment
from services.scorer.core.policy import Policy
from services.scorer.core.rescore import rescore
from services.scorer.core.state import decode_state

ASK_SECONDS: Final = 1.0  # between two looks for a newer policy


class PolicyMissingError(RuntimeError):
    """A lane is at a policy that the database does not have."""


@dataclass(slots=True)
class Policies:
    """The policies by version, read once each; a version never changes."""

    _known: dict[int, Policy] = field(default_factory=dict)

    async def get(self, connection: Any, version: int) -> Policy:
        """Return a policy.

        Raises:
            PolicyMissingError: there is none of that version.
        """
        if version not in self._known:
            body = await connection.fetchval(store.POLICY, version)
            if body is None:
                raise PolicyMissingError(f"policy version {version} is missing: run tierstream migrate")
            self._known[version] = Policy.from_json(msgspec.json.decode(body))
        return self._known[version]


@dataclass(slots=True)
class Rescoring:
    """One lane's count of its customers under a policy that is to come."""

    lane: int
    policies: Policies
    through: int  # every customer was counted under policies up to this version
    _target: int = 0
    _counts: Histogram = field(default_factory=empty_histogram)
    _after: str = ""  # the last customer id that was counted
    _asked: float = -ASK_SECONDS

    @property
    def target(self) -> int:
        """The policy that is being counted; 0: none."""
        return self._target

    async def next_turn(self, connection: Any, moment: Moment, in_force: int) -> Turn | None:
        """Count the next batch; None when there is no policy to come, or the lane is through with it."""
        now = clock.monotonic()
        if not self._target and now - self._asked < ASK_SECONDS:
            return None
        self._asked = now
        newest = int(await connection.fetchval(store.NEWEST_POLICY) or 0)
        if newest <= max(in_force, self.through):
            self._target = 0
            return None
        if newest != self._target:
            self._target, self._counts, self._after = newest, empty_histogram(), ""
        return await self._count(connection, moment)

    async def _count(self, connection: Any, moment: Moment) -> Turn:
        policy = await self.policies.get(connection, self._target)
        rows = await connection.fetch(store.EVERYBODY, self.lane, self._after, store.BATCH)
        # No cuts: they move tiers, and only the scores are counted here.
        alone = msgspec.structs.replace(moment, cuts=None, cut_offs_version=0)
        turn = Turn(kind="rescore")
        for row in rows:
            state = decode_state(row[1])
            try:
                count_move(self._counts, rescore(state, alone, policy).moved)
            except faults.NEVER_CAUGHT:
                raise
            except Exception as error:  # noqa: BLE001 -- logged there; the cut-offs to come do without him
                faults.put_off("rescore", error, self.lane)
                turn.put_off.append("rescore")
        if len(rows) == store.BATCH:
            self._after = rows[-1][0]
            return turn
        target = self._target
        turn.writes.append(crowd.save_rescored(self._counts, at_ms=moment.now_ms, policy_version=target))

        def committed() -> None:
            self.through, self._target = target, 0

        turn.on_commit = committed
        return turn
