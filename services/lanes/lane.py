"""One lane at work: queue in, turns out, one after another.

Every turn is decided on what is committed and written through the fence. Whenever the outcome is
unknown, the lane's row is the truth: read it, forget everything else, seek, go on.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any, Final

import asyncpg
import structlog

from services.lanes import recovery
from services.lanes.clock import LaneClock
from services.lanes.context import LaneContext
from services.lanes.database import DATABASE_ERRORS
from services.lanes.publisher import NUMBER_HEADER, LanePublisher
from services.lanes.queues import Chunk, LaneQueues, Marker, Offer, Taken
from services.lanes.turns import Refenced, Turns
from services.lanes.work import LaneRow, LaneTime, LaneWork, Record, Turn

TEND_SECONDS: Final = 0.5
CLOCK_WRITE_MS: Final = 60_000
BARRIER_WAIT_SECONDS: Final = 0.05  # between lanes of one worker a nudge is quicker
BACKLOG_WAIT_SECONDS: Final = 0.05
HOLD_SECONDS: Final = 5.0  # between two tries to read what can't be read
NUMBER_DIGITS_MAX: Final = 18  # of an outbox number, which is a bigint

log = structlog.get_logger()


class Lane:
    """A lane that this worker owns, until ``stop``."""

    def __init__(self, context: LaneContext, row: LaneRow, publisher: LanePublisher) -> None:
        """Hold the row as it was taken; ``run`` loads the rest."""
        self._context = context
        self._clock = LaneClock(len(row.offsets))
        self._turns = Turns(context, row, publisher, self._clock)
        self.publisher = publisher
        self.queues = LaneQueues(row.offsets, context.marker_of)
        self.stopping = False
        self.last_beat = time.monotonic()
        self.last_progress = [time.monotonic()] * len(row.offsets)
        self._topics = {name: topic for topic, name in enumerate(context.service.topics)}
        self._work: LaneWork | None = None
        self._wake = asyncio.Event()
        self._held_until = [0.0] * len(row.offsets)
        self._seek_wanted: set[int] = set()
        self._tended = 0.0

    @property
    def row(self) -> LaneRow:
        """The lane as its latest turn left it."""
        return self._turns.row

    # -- from the fetch loop ------------------------------------------------------------------------

    def offer(self, topic: int, chunk: Chunk) -> None:
        """Take a fetched chunk; called by the fetch loop between two of its polls."""
        outcome = self.queues.offer(topic, chunk)
        self.last_progress[topic] = time.monotonic()
        if outcome is Offer.GAP:
            log.warning(
                "gap", lane=self.row.lane, topic=topic, want=self.queues.wanted(topic), got=chunk.base
            )
            self.seek_back(topic, "gap")
        elif outcome is Offer.QUEUED:
            self._wake.set()

    def cannot_read(self, topic: int, error: Exception) -> None:
        """Hold a topic whose next records the broker no longer has, or can't give whole; say what to do.

        The lane stands still there, and only there: never a reset, which would lose events silently.
        """
        name, at = self._context.service.topics[topic], self.queues.wanted(topic)
        self._held_until[topic] = time.monotonic() + HOLD_SECONDS
        self.seek_back(topic, "unreadable")
        log.error(
            "lane_cannot_read",
            topic=name,
            partition=self.row.lane,
            offset=at,
            error=repr(error),
            remedy=f"bring the records back, or give them up: tierstream lanes skip {self.row.service} "
            f"{self.row.lane} {name} --to OFFSET",
        )

    def has_room(self, topic: int) -> bool:
        """Return whether the topic may be fetched: sought, readable, and not too much waits already."""
        if time.monotonic() < self._held_until[topic]:
            return False
        return self.queues.ready(topic) and self.queues.size(topic) < self._context.settings.queue_records_max

    def seek_back(self, topic: int, cause: str) -> None:
        """Have the lane read a topic again from where it stands."""
        self._context.metrics.seeks.labels(cause).inc()
        self._seek_wanted.add(topic)
        self._wake.set()

    def wake(self) -> None:
        """Have the lane look again at what it waits for."""
        self._wake.set()

    def stop(self) -> None:
        """Ask the lane to end after the turn that it is in."""
        self.stopping = True
        self._wake.set()

    # -- the loop -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until stopped. Anything unexpected ends the process: redelivery and the fence make it safe."""
        while not self.stopping:
            self._beat()
            # Before the lane looks at anything: what arrives while it works is no longer slept through.
            self._wake.clear()
            try:
                if self._work is None:
                    self._work = await recovery.load(self._context, self.row, self.publisher, self._clock)
                    await self._seek(set(range(len(self.row.offsets))))
                if self._seek_wanted:
                    topics, self._seek_wanted = self._seek_wanted, set()
                    await self._seek(topics)
                wait_seconds = await self._turn(self._work)
            except (Refenced, *DATABASE_ERRORS) as error:
                if isinstance(error, asyncpg.PostgresError):
                    log.warning("turn_failed", lane=self.row.lane, error=str(error))
                self._context.metrics.database_errors.inc()
                await self._begin_again()
                continue
            if wait_seconds > 0 and not self.stopping:
                await self._wait(wait_seconds)

    async def _begin_again(self) -> None:
        """The lane's row is the truth: forget everything else, the service's memory included."""
        self._work = None
        self._turns.row = await recovery.reread(
            self._context, self.row, beat=self._beat, is_stopping=lambda: self.stopping
        )

    async def _seek(self, topics: set[int]) -> None:
        wanted = {}
        for topic in topics:
            self.queues.restart(topic, self.row.offsets[topic])
            wanted[topic, self.row.lane] = self.row.offsets[topic]
        generations = await self._context.seek(wanted)
        for (topic, _lane), generation in generations.items():
            self.queues.sought(topic, generation)

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _turn(self, work: LaneWork) -> float:
        """Do one turn; return how long to wait before the next one, 0 for at once."""
        if self.publisher.backlog > self._context.settings.outbox_messages_max:
            return BACKLOG_WAIT_SECONDS
        if not self.row.settled:
            return await self._settle(work)
        if self.row.clock_mode != "wall":
            marker = self.queues.marker()
            if marker is not None:
                await self._reach(work, marker)
                return 0.0
        elif time.monotonic() - self._tended >= TEND_SECONDS and not await self._tend(work):
            self._tended = time.monotonic()
        taken = self.queues.take(
            self._context.settings.chunk_records_max, replaying=self.row.clock_mode != "wall"
        )
        if taken is not None:
            await self._apply(work, taken)
            await self._throttle(len(taken.records))
            return 0.0
        if self.publisher.published > self.row.published and self.publisher.backlog == 0:
            await self._turns.commit(Turn(kind="publish"), self.row)
        elif self.row.clock_mode == "wall" and self._clock_ms() - self.row.clock_ms >= CLOCK_WRITE_MS:
            # Nothing else writes an idle lane's clock, and by it one sees that the lane lives.
            await self._turns.commit(Turn(kind="time"), replace(self.row, clock_ms=self._clock_ms()))
        return TEND_SECONDS

    async def _apply(self, work: LaneWork, taken: Taken) -> None:
        """Give records to the service and commit what comes of them."""
        records, numbers = self._fresh(taken.records)
        for record in taken.records:
            self._clock.read_to(self._topics[record.topic], record.timestamp_ms)
        after = replace(self.row, offsets=taken.positions, numbers=numbers, clock_ms=self._clock_ms())
        time_ = self._time(after)

        async def decide(connection: Any, seq: int) -> Turn:
            return await work.chunk(connection, records, time_, seq)

        await self._turns.decide_and_commit(decide, after)
        now = time.monotonic()
        self.last_progress = [now] * len(self.last_progress)

    async def _tend(self, work: LaneWork) -> bool:
        """Do the next thing that time asks for; False when there is nothing."""
        after = replace(self.row, clock_ms=self._clock_ms())
        time_ = self._time(after)
        return await self._turns.decide_and_commit(lambda c, seq: work.tend(c, time_, seq), after)

    async def _reach(self, work: LaneWork, marker: Marker) -> None:
        """Every topic stands at a time mark: the clock moves to it, and the barrier begins."""
        positions = self.queues.pass_marker(marker)
        after = replace(
            self.row,
            offsets=positions,
            clock_ms=max(self.row.clock_ms, marker.through_ms),
            clock_mode="ending" if marker.ends_replay else self.row.clock_mode,
            complete=marker.complete,
            settled=False,
        )
        time_ = _barrier_time(after)
        if not await self._turns.decide_and_commit(lambda c, seq: work.tend(c, time_, seq), after):
            await self._turns.commit(Turn(kind="time"), after)
        self._context.nudge()

    async def _settle(self, work: LaneWork) -> float:
        """Go on with a barrier: whatever the service still has to do before the lane may read on."""
        time_ = _barrier_time(self.row)
        if await self._turns.decide_and_commit(lambda c, seq: work.tend(c, time_, seq), self.row):
            self._context.nudge()
            return 0.0
        return BARRIER_WAIT_SECONDS

    # -- small things -------------------------------------------------------------------------------

    def _beat(self) -> None:
        self.last_beat = time.monotonic()

    def _clock_ms(self) -> int:
        return self._clock.next_ms(self.row, self.queues, self._context.lagging)

    def _time(self, after: LaneRow) -> LaneTime:
        """Return the time of a turn that reads records, or that time asks for while the clock is the wall's."""
        is_live = self.row.clock_mode == "wall"
        return LaneTime(after.clock_ms, live=is_live, wall_ms=self._clock.wall_ms())

    def _fresh(self, records: list[Record]) -> tuple[list[Record], tuple[int, ...]]:
        """Drop records whose outbox number is known; return the rest and the highest numbers."""
        if not self._context.service.numbered_inputs:
            return records, self.row.numbers
        numbers, fresh = list(self.row.numbers), []
        for record in records:
            number = _number_of(record)
            if number is not None:
                topic = self._topics[record.topic]
                if number <= numbers[topic]:
                    self._context.metrics.repeats.inc()
                    continue
                numbers[topic] = number
            fresh.append(record)
        return fresh, tuple(numbers)

    async def _throttle(self, records: int) -> None:
        rate = self._context.settings.throttle_records_per_second
        until = time.monotonic() + (records / rate if rate else 0.0)
        while not self.stopping and (left := until - time.monotonic()) > 0:
            self._beat()
            await asyncio.sleep(min(0.1, left))


def _number_of(record: Record) -> int | None:
    """Return the outbox number that the record was published under."""
    value = next((value for name, value in record.headers if name == NUMBER_HEADER), b"")
    return int(value) if value.isdigit() and len(value) <= NUMBER_DIGITS_MAX else None


def _barrier_time(row: LaneRow) -> LaneTime:
    return LaneTime(row.clock_ms, row.complete, barrier=True, ends_replay=row.clock_mode == "ending")
