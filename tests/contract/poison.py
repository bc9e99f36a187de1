"""The poison catalogue: records that are no events, each with the reason that it must be given.

One valid event per topic is bent in one way at a time, so the reason can only be that way's.
"""

from __future__ import annotations

import json
from typing import Any, Final

from schemas.wire import VALUE_BYTES_MAX, Reason

Event = dict[str, Any]
Poison = tuple[bytes | None, Reason]

_HEADS: Final[dict[str, Event]] = {
    "purchases": {
        "type": "purchase-recorded.v1",
        "kind": "sale",
        "order_id": "order-1",
        "amount_minor": 5000,
        "currency": "USD",
        "channel": "pos",
        "store_id": "store-1",
    },
    "browses": {
        "type": "product-browsed.v1",
        "sku": "sku-1",
        "category": "shoes",
        "brand": "Acme",
        "action": "viewed",
    },
    "campaign-responses": {
        "type": "campaign-responded.v1",
        "campaign_id": "spring",
        "response": "clicked",
    },
    "customer-attributes": {
        "type": "customer-described.v1",
        "city": "Ghent",
        "sex": "female",
    },
    "referrals": {
        "type": "referral-made.v1",
        "referred_customer_id": "customer-2",
    },
    "service-contacts": {
        "type": "service-contact-recorded.v1",
        "contact_id": "case-1",
        "kind": "complaint",
        "channel": "phone",
    },
    "feedback": {
        "type": "feedback-given.v1",
        "kind": "nps",
        "score": 7,
        "subject": "delivery",
    },
    "customer-decisions": {
        "type": "tier-pinned.v1",
        "tier": "high_value",
        "cause": "agreed with sales",
        "decided_by": "m.okafor",
    },
}
# A type that belongs to another topic.
_OTHER_TYPE: Final = dict(
    zip(_HEADS, [head["type"] for head in [*list(_HEADS.values())[1:], _HEADS["purchases"]]], strict=True)
)
# A field of text (an id, where there is no other) and one with a choice of words, where there is one.
_TEXT_FIELD: Final = {
    "purchases": "channel",
    "browses": "sku",
    "campaign-responses": "campaign_id",
    "customer-attributes": "city",
    "referrals": "referred_customer_id",
    "service-contacts": "channel",
    "feedback": "subject",
    "customer-decisions": "tier",
}
_CHOICE_FIELD: Final = {
    "purchases": "kind",
    "browses": "action",
    "campaign-responses": "response",
    "customer-attributes": "sex",
    "service-contacts": "kind",
    "feedback": "kind",
}
_ID_FOR_TEXT: Final = {"campaign-responses", "referrals"}


def event(
    topic: str,
    *,
    customer_id: str = "customer-1",
    event_id: str = "event-1",
    occurred_at: str = "2026-01-02T03:04:05.678+01:00",
    **fields: Any,
) -> Event:
    """Return a valid event of a topic, with ``fields`` put in place of its own."""
    head = {"event_id": event_id, "customer_id": customer_id, "occurred_at": occurred_at}
    return {**_HEADS[topic], **head, **fields}


def encoded(body: Event) -> bytes:
    """Return an event as publishers send it."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def catalogue(topic: str, **given: Any) -> dict[str, Poison]:
    """Return every kind of bad value for a topic with its reason; ``given`` goes into the event."""
    return _no_json(encoded(event(topic, **given))) | wrong_objects(topic, **given)


def wrong_objects(topic: str, **given: Any) -> dict[str, Poison]:
    """Return the kinds of the catalogue that concern the fields of an object."""
    good = event(topic, **given)
    return _wrong_fields(topic, good) | (_wrong_purchases(good) if topic == "purchases" else {})


def _no_json(value: bytes) -> dict[str, Poison]:
    """Return what is not one plain UTF-8 JSON object of bounded size and depth."""
    inside = value[:-1]  # without the closing brace
    return {
        "empty": (b"", Reason.EMPTY),
        "no value": (None, Reason.EMPTY),
        "null": (b"null", Reason.NOT_OBJECT),
        "list": (b"[1]", Reason.NOT_OBJECT),
        "text": (b'"x"', Reason.NOT_OBJECT),
        "number": (b"3", Reason.NOT_OBJECT),
        "truncated": (value[:40], Reason.NOT_JSON),
        "no JSON": (b"hello", Reason.NOT_JSON),
        "trailing characters": (value + b" x", Reason.NOT_JSON),
        "two objects": (value + value, Reason.NOT_JSON),
        "single quotes": (value.replace(b'"', b"'"), Reason.NOT_JSON),
        "raw control character": (inside + b',"x":"\x00"}', Reason.NOT_JSON),
        "gzip": (b"\x1f\x8b\x08\x00abc", Reason.ENCODING),
        "pickle": (b"\x80\x04\x95\x10\x00", Reason.ENCODING),
        "avro": (b"Obj\x01\x04\x16avro.schema", Reason.NOT_JSON),
        "byte order mark": (b"\xef\xbb\xbf" + value, Reason.ENCODING),
        "UTF-16": (value.decode().encode("utf-16"), Reason.ENCODING),
        "UTF-16 without mark": (value.decode().encode("utf-16-le"), Reason.ENCODING),
        "invalid UTF-8": (inside + b',"x":"\xff\xfe"}', Reason.ENCODING),
        "overlong UTF-8": (inside + b',"x":"\xc0\xaf"}', Reason.ENCODING),
        "NUL in a text": (inside + b',"x":"a\\u0000b"}', Reason.ENCODING),
        "NUL in an unknown type": (b'{"type":"x\\u0000y"}', Reason.VERSION),
        "NaN": (inside + b',"x":NaN}', Reason.NUMBER),
        "Infinity": (inside + b',"x":-Infinity}', Reason.NUMBER),
        "100,000 lists": (b"[" * 100_000, Reason.NOT_OBJECT),
        "2,000 deep": (inside + b',"x":' + b'{"a":' * 2000 + b"1" + b"}" * 2000 + b"}", Reason.DEPTH),
        "300 kB": (b"x" * 300_000, Reason.SIZE),
        "one byte too many": (value + b" " * (VALUE_BYTES_MAX + 1 - len(value)), Reason.SIZE),
    }


def _wrong_fields(topic: str, good: Event) -> dict[str, Poison]:
    """Return objects with a missing or wrong field that every topic has."""
    text, choice = _TEXT_FIELD[topic], _CHOICE_FIELD.get(topic)
    surrogate = encoded({**good, text: "HERE"}).replace(b"HERE", b"\\ud800")
    id_kinds: dict[str, Any] = {
        "empty id": "",
        "NUL in id": "a\0b",
        "newline in id": "a\nb",
        "newline at the end of id": "a\n",
        "escape in id": "a\x1b[31mb",
        "quote in id": "x'; DROP TABLE customers; --",
        "emoji in id": "c\U0001f600",
        "right to left in id": "c\u202e1",
        "long id": "a" * 10_000,
    }
    bent: dict[str, tuple[Event, Reason]] = {
        "other version": ({**good, "type": good["type"].replace(".v1", ".v9")}, Reason.VERSION),
        "unknown type": ({**good, "type": "gift-given.v1"}, Reason.VERSION),
        "another topic's type": ({**good, "type": _OTHER_TYPE[topic]}, Reason.VERSION),
        "number for type": ({**good, "type": 5}, Reason.VERSION),
        "no type": (without(good, "type"), Reason.MISSING),
        "no customer_id": (without(good, "customer_id"), Reason.MISSING),
        "no event_id": (without(good, "event_id"), Reason.MISSING),
        "no occurred_at": (without(good, "occurred_at"), Reason.MISSING),
        "empty object": ({}, Reason.MISSING),
        "before 1970": ({**good, "occurred_at": "1969-12-31T23:59:59Z"}, Reason.TIME),
        "naive time": ({**good, "occurred_at": "2026-01-02T03:04:05"}, Reason.TIME),
        "not RFC 3339": ({**good, "occurred_at": "02.01.2026 03:04"}, Reason.TIME),
        "text for time": ({**good, "occurred_at": "yesterday"}, Reason.TIME),
        "year 10000": ({**good, "occurred_at": "10000-01-01T00:00:00Z"}, Reason.TIME),
        "seconds for time": ({**good, "occurred_at": 1767319445}, Reason.TYPE),
        "null for time": ({**good, "occurred_at": None}, Reason.TYPE),
        "number for id": ({**good, "event_id": 7}, Reason.TYPE),
        **{name: ({**good, "customer_id": bad}, Reason.ID) for name, bad in id_kinds.items()},
    }
    if choice is not None:
        bent["unknown choice"] = ({**good, choice: "gift"}, Reason.TYPE)
        bent["list for choice"] = ({**good, choice: ["sale"]}, Reason.TYPE)
    if topic not in _ID_FOR_TEXT:
        bent["empty text"] = ({**good, text: ""}, Reason.RANGE)
        bent["long text"] = ({**good, text: "x" * 257}, Reason.RANGE)
    kinds: dict[str, Poison] = {name: (encoded(body), reason) for name, (body, reason) in bent.items()}
    return kinds | {"lone surrogate": (surrogate, Reason.ENCODING)}


def _wrong_purchases(good: Event) -> dict[str, Poison]:
    """Return purchases whose amount, currency or lines are wrong."""
    line = {"sku": "s", "category": "c", "brand": "b", "quantity": 1, "amount_minor": 1}
    raw = {
        "1e400 for amount": (b"1e400", Reason.NUMBER),
        "5,000 digits for amount": (b"9" * 5000, Reason.NUMBER),
        "NaN for amount": (b"NaN", Reason.NUMBER),
        "400 digits for amount": (b"9" * 400, Reason.RANGE),
        "2^63 for amount": (b"9223372036854775808", Reason.RANGE),
        "100.0 for a whole number": (b"100.0", Reason.TYPE),
    }
    bent: dict[str, tuple[Event, Reason]] = {
        "fraction for amount": ({**good, "amount_minor": 1.5}, Reason.TYPE),
        "text for amount": ({**good, "amount_minor": "100"}, Reason.TYPE),
        "true for amount": ({**good, "amount_minor": True}, Reason.TYPE),
        "amount below 0": ({**good, "amount_minor": -5}, Reason.RANGE),
        "amount too large": ({**good, "amount_minor": 10**12 + 1}, Reason.RANGE),
        "return of 0": ({**good, "kind": "return", "amount_minor": 0}, Reason.RANGE),
        "no amount": (without(good, "amount_minor"), Reason.MISSING),
        "lower-case currency": ({**good, "currency": "usd"}, Reason.CURRENCY),
        "currency with a newline": ({**good, "currency": "USD\n"}, Reason.CURRENCY),
        "lines as text": ({**good, "lines": "x"}, Reason.TYPE),
        "line without brand": ({**good, "lines": [without(line, "brand")]}, Reason.MISSING),
        "line with quantity below 0": ({**good, "lines": [{**line, "quantity": -1}]}, Reason.RANGE),
        "referrer that is no id": ({**good, "referred_by": "a b"}, Reason.ID),
    }
    kinds: dict[str, Poison] = {name: (encoded(body), reason) for name, (body, reason) in bent.items()}
    place = encoded({**good, "amount_minor": 123_454_321})
    return kinds | {name: (place.replace(b"123454321", bad), reason) for name, (bad, reason) in raw.items()}


def without(body: Event, field: str) -> Event:
    """Return the event without one field."""
    return {name: value for name, value in body.items() if name != field}
