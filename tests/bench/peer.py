"""Runs the peer beside the same broker and log, and counts what stands in its table."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.local.process import Child
from deploy.local.stack import LocalStack
from tests.bench.cpu import Usage

START_SECONDS_MAX: Final = 40.0
STOP_SECONDS_MAX: Final = 5.0
WARM_UP_SECONDS: Final = 3.0
_POLL_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """What the plain agent came to."""

    events_per_second: float
    window_seconds: float
    events: int
    cores: dict[str, float]


def run(stack: LocalStack, folder: Path, *, log_events: int, seconds: float) -> Peer:
    """Let the plain agent count for ``seconds`` after a warm-up, or until it counted ``log_events``.

    Raises:
        TimeoutError: it counted nothing; its log is in ``folder``.
    """
    report = folder / "plain-faust.counts"
    report.unlink(missing_ok=True)
    environment = {**os.environ, "KAFKA_BOOTSTRAP": stack.kafka_bootstrap, "BENCH_REPORT": str(report)}
    child = Child(
        [sys.executable, "-m", "tests.bench.faust_agent"],
        log_path=folder / "plain-faust.log",
        env=environment,
    )
    try:
        _wait(child, report, lambda counts: len(counts) > 0 and counts[-1][1] > 0, START_SECONDS_MAX)
        time.sleep(WARM_UP_SECONDS)
        usage, since = (
            Usage({"peer": child.pid, "kafka": stack.kafka.pid or 0 if stack.kafka else 0}),
            _read(report),
        )
        first = len(since) - 1
        _wait(
            child, report,
            lambda counts: counts[-1][0] - since[first][0] >= seconds or counts[-1][1] >= log_events,
            seconds + START_SECONDS_MAX,
        )  # fmt: skip
        cores = usage.cores()
    finally:
        child.terminate(STOP_SECONDS_MAX)
    counts = _read(report)[first:]
    # It may have run dry between two reports: then the last full second ends the window.
    last = next(
        (index for index, (_, counted) in enumerate(counts) if counted >= log_events), len(counts) - 1
    )
    elapsed, counted = counts[last][0] - counts[0][0], counts[last][1] - counts[0][1]
    return Peer(
        events_per_second=round(counted / elapsed, 1),
        window_seconds=round(elapsed, 2),
        events=counted,
        cores=cores,
    )


Counts = list[tuple[float, int]]


def _read(report: Path) -> Counts:
    if not report.exists():
        return []
    rows = [line.split() for line in report.read_text().splitlines()]
    return [(float(row[0]), int(row[1])) for row in rows if len(row) == 2]


def _wait(child: Child, report: Path, done: Callable[[Counts], bool], seconds_max: float) -> None:
    until = time.monotonic() + seconds_max
    while time.monotonic() < until:
        if child.poll() is not None:
            raise TimeoutError(f"the plain agent ended by itself: look at {child.log_path}")
        if done(_read(report)):
            return
        time.sleep(_POLL_SECONDS)
    raise TimeoutError(f"the plain agent did not get on within {seconds_max:.0f} s: look at {child.log_path}")
