"""Event files in the wire form: checked line by line, and given back in event time.

A purchase that names who referred the customer makes a referral, which the scorer publishes when live. In
a replay it has to be in the log before: at the purchase's own time, or its place in the log would depend
on how fast the scorer is. So the referrals of a history are derived here, beside the lines of its files.
"""

from __future__ import annotations

import mmap
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from schemas.events import ProductListed, PurchaseRecorded
from schemas.times import to_ms
from schemas.topics import PRODUCTS, REFERRALS, SCORER_INPUTS
from schemas.wire import Refused, decode_input, encode, key_of, topic_of
from services.scorer.core.referral import referral_of
from services.scorer.records import partition_of

PROBLEMS_SHOWN: Final = 10
TOPICS: Final = tuple(topic.name for topic in SCORER_INPUTS)  # those that lanes read
_FILED: Final = (*TOPICS, PRODUCTS.name)  # those that a line of a file may belong to
_LISTINGS: Final = _FILED.index(PRODUCTS.name)
ONE_LINE: Final = "; here an event begins that is spread over lines: write each on one line"
Progress = Callable[[int, int], None]  # bytes read, bytes in all


class MalformedError(ValueError):
    """Lines that are no events. The message names file, line, reason and remedy."""


class Line(NamedTuple):
    """One event of a file, ready to publish."""

    topic: str
    partition: int
    key: bytes
    value: bytes
    at_ms: int


class Derived(Line):
    """An event that no file holds: it follows from one that does."""


@dataclass(slots=True)
class History:
    """Where every event of some files stands, by event time; 24 bytes an event, the files stay on disk."""

    partitions: int
    files: list[mmap.mmap] = field(default_factory=list)
    times_ms: array[int] = field(default_factory=lambda: array("q"))
    starts: array[int] = field(default_factory=lambda: array("Q"))
    lengths: array[int] = field(default_factory=lambda: array("L"))
    places: array[int] = field(default_factory=lambda: array("L"))  # file, topic and partition in one
    keys: list[bytes] = field(default_factory=list)
    order: Sequence[int] = ()
    referrals: dict[str, Derived] = field(default_factory=dict)  # by event id: one for each pair
    listed: list[ProductListed] = field(default_factory=list)

    def __len__(self) -> int:
        """Return how many events the files hold."""
        return len(self.times_ms)

    def lines(self) -> Iterator[Line]:
        """Yield every line by event time; lines of one instant in the order of files and lines."""
        for index in self.order:
            file, rest = divmod(self.places[index], len(_FILED) * self.partitions)
            topic, partition = divmod(rest, self.partitions)
            start = self.starts[index]
            value = self.files[file][start : start + self.lengths[index]]
            yield Line(_FILED[topic], partition, self.keys[index], value, self.times_ms[index])

    def derived(self) -> list[Derived]:
        """Return the referrals that purchases make, by event time: of each pair the earliest one."""
        return sorted(self.referrals.values(), key=lambda line: line.at_ms)

    def first_ms(self) -> int:
        """Return the earliest event time, of products only where there is nothing else.

        A product may have been listed years before the first purchase, and no midnight in between matters.
        """
        scored = (index for index in self.order if not self._is_listing(index))
        return self.times_ms[next(scored, self.order[0])]

    def last_ms(self, *, not_after_ms: int) -> int:
        """Return the latest event time up to a limit: what is dated in the future can't hold up a replay."""
        times = (self.times_ms[index] for index in reversed(self.order) if not self._is_listing(index))
        return next((at_ms for at_ms in times if at_ms <= not_after_ms), self.first_ms())

    def _is_listing(self, index: int) -> bool:
        return self.places[index] // self.partitions % len(_FILED) == _LISTINGS


def read(paths: Sequence[Path], *, partitions: int, progress: Progress | None = None) -> History:
    """Check every line of every file and index it.

    Raises:
        MalformedError: at least one line is no event.
        OSError: a file can't be read.
    """
    history = History(partitions)
    problems: list[str] = []
    total = sum(path.stat().st_size for path in paths)
    done = 0
    partition_by_key: dict[bytes, int] = {}
    for number, path in enumerate(paths):
        with path.open("rb") as file:
            if not path.stat().st_size:
                history.files.append(mmap.mmap(-1, 1))
                continue
            history.files.append(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            for line_number, start, line in _lines(history.files[-1]):
                try:
                    index_line(history, number, start, line, partition_by_key)
                except Refused as refused:
                    hint = ONE_LINE if line.strip() == b"{" else ""
                    problems.append(f"{path}:{line_number}: {refused}{hint}")
                    if len(problems) >= PROBLEMS_SHOWN:
                        raise MalformedError(_message(problems, more=True)) from None
                if progress is not None and line_number % 5000 == 0:
                    progress(done + start, total)
        done += path.stat().st_size
    if problems:
        raise MalformedError(_message(problems, more=False))
    if not len(history):
        raise MalformedError("no events in " + ", ".join(map(str, paths)) + "; give a file with one a line")
    history.order = sorted(range(len(history)), key=history.times_ms.__getitem__)
    if progress is not None:
        progress(total, total)
    return history


def _lines(file: mmap.mmap) -> Iterator[tuple[int, int, bytes]]:
    start, number = 0, 0
    while line := file.readline():
        number += 1
        if line.strip():
            yield number, start, line.rstrip(b"\r\n")
        start = file.tell()


def index_line(
    history: History, file: int, start: int, line: bytes, partition_by_key: dict[bytes, int]
) -> None:
    """Add a line to an index: the ``file``-th of the history's files, from byte ``start`` on.

    ``partition_by_key`` remembers each key's partition from line to line.

    Raises:
        Refused: the line is no event.
    """
    event = decode_input(line)
    key, topic = key_of(event).encode(), topic_of(event)
    partition = 0 if topic == PRODUCTS.name else partition_by_key.get(key)
    if partition is None:
        partition = partition_by_key[key] = partition_of(key_of(event), history.partitions)
    at_ms = to_ms(event.occurred_at)
    history.times_ms.append(at_ms)
    history.starts.append(start)
    history.lengths.append(len(line))
    history.places.append((file * len(_FILED) + _FILED.index(topic)) * history.partitions + partition)
    history.keys.append(key)
    if isinstance(event, PurchaseRecorded) and event.referred_by is not None:
        _derive(history, event, at_ms)
    elif isinstance(event, ProductListed):
        history.listed.append(event)


def _derive(history: History, purchase: PurchaseRecorded, at_ms: int) -> None:
    """Keep the referral that a purchase makes, unless an earlier purchase of the pair made it."""
    referral = referral_of(purchase)
    if referral is None:
        return
    known, value = history.referrals.get(referral.event_id), encode(referral)
    if known is None or (at_ms, value) < (known.at_ms, known.value):  # whatever the order of the lines
        partition = partition_of(referral.customer_id, history.partitions)
        key = referral.customer_id.encode()
        history.referrals[referral.event_id] = Derived(REFERRALS.name, partition, key, value, at_ms)


def _message(problems: list[str], *, more: bool) -> str:
    head = "these lines are no events; nothing was done with the others"
    tail = ["... and perhaps more after them"] if more else []
    return "\n".join([head, *problems, *tail])
