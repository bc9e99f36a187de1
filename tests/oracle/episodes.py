"""Episodes of churn: which starts raise one, and what ends it."""

from dataclasses import dataclass, field

from tests.oracle.churn import KINDS, History, solved_ms, sure_starts
from tests.oracle.clock import DAY_MS
from tests.oracle.facts import Facts
from tests.oracle.policy import Json

RETRACTED = "retracted"
STAND_WHEN_LATE = ("frequency", "model")


@dataclass(slots=True)
class Episode:
    """One warning; open while ``ended_ms`` is None."""

    rule: str
    start_ms: int
    ended_ms: int | None = None
    ended_by: str = ""


@dataclass(slots=True)
class Warnings:
    """Everything that a customer was ever warned of; at each step what the facts call for is found anew."""

    facts: Facts
    episodes: list[Episode] = field(default_factory=list)
    applies: dict[tuple[str, int], bool] = field(default_factory=dict)  # rule and start, once it was judged
    judged_ms: int = -1  # up to here starts were judged
    next_ms: int | None = None  # the next instant at which one may start

    @property
    def warned(self) -> bool:
        """Whether any episode is open."""
        return any(episode.ended_ms is None for episode in self.episodes)

    def judge(self, now_ms: int, until_ms: int, ranked: str) -> None:
        """Bring the episodes in line with the facts known at ``now_ms``, for the starts up to ``until_ms``.

        A start is judged once, by the ranked tier at the time; one that the facts do not call for is retracted.
        One that a single event is, and nothing that may still come can undo, is judged with the event.
        """
        self.judged_ms = until_ms
        history = History.of(self.facts, now_ms, until_ms)
        self.next_ms = None
        for rule in self.facts.policy.rules:
            starts = [] if history is None else sorted(set(KINDS[rule["rule"]](rule, history)))
            sure = set() if history is None else sure_starts(rule, history)
            seen = {at_ms for at_ms, _ in starts if at_ms <= until_ms or (at_ms <= now_ms and at_ms in sure)}
            calls = {at_ms for at_ms, is_start in starts if is_start and at_ms in seen}
            found = [] if history is None else self._found(rule, history, calls, ranked)
            later = [at_ms for at_ms, _ in starts if at_ms not in seen]
            self.next_ms = min([*later, *([] if self.next_ms is None else [self.next_ms])], default=None)
            self._take(rule["name"], found, now_ms)

    def _found(self, rule: Json, history: History, calls: set[int], ranked: str) -> list[Episode]:
        """Return the rule's episodes as the facts have them now."""
        if rule["rule"] in STAND_WHEN_LATE:
            stand = [one for one in self._of(rule["name"]) if one.ended_by != RETRACTED]
            calls |= {one.start_ms for one in stand if one.start_ms < history.since_ms}
        found: list[Episode] = []
        for start_ms in sorted(calls):
            if any(self._is_held(rule, one, start_ms) for one in found):
                continue
            judged = self.applies.setdefault(
                (rule["name"], start_ms), not rule["tiers"] or ranked in rule["tiers"]
            )
            if judged:
                found.append(Episode(rule["name"], start_ms, *self._end(rule, history, start_ms)))
        return found

    def _is_held(self, rule: Json, last: Episode, start_ms: int) -> bool:
        """Whether an earlier episode leaves no room for another one."""
        if last.ended_ms is None or start_ms < last.ended_ms:
            return True
        if rule["rule"] != "frequency":
            return False
        return start_ms - last.start_ms < int(rule["recent_days"]) * DAY_MS

    def _end(self, rule: Json, history: History, start_ms: int) -> tuple[int | None, str]:
        """Return when and by what an episode ends: of one instant the purchase, then the response."""
        ends = [(at_ms, 0, "purchase") for at_ms in history.sales if at_ms > start_ms]
        ends += [(at_ms, 1, "response") for at_ms in history.responses(rule) if at_ms > start_ms]
        solved = solved_ms(rule, history, start_ms)
        if solved is not None:
            ends.append((solved, 2, "resolved"))
        ended_ms, _, ended_by = min(ends, default=(None, 0, ""))
        return ended_ms, ended_by

    def _of(self, name: str) -> list[Episode]:
        return [one for one in self.episodes if one.rule == name]

    def _take(self, name: str, found: list[Episode], now_ms: int) -> None:
        """Take over what was found; what ended before may stand again, or have ended otherwise."""
        known = {one.start_ms: one for one in self._of(name)}
        for one in found:
            if one.start_ms not in known:
                self.episodes.append(one)
            else:
                was = known[one.start_ms]
                was.ended_ms, was.ended_by = one.ended_ms, one.ended_by
        wanted = {one.start_ms for one in found}
        for start_ms, was in known.items():
            if start_ms not in wanted and was.ended_by != RETRACTED:
                was.ended_ms, was.ended_by = now_ms, RETRACTED
