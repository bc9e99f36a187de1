"""Event files in the wire form: checked line by line, and given back in event time."""

from __future__ import annotations

import mmap
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from schemas.times import to_ms
from schemas.topics import SCORER_INPUTS
from schemas.wire import REMEDIES, Reason, Refused, decode_input, topic_of
from services.scorer.records import partition_of

PROBLEMS_SHOWN: Final = 10
TOPICS: Final = tuple(topic.name for topic in SCORER_INPUTS)
Progress = Callable[[int, int], None]  # bytes read, bytes in all


class MalformedError(ValueError):
    """Lines that are no events. The message names file, line, reason and remedy; nothing was published."""


class Line(NamedTuple):
    """One event of a file, ready to publish."""

    topic: str
    partition: int
    key: bytes
    value: bytes
    at_ms: int


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

    def __len__(self) -> int:
        """Return how many events there are."""
        return len(self.times_ms)

    def lines(self) -> Iterator[Line]:
        """Yield every event by event time; events of one instant in the order of files and lines."""
        for index in self.order:
            file, rest = divmod(self.places[index], len(TOPICS) * self.partitions)
            topic, partition = divmod(rest, self.partitions)
            start = self.starts[index]
            value = self.files[file][start : start + self.lengths[index]]
            yield Line(TOPICS[topic], partition, self.keys[index], value, self.times_ms[index])

    def first_ms(self) -> int:
        """Return the earliest event time."""
        return self.times_ms[self.order[0]]

    def last_ms(self, *, not_after_ms: int) -> int:
        """Return the latest event time up to a limit: what is dated in the future can't hold up a replay."""
        return max((at for at in self.times_ms if at <= not_after_ms), default=self.first_ms())


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
                    _index(history, number, start, line, partition_by_key)
                except Refused as refused:
                    problems.append(f"{path}:{line_number}: {refused}")
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


def _index(history: History, file: int, start: int, line: bytes, partition_by_key: dict[bytes, int]) -> None:
    event = decode_input(line)
    key = event.customer_id.encode()
    partition = partition_by_key.get(key)
    if partition is None:
        partition = partition_by_key[key] = partition_of(event.customer_id, history.partitions)
    topic = TOPICS.index(topic_of(event))
    history.times_ms.append(to_ms(event.occurred_at))
    history.starts.append(start)
    history.lengths.append(len(line))
    history.places.append((file * len(TOPICS) + topic) * history.partitions + partition)
    history.keys.append(key)


def _message(problems: list[str], *, more: bool) -> str:
    head = "these lines are no events; nothing was published"
    tail = ["... and perhaps more after them"] if more else []
    return "\n".join([head, *problems, *tail])


def describe(reason: Reason) -> str:
    """Return what to do about a reason."""
    return REMEDIES[reason]
