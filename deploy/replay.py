"""Publishes a history in event time, with the time marks that let lanes settle every midnight.

Each batch is built per topic-partition; a day's marks follow its events in the same batches, so every
partition promises the same instants in the same order. Records carry event time as their timestamp:
that is what merges a lane's topics into one order. The referrals that purchases make are published with
them, at the purchases' own time: a scorer that publishes them itself does so only live.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import merge
from typing import Any, Final
from zoneinfo import ZoneInfo

from aiokafka import AIOKafkaProducer

from deploy.history import TOPICS, Derived, History, Line
from schemas.events import TimeReached
from schemas.times import from_ms, to_ms
from schemas.wire import encode
from services.scorer.records import FUTURE_MS_MAX

FLUSH_BYTES: Final = 65_536
FLUSH_DAYS: Final = 7
IN_FLIGHT_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class Mark:
    """One instant that every partition promises."""

    through_ms: int
    complete: bool = False
    ends_replay: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """How a history is to be replayed. ``events_per_second`` 0 is as fast as Kafka takes it."""

    zone: ZoneInfo
    then_live: bool = False
    events_per_second: float = 0.0


def midnights(first_ms: int, last_ms: int, zone: ZoneInfo) -> Iterator[int]:
    """Yield every local midnight after ``first_ms`` up to ``last_ms``, in ms, each instant once.

    A day that a zone leaves out (Apia, 30 December 2011) begins at the same instant as the next one.
    """
    day, latest_ms = from_ms(first_ms).astimezone(zone).date(), first_ms
    while True:
        day += timedelta(days=1)
        at_ms = to_ms(datetime(day.year, day.month, day.day, tzinfo=zone))
        if at_ms > last_ms:
            return
        if at_ms > latest_ms:
            latest_ms = at_ms
            yield at_ms


def in_order(history: History, plan: Plan, *, wall_ms: int) -> Iterator[Line | Mark]:
    """Yield events, derived ones among them, and marks in the order in which every partition gets them."""
    last_ms = history.last_ms(not_after_ms=wall_ms + FUTURE_MS_MAX)
    marks = midnights(history.first_ms(), last_ms, plan.zone)
    next_ms = next(marks, None)
    for line in merge(history.lines(), history.derived(), key=lambda line: line.at_ms):
        while next_ms is not None and line.at_ms >= next_ms:
            yield Mark(next_ms)
            next_ms = next(marks, None)
        yield line
    while next_ms is not None:
        yield Mark(next_ms)
        next_ms = next(marks, None)
    yield Mark(last_ms, complete=True, ends_replay=plan.then_live)


class Replayer:
    """Builds and sends the batches of one replay."""

    def __init__(self, producer: AIOKafkaProducer, partitions: int) -> None:
        """Send with ``producer``, which must have been started."""
        self._producer = producer
        self._partitions = partitions
        self._batches: dict[tuple[str, int], Any] = {}
        self._sent: set[asyncio.Future[Any]] = set()
        self._wall_ms = int(time.time() * 1000)
        self.published = 0

    async def run(self, history: History, plan: Plan, progress: Callable[[int], None] | None = None) -> None:
        """Publish everything; returns when Kafka acknowledged the last record."""
        started, marks = time.monotonic(), 0
        for item in in_order(history, plan, wall_ms=self._wall_ms):
            if isinstance(item, Mark):
                await self._mark(item)
                marks += 1
                if marks % FLUSH_DAYS == 0 or plan.events_per_second:
                    await self._flush()
                if progress is not None:
                    progress(self.published)
                continue
            await self._append(item.topic, item.partition, item.key, item.value, item.at_ms)
            if isinstance(item, Derived):
                continue
            self.published += 1
            if plan.events_per_second and self.published % 100 == 0:
                ahead = self.published / plan.events_per_second - (time.monotonic() - started)
                if ahead > 0:
                    await self._flush()
                    await asyncio.sleep(ahead)
        await self._flush()
        while self._sent:
            await self._collect(asyncio.ALL_COMPLETED)
        if progress is not None:
            progress(self.published)

    async def _mark(self, mark: Mark) -> None:
        event = TimeReached(
            event_id=f"time/{mark.through_ms}/{int(mark.complete)}",
            through=from_ms(mark.through_ms),
            complete=mark.complete,
            clock="wall" if mark.ends_replay else "event",
        )
        value = encode(event)
        for topic in TOPICS:
            for partition in range(self._partitions):
                await self._append(topic, partition, None, value, mark.through_ms)

    async def _append(self, topic: str, partition: int, key: bytes | None, value: bytes, at_ms: int) -> None:
        # A broker refuses timestamps of the future; the lane gives such an event its reason.
        stamp_ms = min(at_ms, self._wall_ms)
        batch = self._batches.get((topic, partition))
        if batch is None or batch.append(key=key, value=value, timestamp=stamp_ms) is None:
            if batch is not None:
                await self._send(topic, partition)
            batch = self._batches[topic, partition] = self._producer.create_batch()
            if batch.append(key=key, value=value, timestamp=stamp_ms) is None:
                raise ValueError(f"an event of {len(value)} bytes does not fit into a batch")
        if batch.size() >= FLUSH_BYTES:
            await self._send(topic, partition)

    async def _flush(self) -> None:
        for topic, partition in list(self._batches):
            await self._send(topic, partition)

    async def _send(self, topic: str, partition: int) -> None:
        batch = self._batches.pop((topic, partition))
        batch.close()
        self._sent.add(await self._producer.send_batch(batch, topic, partition=partition))
        while len(self._sent) >= IN_FLIGHT_MAX:
            await self._collect(asyncio.FIRST_COMPLETED)

    async def _collect(self, when: str) -> None:
        done, self._sent = await asyncio.wait(self._sent, return_when=when)
        for future in done:
            future.result()


async def replay(
    bootstrap: str, history: History, plan: Plan, progress: Callable[[int], None] | None = None
) -> int:
    """Publish a history; return how many events of its files Kafka acknowledged.

    The producer is idempotent: an answer that is lost does not put a batch into the log twice.
    """
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=True,
        max_batch_size=1_000_000,
        max_request_size=4_000_000,
        request_timeout_ms=60_000,
    )
    await producer.start()
    try:
        replayer = Replayer(producer, history.partitions)
        await replayer.run(history, plan, progress)
        return replayer.published
    finally:
        await producer.stop()
