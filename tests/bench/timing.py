"""CPU time of a piece of work: the best of a few rounds, as noise only ever adds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

ROUNDS: Final = 3


def best_seconds(work: Callable[[], Any], *, rounds: int = ROUNDS) -> float:
    """Return the CPU seconds of the quickest round; this process's, so that a busy machine counts less."""
    return min(seconds(work) for _ in range(rounds))


def seconds(work: Callable[[], Any]) -> float:
    """Return the CPU seconds of one round."""
    began = time.process_time()
    work()
    return time.process_time() - began
