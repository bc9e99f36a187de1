"""A history dealt out for an offline replay: each process gets the lines of its own customers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from deploy.history import TOPICS, History, Line
from deploy.replay import Mark, Plan, in_order
from schemas.topics import PRODUCTS
from services.scorer.offline.replay import Stretch
from services.scorer.records import FUTURE_MS_MAX

BYTES_MAX: Final = 1_000_000  # a busy day is dealt out in parts
_PLACE_OF: Final = {topic: place for place, topic in enumerate((*TOPICS, PRODUCTS.name))}


@dataclass(slots=True)
class Dealer:
    """Deals a history out by partition, in the order in which lanes take it."""

    history: History  # of as many partitions as there are processes
    plan: Plan
    wall_ms: int
    dated_ahead: int = 0  # events left out because they are dated after the wall clock
    _lines: list[list[bytes]] = field(default_factory=list)
    _bytes: int = 0

    def stretches(self) -> Iterator[Stretch]:
        """Yield what happens between midnights, and the end."""
        self._start()
        for item in by_topic(in_order(self.history, self.plan, wall_ms=self.wall_ms)):
            if isinstance(item, Mark):
                yield Stretch(self._dealt(), item.through_ms, item.complete)
                continue
            if item.at_ms > self.wall_ms + FUTURE_MS_MAX:
                self.dated_ahead += 1
                continue
            self._lines[item.partition].append(item.value)
            self._bytes += len(item.value)
            if self._bytes >= BYTES_MAX:
                yield Stretch(self._dealt(), None)

    def _start(self) -> None:
        self._lines, self._bytes = [[] for _ in range(self.history.partitions)], 0

    def _dealt(self) -> list[list[bytes]]:
        lines = self._lines
        self._start()
        return lines


def by_topic(items: Iterable[Line | Mark]) -> Iterator[Line | Mark]:
    """Yield the items with the events of one instant in the order of their topics, as a lane merges them."""
    same: list[Line] = []
    for item in items:
        if same and (isinstance(item, Mark) or item.at_ms != same[0].at_ms):
            yield from _sorted(same)
            same = []
        if isinstance(item, Mark):
            yield item
        else:
            same.append(item)
    yield from _sorted(same)


def _sorted(same: list[Line]) -> list[Line]:
    return sorted(same, key=lambda line: _PLACE_OF[line.topic]) if len(same) > 1 else same
