"""A lane's clock while it follows the wall: PostgreSQL's, held back by what is still to be read."""

from __future__ import annotations

import time
from collections.abc import Callable

from services.lanes.queues import LaneQueues
from services.lanes.work import LaneRow


class LaneClock:
    """One lane's. Every turn's statement returns PostgreSQL's time, so nobody's system clock counts."""

    def __init__(self, topics: int) -> None:
        """Begin without having heard of PostgreSQL's time."""
        self._ahead_ms = 0.0  # PostgreSQL's clock minus our monotonic one
        self._read_to_ms = [0] * topics  # record time of the last applied record per topic

    def heard(self, database_ms: float) -> None:
        """Take note of PostgreSQL's time, in ms, as it answered just now."""
        self._ahead_ms = database_ms - time.monotonic() * 1000

    def read_to(self, topic: int, timestamp_ms: int) -> None:
        """Take note of the record time up to which a topic is applied."""
        self._read_to_ms[topic] = timestamp_ms

    def wall_ms(self) -> int:
        """Return PostgreSQL's time, in ms."""
        return int(time.monotonic() * 1000 + self._ahead_ms)

    def next_ms(self, row: LaneRow, queues: LaneQueues, lagging: Callable[[int, int, int], bool]) -> int:
        """Return the lane's clock for its next turn: never back, and while it lags not past what was read."""
        if row.clock_mode != "wall":
            return row.clock_ms
        now_ms = self.wall_ms()
        for topic, position in enumerate(queues.positions):
            if lagging(topic, row.lane, position):
                next_ms = queues.next_ms(topic)
                now_ms = min(now_ms, self._read_to_ms[topic] if next_ms is None else next_ms)
        return max(row.clock_ms, now_ms)
