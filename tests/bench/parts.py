"""Where the time of one event goes: each part timed by itself, on the states that the events really met.

No profiler: its own cost would fall on the parts that call the most functions. A part is run over all
recorded events at once, then the next one on what it left, so each is timed with its own code warm and
what it made is freed outside. So the sum is less than the whole, by a sixth or so; both are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, Final, NamedTuple

from schemas.tiers import Cause
from schemas.wire import decode
from services.scorer.core import episodes, memory
from services.scorer.core.advance import advance
from services.scorer.core.draft import Because, Draft, Moment
from services.scorer.core.due import next_due_ms, pass_time
from services.scorer.core.evaluate import evaluate
from services.scorer.core.news import News, moves_a_tier, news_of
from services.scorer.core.policy import Policy
from services.scorer.core.score import score_of
from services.scorer.core.state import State, decode_state, encode_state
from tests.bench.timing import ROUNDS, best_seconds, seconds

_BECAUSE: Final = Because(Cause.EVENT, "bench")
# ``evaluate`` contains those that are named "evaluate: ...".
PARTS_OF_ADVANCE: Final = ("news, known or refused", "draft", "window and what is due", "memory", "evaluate", "step")  # fmt: skip


class Recorded(NamedTuple):
    """One event, and the customer before and after it."""

    topic: str
    value: bytes
    event: Any
    news: News
    now_ms: int
    moves: bool
    before: State
    after: State


def record(
    states: dict[str, State], messages: Iterable[tuple[str, bytes, Any]], moment: Moment, policy: Policy
) -> list[Recorded]:
    """Score the events in order, and keep what each one met."""
    known, recorded = dict(states), []
    for topic, value, event in messages:
        before, news = known[event.customer_id], news_of(event, policy)
        after = advance(before, event, moment, policy).state
        now_ms = max(moment.now_ms, news.time_ms, before.settled_ms)
        moves = moves_a_tier(news, policy)
        recorded.append(Recorded(topic, value, event, news, now_ms, moves, before, after))
        known[event.customer_id] = after
    return recorded


def whole(recorded: Sequence[Recorded], moment: Moment, policy: Policy) -> float:
    """Return the microseconds per event of ``advance`` as one."""

    def work() -> None:
        for one in recorded:
            advance(one.before, one.event, moment, policy)

    return (best_seconds(work) - _loop_seconds(recorded)) / len(recorded) * 1e6


def measure(recorded: Sequence[Recorded], moment: Moment, policy: Policy) -> dict[str, float]:
    """Return microseconds per event of each part, averaged over all events, those that skip it included."""
    found = {
        "strict decoding": best_seconds(lambda: [decode(one.topic, one.value) for one in recorded]),
        "state decoding": _state_decoding(recorded),
    }
    rounds = [_advance_in_parts(recorded, moment, policy) for _ in range(ROUNDS)]
    found |= {name: min(one[name] for one in rounds) for name in rounds[0]}
    cuts = moment.cuts
    found["next due"] = best_seconds(lambda: [next_due_ms(one.after, policy, cuts) for one in recorded])
    found["state encoding"] = best_seconds(lambda: [encode_state(one.after) for one in recorded])
    loop = _loop_seconds(recorded)
    return {name: round(max(0.0, spent - loop) / len(recorded) * 1e6, 2) for name, spent in found.items()}


def _state_decoding(recorded: Sequence[Recorded]) -> float:
    stored = [encode_state(one.before) for one in recorded]
    return best_seconds(lambda: [decode_state(one) for one in stored])


def _advance_in_parts(recorded: Sequence[Recorded], moment: Moment, policy: Policy) -> dict[str, float]:
    """Return the seconds of each part of one round, as ``advance`` calls them."""
    drafts: list[Draft] = []
    spent = {
        "news, known or refused": seconds(lambda: _admit(recorded, policy)),
        "draft": seconds(lambda: drafts.extend(Draft.of(one.before, moment, policy) for one in recorded)),
    }
    pairs = list(zip(recorded, drafts, strict=True))
    spent["window and what is due"] = seconds(lambda: _each(pairs, _pass_time))
    spent["memory"] = seconds(
        lambda: _each(pairs, lambda one, draft: memory.take_up(draft, one.event, one.news))
    )
    movers = [(one, draft) for one, draft in pairs if one.moves]
    score = seconds(lambda: _each(movers, lambda _, draft: score_of(draft.state, policy)))
    copies = [(one, _copied(one, draft)) for one, draft in movers]
    review = seconds(lambda: _each(copies, lambda one, draft: episodes.review(draft, one.now_ms, one.now_ms)))
    spent["evaluate"] = seconds(
        lambda: _each(movers, lambda one, draft: evaluate(draft, one.now_ms, one.now_ms, _BECAUSE))
    )
    spent["evaluate: score"], spent["evaluate: episodes"] = score, review
    spent["step"] = seconds(lambda: [draft.step() for draft in drafts])
    return spent


def _admit(recorded: Sequence[Recorded], policy: Policy) -> None:
    for one in recorded:
        news = news_of(one.event, policy)
        if memory.is_repeat(one.before, news, one.now_ms, policy):
            raise AssertionError("every event of the log is new")
        memory.refuse(one.before, one.event, news, one.now_ms, policy)
        moves_a_tier(news, policy)


def _pass_time(one: Recorded, draft: Draft) -> None:
    to_ms = one.now_ms if one.moves else one.now_ms - 1
    pass_time(draft, to_ms, through_ms=one.now_ms - 1, known_until_ms=one.now_ms)


def _copied(one: Recorded, draft: Draft) -> Draft:
    """Return the draft as ``evaluate`` hands it to the review: scored and ranked."""
    state = copy(draft.state)
    state.score, state.ranked, state.ranked_since_ms = (
        one.after.score,
        one.after.ranked,
        one.after.ranked_since_ms,
    )
    return replace(draft, state=state, effects=[])


def _each(pairs: list[tuple[Recorded, Draft]], work: Callable[[Recorded, Draft], object]) -> None:
    for one, draft in pairs:
        work(one, draft)


def _loop_seconds(recorded: Sequence[Recorded]) -> float:
    """Return what the loop alone takes: it is not the core's."""

    def work() -> None:
        for _ in recorded:
            pass

    return best_seconds(work)
