"""The lane's transactions that concerned one customer, put together from ``lane_log`` and his events.

What a transaction did to him shows in three ways: it read an event of his, it published something of him,
or the lane was through with another policy. Whatever else it did to him has left no trace but a later
clock, and the core's results do not depend on how often the clock was looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import merge
from itertools import zip_longest
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from services.scorer.core.draft import Moment
from services.scorer.core.explain import Turn
from services.scorer.core.products import Products, skus_of
from services.scorer.store import CutOffs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deploy.explaining.log import Log, Sighted
    from deploy.explaining.rows import Known, ListedAt, LogRow
    from schemas.events import Input

_IN_FORCE, _POLICY, _SWEPT, _PRODUCTS = 0, 1, 2, 4
_KINDS: Final[dict[str, Literal["chunk", "time", "sweep"]]] = {
    "chunk": "chunk",
    "time": "time",
    "sweep": "sweep",
}


class _Picked(NamedTuple):
    row: LogRow
    kind: Literal["chunk", "time", "sweep", "switched"]
    known_version: int  # cut-offs under which everybody had been brought before
    events: tuple[Input, ...]


@dataclass(slots=True)
class Turns:
    """Collects a customer's turns, row by row in the lane's order."""

    known: Known
    log: Log
    first_seq: int = 0  # of the lane's log; 1 if it is whole
    _picked: list[_Picked] = field(default_factory=list)
    _swept_version: int = 0
    _swept_policy: int = 0
    _at: list[int] = field(default_factory=list)  # per topic, the next event
    skipped: int = 0  # events that no transaction read: given up by hand, or read before the log begins

    @property
    def is_whole(self) -> bool:
        """Whether the lane's log is there from its first transaction on."""
        return self.first_seq == 1

    @property
    def versions(self) -> set[int]:
        """The cut-offs that the turns name."""
        return {one.known_version for one in self._picked} | {
            one.row.versions[_IN_FORCE] for one in self._picked
        }

    def take(self, row: LogRow) -> None:
        """Look at the lane's next transaction."""
        self.first_seq = self.first_seq or row.seq
        self._at = self._at or [0] * len(self.log.topics)
        self._swept_policy = self._swept_policy or row.versions[_POLICY]
        events = self._events_of(row)
        through = row.kind == "sweep" and row.versions[_SWEPT] == row.versions[_IN_FORCE]
        kind = _KINDS.get(row.kind)
        if events or (kind is not None and kind != "chunk" and row.seq in self.known.published_seqs):
            self._picked.append(_Picked(row, kind or "chunk", self._swept_version, events))
        elif through and self._swept_policy != row.versions[_POLICY]:
            self._picked.append(_Picked(row, "switched", self._swept_version, ()))
        self._swept_version = row.versions[_SWEPT]
        if through:
            self._swept_policy = row.versions[_POLICY]

    @property
    def skus(self) -> set[str]:
        """The products that the turns looked up."""
        return {sku for one in self._picked for sku in self._looked_up(one)}

    def _looked_up(self, one: _Picked) -> set[str]:
        policy = self.known.policies.get(one.row.versions[_POLICY])
        return skus_of(one.events) if policy is not None and policy.needs_products else set()

    def turns(self, cut_offs: Mapping[int, CutOffs], products: Sequence[ListedAt] = ()) -> list[Turn]:
        """Return the turns, for ``explain.replay``; ``products`` are the versions of ``skus``, in order.

        Raises:
            KeyError: cut-offs that were in force are not there any more.
        """
        return [self._turn(one, cut_offs, self._products(one, products)) for one in self._picked]

    def _products(self, one: _Picked, every: Sequence[ListedAt]) -> Products:
        """Return the products that a turn looked up, as they were in its version."""
        version = one.row.versions[_PRODUCTS] if len(one.row.versions) > _PRODUCTS else 0
        skus = self._looked_up(one)
        return {
            listed.sku: listed.product for listed in every if listed.version <= version and listed.sku in skus
        }

    def _turn(self, one: _Picked, cut_offs: Mapping[int, CutOffs], products: Products) -> Turn:
        row, in_force = one.row, cut_offs[one.row.versions[_IN_FORCE]]
        # A chunk is never complete; all else at the instant that ended a replay is.
        complete = one.kind != "chunk" and row.clock_ms in self.known.replay_ends_ms
        return Turn(
            kind=one.kind,
            moment=Moment(
                now_ms=row.clock_ms,
                complete=complete,
                cuts=in_force.cuts,
                cut_offs_version=in_force.version,
                policy_version=row.versions[_POLICY],
                lane=self.known.lane,
                seq=row.seq,
                products=products,
            ),
            known=cut_offs[one.known_version].cuts,
            known_version=one.known_version,
            known_policy_version=cut_offs[one.known_version].policy_version,
            events=one.events,
        )

    def _events_of(self, row: LogRow) -> tuple[Input, ...]:
        """Return the events that the transaction read, in the order in which it applied them.

        Merged over the topics by record time, as ``LaneQueues.take`` does; of equal times the topic that
        comes first in the scorer's order.
        """
        taken = [
            self._taken(topic, begin, end)
            for topic, (begin, end) in enumerate(zip_longest(row.read_from, row.read_to, fillvalue=0))
            if begin < end  # a topic that is new to the lane is read from its beginning
        ]
        return tuple(one[-1].event for one in merge(*taken, key=lambda one: one[:2]))

    def _taken(self, topic: int, begin: int, end: int) -> Sequence[tuple[int, int, Sighted]]:
        events, at = self.log.topics[topic], self._at[topic]
        while at < len(events) and events[at].offset < begin:
            self.skipped += 1
            at += 1
        first = at
        while at < len(events) and events[at].offset < end:
            at += 1
        self._at[topic] = at
        return [(one.timestamp_ms, topic, one) for one in events[first:at]]
