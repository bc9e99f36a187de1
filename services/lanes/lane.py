"""One lane at work: queue in, turns out, one after another.

Every turn is decided on what is committed and written through the fence. Whenever the outcome is
unknown, the lane's row is the truth: read it, forget everything else, seek, go on.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter as Tally
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import asyncpg
import structlog

from services.lanes import statement as sql
from services.lanes.database import DATABASE_ERRORS
from services.lanes.metrics import LaneMetrics
from services.lanes.publisher import NUMBER_HEADER, LanePublisher
from services.lanes.queues import Chunk, LaneQueues, Marker, Offer, Taken
from services.lanes.settings import WorkerSettings
from services.lanes.work import LaneRow, LaneTime, LaneWork, Message, Record, Service, Turn

EXIT_ZOMBIE: Final = 70
EXIT_FLOOD: Final = 75
TEND_SECONDS: Final = 0.5
CLOCK_WRITE_MS: Final = 60_000
BARRIER_WAIT_SECONDS: Final = 0.05  # between lanes of one worker a nudge is quicker
HOLD_SECONDS: Final = 5.0  # between two tries to read what can't be read
FLOOD_WINDOW: Final = 1000
FLOOD_DEAD_LETTERS_MIN: Final = 200

log = structlog.get_logger()


class Refenced(Exception):  # noqa: N818 -- a signal inside this module
    """The fence refused the turn, or its outcome is unknown; read the row again."""


@dataclass(frozen=True, slots=True)
class LaneContext:
    """What a lane needs of its worker."""

    service: Service
    settings: WorkerSettings
    pool: asyncpg.Pool[asyncpg.Record]
    metrics: LaneMetrics
    marker_of: Callable[[Record], Marker | None]
    seek: Callable[[Mapping[tuple[int, int], int]], Awaitable[Mapping[tuple[int, int], int]]]
    lagging: Callable[[int, int, int], bool]  # topic index, lane, position -> more to come?
    nudge: Callable[[], None]  # wake this worker's lanes: what one of them waits for may have happened


class Lane:
    """A lane that this worker owns, until ``stop``."""

    def __init__(self, context: LaneContext, row: LaneRow, publisher: LanePublisher) -> None:
        """Hold the row as it was taken; ``run`` loads the rest."""
        self._context = context
        self.row = row
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
        self._database_ms_ahead = 0.0  # PostgreSQL's clock minus our monotonic one, in ms
        self._read_to_ms = [0] * len(row.offsets)  # record time of the last applied record per topic
        self._fates: deque[bool] = deque(maxlen=FLOOD_WINDOW)

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
        loaded = False
        while not self.stopping:
            self.last_beat = time.monotonic()
            try:
                if not loaded:
                    await self._load()
                    loaded = True
                if self._seek_wanted:
                    topics, self._seek_wanted = self._seek_wanted, set()
                    await self._seek(topics)
                wait_seconds = await self._turn()
            except (Refenced, *DATABASE_ERRORS) as error:
                if isinstance(error, asyncpg.PostgresError):
                    log.warning("turn_failed", lane=self.row.lane, error=str(error))
                self._context.metrics.database_errors.inc()
                await self._reread()
                loaded = False
                continue
            if wait_seconds > 0 and not self.stopping:
                await self._wait(wait_seconds)

    async def _wait(self, seconds: float) -> None:
        self._wake.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _turn(self) -> float:
        """Do one turn; return how long to wait before the next one, 0 for at once."""
        if self.publisher.backlog > self._context.settings.outbox_messages_max:
            return 0.05
        if not self.row.settled:
            return await self._settle()
        if self.row.clock_mode != "wall":
            marker = self.queues.marker()
            if marker is not None:
                await self._reach(marker)
                return 0.0
        elif time.monotonic() - self._tended >= TEND_SECONDS and not await self._tend():
            self._tended = time.monotonic()
        taken = self.queues.take(
            self._context.settings.chunk_records_max, replaying=self.row.clock_mode != "wall"
        )
        if taken is not None:
            await self._apply(taken)
            await self._throttle(len(taken.records))
            return 0.0
        if self.publisher.published > self.row.published and self.publisher.backlog == 0:
            await self._commit(Turn(kind="publish"), self.row)
        elif self.row.clock_mode == "wall" and self._clock_ms() - self.row.clock_ms >= CLOCK_WRITE_MS:
            # Nothing else writes an idle lane's clock, and by it one sees that the lane lives.
            await self._commit(Turn(kind="time"), replace(self.row, clock_ms=self._clock_ms()))
        return TEND_SECONDS

    async def _apply(self, taken: Taken) -> None:
        """Give records to the service and commit what comes of them."""
        records, numbers = self._fresh(taken.records)
        for record in taken.records:
            self._read_to_ms[self._topics[record.topic]] = record.timestamp_ms
        after = replace(self.row, offsets=taken.positions, numbers=numbers, clock_ms=self._clock_ms())
        time_ = LaneTime(after.clock_ms, live=self.row.clock_mode == "wall", wall_ms=self._wall_ms())
        await self._decide_and_commit(lambda c, seq: self._chunk(c, records, time_, seq), after)
        now = time.monotonic()
        self.last_progress = [now] * len(self.last_progress)

    async def _chunk(self, connection: Any, records: list[Record], time_: LaneTime, seq: int) -> Turn:
        return await self._service_work.chunk(connection, records, time_, seq)

    async def _tend(self) -> bool:
        """Do the next thing that time asks for; False when there is nothing."""
        after = replace(self.row, clock_ms=self._clock_ms())
        time_ = LaneTime(after.clock_ms, live=self.row.clock_mode == "wall", wall_ms=self._wall_ms())
        return await self._decide_and_commit(lambda c, seq: self._service_work.tend(c, time_, seq), after)

    async def _reach(self, marker: Marker) -> None:
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
        if not await self._decide_and_commit(
            lambda c, seq: self._service_work.tend(c, _barrier_time(after), seq), after
        ):
            await self._commit(Turn(kind="time"), after)
        self._context.nudge()

    async def _settle(self) -> float:
        """Go on with a barrier: whatever the service still has to do before the lane may read on."""
        time_ = _barrier_time(self.row)
        if await self._decide_and_commit(lambda c, seq: self._service_work.tend(c, time_, seq), self.row):
            self._context.nudge()
            return 0.0
        return BARRIER_WAIT_SECONDS

    # -- turns --------------------------------------------------------------------------------------

    async def _decide_and_commit(
        self, decide: Callable[[Any, int], Awaitable[Turn | None]], after: LaneRow
    ) -> bool:
        """Let the service decide a turn and commit it; False when it had nothing to do."""
        started = time.monotonic()
        async with self._context.pool.acquire() as connection:
            if self._context.service.locks_rows:
                async with connection.transaction():
                    turn = await decide(connection, self.row.seq + 1)
                    after = await self._execute(connection, turn, after)
            else:
                turn = await decide(connection, self.row.seq + 1)
                after = await self._execute(connection, turn, after)
        if turn is None:
            return False
        self._committed(turn, after)
        self._context.metrics.turn_seconds.observe(time.monotonic() - started)
        return True

    async def _commit(self, turn: Turn, after: LaneRow) -> None:
        async with self._context.pool.acquire() as connection:
            after = await self._execute(connection, turn, after)
        self._committed(turn, after)

    async def _execute(self, connection: Any, turn: Turn | None, after: LaneRow) -> LaneRow:
        if turn is None:
            return after
        settled = after.settled or turn.settled
        after = replace(
            after,
            seq=self.row.seq + 1,
            versions=after.versions if turn.versions is None else turn.versions,
            outbox_number=self.row.outbox_number + len(turn.outbox),
            published=self.publisher.published,
            settled=settled,
            clock_mode="wall" if settled and after.clock_mode == "ending" else after.clock_mode,
        )
        query, arguments = sql.turn_statement(
            self.row,
            after,
            kind=turn.kind,
            note=turn.note,
            writes=turn.writes,
            outbox=turn.outbox,
            dead_letters=turn.dead_letters,
        )
        hit, now_ms = await connection.fetchrow(query, *arguments)
        if hit != 1:
            self._context.metrics.fenced.inc()
            raise Refenced
        self._database_ms_ahead = now_ms - time.monotonic() * 1000
        return after

    def _committed(self, turn: Turn, after: LaneRow) -> None:
        first = self.row.outbox_number + 1
        self.row = after
        self.publisher.add(first, turn.outbox)
        if turn.on_commit is not None:
            turn.on_commit()
        self.last_beat = time.monotonic()
        metrics = self._context.metrics
        metrics.turns.labels(turn.kind).inc()
        metrics.records.inc(turn.applied)
        for reason, count in Tally(letter.reason for letter in turn.dead_letters).items():
            metrics.dead_letters.labels(reason).inc(count)
        self._watch_flood(turn)

    def _watch_flood(self, turn: Turn) -> None:
        """Stop at a flood of dead letters: over half of the last thousand records is a bad deploy."""
        self._fates.extend([False] * turn.applied)
        self._fates.extend([True] * len(turn.dead_letters))
        dead = sum(self._fates)
        if turn.dead_letters and dead >= FLOOD_DEAD_LETTERS_MIN and dead * 2 > len(self._fates):
            log.error(
                "flood_of_dead_letters",
                lane=self.row.lane,
                dead=dead,
                of=len(self._fates),
                remedy="look at table dead_letters, mend the publisher or the deploy, start the worker again",
            )
            os._exit(EXIT_FLOOD)

    # -- recovery -----------------------------------------------------------------------------------

    async def _load(self) -> None:
        """Open the service's memory of this lane, the outbox that was left, and the topics.

        Raises:
            RuntimeError: a later version, which reads more topics, had the lane before.
        """
        if len(self.row.offsets) > len(self._topics):
            raise RuntimeError(
                f"lane {self.row.lane} of {self.row.service} reads {len(self.row.offsets)} topics and this "
                f"version knows {len(self._topics)}: run the version that had it"
            )
        async with self._context.pool.acquire() as connection:
            self._work = await self._context.service.open(connection, self.row)
            left = await connection.fetch(
                sql.UNPUBLISHED, self.row.service, self.row.lane, self.publisher.published
            )
            now_ms = await connection.fetchval(sql.NOW_MS)
        self._database_ms_ahead = now_ms - time.monotonic() * 1000
        self.publisher.restart([(row[0], Message(*row[1:])) for row in left])
        await self._seek(set(range(len(self.row.offsets))))

    async def _reread(self) -> None:
        """Read the lane's row until it can be read. Never bumps the epoch: a zombie must not steal."""
        pause = 0.05
        while not self.stopping:
            self.last_beat = time.monotonic()
            try:
                async with self._context.pool.acquire() as connection:
                    found = await connection.fetchrow(sql.READ, self.row.service, self.row.lane)
            except DATABASE_ERRORS:
                await asyncio.sleep(pause * (0.5 + random.random()))  # noqa: S311 -- jitter
                pause = min(1.0, pause * 1.6)
                continue
            row = sql.row_of(found, self.row.lanes)
            if row.epoch != self.row.epoch:
                self._end_as_zombie(row)
                return
            self.row = row
            return

    def _end_as_zombie(self, row: LaneRow) -> None:
        if self.stopping:  # given up in good order; the next owner was quicker
            return
        log.error("zombie", lane=row.lane, mine=self.row.epoch, theirs=row.epoch)
        os._exit(EXIT_ZOMBIE)

    async def _seek(self, topics: set[int]) -> None:
        wanted = {}
        for topic in topics:
            self.queues.restart(topic, self.row.offsets[topic])
            wanted[topic, self.row.lane] = self.row.offsets[topic]
        generations = await self._context.seek(wanted)
        for (topic, _lane), generation in generations.items():
            self.queues.sought(topic, generation)

    # -- small things -------------------------------------------------------------------------------

    @property
    def _service_work(self) -> LaneWork:
        if self._work is None:
            raise RuntimeError("a lane must be loaded before it works")
        return self._work

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

    def _clock_ms(self) -> int:
        """The lane's clock for the next turn: PostgreSQL's, but not past what was read while it lags."""
        if self.row.clock_mode != "wall":
            return self.row.clock_ms
        now_ms = self._wall_ms()
        for topic, position in enumerate(self.queues.positions):
            if self._context.lagging(topic, self.row.lane, position):
                next_ms = self.queues.next_ms(topic)
                now_ms = min(now_ms, self._read_to_ms[topic] if next_ms is None else next_ms)
        return max(self.row.clock_ms, now_ms)

    def _wall_ms(self) -> int:
        return int(time.monotonic() * 1000 + self._database_ms_ahead)

    async def _throttle(self, records: int) -> None:
        rate = self._context.settings.throttle_records_per_second
        until = time.monotonic() + (records / rate if rate else 0.0)
        while not self.stopping and (left := until - time.monotonic()) > 0:
            self.last_beat = time.monotonic()
            await asyncio.sleep(min(0.1, left))


def _number_of(record: Record) -> int | None:
    """Return the outbox number that the record was published under."""
    value = next((value for name, value in record.headers if name == NUMBER_HEADER), b"")
    return int(value) if value.isdigit() else None


def _barrier_time(row: LaneRow) -> LaneTime:
    return LaneTime(row.clock_ms, row.complete, barrier=True, ends_replay=row.clock_mode == "ending")
