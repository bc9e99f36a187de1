"""The core alone, on one core: how long one event takes, and what of it is decoding."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from schemas.events import Input
from schemas.wire import decode
from services.scorer.core.advance import advance
from services.scorer.core.draft import Moment
from services.scorer.core.state import State, decode_state, encode_state
from tests.bench.world import LANES, POLICY, TOPICS, World

_ROUNDS: Final = 3  # the best of them: noise only ever adds


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """Operations a second on one core."""

    decode: float
    advance: float
    decode_and_advance: float
    decode_state: float
    encode_state: float


def run(world: World, *, events: int) -> Core:
    """Decode and score the first ``events`` of the log, in order of time, from seeded states."""
    per_lane = events // LANES
    raw = [
        (topic, message.value, message.customer)
        for topic in TOPICS
        for lane in range(LANES)
        for message in world.log[topic, lane][
            : int(per_lane * len(world.log[topic, lane]) / _size(world, lane))
        ]
    ]
    decoded = [decode(topic, value) for topic, value, _ in raw]
    who = sorted({customer for _, _, customer in raw})
    states = [world.state_of(customer) for customer in who]
    stored = [encode_state(state) for state in states]
    moment = Moment(now_ms=world.begins_ms, cuts=world.cuts, cut_offs_version=1)

    def score() -> None:
        known = {state.customer_id: state for state in states}
        for event in decoded:
            known[event.customer_id] = _scored(known[event.customer_id], event, moment)  # type: ignore[union-attr]

    decoding = _seconds(lambda: [decode(topic, value) for topic, value, _ in raw])
    scoring = _seconds(score)
    return Core(
        decode=round(len(raw) / decoding),
        advance=round(len(raw) / scoring),
        decode_and_advance=round(len(raw) / (decoding + scoring)),
        decode_state=round(len(stored) / _seconds(lambda: [decode_state(one) for one in stored])),
        encode_state=round(len(states) / _seconds(lambda: [encode_state(one) for one in states])),
    )


def _size(world: World, lane: int) -> int:
    return max(1, sum(len(world.log[topic, lane]) for topic in TOPICS))


def _scored(state: State, event: Any, moment: Moment) -> State:
    known: Input = event
    return advance(state, known, moment, POLICY).state


def _seconds(work: Callable[[], Any]) -> float:
    best = float("inf")
    for _ in range(_ROUNDS):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best
