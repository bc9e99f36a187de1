"""Flaps: a customer who is back in the previous ranked tier within 30 days."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from schemas.events import TierChanged
from schemas.times import DAY_MS, to_ms
from services.scorer.core.draft import Effect

WITHIN_DAYS: Final = 30
_WITHIN_MS: Final = WITHIN_DAYS * DAY_MS


class Move(NamedTuple):
    """A ranked tier left for another one."""

    previous: str | None
    current: str | None
    at_ms: int


class Flaps:
    """Counts flaps. There and back again is one flap, and there once more, within 30 days, is another."""

    def __init__(self) -> None:
        """Start with none."""
        self._count = 0
        self._settled: dict[int, Move] = {}  # by customer
        self._latest: dict[int, Move] = {}  # may be drawn together with more of its instant

    def take(self, who: int, effects: Iterable[Effect]) -> None:
        """Note a customer's tier changes, in order of occurrence.

        What several events of one instant pass through on the way is no change: their order is undefined.
        """
        for effect in effects:
            if isinstance(effect, TierChanged) and effect.ranked_previous != effect.ranked_current:
                self._move(
                    who, Move(effect.ranked_previous, effect.ranked_current, to_ms(effect.occurred_at))
                )

    def count(self) -> int:
        """Return how many there were; the replay is over."""
        for who in list(self._latest):
            self._settle(who)
        return self._count

    def _move(self, who: int, move: Move) -> None:
        latest = self._latest.get(who)
        if latest is not None and latest.at_ms == move.at_ms:
            self._latest[who] = Move(latest.previous, move.current, move.at_ms)
            return
        self._settle(who)
        self._latest[who] = move

    def _settle(self, who: int) -> None:
        move, before = self._latest.pop(who, None), self._settled.get(who)
        if move is None or move.previous == move.current:
            return
        if before is not None and move.current == before.previous and move.at_ms - before.at_ms <= _WITHIN_MS:
            self._count += 1
        self._settled[who] = move
