"""From bytes to events: strict, typed, bounded, and every refusal with a reason.

A record is refused, never repaired. A repeated key in an object is not an error in JSON: the last one
counts. A field that this version does not know is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from functools import reduce
from operator import or_
from typing import Any, Final, NoReturn, TypeVar

import msgspec

from schemas import events
from schemas.events import (
    ChurnReasonCorrected,
    CustomerDescribed,
    ProductListed,
    PurchaseBody,
    PurchaseCorrected,
    PurchaseRecorded,
    ReferralMade,
    TierPinned,
    TimeReached,
)
from schemas.times import EPOCH
from schemas.topics import ALL_TOPICS, PRODUCTS, SCORER_INPUTS

E = TypeVar("E", bound=events.Event)

VALUE_BYTES_MAX: Final = 256 * 1024
KEY_BYTES_MAX: Final = 1024
HEADERS_MAX: Final = 64
_UTF8_BOM = b"\xef\xbb\xbf"
_TOO_LATE: Final = datetime(9900, 1, 1, tzinfo=UTC)  # what falls due a century later still has a date
_PLACE = re.compile(r"\(byte (\d+)\)")  # where msgspec's messages say that the syntax ends
_NOT_FINITE = (b"NaN", b"Infinity")
# No text of PostgreSQL holds it; an even number of backslashes before it is another matter.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_QUOTED = re.compile(r"^Invalid value '.*'", re.DOTALL)  # what the record says, which nobody else needs
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
    INTERNAL = "INTERNAL"


REMEDIES: dict[Reason, str] = {
    Reason.EMPTY: "send a JSON object; an erasure is an event, never an empty value",
    Reason.NOT_JSON: "send one JSON object, complete and without anything around it",
    Reason.NOT_OBJECT: "send a JSON object, not a list, text, number or null",
    Reason.ENCODING: "encode as UTF-8 without a byte order mark, lone surrogates and NUL characters",
    Reason.NUMBER: "amounts are whole numbers of minor units; NaN, Infinity and huge numbers are refused",
    Reason.TYPE: "give the field the type that its JSON Schema names",
    Reason.MISSING: "add the field that the message names",
    Reason.RANGE: "bring the value into the range that its JSON Schema names",
    Reason.CURRENCY: "use an upper-case ISO 4217 code that the policy counts in or has a rate for;"
    " --currency begins with another one",
    Reason.TIME: "give RFC 3339 with an offset, after 1970 and at most 10 minutes after the wall clock;"
    " a day as 2026-01-31",
    Reason.VERSION: "use a type that belongs to this topic, such as purchase-recorded.v1 on purchases",
    Reason.ID: "ids are 1 to 128 of A-Z a-z 0-9 . _ : @ / + -",
    Reason.SIZE: "keep a value under 256 KiB, a key under 1 KiB and headers under 64",
    Reason.DEPTH: "flatten the object",
    Reason.KEY: "use the customer_id, as UTF-8, as the Kafka key",
    Reason.CONFLICT: "give a new event its own event_id; one that was used can't get another body",
    Reason.PARTITION: "partition by murmur2 of the key (librdkafka: partitioner=murmur2_random)",
    Reason.LATE: "the event is older than what is remembered; it can't be told from a repeat any more",
    Reason.HOT: "list an id that stands for many people as anonymous in the policy",
    Reason.INTERNAL: "a bug of Tierstream, not of the record: report what the detail and the log say,"
    " and publish the record again once it is mended",
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


_inputs: msgspec.json.Decoder[events.Published] = msgspec.json.Decoder(events.Published)
_by_topic: dict[str, msgspec.json.Decoder[events.Event]] = {
    topic.name: msgspec.json.Decoder(reduce(or_, topic.carries)) for topic in ALL_TOPICS
}
_topic_of: dict[type[msgspec.Struct], str] = {
    event: topic.name
    for topic in (*SCORER_INPUTS, PRODUCTS)
    for event in topic.carries
    if event is not TimeReached
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


def decode_input(value: bytes | None) -> events.Published:
    """Return the input event that a line of a file or a request body holds, whatever its topic.

    Raises:
        Refused: as ``decode``.
    """
    return _checked(_inputs, value)


def topic_of(event: events.Published) -> str:
    """Return the name of the topic that this kind of event is published on."""
    return _topic_of[type(event)]


def key_of(event: events.Published) -> str:
    """Return the text of the event's Kafka key: whom, or which product, it is about."""
    return event.sku if isinstance(event, ProductListed) else event.customer_id


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
    if b"u0000" in value and type(event) in _topic_of and _NUL.search(value):  # of ours, texts are cleaned
        raise Refused(Reason.ENCODING, "a text holds a NUL character")
    further = _FURTHER.get(type(event))
    if further is not None:
        further(event)
    if not isinstance(event, TimeReached):
        _check_time(event.occurred_at, "event", "$.occurred_at")
    return event


def _check_time(at: datetime, what: str, where: str) -> None:
    if at < EPOCH:
        raise Refused(Reason.TIME, f"the {what} is dated before 1970 - at `{where}`")
    if at >= _TOO_LATE:
        raise Refused(Reason.TIME, f"the {what} is dated after the year 9899 - at `{where}`")


def _check_purchase(event: PurchaseRecorded | PurchaseBody, at: str = "$") -> None:
    if event.kind == "return" and event.amount_minor == 0:
        raise Refused(Reason.RANGE, f"a return of amount 0 - at `{at}.amount_minor`")


def _check_correction(event: PurchaseCorrected) -> None:
    if event.purchase is None:
        return
    _check_purchase(event.purchase, "$.purchase")
    _check_time(event.purchase.occurred_at, "purchase", "$.purchase.occurred_at")


def _check_referral(event: ReferralMade) -> None:
    if event.referred_customer_id == event.customer_id:
        raise Refused(Reason.RANGE, "nobody refers himself - at `$.referred_customer_id`")


def _check_description(event: CustomerDescribed) -> None:
    _both(event.assets_minor, event.assets_currency, "assets_minor", "assets_currency")
    for name in event.cleared:
        if getattr(event, "assets_minor" if name == "assets" else name) is not None:
            raise Refused(Reason.RANGE, f"{name} is given and cleared at once - at `$.cleared`")


def _check_pin(event: TierPinned) -> None:
    if event.until is not None and event.until <= event.occurred_at:
        raise Refused(Reason.RANGE, "the pin ends before it begins - at `$.until`")
    if event.until is not None and event.until > datetime.max.replace(tzinfo=UTC):
        raise Refused(Reason.RANGE, "the pin ends after the year 9999 of UTC - at `$.until`")


def _check_corrected_reason(event: ChurnReasonCorrected) -> None:
    if event.started_at < EPOCH:
        raise Refused(Reason.TIME, "the episode is dated before 1970 - at `$.started_at`")


def _check_product(event: ProductListed) -> None:
    _both(event.price_minor, event.currency, "price_minor", "currency")


def _both(amount_minor: int | None, currency: str | None, amount: str, unit: str) -> None:
    if amount_minor is None and currency is not None:
        raise Refused(Reason.MISSING, f"`{unit}` stands without `{amount}`")
    if amount_minor is not None and currency is None:
        raise Refused(Reason.MISSING, f"`{amount}` stands without `{unit}`")


# What types can't say: rules across fields, and times inside. JSON Schema has some of it (``generate``).
_FURTHER: Final[dict[type, Callable[[Any], None]]] = {
    PurchaseRecorded: _check_purchase,
    PurchaseCorrected: _check_correction,
    ReferralMade: _check_referral,
    CustomerDescribed: _check_description,
    TierPinned: _check_pin,
    ChurnReasonCorrected: _check_corrected_reason,
    ProductListed: _check_product,
}


def _refuse(value: bytes, error: Exception) -> NoReturn:
    """Find the reason of a refusal; slow and careful, since bad records are few."""
    text = str(error)
    if isinstance(error, RecursionError):
        raise Refused(Reason.DEPTH, "the value is nested too deeply") from None
    if isinstance(error, UnicodeError) or value.startswith(_UTF8_BOM) or b"\x00" in value[:4]:
        raise Refused(Reason.ENCODING, "the value is not plain UTF-8") from None
    if isinstance(error, msgspec.ValidationError):
        raise Refused(_reason_of_validation(text), _QUOTED.sub("Invalid value", text)) from None
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
    ("currency`", Reason.CURRENCY),  # of a purchase, a corrected one, assets or a price
    ("matching regex", Reason.ID),
    ("timezone component", Reason.TIME),
    ("Invalid RFC3339", Reason.TIME),
    ("Timestamp is out of range", Reason.TIME),
    ("out of range", Reason.NUMBER),
    ("of length", Reason.RANGE),
    ("`int` >=", Reason.RANGE),
    ("`int` <=", Reason.RANGE),
    ("`float` >=", Reason.RANGE),
    ("`float` <=", Reason.RANGE),
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
