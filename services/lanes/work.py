"""What a service gives the engine, and what it gets: records in, one turn out.

A *turn* is one transaction of one lane: new positions, a new clock, rows, outgoing messages, dead
letters. The engine composes all of it into one fenced statement, so either everything of a turn
happened or nothing did, and a worker that lost its lane can't write.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

Headers = Sequence[tuple[str, bytes]]


class Record(NamedTuple):
    """One Kafka record as the lane got it. Order within a topic-partition is by ``offset``."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int  # of the record: append time when live, event time in a replay
    headers: Headers = ()


class Message(NamedTuple):
    """One record to publish after the commit; kept in the outbox until Kafka acknowledged it."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes
    timestamp_ms: int


class DeadLetter(NamedTuple):
    """A record that can't be processed, kept with its exact bytes."""

    record: Record
    reason: str
    detail: str  # one line, without the record's content


class Write(NamedTuple):
    """Rows of one table: a data-modifying CTE of the turn's statement.

    ``sql`` has one ``{}`` per array and must read ``FROM fence`` (no row when the fence refused):
    ``INSERT INTO t (a, b) SELECT v.a, v.b FROM fence, unnest({}::text[], {}::int[]) AS v(a, b)``.
    Two writes of one turn must not touch the same row.
    """

    sql: str
    arrays: tuple[list[Any], ...]


@dataclass(frozen=True, slots=True)
class LaneTime:
    """The lane's time as a turn sees it."""

    now_ms: int  # the lane's clock; never goes back
    complete: bool = False  # the end of a replay: everything at ``now_ms`` itself is in
    barrier: bool = False  # a replayed instant waits to be settled; the lane reads nothing until it is
    ends_replay: bool = False  # live time goes on after this barrier
    live: bool = False  # the wall clock, not a replay
    wall_ms: int = 0  # PostgreSQL's clock; what is dated long after it can't be true


@dataclass(slots=True)
class Turn:
    """What one step of a service wants to have happened. Empty is allowed (positions move all the same)."""

    writes: list[Write] = field(default_factory=list)
    outbox: list[Message] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    put_off: list[str] = field(default_factory=list)  # what a bug kept from somebody, for the metrics
    versions: tuple[int, ...] | None = None  # new versions in force; None: as they were
    note: bytes = b""  # into lane_log
    kind: str = "chunk"
    settled: bool = False  # the barrier is dealt with: the lane may read on
    applied: int = 0  # records that counted, for the metrics
    on_commit: Callable[[], None] | None = None  # adopt into the lane's memory; called after the commit


@dataclass(frozen=True, slots=True)
class LaneRow:
    """A lane as its row stood when this worker took it, or after its latest turn."""

    service: str
    lane: int
    lanes: int  # how many there are
    epoch: int
    seq: int
    offsets: tuple[int, ...]
    numbers: tuple[int, ...]
    clock_ms: int
    clock_mode: str
    settled: bool
    complete: bool
    versions: tuple[int, ...]
    outbox_number: int
    published: int


class LaneWork(Protocol):
    """A service's side of one lane; made at every takeover, so its memory may mirror the lane's rows.

    ``connection`` is an ``asyncpg.Connection``. When the outcome of a turn is unknown or refused, the
    engine throws this object away and opens another one, so memory changes only in ``on_commit``.
    """

    async def chunk(self, connection: Any, records: Sequence[Record], time: LaneTime, seq: int) -> Turn:
        """Process records in order, in the turn that will be ``seq``.

        Never raises for a bad record, nor for a bug that one record meets: see ``faults``.
        """
        ...

    async def tend(self, connection: Any, time: LaneTime, seq: int) -> Turn | None:
        """Return the next turn that time or other lanes ask for, or None when there is none (yet).

        Called between chunks, about twice a second, until it returns None; at a barrier called until a
        turn says ``settled``, with a short wait after each None. A bug that one customer meets puts him
        off and never raises: see ``faults``.
        """
        ...


class Service(Protocol):
    """What a service plugs into the engine."""

    name: str
    topics: tuple[str, ...]  # inputs, in the order of a lane's positions; append only
    first_versions: tuple[int, ...]
    numbered_inputs: bool  # the inputs come from another service's outbox: drop numbers that are known
    locks_rows: bool  # read and write in one transaction, because people change the rows too

    async def open(self, connection: Any, row: LaneRow) -> LaneWork:
        """Return this lane's work, its memory loaded from the lane's rows."""
        ...
