"""What is done to the processes, when, and whether it was done at a time that proves anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final

SESSION_SECONDS: Final = 6.0  # after which the group takes a frozen worker's lanes away
FIRST, LAST = 0.07, 0.90  # share of the log between which faults are aimed
WINDOW: Final = (0.05, 0.95)  # faults outside hit processes that start up or have nothing left to do
SHARE_INSIDE_MIN: Final = 0.8
DOUBLE_SECONDS: Final = 2.0
DOUBLES: Final = 0.25  # share of faults that follow another within DOUBLE_SECONDS, while it is recovered from


class FaultKind(StrEnum):
    """What happens to whom."""

    KILL_SCORER = "kill -9 scorer"
    KILL_ALERTER = "kill -9 alerter"
    KILL_POSTGRES = "kill -9 postgres"
    FREEZE_SCORER = "freeze scorer"

    @property
    def is_kill(self) -> bool:
        """Whether a process loses its memory by it."""
        return self is not FaultKind.FREEZE_SCORER


COUNTS: Final = {
    FaultKind.KILL_SCORER: 20,
    FaultKind.KILL_ALERTER: 5,
    FaultKind.KILL_POSTGRES: 3,
    FaultKind.FREEZE_SCORER: 3,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault to come: when this share of the log is applied, and not sooner than the pause after the last."""

    kind: FaultKind
    at_share: float
    pause_seconds: float
    seconds: float  # how long a freeze lasts, or PostgreSQL stays down; 0 otherwise
    doubles: bool  # hits while the one before is recovered from, so progress is not waited for


@dataclass(frozen=True, slots=True)
class Stroke:
    """One fault that happened; ``share`` of the log was applied then."""

    kind: FaultKind
    target: str
    share: float
    at_seconds: float  # since the run's start
    note: str


def schedule(seed: int, counts: dict[FaultKind, int] | None = None) -> tuple[Fault, ...]:
    """Return the faults of a seed in their order; the same seed gives the same ones."""
    rng = Random(seed)
    kinds = [kind for kind, count in (counts or COUNTS).items() for _ in range(count)]
    rng.shuffle(kinds)
    step = (LAST - FIRST) / max(1, len(kinds))
    faults: list[Fault] = []
    for number, kind in enumerate(kinds):
        doubles = bool(faults) and kind is not FaultKind.FREEZE_SCORER and rng.random() < DOUBLES
        faults.append(
            Fault(
                kind=kind,
                at_share=faults[-1].at_share if doubles else FIRST + (number + rng.random()) * step,
                pause_seconds=rng.uniform(0.0, DOUBLE_SECONDS) if doubles else rng.uniform(0.0, 0.3),
                seconds=_seconds(kind, rng),
                doubles=doubles,
            )
        )
    return tuple(faults)


def _seconds(kind: FaultKind, rng: Random) -> float:
    if kind is FaultKind.FREEZE_SCORER:
        return SESSION_SECONDS * rng.uniform(1.5, 3.0)
    return rng.uniform(0.2, 1.5) if kind is FaultKind.KILL_POSTGRES else 0.0


def share_inside(strokes: Sequence[Stroke]) -> float:
    """Return which share of the faults hit while 5 to 95 % of the log was applied."""
    inside = sum(WINDOW[0] <= stroke.share <= WINDOW[1] for stroke in strokes)
    return inside / len(strokes) if strokes else 0.0


def why_invalid(strokes: Sequence[Stroke], counts: dict[FaultKind, int] | None = None) -> str | None:
    """Return why a run proves nothing, None when it does."""
    done = Counter(stroke.kind for stroke in strokes)
    missing = {kind: count - done[kind] for kind, count in (counts or COUNTS).items() if done[kind] < count}
    if missing:
        left = ", ".join(f"{count} x {kind}" for kind, count in missing.items())
        return f"the log was through before these faults happened: {left}; give a slower pace"
    share = share_inside(strokes)
    if share < SHARE_INSIDE_MIN:
        return f"only {share:.0%} of the faults hit while 5 to 95 % of the log was applied"
    return None
