"""Every kind of input, bent in one field of its example: what is refused, and for which reason."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

import schemas
from schemas.events import Published, type_of
from schemas.topics import ALL_TOPICS
from schemas.wire import Reason, Refused, decode, decode_input, topic_of
from tests.contract.poison import encoded, event, without

EXAMPLES = Path(schemas.__file__).parent / "examples"
EVERY_INPUT = pytest.mark.parametrize("kind", Published.__args__, ids=type_of)


def example(kind: type[msgspec.Struct]) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((EXAMPLES / f"{type_of(kind)}.json").read_text(encoding="utf-8"))
    return body


def reason_of(body: dict[str, Any]) -> Reason:
    with pytest.raises(Refused) as caught:
        decode_input(encoded(body))
    return caught.value.reason


@EVERY_INPUT
def test_each_field_that_has_no_default_must_be_there(kind: type[msgspec.Struct]) -> None:
    """And each one that has may be left out."""
    body = example(kind)
    for field in msgspec.structs.fields(kind):
        if field.required:
            assert reason_of(without(body, field.name)) is Reason.MISSING, field.name
    needed = {"type", *(field.name for field in msgspec.structs.fields(kind) if field.required)}
    assert type(decode_input(encoded({name: body[name] for name in needed}))) is kind


@EVERY_INPUT
def test_no_other_topic_takes_it(kind: type[msgspec.Struct]) -> None:
    """A type belongs to one topic; anywhere else it is a record of another version or a mistake."""
    value = encoded(example(kind))
    right = topic_of(decode_input(value))
    for topic in ALL_TOPICS:
        if topic.name == right:
            assert type(decode(topic.name, value)) is kind
        else:
            with pytest.raises(Refused) as caught:
                decode(topic.name, value)
            assert caught.value.reason is Reason.VERSION


WRONG: dict[str, list[tuple[dict[str, Any], Reason]]] = {
    "purchase-corrected.v1": [
        ({"revision": 0}, Reason.RANGE),
        ({"revision": 1.5}, Reason.TYPE),
        ({"corrects": "a b"}, Reason.ID),
        ({"purchase": "void"}, Reason.TYPE),
        ({"purchase": {}}, Reason.MISSING),
        ({"purchase.kind": "gift"}, Reason.TYPE),
        ({"purchase.currency": "eur"}, Reason.CURRENCY),
        ({"purchase.occurred_at": "2026-03-02T16:41:08"}, Reason.TIME),
        ({"purchase.occurred_at": "1969-12-31T23:59:59Z"}, Reason.TIME),
        ({"purchase.kind": "return", "purchase.amount_minor": 0}, Reason.RANGE),
        ({"purchase.amount_minor": -1}, Reason.RANGE),
        ({"purchase.referred_by": ""}, Reason.ID),
    ],
    "product-browsed.v1": [
        ({"dwell_seconds": -1}, Reason.RANGE),
        ({"dwell_seconds": 86_401}, Reason.RANGE),
        ({"dwell_seconds": 0.5}, Reason.TYPE),
        ({"action": "liked"}, Reason.TYPE),
    ],
    "campaign-responded.v1": [({"response": "hated"}, Reason.TYPE)],
    "customer-described.v1": [
        ({"birthday": "1987-02-30"}, Reason.TIME),
        ({"birthday": "14.06.1987"}, Reason.TIME),
        ({"birthday": "1987-06-14T00:00:00Z"}, Reason.TIME),
        ({"wedding_date": 20150905}, Reason.TYPE),
        ({"birth_year": 1899, "cleared": []}, Reason.RANGE),
        ({"sex": "f"}, Reason.TYPE),
        ({"do_not_contact": "no"}, Reason.TYPE),
        ({"assets_minor": -1}, Reason.RANGE),
        ({"assets_currency": "euro"}, Reason.CURRENCY),
        ({"assets_currency": None}, Reason.MISSING),
        ({"cleared": ["shoe_size"]}, Reason.TYPE),
        ({"cleared": ["city"]}, Reason.RANGE),
        ({"cleared": ["assets"]}, Reason.RANGE),
        ({"name": ""}, Reason.RANGE),
    ],
    "referral-made.v1": [
        ({"referred_customer_id": "a b"}, Reason.ID),
        ({"referred_customer_id": "C-118034"}, Reason.RANGE),
        ({"purchase_event_id": ""}, Reason.ID),
    ],
    "service-contact-recorded.v1": [
        ({"kind": "praise"}, Reason.TYPE),
        ({"status": "closed"}, Reason.TYPE),
        ({"severity": "huge"}, Reason.TYPE),
        ({"topics": ["price", "weather"]}, Reason.TYPE),
        ({"topics": ["price"] * 17}, Reason.RANGE),
        ({"text": "x" * 1001}, Reason.RANGE),
        ({"contact_id": "case 1"}, Reason.ID),
    ],
    "feedback-given.v1": [
        ({"score": 11}, Reason.RANGE),
        ({"score": -1}, Reason.RANGE),
        ({"score": 9.5}, Reason.TYPE),
        ({"kind": "stars"}, Reason.TYPE),
        ({"text": ""}, Reason.RANGE),
    ],
    "tier-pinned.v1": [
        ({"tier": ""}, Reason.RANGE),
        ({"until": "2026-12-31"}, Reason.TIME),
        ({"until": "2026-03-10T13:00:00Z"}, Reason.RANGE),
        ({"cause": ""}, Reason.RANGE),
        ({"decided_by": "m. okafor"}, Reason.ID),
    ],
    "tier-unpinned.v1": [({"cause": "x" * 1001}, Reason.RANGE), ({"decided_by": ""}, Reason.ID)],
    "churn-reason-corrected.v1": [
        ({"reason": "mood"}, Reason.TYPE),
        ({"started_at": "1969-12-31T23:59:59Z"}, Reason.TIME),
        ({"started_at": "yesterday"}, Reason.TIME),
        ({"rule": ""}, Reason.RANGE),
    ],
    "product-listed.v1": [
        ({"sku": ""}, Reason.RANGE),
        ({"grade": "luxury"}, Reason.TYPE),
        ({"margin_percent": 100.5}, Reason.RANGE),
        ({"margin_percent": -0.5}, Reason.RANGE),
        ({"price_minor": 1.5}, Reason.TYPE),
        ({"currency": "eur"}, Reason.CURRENCY),
        ({"currency": None}, Reason.MISSING),
        ({"launched_on": "2025-13-01"}, Reason.TIME),
        ({"occurred_at": "1969-12-31T23:59:59Z"}, Reason.TIME),
    ],
}
EVERY_WRONG = [
    pytest.param(kind, change, reason, id=f"{kind}: {change}")
    for kind, wrong in WRONG.items()
    for change, reason in wrong
]


def bent(body: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Return the body with fields changed; ``purchase.kind`` is the field of an object inside."""
    for path, value in change.items():
        *outer, name = path.split(".")
        (body[outer[0]] if outer else body)[name] = value
    return body


@pytest.mark.parametrize(("kind", "change", "reason"), EVERY_WRONG)
def test_a_wrong_field_is_refused_with_its_reason(kind: str, change: dict[str, Any], reason: Reason) -> None:
    """Choices, bounds, days and rules across fields: each refusal names the reason that has the remedy."""
    struct = next(one for one in Published.__args__ if type_of(one) == kind)
    assert reason_of(bent(example(struct), change)) is reason


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("purchase-corrected.v1", {"purchase": None}),
        ("purchase-corrected.v1", {"purchase.amount_minor": 0}),
        ("product-browsed.v1", {"dwell_seconds": 0}),
        ("product-browsed.v1", {"dwell_seconds": 86_400}),
        ("campaign-responded.v1", {"response": "liked"}),
        ("campaign-responded.v1", {"response": "answered"}),
        ("customer-described.v1", {"birthday": "1988-02-29"}),
        ("customer-described.v1", {"birthday": None, "cleared": ["birthday"]}),
        ("service-contact-recorded.v1", {"topics": []}),
        ("feedback-given.v1", {"score": 0}),
        ("tier-pinned.v1", {"until": None}),
        ("product-listed.v1", {"margin_percent": 100}),
        ("product-listed.v1", {"sku": "Größe 38 / blau"}),
    ],
    ids=str,
)
def test_the_bounds_of_every_kind_are_inside(kind: str, change: dict[str, Any]) -> None:
    """What the refusals above stop just short of."""
    struct = next(one for one in Published.__args__ if type_of(one) == kind)
    assert type(decode_input(encoded(bent(example(struct), change)))) is struct


def test_an_attribute_that_is_null_is_one_that_is_absent() -> None:
    """To forget something takes ``cleared``: a system that sends every column must not erase by accident."""
    body = event("customer-attributes")
    assert decode_input(encoded({**body, "phone": None})) == decode_input(encoded(body))
