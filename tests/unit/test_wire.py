"""Bytes to events: what is refused, for which reason, and how long that may take."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.events import Input, TimeReached
from schemas.topics import SCORER_INPUTS
from schemas.wire import REMEDIES, VALUE_BYTES_MAX, Reason, Refused, decode, decode_input, encode, topic_of
from tests.contract.poison import catalogue, encoded, event

TOPICS = tuple(topic.name for topic in SCORER_INPUTS)
EVERY_POISON = [
    pytest.param(topic, value, reason, id=f"{topic}: {kind}")
    for topic in TOPICS
    for kind, (value, reason) in catalogue(topic).items()
]


def refusal(topic: str, value: bytes | None) -> Refused:
    with pytest.raises(Refused) as caught:
        decode(topic, value)
    return caught.value


@pytest.mark.parametrize(("topic", "value", "reason"), EVERY_POISON)
def test_a_bad_record_is_refused_with_its_reason(topic: str, value: bytes | None, reason: Reason) -> None:
    """Whatever arrives, only ``Refused`` comes out: one line that names no customer and what to do."""
    refused = refusal(topic, value)
    assert refused.reason is reason
    assert "\n" not in str(refused)
    assert "customer-1" not in str(refused)
    assert REMEDIES[reason] in str(refused)


@pytest.mark.parametrize("topic", TOPICS)
def test_the_catalogue_is_bent_from_a_good_event(topic: str) -> None:
    """Else a reason could come from something else than the one thing that is wrong."""
    decoded = decode(topic, encoded(event(topic)))
    assert isinstance(decoded, Input)
    assert topic_of(decoded) == topic
    assert decoded == decode_input(encoded(event(topic)))
    assert decoded.occurred_at == datetime(2026, 1, 2, 2, 4, 5, 678_000, UTC)


def test_every_reason_has_a_remedy() -> None:
    """A dead letter without a remedy leaves the publisher alone."""
    assert REMEDIES.keys() == set(Reason)
    assert all(REMEDIES.values())


@pytest.mark.parametrize(
    "fields",
    [
        {"amount_minor": 0},
        {"amount_minor": 10**12},
        {"extra": [1, {"deep": [2]}], "more": None},
        {"lines": []},
        {"lines": [{"sku": "s", "category": "c", "brand": "b", "quantity": 0, "amount_minor": -1, "new": 1}]},
        {"store_id": "x'; DROP TABLE customers; -- <script>alert(1)</script>"},
        {"channel": "\u202e\u200b\U0001f600"},
        {"event_id": "A-z0.9_:@/+" + "x" * 117},
        {"occurred_at": "2026-01-02t03:04:05.678999999z"},
        {"referred_by": None, "returned_order_id": None},
    ],
    ids=str,
)
def test_unusual_events_are_accepted(fields: dict[str, Any]) -> None:
    """Free text is data, fields of a later version are ignored, and the bounds themselves are inside."""
    decode("purchases", encoded(event("purchases", **fields)))


def test_of_a_repeated_key_the_last_one_counts() -> None:
    """JSON allows it, and so do we: the module's docstring says which one."""
    value = encoded(event("purchases"))[:-1] + b',"amount_minor":7}'
    assert decode_input(value) == decode_input(encoded(event("purchases", amount_minor=7)))


@pytest.mark.parametrize("topic", TOPICS)
def test_time_marks_are_read_on_every_input_topic_and_in_no_file(topic: str) -> None:
    """Replays write them into topics; a file of events can't hold them."""
    mark = TimeReached(event_id="time/1", through=datetime(2026, 1, 1, tzinfo=UTC))
    assert decode(topic, encode(mark)) == mark
    with pytest.raises(Refused, match="VERSION"):
        decode_input(encode(mark))


HARD_TO_PARSE = {
    "keys": b"{" + b",".join(b'"k%d":0' % number for number in range(20_000)) + b"}",
    "hash collisions": b"{" + b",".join(b'"%d":0' % (number << 61) for number in range(8_000)) + b"}",
    "digits": b'{"x":' + b"9" * 250_000 + b"}",
    "fraction": b'{"x":0.' + b"9" * 250_000 + b"}",
    "spaces": b" " * 260_000 + b"{",
    "lists": b'{"x":' + b"[" * 250_000,
    "objects": b'{"x":' + b'{"a":' * 50_000,
    "open text": b'{"x":"' + b"a" * 250_000,
    "escapes": b'{"x":"' + b"\\u0041" * 40_000 + b'"}',
    "commas": b'{"x":[' + b"," * 250_000,
    "lists before a NaN": b'{"x":[' + (b"[" * 400 + b"]" * 400 + b",") * 300 + b"NaN]}",
    "objects before a NaN": b'{"x":[' + b'{"a":1},' * 30_000 + b"NaN]}",
    "integers before a NaN": b'{"x":[' + (b"9" * 4_299 + b",") * 58 + b"NaN]}",
    "lines": encoded(event("purchases", lines=[{"sku": "s"}] * 20_000)),
    "lines with one bad": encoded(
        event(
            "purchases",
            lines=[{"sku": "s", "category": "c", "brand": "b", "quantity": 1, "amount_minor": 1}] * 3_000
            + [0],
        )
    ),
}


@pytest.mark.parametrize("value", HARD_TO_PARSE.values(), ids=HARD_TO_PARSE)
def test_refusing_takes_bounded_time(value: bytes) -> None:
    """Nobody can hold a lane up with a record: the cap comes first, and what follows is linear."""
    assert len(value) <= VALUE_BYTES_MAX
    fastest = float("inf")
    for _ in range(3):  # the machine may be busy; the record is what is measured
        started = time.perf_counter()
        refusal("purchases", value)
        fastest = min(fastest, time.perf_counter() - started)
    assert fastest < 0.02


def test_the_size_is_checked_before_anything_is_parsed() -> None:
    """Ten megabytes cost nothing."""
    value = b"[" * 10_000_000
    started = time.perf_counter()
    assert refusal("purchases", value).reason is Reason.SIZE
    assert time.perf_counter() - started < 0.01


def test_the_longest_value_is_accepted() -> None:
    """The bound itself is inside."""
    value = encoded(event("purchases"))
    decode("purchases", value + b" " * (VALUE_BYTES_MAX - len(value)))


def test_what_is_encoded_decodes_to_the_same() -> None:
    """Optional fields that are not set take no bytes and come back."""
    decoded = decode_input(encoded(event("purchases", returned_order_id="o", kind="return")))
    value = encode(decoded)
    assert decode_input(value) == decoded
    assert "referred_by" not in json.loads(value)
