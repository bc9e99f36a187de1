"""A lane's records: every kind of input is taken up or kept back, and what is none becomes a dead letter."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

import schemas
from schemas.events import Input, TimeReached, type_of
from schemas.times import from_ms
from schemas.topics import SCORER_INPUTS
from schemas.wire import Reason, encode
from services.lanes.work import Record
from services.scorer.records import FUTURE_MS_MAX, Intake, read
from tests.contract.poison import encoded

EXAMPLES = Path(schemas.__file__).parent / "examples"
WALL_MS = 1_800_000_000_000
TOPIC_OF = {
    event: topic.name for topic in SCORER_INPUTS for event in topic.carries if event is not TimeReached
}
EVERY_INPUT = pytest.mark.parametrize("kind", Input.__args__, ids=type_of)


def example(kind: type[msgspec.Struct]) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((EXAMPLES / f"{type_of(kind)}.json").read_text(encoding="utf-8"))
    return body


def taken(kind: type[msgspec.Struct], body: dict[str, Any], *, key: str | None = None) -> Intake:
    name = (body["customer_id"] if key is None else key).encode()
    return read([Record(TOPIC_OF[kind], 0, 0, name, encoded(body), WALL_MS)], wall_ms=WALL_MS)


def reasons(intake: Intake) -> list[str]:
    return [letter.reason for letter in intake.dead_letters]


@EVERY_INPUT
def test_a_good_event_is_given_on_or_kept_back_and_never_a_dead_letter(kind: type[msgspec.Struct]) -> None:
    """Every kind is an event, as its example stands."""
    intake = taken(kind, example(kind))
    assert reasons(intake) == []
    assert [type(event) for _, event in intake.events] == [kind]


@EVERY_INPUT
def test_the_key_of_every_kind_is_its_customer(kind: type[msgspec.Struct]) -> None:
    """Of a referral the referrer: else it would land in somebody else's lane."""
    assert reasons(taken(kind, example(kind), key="somebody-else")) == [Reason.KEY]


@EVERY_INPUT
def test_an_event_of_the_future_is_refused_whatever_its_kind(kind: type[msgspec.Struct]) -> None:
    """Ten minutes of a clock that goes ahead are forgiven, no more."""
    inside, outside = (from_ms(WALL_MS + FUTURE_MS_MAX + more).isoformat() for more in (0, 1))
    body = example(kind) | ({"until": None} if "until" in example(kind) else {})
    assert reasons(taken(kind, body | {"occurred_at": inside})) == []
    assert reasons(taken(kind, body | {"occurred_at": outside})) == [Reason.TIME]


def test_a_correction_can_not_move_a_purchase_into_the_future() -> None:
    """Both times are held to the wall clock; a correction that says that it never was has only one."""
    kind = next(one for one in Input.__args__ if type_of(one) == "purchase-corrected.v1")
    body = example(kind)
    outside = from_ms(WALL_MS + FUTURE_MS_MAX + 1).isoformat()
    assert reasons(taken(kind, body | {"purchase": body["purchase"] | {"occurred_at": outside}})) == [
        Reason.TIME
    ]
    assert reasons(taken(kind, body | {"purchase": None})) == []


@EVERY_INPUT
def test_a_time_mark_is_no_event_of_any_topic(kind: type[msgspec.Struct]) -> None:
    """Live, whoever writes one is told that replays do."""
    mark = TimeReached(event_id="time/1", through=from_ms(WALL_MS))
    intake = read([Record(TOPIC_OF[kind], 0, 0, None, encode(mark), WALL_MS)], wall_ms=WALL_MS)
    assert reasons(intake) == [Reason.VERSION]
