"""Which lanes this worker owns: take-over, give-up, hints to Kafka, lost tails."""

from __future__ import annotations

import asyncio
import os
import time
import traceback
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, Protocol

import asyncpg
import structlog
from aiokafka import AIOKafkaProducer

from services.lanes import statement as sql
from services.lanes.context import LaneContext
from services.lanes.database import DATABASE_ERRORS
from services.lanes.lane import Lane
from services.lanes.metrics import LaneMetrics
from services.lanes.publisher import LanePublisher
from services.lanes.queues import Marker
from services.lanes.settings import WorkerSettings
from services.lanes.work import Record, Service

EXIT_LANE_DIED: Final = 72
REVOKE_SECONDS_MAX: Final = 5.0
LOOK_SECONDS: Final = 0.1  # between two looks for lost tails: each asks for every topic of every lane
TAIL_SECONDS: Final = 2.0
TAIL_SECONDS_MAX: Final = 60.0

log = structlog.get_logger()


class Consumer(Protocol):
    """What the owner needs of the transport."""

    async def seek_lanes(self, positions: Mapping[tuple[str, int], int]) -> Mapping[tuple[str, int], int]:
        """Seek and return the new seek generation of each topic-partition."""
        ...

    def end_of(self, topic: str, partition: int) -> int | None:
        """Return the end of a topic-partition as the last fetch saw it; None while unknown."""
        ...


class LaneOwner:
    """The lanes of one worker."""

    def __init__(
        self,
        service: Service,
        settings: WorkerSettings,
        metrics: LaneMetrics,
        marker_of: Callable[[Record], Marker | None],
    ) -> None:
        """Hold what lanes are built of; nothing is opened yet."""
        self.service = service
        self.settings = settings
        self.metrics = metrics
        self.lanes: dict[int, Lane] = {}
        self.consumer: Consumer | None = None
        self.owned_at = time.monotonic()
        self.polled_at = time.monotonic()
        self.stopping_since: float | None = None
        self._marker_of = marker_of
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._producer: AIOKafkaProducer | None = None
        self._tasks: dict[int, list[asyncio.Task[None]]] = {}
        self._taking: asyncio.Task[None] | None = None
        self._hinted: dict[tuple[str, int], int] = {}
        self._tail_pause: dict[tuple[int, int], float] = {}
        self._looked = 0.0  # for lost tails, monotonic

    # -- ownership ----------------------------------------------------------------------------------

    def take(self, assigned: Iterable[tuple[str, int]]) -> asyncio.Task[None]:
        """Begin to own what was assigned; the task ends when every lane is loaded."""
        if self._taking is not None:
            self._taking.cancel()
        self._taking = asyncio.create_task(self._take(set(assigned)))
        return self._taking

    async def give_up(self, why: str) -> None:
        """Stop all lanes: wait for turns in flight, then cancel. The fence covers the rest."""
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None
        lanes, tasks = list(self.lanes.values()), self._tasks
        self.lanes, self._tasks = {}, {}
        for lane in lanes:
            lane.stop()
        working = [work for work, _ in tasks.values()]
        if working:
            await asyncio.wait(working, timeout=REVOKE_SECONDS_MAX)
        for pair in tasks.values():
            for task in pair:
                task.cancel()
        self.metrics.lanes.set(0)
        if lanes:
            log.info("lanes_given_up", lanes=sorted(lane.row.lane for lane in lanes), why=why)

    async def close(self) -> None:
        """Give up all lanes and close what they used."""
        await self.give_up("stop")
        if self._producer is not None:
            await self._producer.stop()
        if self._pool is not None:
            self._pool.terminate()

    async def _take(self, assigned: set[tuple[str, int]]) -> None:
        self.owned_at = time.monotonic()
        mine = whole_lanes(assigned, self.service.topics)
        if self.lanes:
            await self.give_up("assigned anew")
        if not mine:
            return
        pool, producer = await self._connect()
        rows = await self._bump(pool, mine)
        for row in rows:
            publisher = LanePublisher(producer, row["published"])
            context = LaneContext(
                service=self.service,
                settings=self.settings,
                pool=pool,
                metrics=self.metrics,
                marker_of=self._marker_of,
                seek=self._seek,
                lagging=self._lagging,
                nudge=self._nudge,
            )
            lane = Lane(context, sql.row_of(row, self.settings.count), publisher)
            self.lanes[lane.row.lane] = lane
            self._tasks[lane.row.lane] = [
                asyncio.create_task(_to_the_end(lane.run(), "lane", lane.row.lane)),
                asyncio.create_task(_to_the_end(publisher.run(), "publisher", lane.row.lane)),
            ]
        self.owned_at = time.monotonic()
        self._hinted.clear()
        self._tail_pause.clear()
        self.metrics.lanes.set(len(self.lanes))
        log.info("lanes_owned", lanes=sorted(self.lanes), epochs=[row["epoch"] for row in rows])

    async def _connect(self) -> tuple[asyncpg.Pool[asyncpg.Record], AIOKafkaProducer]:
        if self._pool is None:
            from services.lanes.database import open_pool  # noqa: PLC0415

            self._pool = await open_pool(self.settings.database_url)
        if self._producer is None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self.settings.kafka_bootstrap,
                acks="all",
                max_batch_size=262_144,
                linger_ms=0,
                request_timeout_ms=20_000,
            )
            await producer.start()
            self._producer = producer
        return self._pool, self._producer

    async def _bump(self, pool: asyncpg.Pool[asyncpg.Record], lanes: list[int]) -> list[Any]:
        """Take the lanes by one more epoch; whoever held them is fenced from here on. Tries for ever.

        Lanes of an installation from before a topic was added begin that topic at its first offset.
        """
        service, pause = self.service, 0.05
        nothing_read = [0] * len(service.topics)
        while True:
            try:
                async with pool.acquire() as connection:
                    await connection.execute(
                        sql.CREATE, service.name, lanes, nothing_read, self.settings.clock,
                        list(service.first_versions),
                    )  # fmt: skip
                    return await connection.fetch(
                        sql.TAKE_OVER, service.name, lanes, self.settings.slot, len(service.topics)
                    )
            except DATABASE_ERRORS as error:
                log.warning("take_over_waits", error=type(error).__name__)
                self.owned_at = time.monotonic()
                await asyncio.sleep(pause)
                pause = min(1.0, pause * 1.6)

    # -- for the lanes ------------------------------------------------------------------------------

    async def _seek(self, positions: Mapping[tuple[int, int], int]) -> Mapping[tuple[int, int], int]:
        names = self.service.topics
        if self.consumer is None:
            raise RuntimeError("a lane can't seek before the consumer started")
        sought = await self.consumer.seek_lanes({(names[t], p): at for (t, p), at in positions.items()})
        return {(names.index(name), p): generation for (name, p), generation in sought.items()}

    def _lagging(self, topic: int, lane: int, position: int) -> bool:
        end = None if self.consumer is None else self.consumer.end_of(self.service.topics[topic], lane)
        return end is None or end > position

    def _nudge(self) -> None:
        for lane in self.lanes.values():
            lane.wake()

    # -- for the transport --------------------------------------------------------------------------

    def wanted(self) -> set[tuple[str, int]]:
        """Return the topic-partitions that may be fetched now."""
        names = self.service.topics
        return {
            (name, lane.row.lane)
            for lane in self.lanes.values()
            for topic, name in enumerate(names)
            if lane.has_room(topic)
        }

    def hints(self) -> dict[tuple[str, int], int]:
        """Return positions for Kafka's committed offsets: a hint for people, never read by lanes."""
        names = self.service.topics
        now = {
            (names[topic], lane.row.lane): at
            for lane in self.lanes.values()
            for topic, at in enumerate(lane.row.offsets)
        }
        return {key: at for key, at in now.items() if self._hinted.get(key) != at}

    def hinted(self, positions: Mapping[tuple[str, int], int]) -> None:
        """Remember what Kafka was told."""
        self._hinted.update(positions)

    def look_for_lost_tails(self) -> None:
        """Seek back where the log goes on but nothing arrives: a chunk lost at the end shows no gap."""
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        for lane in self.lanes.values():
            for topic in range(len(self.service.topics)):
                key = (topic, lane.row.lane)
                waiting = lane.queues.size(topic) or not lane.queues.ready(topic)
                if waiting or not self._known_lag(topic, lane):
                    self._tail_pause.pop(key, None)
                    continue
                pause = self._tail_pause.get(key, TAIL_SECONDS)
                if now - lane.last_progress[topic] > pause:
                    self._tail_pause[key] = min(TAIL_SECONDS_MAX, pause * 2)
                    lane.last_progress[topic] = now
                    lane.seek_back(topic, "tail")

    def _known_lag(self, topic: int, lane: Lane) -> bool:
        end = (
            None if self.consumer is None else self.consumer.end_of(self.service.topics[topic], lane.row.lane)
        )
        return end is not None and end > lane.queues.wanted(topic)


def whole_lanes(assigned: set[tuple[str, int]], topics: tuple[str, ...]) -> list[int]:
    """Return the lanes all of whose topic-partitions are assigned; a part of a lane is not taken."""
    per_topic = [{partition for name, partition in assigned if name == topic} for topic in topics]
    whole = set.intersection(*per_topic) if per_topic else set()
    split = set.union(*per_topic) - whole if per_topic else set()
    if split:
        log.error(
            "lanes_split", lanes=sorted(split), remedy="all workers of a group must read the same topics"
        )
    return sorted(whole)


async def _to_the_end(work: Awaitable[None], what: str, lane: int) -> None:
    """Run a lane's task; anything unexpected ends the process, and the supervisor starts a new one."""
    try:
        await work
    except asyncio.CancelledError:
        raise
    except BaseException:  # noqa: BLE001 -- a lane that can't go on must not commit
        log.error("lane_died", what=what, lane=lane, trace=traceback.format_exc())  # noqa: TRY400
        os._exit(EXIT_LANE_DIED)
