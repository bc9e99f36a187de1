"""The core alone, on one core: how long one event takes beside bare decoding, and where the time goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from schemas.wire import decode
from services.scorer.core.advance import advance
from services.scorer.core.draft import Moment
from services.scorer.core.due import next_due_ms
from services.scorer.core.policy import Policy
from services.scorer.core.state import State, decode_state, encode_state
from services.scorer.policies import read_policy, template
from tests.bench import models, parts, sizes
from tests.bench.timing import best_seconds
from tests.bench.world import LANES, TOPICS, World, make_world

# The default policy, and the one that a shop would start from: more metrics, more rules.
_TEMPLATES: Final = ("default", "retail")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What one policy costs; events a second on one core."""

    policy: str
    decode: float  # bare, strict decoding of the same events
    advance: float  # of decoded events, states in memory
    decode_and_advance: float
    stored: float  # decoding, the state decoded, advance, the next due date, the state encoded
    parts: dict[str, float]  # microseconds per event, see parts.py
    advance_microseconds: float  # of the same events as the parts, as one
    bytes_by_purchases: dict[int, sizes.Size]  # by purchases a year


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """The core's part of the benchmark."""

    events: int
    policies: list[Scored]  # the default one first
    models: models.Models

    @property
    def decode(self) -> float:
        """Events a second of bare decoding."""
        return self.policies[0].decode

    @property
    def advance(self) -> float:
        """Events a second under the default policy."""
        return self.policies[0].advance


class _Message(NamedTuple):
    topic: str
    value: bytes
    event: Any


def run(*, customers: int, events: int) -> Core:
    """Measure the core by itself under each policy, in worlds of its own; then the models."""
    policies = [read_policy(template(name).text, source=name) for name in _TEMPLATES]
    return Core(
        events=events,
        policies=[_scored(make_world(customers, events, policy=policy)) for policy in policies],
        models=models.run(),
    )


def _scored(world: World) -> Scored:
    policy, messages = world.policy, _in_order(world)
    moment = Moment(now_ms=world.begins_ms, cuts=world.cuts, cut_offs_version=1)
    raw = [(one.topic, one.value) for one in messages]
    decoded = [one.event for one in messages]
    before = {name: world.state_of(number) for number, name in _customers(world)}
    stored = {name: encode_state(state) for name, state in before.items()}
    count = len(messages)
    decoding = best_seconds(lambda: [decode(topic, value) for topic, value in raw])
    scoring = best_seconds(lambda: _advance_all(dict(before), decoded, moment, policy))
    storing = best_seconds(lambda: _store_all(dict(stored), raw, moment, policy))
    recorded = parts.record(before, [(one.topic, one.value, one.event) for one in messages], moment, policy)
    return Scored(
        policy=policy.name,
        decode=round(count / decoding),
        advance=round(count / scoring),
        decode_and_advance=round(count / (decoding + scoring)),
        stored=round(count / storing),
        parts=parts.measure(recorded, moment, policy),
        advance_microseconds=round(parts.whole(recorded, moment, policy), 2),
        bytes_by_purchases=sizes.run(policy),
    )


def _in_order(world: World) -> list[_Message]:
    """Return the log's events in order of time."""
    found = [
        _Message(topic, one.value, decode(topic, one.value))
        for topic in TOPICS
        for lane in range(LANES)
        for one in world.log[topic, lane]
    ]
    return sorted(found, key=lambda one: one.event.occurred_at)


def _customers(world: World) -> list[tuple[int, str]]:
    numbers = sorted({one.customer for messages in world.log.values() for one in messages})
    return [(number, world.state_of(number).customer_id) for number in numbers]


def _advance_all(known: dict[str, State], events: list[Any], moment: Moment, policy: Policy) -> None:
    """Score decoded events on states in memory."""
    for event in events:
        known[event.customer_id] = advance(known[event.customer_id], event, moment, policy).state


def _store_all(known: dict[str, bytes], raw: list[tuple[str, bytes]], moment: Moment, policy: Policy) -> None:
    """Do all that a lane's Python does for an event that comes alone, but for its rows and its envelope."""
    for topic, value in raw:
        event: Any = decode(topic, value)
        state = decode_state(known[event.customer_id])
        after = advance(state, event, moment, policy).state
        next_due_ms(after, policy, moment.cuts)
        known[event.customer_id] = encode_state(after)
