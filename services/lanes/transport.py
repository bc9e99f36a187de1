"""The Faust driver of the lanes: the fetch loop hands chunks straight to their lane.

Faust keeps the group, the assignment, the subscription, life cycle, signals and timers. Overridden is
what decides where a lane reads: positions come from PostgreSQL, never from committed offsets, and
every chunk carries the true position that it was read from. Written against faust-streaming 0.15.3
and aiokafka 0.14; ``services.lanes.pins`` refuses to start on others.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

import structlog
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.errors import ConsumerStoppedError, KafkaError, NoOffsetForPartitionError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers import aiokafka as driver

from services.lanes.owner import LaneOwner
from services.lanes.queues import Chunk
from services.lanes.watchdog import Watchdog
from services.lanes.work import Record

FETCH_WAIT_MS = 50  # Faust has 1,500: a second and a half of latency when little happens
POLL_SECONDS = 0.05
COMMIT_SECONDS_MAX = 5.0

T = TypeVar("T")
Fetched = dict[TopicPartition, Chunk]
Troubles = dict[tuple[str, int], KafkaError]
log = structlog.get_logger()


class LaneConsumerThread(driver.AIOKafkaConsumerThread):
    """aiokafka in its own thread and loop; what is new runs there in one step each."""

    def __post_init__(self) -> None:
        """Start counting seeks."""
        super().__post_init__()
        self.generations: Counter[tuple[str, int]] = Counter()
        self.troubles: dict[tuple[str, int], KafkaError] = {}

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # noqa: SLF001
        consumer._isolation_level = "read_committed"  # noqa: SLF001
        # A position that the broker no longer has must stop its lane, never move it silently.
        consumer._auto_offset_reset = "none"  # noqa: SLF001
        return consumer

    async def on_thread_stop(self) -> None:
        """Leave the group: aiokafka sends no LeaveGroup for a static member, and the lanes would wait."""
        consumer: Any = self._consumer
        if consumer is not None:
            consumer._coordinator._group_instance_id = None  # noqa: SLF001
        await super().on_thread_stop()

    async def run_here(self, work: Coroutine[Any, Any, T], seconds_max: float | None = None) -> T:
        """Run in the consumer's loop, from the worker's.

        Not through mode's method queue: it has two workers, and a poll and a stuck commit would block a
        seek.
        """
        future = asyncio.run_coroutine_threadsafe(work, self.thread_loop)
        return await asyncio.wait_for(asyncio.wrap_future(future), seconds_max)

    async def poll_lanes(self, wanted: set[tuple[str, int]], records_max: int) -> tuple[Fetched, Troubles]:
        """Return what was fetched for ``wanted``, with true positions, and what could not be read.

        Waits up to POLL_SECONDS for any. Trouble with one topic-partition never costs the others theirs.
        """
        fetched = await self._fetched(wanted, records_max)
        troubles, self.troubles = self.troubles, {}
        return fetched, troubles

    async def _fetched(self, wanted: set[tuple[str, int]], records_max: int) -> Fetched:
        consumer: Any = self._ensure_consumer()
        fetcher = consumer._fetcher  # noqa: SLF001
        subscription = fetcher._subscriptions  # noqa: SLF001
        loop = asyncio.get_running_loop()
        until = loop.time() + POLL_SECONDS
        with subscription.fetch_context():
            while True:
                if consumer._closed or fetcher._closed:  # noqa: SLF001
                    raise ConsumerStoppedError
                if subscription.reassignment_in_progress or subscription.subscription is None:
                    await asyncio.sleep(0.02)
                    return {}
                fetched = self._drain(fetcher, subscription, wanted, records_max)
                if fetched or self.troubles or loop.time() >= until:
                    return fetched
                waiter = fetcher._create_fetch_waiter()  # noqa: SLF001
                done, _ = await asyncio.wait([waiter], timeout=max(0.0, until - loop.time()))
                if not done:
                    if not waiter.done():
                        waiter.set_result(None)
                    return {}
                waiter.result()

    def _drain(self, fetcher: Any, subscription: Any, wanted: set[tuple[str, int]], left: int) -> Fetched:
        """Aiokafka's ``fetched_records``, but each chunk has its base and next taken in the same step."""
        fetched: Fetched = {}
        for tp in list(fetcher._records):  # noqa: SLF001
            if tp not in wanted:
                if not subscription.is_assigned(tp):
                    del fetcher._records[tp]  # noqa: SLF001
                continue
            result = fetcher._records[tp]  # noqa: SLF001
            if type(result) is not FetchResult:
                if fetched:
                    break
                self._forget(fetcher, tp)
                self._note_trouble(tp, result)
                continue
            state = result._assignment.state_value(tp)  # noqa: SLF001
            base = state.position if state.has_valid_position else None
            try:
                records = result.getall(left)  # empty when the position was moved since the fetch
            except KafkaError as error:  # a batch that fails its checksum
                self._forget(fetcher, tp)
                self.troubles[tp] = error
                continue
            if not result.has_more():
                self._forget(fetcher, tp)
            if base is None or state.position == base:
                continue
            fetched[tp] = Chunk(
                self.generations[tp], base, [_record(record) for record in records], state.position
            )
            left -= len(records)
            if left <= 0:
                break
        return fetched

    def _note_trouble(self, tp: TopicPartition, failed: Any) -> None:
        try:
            failed.check_raise()
        except NoOffsetForPartitionError:
            return  # nobody committed offsets yet; the lanes seek to their own
        except KafkaError as error:
            self.troubles[tp] = error

    @staticmethod
    def _forget(fetcher: Any, tp: TopicPartition) -> None:
        del fetcher._records[tp]  # noqa: SLF001
        fetcher._notify(fetcher._wait_consume_future)  # noqa: SLF001

    async def seek_lanes(self, positions: Mapping[tuple[str, int], int]) -> dict[tuple[str, int], int]:
        """Seek in one step of aiokafka's own loop; buffered and flying fetches of before are dropped by it."""
        consumer = self._ensure_consumer()
        generations: dict[tuple[str, int], int] = {}
        for tp, position in positions.items():
            if consumer._subscription.is_assigned(TopicPartition(*tp)):  # noqa: SLF001
                consumer.seek(TopicPartition(*tp), position)
                self.generations[tp] += 1
                generations[tp] = self.generations[tp]
        return generations

    async def commit_hints(self, positions: Mapping[tuple[str, int], int]) -> None:
        """Tell Kafka where the lanes stand, for whoever looks at lag with Kafka's tools."""
        consumer = self._ensure_consumer()
        offsets = {TopicPartition(*tp): OffsetAndMetadata(at, "") for tp, at in positions.items()}
        assigned = {tp: at for tp, at in offsets.items() if consumer._subscription.is_assigned(tp)}  # noqa: SLF001
        if assigned:
            await consumer.commit(assigned)


def _record(record: Any) -> Record:
    return Record(
        record.topic,
        record.partition,
        record.offset,
        record.key,
        record.value,
        record.timestamp,
        record.headers or (),
    )


class LaneConsumer(driver.Consumer):
    """Faust's consumer with the lanes in charge of positions, fetching and commits."""

    _thread: LaneConsumerThread

    @property
    def owner(self) -> LaneOwner:
        """The lanes of this worker."""
        owner: LaneOwner = self.app.lane_owner  # type: ignore[attr-defined]  # see worker.build
        return owner

    def _new_consumer_thread(self) -> LaneConsumerThread:
        return LaneConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def on_start(self) -> None:
        """Start the watchdog here: an ``@app.task`` begins only after the first assignment, too late."""
        self.owner.consumer = self
        Watchdog(self.owner, asyncio.get_running_loop()).start()
        await super().on_start()

    async def on_stop(self) -> None:
        """Finish the turns in flight before the group is left."""
        self.owner.stopping_since = time.monotonic()
        await self.owner.close()
        await super().on_stop()

    async def perform_seek(self) -> None:
        """Own the lanes and seek: Faust calls this at every rebalance, before records flow.

        Never ``super()``, which seeks to committed offsets. ``asyncio.wait`` never raises: a
        CancelledError that leaves here silently ends Faust's recovery task, and the worker would hang
        with heartbeats for ever.
        """
        task = self.owner.take((tp.topic, tp.partition) for tp in self.assignment())
        await asyncio.wait([task])

    async def seek_lanes(self, positions: Mapping[tuple[str, int], int]) -> dict[tuple[str, int], int]:
        """Seek; see the thread's."""
        return await self._thread.run_here(self._thread.seek_lanes(positions))

    def end_of(self, topic: str, partition: int) -> int | None:
        """Return the end of a topic-partition as the last fetch saw it."""
        consumer = self._thread._consumer  # noqa: SLF001
        if consumer is None:
            return None
        try:
            end: int | None = consumer.highwater(TopicPartition(topic, partition))
        except (KafkaError, AssertionError):
            return None
        return end

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: ARG002, FBT001, FBT002
        """Commit hints. Stock Faust crashes the worker when this fails; here it may."""
        hints = self.owner.hints()
        if not hints:
            return False
        try:
            await self._thread.run_here(self._thread.commit_hints(hints), COMMIT_SECONDS_MAX)
        except (KafkaError, TimeoutError, OSError):
            return False
        self.owner.hinted(hints)
        return True

    async def _drain_messages(self, fetcher: Any) -> None:
        """The fetch loop. A lane that is full, waits or is stopped is not asked for, and holds up no other."""
        owner, poll_max = self.owner, self.app.conf.broker_max_poll_records
        while not (self._stopped.is_set() or fetcher._stopped.is_set()):  # noqa: SLF001
            owner.polled_at = time.monotonic()
            owner.look_for_lost_tails()
            wanted = owner.wanted()
            if not wanted or not self.flow_active:
                await asyncio.sleep(0.01)
                self._stay_in_the_group()
                continue
            try:
                fetched, troubles = await self._thread.run_here(self._thread.poll_lanes(wanted, poll_max))
            except (ConsumerStoppedError, asyncio.CancelledError):
                return
            for (topic, partition), error in troubles.items():
                if partition in owner.lanes:
                    owner.lanes[partition].cannot_read(owner.service.topics.index(topic), error)
            for (topic, partition), chunk in fetched.items():
                lane = owner.lanes.get(partition)
                if lane is not None:
                    lane.offer(owner.service.topics.index(topic), chunk)

    def _stay_in_the_group(self) -> None:
        """A poll that is not made must not look like a consumer that hangs (max.poll.interval)."""
        consumer = self._thread._consumer  # noqa: SLF001
        if consumer is not None:
            consumer._subscription._last_fetch_ended = time.monotonic()  # noqa: SLF001


class Transport(driver.Transport):
    """``lanes://host:port``."""

    Consumer = LaneConsumer
