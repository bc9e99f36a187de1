"""Churn by silence: when it starts, and what ends it."""

from dataclasses import dataclass, field

from tests.oracle.clock import DAY_MS
from tests.oracle.tiers import HIGH

EARLY, HIGH_VALUE = "early_silence", "high_value_silence"
LENGTHS_MS = {EARLY: 90 * DAY_MS, HIGH_VALUE: 180 * DAY_MS}
ANSWERS = ("clicked", "converted")


@dataclass(slots=True)
class Episode:
    """One warning; open while ``ended_ms`` is None."""

    rule: str
    start_ms: int
    ended_ms: int | None = None
    ended_by: str = ""


@dataclass(slots=True)
class Silence:
    """A customer's contacts and the episodes they left."""

    anchor_ms: int | None = None  # latest contact, counted from the first sale on
    judged_ms: dict[str, int] = field(default_factory=dict)  # by rule: the anchor already looked at
    episodes: list[Episode] = field(default_factory=list)

    @property
    def warned(self) -> bool:
        """Whether any episode is open."""
        return any(episode.ended_ms is None for episode in self.episodes)

    def contact(self, at_ms: int, cause: str) -> bool:
        """Note a sale (``purchase``) or an answer (``response``); return whether it counts as a contact.

        At equal times the purchase is the cause, whichever of the two is processed first.
        """
        if cause == "response" and self.anchor_ms is None:
            return False  # a prospect cannot churn
        self.anchor_ms = at_ms
        for episode in self.episodes:
            if episode.ended_ms is None:
                episode.ended_ms, episode.ended_by = at_ms, cause
            elif episode.ended_ms == at_ms and cause == "purchase":
                episode.ended_by = cause
        return True

    def next_start_ms(self) -> int | None:
        """Return the earliest start not yet looked at, if no contact comes before or at it."""
        if self.anchor_ms is None:
            return None
        starts = [self.anchor_ms + length for rule, length in LENGTHS_MS.items() if self.pending(rule)]
        return min(starts, default=None)

    def pending(self, rule: str) -> bool:
        """Whether the latest contact's silence is still to be looked at."""
        return self.judged_ms.get(rule) != self.anchor_ms

    def start(self, at_ms: int, ranked: str) -> None:
        """Raise what starts at ``at_ms``; every event up to then is in, ``ranked`` is in force then."""
        for rule, length in LENGTHS_MS.items():
            if self.anchor_ms is not None and self.pending(rule) and self.anchor_ms + length == at_ms:
                self.judged_ms[rule] = self.anchor_ms
                if rule == EARLY or ranked == HIGH:
                    self.episodes.append(Episode(rule, at_ms))
