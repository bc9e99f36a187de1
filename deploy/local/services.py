"""Tierstream's own processes on this machine: started, watched, started again, stopped in order."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from deploy.local.folders import make_writable
from deploy.local.process import Child

STOP_SECONDS_MAX: Final = 15.0
RESTART_SECONDS_MAX: Final = 10.0
CRASH_LOOP: Final = 6  # exits within CRASH_LOOP_SECONDS that are no accident any more
CRASH_LOOP_SECONDS: Final = 60.0
LOGS_REMEDY: Final = (
    "run it in a folder that you may write to, or name one with --data-dir, which takes the logs too"
)


class CrashLoopError(RuntimeError):
    """A process ends again and again; the message shows the end of its log."""


@dataclass(slots=True)
class Process:
    """One kept process: what to run, and its present incarnation."""

    name: str
    module: str
    environment: Mapping[str, str]
    log_path: Path
    child: Child | None = None
    exits: list[tuple[float, int]] = field(default_factory=list)
    start_at: float = 0.0


class Supervisor:
    """Keeps processes running until it is left. A thread watches; ``check`` raises what it found."""

    def __init__(self, log_dir: Path) -> None:
        """Logs go to ``log_dir``, one file per process."""
        self._log_dir = log_dir
        self._processes: dict[str, Process] = {}
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._failure: CrashLoopError | None = None
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def __enter__(self) -> Self:
        """Begin to watch.

        Raises:
            StartError: the logs can't be written.
        """
        make_writable(self._log_dir, what="logs", remedy=LOGS_REMEDY)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """Stop everything, newest first, all asked at once."""
        self._stopping.set()
        self._thread.join()
        stops = [
            threading.Thread(target=process.child.terminate, args=(STOP_SECONDS_MAX,))
            for process in reversed(list(self._processes.values()))
            if process.child is not None
        ]
        for stop in stops:
            stop.start()
        for stop in stops:
            stop.join()

    def start(self, name: str, module: str, environment: Mapping[str, str]) -> Process:
        """Start ``python -m module`` and keep it running."""
        process = Process(name, module, {**os.environ, **environment}, self._log_dir / f"{name}.log")
        with self._lock:
            self._spawn(process)
            self._processes[name] = process
        return process

    def end(self, name: str) -> int | None:
        """Stop one process for good, in order; return its exit code."""
        with self._lock:
            process = self._processes.pop(name)
        return None if process.child is None else process.child.terminate(STOP_SECONDS_MAX)

    def processes(self) -> list[Process]:
        """Return what is kept running."""
        with self._lock:
            return list(self._processes.values())

    def check(self) -> None:
        """Raise what the watching thread found.

        Raises:
            CrashLoopError: a process can't be kept running.
        """
        if self._failure is not None:
            raise self._failure

    def _spawn(self, process: Process) -> None:
        process.child = Child(
            [sys.executable, "-m", process.module], log_path=process.log_path, env=process.environment
        )

    def _watch(self) -> None:
        while not self._stopping.wait(0.1):
            with self._lock:
                for process in self._processes.values():
                    self._keep(process, time.monotonic())

    def _keep(self, process: Process, now: float) -> None:
        if process.child is not None:
            code = process.child.poll()
            if code is None:
                return
            process.child.kill9()  # whatever of its group is left
            process.exits.append((now, code))
            # Killed from outside (a negative status) is no fault of its own.
            recent = [at for at, status in process.exits if now - at < CRASH_LOOP_SECONDS and status >= 0]
            if len(recent) >= CRASH_LOOP:
                self._failure = CrashLoopError(
                    f"{process.name} ended {len(recent)} times within a minute, last with code {code}; "
                    f"its log is {process.log_path}:\n{process.child.log_tail()}"
                )
            process.child = None
            process.start_at = now + min(RESTART_SECONDS_MAX, 0.2 * 2 ** max(0, len(recent) - 1))
        elif now >= process.start_at and self._failure is None:
            self._spawn(process)
