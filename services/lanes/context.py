"""What a lane needs of its worker."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import asyncpg

from services.lanes.metrics import LaneMetrics
from services.lanes.queues import Marker
from services.lanes.settings import WorkerSettings
from services.lanes.work import Record, Service

Positions = Mapping[tuple[int, int], int]  # by topic index and partition
Generations = Mapping[tuple[int, int], int]


@dataclass(frozen=True, slots=True)
class LaneContext:
    """Shared by the lanes of one worker."""

    service: Service
    settings: WorkerSettings
    pool: asyncpg.Pool[asyncpg.Record]
    metrics: LaneMetrics
    marker_of: Callable[[Record], Marker | None]
    seek: Callable[[Positions], Awaitable[Generations]]
    lagging: Callable[[int, int, int], bool]  # topic index, lane, position -> more to come?
    nudge: Callable[[], None]  # wake this worker's lanes: what one of them waits for may have happened
