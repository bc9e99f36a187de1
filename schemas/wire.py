"""From bytes to events: strict, typed, bounded, and every refusal with a reason.

A record is refused, never repaired. A repeated key in an object is not an error in JSON: the last one
counts. A field that this version does not know is ignored.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final, NoReturn, TypeVar

import msgspec

from schemas import events
from schemas.events import CampaignResponded, ProductBrowsed, PurchaseRecorded, TimeReached
from schemas.times import EPOCH

E = TypeVar("E", bound=events.Event)

VALUE_BYTES_MAX: Final = 256 * 1024
KEY_BYTES_MAX: Final = 1024
HEADERS_MAX: Final = 64
_UTF8_BOM = b"\xef\xbb\xbf"
_PLACE = re.compile(r"\(byte (\d+)\)")  # where msgspec's messages say that the syntax ends
_NOT_FINITE = (b"NaN", b"Infinity")
# msgspec's message depends on what follows the escape, so the value is looked at itself.
_LONE_SURROGATE = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])")


class Reason(StrEnum):
    """Why a record became a dead letter."""

    EMPTY = "EMPTY"
    NOT_JSON = "NOT_JSON"
    NOT_OBJECT = "NOT_OBJECT"
    ENCODING = "ENCODING"
    NUMBER = "NUMBER"
    TYPE = "TYPE"
    MISSING = "MISSING"
    RANGE = "RANGE"
    CURRENCY = "CURRENCY"
    TIME = "TIME"
    VERSION = "VERSION"
    ID = "ID"
    SIZE = "SIZE"
    DEPTH = "DEPTH"
    KEY = "KEY"
    CONFLICT = "CONFLICT"
    PARTITION = "PARTITION"
    LATE = "LATE"
    HOT = "HOT"


REMEDIES: dict[Reason, str] = {
    Reason.EMPTY: "send a JSON object; an erasure is an event, never an empty value",
    Reason.NOT_JSON: "send one JSON object, complete and without anything around it",
    Reason.NOT_OBJECT: "send a JSON object, not a list, text, number or null",
    Reason.ENCODING: "encode as UTF-8 without a byte order mark and without lone surrogates",
    Reason.NUMBER: "amounts are whole numbers of minor units; NaN, Infinity and huge numbers are refused",
    Reason.TYPE: "give the field the type that its JSON Schema names",
    Reason.MISSING: "add the field that the message names",
    Reason.RANGE: "bring the value into the range that its JSON Schema names",
    Reason.CURRENCY: "use the policy's currency as an upper-case ISO 4217 code, or start with --currency",
    Reason.TIME: "give RFC 3339 with an offset, after 1970 and at most 10 minutes after the wall clock",
    Reason.VERSION: "use a type that belongs to this topic, such as purchase-recorded.v1 on purchases",
    Reason.ID: "ids are 1 to 128 of A-Z a-z 0-9 . _ : @ / + -",
    Reason.SIZE: "keep a value under 256 KiB, a key under 1 KiB and headers under 64",
    Reason.DEPTH: "flatten the object",
    Reason.KEY: "use the customer_id, as UTF-8, as the Kafka key",
    Reason.CONFLICT: "give a new event its own event_id; one that was used can't get another body",
    Reason.PARTITION: "partition by murmur2 of the key (librdkafka: partitioner=murmur2_random)",
    Reason.LATE: "the event is older than what is remembered; it can't be told from a repeat any more",
    Reason.HOT: "list an id that stands for many people as anonymous in the policy",
}


class Refused(Exception):  # noqa: N818 -- a refusal of the record, not an error of ours
    """A record that can't be an event. ``detail`` is one line without the record's content."""

    def __init__(self, reason: Reason, detail: str) -> None:
        """Say why."""
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        """Say what is wrong and what to do."""
        return f"{self.reason}: {self.detail}; {REMEDIES[self.reason]}"


_purchases = msgspec.json.Decoder(PurchaseRecorded | TimeReached)
_browses = msgspec.json.Decoder(ProductBrowsed | TimeReached)
_responses = msgspec.json.Decoder(CampaignResponded | TimeReached)
_inputs: msgspec.json.Decoder[events.Input] = msgspec.json.Decoder(events.Input)
_outputs = msgspec.json.Decoder(events.TierChanged | events.ChurnWarned | events.ChurnCleared | TimeReached)
_by_topic: dict[str, msgspec.json.Decoder[events.Event]] = {
    "purchases": _purchases,
    "browses": _browses,
    "campaign-responses": _responses,
    "tier-changes": _outputs,
    "churn-warnings": _outputs,
}
_encoder = msgspec.json.Encoder()


def encode(event: msgspec.Struct) -> bytes:
    """Return the event's wire form."""
    return _encoder.encode(event)


def decode(topic: str, value: bytes | None) -> events.Event:
    """Return the event that ``value`` holds, as ``topic`` allows it.

    Raises:
        Refused: with the reason and the remedy; the caller makes it a dead letter.
    """
    return _checked(_by_topic[topic], value)


def decode_input(value: bytes | None) -> events.Input:
    """Return the input event that a line of a file or a request body holds, whatever its topic.

    Raises:
        Refused: as ``decode``.
    """
    return _checked(_inputs, value)


def topic_of(event: events.Input) -> str:
    """Return the name of the topic that this kind of event is published on."""
    if isinstance(event, PurchaseRecorded):
        return "purchases"
    return "browses" if isinstance(event, ProductBrowsed) else "campaign-responses"


def _checked(decoder: msgspec.json.Decoder[E], value: bytes | None) -> E:
    if not value:
        raise Refused(Reason.EMPTY, "the record has no value")
    if len(value) > VALUE_BYTES_MAX:  # before parsing: a parser must never see an unbounded value
        raise Refused(Reason.SIZE, f"the value has {len(value)} bytes, more than {VALUE_BYTES_MAX}")
    try:
        value.decode()
        event = decoder.decode(value)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        _refuse(value, error)
    if isinstance(event, PurchaseRecorded) and event.kind == "return" and event.amount_minor == 0:
        raise Refused(Reason.RANGE, "a return of amount 0 - at `$.amount_minor`")
    if not isinstance(event, TimeReached) and event.occurred_at < EPOCH:
        raise Refused(Reason.TIME, "the event is dated before 1970 - at `$.occurred_at`")
    return event


def _refuse(value: bytes, error: Exception) -> NoReturn:
    """Find the reason of a refusal; slow and careful, since bad records are few."""
    text = str(error)
    if isinstance(error, RecursionError):
        raise Refused(Reason.DEPTH, "the value is nested too deeply") from None
    if isinstance(error, UnicodeError) or value.startswith(_UTF8_BOM) or b"\x00" in value[:4]:
        raise Refused(Reason.ENCODING, "the value is not plain UTF-8") from None
    if isinstance(error, msgspec.ValidationError):
        raise Refused(_reason_of_validation(text), text) from None
    raise Refused(_reason_of_syntax(text, value), text) from None


def _reason_of_validation(text: str) -> Reason:
    if text.startswith("Expected `object`") and " at " not in text:
        return Reason.NOT_OBJECT
    return next((reason for fragment, reason in _VALIDATION_REASONS if fragment in text), Reason.TYPE)


# In this order: the first fragment that msgspec's message contains decides.
_VALIDATION_REASONS: tuple[tuple[str, Reason], ...] = (
    ("missing required field", Reason.MISSING),
    ("at `$.type`", Reason.VERSION),
    ("Invalid value", Reason.VERSION),
    ("at `$.currency`", Reason.CURRENCY),
    ("matching regex", Reason.ID),
    ("timezone component", Reason.TIME),
    ("Invalid RFC3339", Reason.TIME),
    ("Timestamp is out of range", Reason.TIME),
    ("out of range", Reason.NUMBER),
    ("of length", Reason.RANGE),
    ("`int` >=", Reason.RANGE),
    ("`int` <=", Reason.RANGE),
)


def _reason_of_syntax(text: str, value: bytes) -> Reason:
    if "surrogate" in text or "utf-8" in text.lower() or _LONE_SURROGATE.search(value):
        return Reason.ENCODING
    if "out of range" in text.lower():
        return Reason.NUMBER
    # Not looked for with a parser that accepts them: it would build 256 KiB of objects (170 ms).
    at = _PLACE.search(text)
    if at is not None and value.startswith(_NOT_FINITE, int(at[1])):
        return Reason.NUMBER
    return Reason.NOT_JSON
