"""What a lane has been given and has not taken yet: contiguous per topic, merged by time.

Pure: no I/O and no clock, so gaps, repeats, holes and markers can be tried in every order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from services.lanes.work import Record


class Chunk(NamedTuple):
    """What one fetch brought for one topic-partition.

    ``base`` is the true position that it was read from and ``next`` the position after it, taken from
    the consumer in one step. A hole inside (transaction markers, compaction) is no gap.
    """

    generation: int  # of the seek before it; a chunk older than the lane's last seek is stale
    base: int
    records: Sequence[Record]
    next: int


class Marker(NamedTuple):
    """A replay's promise that everything earlier than ``through_ms`` stands before it."""

    through_ms: int
    complete: bool
    ends_replay: bool


class Offer(Enum):
    """What became of an offered chunk."""

    QUEUED = "queued"
    REPEATED = "repeated"  # all of it was known
    STALE = "stale"  # it left the consumer before the lane's last seek
    GAP = "gap"  # it begins ahead of what is expected: seek back


@dataclass(slots=True)
class _TopicQueue:
    records: deque[Record]
    end: int  # the position that the next chunk must begin at
    generation: int | None  # of the lane's last seek; None while a seek is under way
    marker_of: Callable[[Record], Marker | None]
    looked_at: Record | None = None
    found: Marker | None = None

    @property
    def position(self) -> int:
        """The position up to which everything was taken; holes before the next record are included."""
        return self.records[0].offset if self.records else self.end

    def marker(self) -> Marker | None:
        """Return the marker at the head, None when there is none.

        Each record is looked at once: a marker stands at the head of every idle topic while the others'
        records are taken one by one.
        """
        head = self.records[0] if self.records else None
        if head is None or head.key is not None:
            return None
        if head is not self.looked_at:
            self.looked_at, self.found = head, self.marker_of(head)
        return self.found


@dataclass(frozen=True, slots=True)
class Taken:
    """Records in the order in which they are to be applied, and the positions after them."""

    records: list[Record]
    positions: tuple[int, ...]


class LaneQueues:
    """The queues of one lane, one per input topic, in the service's order of topics."""

    def __init__(self, positions: Sequence[int], marker_of: Callable[[Record], Marker | None]) -> None:
        """Start empty at ``positions``; ``marker_of`` recognises the time marks of a replay."""
        self._queues = [_TopicQueue(deque(), position, None, marker_of) for position in positions]
        self._marker_of = marker_of

    @property
    def positions(self) -> tuple[int, ...]:
        """Where every topic stands: what a turn writes once its records were applied."""
        return tuple(queue.position for queue in self._queues)

    def size(self, topic: int) -> int:
        """Return how many records of a topic wait, for flow control."""
        return len(self._queues[topic].records)

    def next_ms(self, topic: int) -> int | None:
        """Return the record time of a topic's next record; None when none waits."""
        records = self._queues[topic].records
        return records[0].timestamp_ms if records else None

    def wanted(self, topic: int) -> int:
        """Return the position that the next chunk of a topic must begin at."""
        return self._queues[topic].end

    def ready(self, topic: int) -> bool:
        """Return whether the topic was sought, so that chunks can be taken for it."""
        return self._queues[topic].generation is not None

    def restart(self, topic: int, position: int) -> None:
        """Forget what waits; nothing is accepted until ``sought``."""
        self._queues[topic] = _TopicQueue(deque(), position, None, self._marker_of)

    def sought(self, topic: int, generation: int) -> None:
        """Accept chunks of this seek generation from now on."""
        self._queues[topic].generation = generation

    def offer(self, topic: int, chunk: Chunk) -> Offer:
        """Queue what is new of a chunk, if it joins on to what is there."""
        queue = self._queues[topic]
        if chunk.generation != queue.generation:
            return Offer.STALE
        if chunk.base > queue.end:
            return Offer.GAP
        if chunk.next <= queue.end:
            return Offer.REPEATED
        if chunk.base == queue.end:
            queue.records.extend(chunk.records)
        else:
            queue.records.extend(record for record in chunk.records if record.offset >= queue.end)
        queue.end = chunk.next
        return Offer.QUEUED

    def take(self, limit: int, *, replaying: bool) -> Taken | None:
        """Take up to ``limit`` records, merged over the topics by record time; None when there are none.

        Live, whatever waits is taken. In a replay a topic that waits for its next record holds the
        others, and one whose next record is a marker is left standing there: so a replay is taken in
        one order only, however its records arrive.
        """
        taken: list[Record] = []
        while len(taken) < limit:
            run = self._earliest(replaying=replaying)
            if run is None:
                break
            topic, until_ms, inclusive = run
            queue = self._queues[topic]
            records = queue.records
            while records and len(taken) < limit:
                head = records[0]
                if until_ms is not None and not (
                    head.timestamp_ms < until_ms or (inclusive and head.timestamp_ms == until_ms)
                ):
                    break
                if replaying and head.key is None and queue.marker():
                    break
                taken.append(records.popleft())
        return Taken(taken, self.positions) if taken else None

    def _earliest(self, *, replaying: bool) -> tuple[int, int | None, bool] | None:
        """Return the topic to take from, and up to which time of the next best topic (inclusive or not)."""
        heads: list[tuple[int, int]] = []
        for topic, queue in enumerate(self._queues):
            if not queue.records:
                if replaying:
                    return None
                continue
            head = queue.records[0]
            if replaying and head.key is None and queue.marker():
                continue
            heads.append((head.timestamp_ms, topic))
        if not heads:
            return None
        heads.sort()
        topic = heads[0][1]
        if len(heads) == 1:
            return topic, None, True
        return topic, heads[1][0], topic < heads[1][1]

    def marker(self) -> Marker | None:
        """Return the marker that every topic stands at (the least of them), else None."""
        least: Marker | None = None
        for queue in self._queues:
            marker = queue.marker()
            if marker is None:
                return None
            least = marker if least is None else min(least, marker)
        return least

    def pass_marker(self, marker: Marker) -> tuple[int, ...]:
        """Take the markers equal to ``marker``; return the positions after them."""
        for queue in self._queues:
            if queue.marker() == marker:
                queue.records.popleft()
        return self.positions
