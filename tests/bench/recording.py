"""The scorer's turns without Kafka and PostgreSQL: what the worker's own Python can do, and what it writes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge
from typing import Any, NamedTuple

from services.lanes.work import LaneTime, Record, Turn
from services.scorer import store
from services.scorer.book import Board, Book
from services.scorer.census import Census
from services.scorer.core.cuts import count_move, empty_histogram
from services.scorer.core.due import next_due_ms
from services.scorer.core.state import encode_state
from services.scorer.store import CutOffs
from services.scorer.switch import Policies, Rescoring
from services.scorer.work import ScorerWork
from tests.bench.world import LANES, POLICY, TOPICS, World

Row = tuple[str, int, bytes, int | None, int]


class Recorded(NamedTuple):
    """One turn of a lane: whom it read, and what it wants written."""

    lane: int
    touched: list[str]
    turn: Turn
    records: int


@dataclass(frozen=True, slots=True)
class Recording:
    """The first turns of every lane, round robin."""

    turns: list[Recorded]
    events: int
    seconds: float  # CPU time of this process for ``ScorerWork.chunk`` alone


class Customers:
    """Stands in for the connection: answers the one SELECT of a turn from memory, as PostgreSQL would."""

    def __init__(self, rows: dict[str, Row]) -> None:
        """Hold the rows of a lane."""
        self._rows = rows
        self.touched: list[str] = []

    async def fetch(self, sql: str, customer_ids: list[str]) -> list[Row]:
        """Return the rows of the customers."""
        if sql is not store.TOUCHED:
            raise ValueError("a chunk has one SELECT, the one of the touched customers")
        self.touched = customer_ids
        return [self._rows[customer_id] for customer_id in customer_ids]

    def write(self, turn: Turn) -> None:
        """Keep what an UPDATE of customers would."""
        for write in turn.writes:
            if write.sql == store.UPDATE_CUSTOMERS:
                ids, states, dues = write.arrays[0], write.arrays[1], write.arrays[9]
                for customer_id, state, due in zip(ids, states, dues, strict=True):
                    self._rows[customer_id] = customer_id, self._rows[customer_id][1], state, due, 1


async def record(world: World, *, events: int, chunk: int) -> Recording:
    """Play the first ``events`` through the scorer's own turns, ``chunk`` records at a time."""
    lanes = [
        (_work(world, lane), Customers(_rows(world, lane)), _chunks(world, lane, chunk))
        for lane in range(LANES)
    ]
    turns: list[Recorded] = []
    played, seconds = 0, 0.0
    while played < events:
        for lane, (work, customers, chunks) in enumerate(lanes):
            records = next(chunks, None)
            if records is None:
                return Recording(turns, played, seconds)
            now_ms = int(time.time() * 1000)
            began = time.process_time()
            turn = await work.chunk(customers, records, LaneTime(now_ms, wall_ms=now_ms), len(turns))
            if turn.on_commit is not None:
                turn.on_commit()
            seconds += time.process_time() - began
            customers.write(turn)
            turn.on_commit = None
            turns.append(Recorded(lane, customers.touched, turn, len(records)))
            played += len(records)
    return Recording(turns, played, seconds)


def _work(world: World, lane: int) -> ScorerWork:
    crowd = empty_histogram()
    for customer, its_lane in enumerate(world.lane_of):
        if its_lane == lane:
            count_move(crowd, (None, POLICY.bin_of(world.lives[customer % len(world.lives)].state)))
    cut_offs = CutOffs(1, world.begins_ms, complete=False, cuts=world.cuts)
    return ScorerWork(
        book=Book(Board(), LANES, Policies(), 0), lane=lane, lanes=LANES, policy=POLICY, policy_version=1, in_force=cut_offs,
        swept=cut_offs, histogram=crowd, policies=Policies(), rescoring=Rescoring(lane, Policies(), 1),
        census=Census(lane),
    )  # fmt: skip


def _rows(world: World, lane: int) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    for customer, its_lane in enumerate(world.lane_of):
        if its_lane == lane:
            state = world.state_of(customer)
            due_ms = next_due_ms(state, POLICY, world.cuts)
            rows[state.customer_id] = state.customer_id, lane, encode_state(state), due_ms, 1
    return rows


def _chunks(world: World, lane: int, size: int) -> Iterator[list[Record]]:
    """Yield a lane's records, its topics mixed as they were made."""

    def records(topic: str) -> Iterator[tuple[float, Record]]:
        messages = world.log[topic, lane]
        for offset, message in enumerate(messages):
            yield offset / len(messages), Record(topic, lane, offset, message.key, message.value, 0)

    waiting: list[Record] = []
    for _, one in merge(*map(records, TOPICS), key=_first):
        waiting.append(one)
        if len(waiting) == size:
            yield waiting
            waiting = []


def _first(item: tuple[float, Any]) -> float:
    return item[0]
