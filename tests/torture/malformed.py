"""Records that are no events, of many kinds, each with the reason that the catalogue of poison names."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any, Final, NamedTuple

Fields = dict[str, Any]
Spoiler = Callable[[Fields], bytes | None]


class Malformed(NamedTuple):
    """One bad record and why it must be refused."""

    key: bytes | None
    value: bytes | None
    reason: str
    moved: int = 0  # how many partitions beside the right one it goes to


def _json(fields: Fields) -> bytes:
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()


def _with(name: str, value: Any) -> Spoiler:
    return lambda fields: _json(fields | {name: value})


def _raw(name: str, literal: str) -> Spoiler:
    """Put a literal that ``json`` would not write."""
    return lambda fields: _json(fields | {name: "@@"}).replace(b'"@@"', literal.encode())


def _without(name: str) -> Spoiler:
    return lambda fields: _json({key: value for key, value in fields.items() if key != name})


ANYWHERE: Final[tuple[tuple[str, Spoiler], ...]] = (
    ("EMPTY", lambda _: b""),
    ("EMPTY", lambda _: None),
    ("NOT_OBJECT", lambda _: b"null"),
    ("NOT_OBJECT", lambda fields: b"[" + _json(fields) + b"]"),
    ("NOT_OBJECT", lambda _: b'"a string"'),
    ("NOT_OBJECT", lambda _: b"42"),
    ("NOT_JSON", lambda fields: _json(fields)[:-7]),
    ("NOT_JSON", lambda _: b"Traceback (most recent call last):"),
    ("MISSING", _without("customer_id")),
    ("MISSING", _without("occurred_at")),
    ("VERSION", _with("type", "purchase-recorded.v9")),
    ("VERSION", _with("type", "tier-changed.v1")),
    ("ID", _with("event_id", "a\x00b")),
    ("ID", _with("event_id", "x" * 10_240)),
    ("ID", _with("event_id", "\N{RIGHT-TO-LEFT OVERRIDE}'; DROP TABLE customers;--")),
    ("ENCODING", lambda fields: _json(fields).replace(b"{", b'{"x":"\xff\xfe",', 1)),
    ("ENCODING", lambda fields: _json(fields).decode().encode("utf-16")),
    ("ENCODING", lambda fields: b"\xef\xbb\xbf" + _json(fields)),
    ("ENCODING", _raw("event_id", '"\\ud800"')),
    ("TIME", _with("occurred_at", "2999-01-01T00:00:00Z")),
    ("TIME", _with("occurred_at", "1969-12-31T23:59:59Z")),
    ("TIME", _with("occurred_at", "2019-03-01T10:00:00")),
    ("TYPE", _with("occurred_at", 1_551_434_400)),
    ("TYPE", _with("customer_id", ["a"])),
    ("DEPTH", lambda _: b'{"x":' + b"[" * 20_000),
    ("SIZE", lambda fields: _json(fields) + b" " * 262_144),
)
PURCHASES: Final[tuple[tuple[str, Spoiler], ...]] = (
    ("TYPE", _with("amount_minor", 100.5)),
    ("TYPE", _with("amount_minor", "100")),
    ("TYPE", _raw("amount_minor", "true")),
    ("TYPE", _with("kind", "gift")),
    ("RANGE", _with("amount_minor", -5)),
    ("RANGE", lambda fields: _json(fields | {"kind": "return", "amount_minor": 0})),
    ("RANGE", _with("amount_minor", 2**63)),
    ("NUMBER", _raw("amount_minor", "NaN")),
    ("NUMBER", _raw("amount_minor", "1e400")),
    ("CURRENCY", lambda fields: _json(fields | {"currency": fields["currency"].lower()})),
    ("CURRENCY", lambda fields: _json(fields | {"currency": "CHF"})),
)


def malformed(rng: Random, topic: str, key: bytes, value: bytes, number: int) -> Malformed:
    """Return a bad record made of a good one; ``number`` keeps its event_id its own."""
    fields: Fields = json.loads(value) | {"event_id": f"bad-{number}"}
    way = rng.random()
    if way < 0.05:
        return Malformed(None, _json(fields), "KEY")
    if way < 0.10:
        return Malformed(key + b"x", _json(fields), "KEY")
    if way < 0.15:  # nobody knows this customer yet: where he belongs is for the key to say
        stranger = f"stray-{number}"
        return Malformed(stranger.encode(), _json(fields | {"customer_id": stranger}), "PARTITION", moved=1)
    if way < 0.20:
        return Malformed(key, _json(fields), "PARTITION", moved=rng.randint(1, 7))
    reason, spoil = rng.choice(ANYWHERE + (PURCHASES if topic == "purchases" else ()))
    return Malformed(key, spoil(fields), reason)
