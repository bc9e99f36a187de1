"""A thread that ends a process which hangs. Not optional: every hang it knows was met."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from services.lanes.owner import LaneOwner

EXIT_HANGS: Final = 71
EXIT_STOP_HANGS: Final = 74
LOOP_SECONDS_MAX: Final = 20.0
POLL_SECONDS_MAX: Final = 30.0
LANE_SECONDS_MAX: Final = 60.0
ASSIGNMENT_SECONDS_MAX: Final = 60.0
STOP_SECONDS_MAX: Final = 14.0

log = structlog.get_logger()


class Watchdog:
    """Ends the process when the loop, the fetch loop or a lane stops making progress.

    PostgreSQL or Kafka being away is no hang: who waits for them keeps its beat.
    """

    def __init__(self, owner: LaneOwner, loop: asyncio.AbstractEventLoop) -> None:
        """Watch ``owner`` and the loop that it lives in."""
        self._owner = owner
        self._loop = loop
        self._beat = time.monotonic()

    def start(self) -> None:
        """Start the thread; it ends with the process."""
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(0.25)
            try:
                self._loop.call_soon_threadsafe(self._tick)
            except RuntimeError:  # the loop is closed: the process is ending
                return
            self._check(time.monotonic())

    def _tick(self) -> None:
        self._beat = time.monotonic()

    def _check(self, now: float) -> None:
        owner = self._owner
        if owner.stopping_since is not None:
            if now - owner.stopping_since > STOP_SECONDS_MAX:
                _end(EXIT_STOP_HANGS, "the stop takes too long")
            return
        if now - self._beat > LOOP_SECONDS_MAX:
            _end(EXIT_HANGS, "the event loop is stuck")
        if now - owner.polled_at > POLL_SECONDS_MAX:
            _end(EXIT_HANGS, "nothing was polled")
        if not owner.lanes and now - owner.owned_at > ASSIGNMENT_SECONDS_MAX:
            owner.owned_at = now  # said once a minute
            log.warning("no_lanes", remedy="there may be more workers than lanes, or the group is unstable")
        for lane in list(owner.lanes.values()):
            if now - lane.last_beat > LANE_SECONDS_MAX:
                _end(EXIT_HANGS, f"lane {lane.row.lane} is stuck")


def _end(code: int, why: str) -> None:
    log.error("watchdog", why=why, exit_code=code)
    os._exit(code)
