"""A flood of dead letters is a bad deploy, not bad records: the worker stops before it gives up more."""

from __future__ import annotations

import os
from collections import deque
from typing import Final

import structlog

from services.lanes.work import Turn

EXIT_FLOOD: Final = 75
WINDOW: Final = 1000
DEAD_LETTERS_MIN: Final = 200

log = structlog.get_logger()


class FloodGate:
    """Watches the last thousand records of one lane."""

    def __init__(self, lane: int) -> None:
        """Begin with an empty window."""
        self._lane = lane
        self._fates: deque[bool] = deque(maxlen=WINDOW)

    def watch(self, turn: Turn) -> None:
        """Take note of a committed turn; end the process when over half of the window are dead letters."""
        self._fates.extend([False] * turn.applied)
        self._fates.extend([True] * len(turn.dead_letters))
        dead = sum(self._fates)
        if turn.dead_letters and dead >= DEAD_LETTERS_MIN and dead * 2 > len(self._fates):
            log.error(
                "flood_of_dead_letters",
                lane=self._lane,
                dead=dead,
                of=len(self._fates),
                remedy="look at table dead_letters, mend the publisher or the deploy, start the worker again",
            )
            os._exit(EXIT_FLOOD)
