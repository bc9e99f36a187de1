"""How much of the machine each process used while something was measured."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping

import psutil


class Usage:
    """CPU seconds of named process families from now on, and of everything else on the machine."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        """Begin; each pid stands for itself and its descendants. This process is ``bench``."""
        self._pids = {**pids, "bench": os.getpid()}
        self._began = time.monotonic()
        self._busy = _busy_seconds()
        self._spent: dict[int, tuple[str, float]] = {}
        self._before = self._look()

    def cores(self) -> dict[str, float]:
        """Return the cores that each family kept busy on average; ``others`` are not ours at all."""
        elapsed = time.monotonic() - self._began
        after = self._look()
        used: dict[str, float] = dict.fromkeys(self._pids, 0.0)
        for pid, (name, seconds) in after.items():
            used[name] += seconds - self._before.get(pid, (name, 0.0))[1]
        used["others"] = max(0.0, _busy_seconds() - self._busy - sum(used.values()))
        return {name: round(seconds / elapsed, 2) for name, seconds in used.items()}

    def _look(self) -> dict[int, tuple[str, float]]:
        for name, root in self._pids.items():
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(root)
                family = [process] if name == "bench" else [process, *process.children(recursive=True)]
                for one in family:
                    with contextlib.suppress(psutil.Error):
                        times = one.cpu_times()
                        self._spent[one.pid] = name, times.user + times.system
        return dict(self._spent)  # those who ended meanwhile stay in


def _busy_seconds() -> float:
    times = psutil.cpu_times()
    return float(
        times.user + times.nice + times.system + getattr(times, "irq", 0) + getattr(times, "softirq", 0)
    )
