"""Event files of anybody: plain, gzipped or from a pipe; lines that are no events are counted and named.

``local`` and ``publish`` refuse a file for one bad line, since what they publish stays. Here nothing is
published, and one bad line in a million must not stand between an analyst and the figures.
"""

from __future__ import annotations

import gzip
import mmap
import shutil
import stat
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from deploy.history import ONE_LINE, History, MalformedError, index_line
from schemas.wire import Refused

NAMED_MAX: Final = 10
_REPORT_LINES: Final = 5_000
_GZIP: Final = b"\x1f\x8b"
_BOM: Final = b"\xef\xbb\xbf"  # some editors put it before the first line


class Opened(NamedTuple):
    """One file, whole, as the system maps it into memory."""

    path: Path
    data: mmap.mmap
    size: int  # 0: the map is of one byte that means nothing


@dataclass(slots=True)
class BadLines:
    """Lines that are no events. They were left out, as dead letters are."""

    reasons: Counter[str] = field(default_factory=Counter)
    named: list[str] = field(default_factory=list)  # the first, each with file, line, reason and remedy

    def note(self, path: Path, number: int, line: bytes, refused: Refused) -> None:
        """Count a line, and name it if it is one of the first."""
        self.reasons[refused.reason.value] += 1
        if len(self.named) < NAMED_MAX:
            hint = ONE_LINE if line.strip() == b"{" else ""
            self.named.append(f"{path}:{number}: {refused}{hint}")

    def to_json(self) -> dict[str, Any]:
        """Return how many for each reason, and the first of them."""
        return {
            "count": self.reasons.total(),
            "by_reason": dict(sorted(self.reasons.items())),
            "first": self.named,
        }

    def lines(self) -> list[str]:
        """Return what to tell people; nothing when every line is an event."""
        count = self.reasons.total()
        if not count:
            return []
        more = count - len(self.named)
        tail = [f"... and {more:,} more"] if more else []
        return [f"lines that are no events were left out: {count:,}", *self.named, *tail]


def opened(paths: Sequence[Path]) -> list[Opened]:
    """Open files; what is gzipped, or no regular file, is spooled to a temporary one that has no name.

    Raises:
        MalformedError: a file is damaged.
        OSError: a file can't be read.
    """
    return [_opened(path) for path in paths]


def read(
    files: Sequence[Opened], *, partitions: int, progress: Callable[[int, int], None] | None = None
) -> tuple[History, BadLines]:
    """Check every line and index those that are events; ``progress`` gets bytes read and bytes in all.

    Raises:
        MalformedError: there is no event at all.
    """
    history, bad = History(partitions), BadLines()
    total, done = sum(file.size for file in files), 0
    partition_by_key: dict[bytes, int] = {}
    for place, file in enumerate(files):
        history.files.append(file.data)
        for number, start, line in _lines(file):
            try:
                index_line(history, place, start, line, partition_by_key)
            except Refused as refused:
                bad.note(file.path, number, line, refused)
            if progress is not None and number % _REPORT_LINES == 0:
                progress(done + start, total)
        done += file.size
    if not len(history):
        names = ", ".join(str(file.path) for file in files)
        raise MalformedError("\n".join([f"no events in {names}; give a file with one a line", *bad.lines()]))
    history.order = sorted(range(len(history)), key=history.times_ms.__getitem__)
    if progress is not None:
        progress(total, total)
    return history, bad


def _opened(path: Path) -> Opened:
    with path.open("rb") as file:
        size = path.stat().st_size
        if file.peek(len(_GZIP)).startswith(_GZIP):
            return _unpacked(path, file)
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe, which can be read but once
            return _spooled(path, file)
        if not size:
            return Opened(path, mmap.mmap(-1, 1), 0)
        return Opened(path, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), size)


def _unpacked(path: Path, file: IO[bytes]) -> Opened:
    try:
        with gzip.open(file) as source:
            return _spooled(path, source)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise MalformedError(f"{path}: the gzip file is damaged ({error}); give a whole one") from None


def _spooled(path: Path, source: Any) -> Opened:
    with tempfile.TemporaryFile() as spool:
        shutil.copyfileobj(source, spool)
        spool.flush()
        size = spool.tell()
        data = mmap.mmap(spool.fileno(), 0, access=mmap.ACCESS_READ) if size else mmap.mmap(-1, 1)
        return Opened(path, data, size)


def _lines(file: Opened) -> Iterator[tuple[int, int, bytes]]:
    """Yield number, place and content of every line that is not blank."""
    data, number = file.data, 0
    if not file.size:
        return
    data.seek(len(_BOM) if data[: len(_BOM)] == _BOM else 0)
    start = data.tell()
    while line := data.readline():
        number += 1
        if line.strip():
            yield number, start, line.rstrip(b"\r\n")
        start = data.tell()
