"""Schemas, examples and the decoder say the same about every event."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

import schemas
from schemas.__main__ import main
from schemas.events import (
    ALL_EVENTS,
    CustomerDescribed,
    ProductListed,
    Published,
    PurchaseBody,
    PurchaseCorrected,
    PurchaseRecorded,
    ReferralMade,
    type_of,
)
from schemas.generate import example_path, lagging, missing_examples, schema_of, schema_path, write
from schemas.topics import ALL_TOPICS, PRODUCTS, SCORER_INPUTS, Topic
from schemas.wire import Reason, Refused, decode, decode_input, encode, key_of, topic_of
from services.scorer.core.policy import Policy
from services.scorer.core.referral import referral_of
from services.scorer.core.score import parts_of, score_of
from services.scorer.core.state import State
from tests.contract.poison import wrong_objects

ROOT = Path(schemas.__file__).parent
every_event = pytest.mark.parametrize("event", ALL_EVENTS, ids=type_of)


def example(event: type[msgspec.Struct]) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((ROOT / example_path(event)).read_text(encoding="utf-8"))
    return body


def validator(event: type[msgspec.Struct]) -> Any:
    body = json.loads((ROOT / schema_path(event)).read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(body)


def topics_of(event: type[msgspec.Struct]) -> list[Topic]:
    return [topic for topic in ALL_TOPICS if event in topic.carries]


def test_what_is_written_down_is_what_is_generated() -> None:
    """Nobody can change a struct or the task table and forget its schema or diagram."""
    assert lagging(ROOT) == []
    assert missing_examples(ROOT) == []


def test_the_check_names_what_lags(tmp_path: Path) -> None:
    """A schema that is missing, changed or left over is named; writing mends all three."""
    write(tmp_path)
    changed, gone = (tmp_path / schema_path(event) for event in ALL_EVENTS[:2])
    changed.write_text("{}")
    gone.unlink()
    left_over = tmp_path / "json" / "purchase-recorded.v0.json"
    left_over.write_text("{}")

    named = lagging(tmp_path)

    assert named == sorted(str(path.relative_to(tmp_path)) for path in (changed, gone, left_over))
    assert write(tmp_path) == named
    assert lagging(tmp_path) == []


@pytest.mark.parametrize("what", ["--check", "--write"])
def test_the_command_finds_nothing_to_do(
    what: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``python -m schemas`` exits 0 and is silent when everything is up to date."""
    monkeypatch.setattr("sys.argv", ["schemas", what])
    assert main() == 0
    assert capsys.readouterr() == ("", "")


def test_the_command_names_what_lags_and_how_to_mend_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``--check`` exits 1; a schema is to be generated, an example to be written by hand."""
    monkeypatch.setattr("sys.argv", ["schemas", "--check"])
    monkeypatch.setattr("schemas.__main__.ROOT", tmp_path)
    assert main() == 1
    said = capsys.readouterr().err
    assert (
        "schemas/json/purchase-recorded.v1.json lags behind the code: run python -m schemas --write" in said
    )
    assert "schemas/examples/purchase-recorded.v1.json is missing: write a realistic example by hand" in said


@every_event
def test_a_schema_is_a_schema_that_every_language_reads(event: type[msgspec.Struct]) -> None:
    """Valid 2020-12, and no pattern holds Python's end of text, which elsewhere is a letter."""
    schema = schema_of(event)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert r"\\Z" not in json.dumps(schema)
    assert schema["properties"]["type"] == {"enum": [type_of(event)]}


@every_event
def test_an_example_is_valid_and_survives_the_wire(event: type[msgspec.Struct]) -> None:
    """It holds for its schema; decoded as its topics decode and encoded again it is the same object."""
    body = example(event)
    validator(event).validate(body)
    value = json.dumps(body).encode()
    for topic in topics_of(event):
        decoded = decode(topic.name, value)
        assert type(decoded) is event
        assert json.loads(encode(decoded)) == body


@pytest.mark.parametrize("topic", ALL_TOPICS, ids=lambda topic: topic.name)
def test_everything_that_a_topic_carries_has_an_example(topic: Topic) -> None:
    """A reader of any topic finds one example per event on it."""
    assert topic.carries
    for event in topic.carries:
        assert example(event)["type"] == type_of(event)


def test_every_event_is_carried_and_inputs_find_their_topic() -> None:
    """No event is without a topic, and an input is published where the decoder takes it."""
    for event in ALL_EVENTS:
        assert topics_of(event), event
    for event in Published.__args__:
        decoded = decode_input(json.dumps(example(event)).encode())
        assert [topic_of(decoded)] == [topic.name for topic in topics_of(event)]


def test_every_input_is_keyed_by_its_customer_and_products_by_their_sku() -> None:
    """Lane i is partition i of every input topic; products are no lane's, so they have one partition."""
    for event in Published.__args__:
        topic = topics_of(event)[0]
        decoded = decode_input(json.dumps(example(event)).encode())
        assert key_of(decoded) == example(event)[topic.keyed_by]
        assert topic.per_lane == (topic is not PRODUCTS)
    assert {topic.name for topic in SCORER_INPUTS} == {
        topic.name for topic in ALL_TOPICS if "scorer" in topic.readers and topic.per_lane
    }


def test_a_correction_can_say_all_that_a_purchase_says() -> None:
    """A field that is added to one and forgotten in the other could never be corrected."""
    head = ("event_id", "customer_id", "occurred_at")
    recorded = {field.name: field for field in msgspec.structs.fields(PurchaseRecorded)}
    body = {field.name: field for field in msgspec.structs.fields(PurchaseBody)}
    assert set(body) == {*recorded} - {*head} | {"occurred_at"}
    for name, field in body.items():
        assert (field.type, field.default) == (recorded[name].type, recorded[name].default)


def test_the_referral_in_the_example_is_the_one_that_the_purchase_makes() -> None:
    """An example that a reader follows must fit: same id, pair, instant and cause."""
    purchase = msgspec.json.decode(json.dumps(example(PurchaseRecorded)), type=PurchaseRecorded)
    referral = msgspec.json.decode(json.dumps(example(ReferralMade)), type=ReferralMade)
    assert referral_of(purchase) == referral


def test_the_proof_in_the_example_recomputes() -> None:
    """An example that a reader checks by hand must be right: parts, points and tier fit together."""
    proof = example(next(event for event in ALL_EVENTS if type_of(event) == "tier-changed.v1"))["proof"]
    parts = proof["parts"]
    policy = Policy.default(currency="EUR")
    state = State(
        customer_id="c",
        settled_ms=0,
        net_minor=parts["spend_minor"],
        orders=parts["orders"],
        purchase_days=parts["purchase_days"],
    )
    assert score_of(state, policy) == proof["score"]
    for made, shown in zip(parts_of(state, policy).points, parts["points"], strict=True):
        assert msgspec.to_builtins(made) == pytest.approx(shown)
    assert proof["score"] >= proof["cut_offs"]["points"][0]["enter"]


# A schema can't say these: formats are notes in it, JSON has one kind of number, and the end of text is
# another one in Python's patterns than in ECMAScript's.
BEYOND_A_SCHEMA = {
    *("naive time", "not RFC 3339", "text for time", "year 10000", "before 1970", "100.0 for a whole number"),
    *("newline at the end of id", "currency with a newline", "lone surrogate"),
}


@pytest.mark.parametrize("topic", SCORER_INPUTS, ids=lambda topic: topic.name)
def test_what_the_decoder_refuses_the_schema_refuses(topic: Topic) -> None:
    """A publisher who validates by the schema meets no surprise: as far as a schema goes, both agree."""
    schema = validator(topic.carries[0])
    bodies = {
        kind: value for kind, (value, _) in wrong_objects(topic.name).items() if kind not in BEYOND_A_SCHEMA
    }
    assert len(bodies) >= 20
    for kind, value in bodies.items():
        assert "5,000 digits" in kind or not schema.is_valid(json.loads(value or b"")), kind


def test_a_return_of_nothing_is_refused_by_both() -> None:
    """A rule across two fields is in the schema as well; a sale of 0 is fine."""
    body = {**example(PurchaseRecorded), "amount_minor": 0}
    assert validator(PurchaseRecorded).is_valid(body)
    decode_input(json.dumps(body).encode())
    body["kind"] = "return"
    assert not validator(PurchaseRecorded).is_valid(body)
    with pytest.raises(Refused, match="a return of amount 0"):
        decode_input(json.dumps(body).encode())


def test_a_return_of_nothing_is_no_correction_either() -> None:
    """The whole body of a correction is held to what a purchase is held to."""
    body = example(PurchaseCorrected)
    body["purchase"] |= {"kind": "return", "amount_minor": 0}
    assert not validator(PurchaseCorrected).is_valid(body)
    with pytest.raises(Refused, match=r"a return of amount 0 - at `\$\.purchase\.amount_minor`"):
        decode_input(json.dumps(body).encode())


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (CustomerDescribed, "assets_minor"),
        (CustomerDescribed, "assets_currency"),
        (ProductListed, "price_minor"),
        (ProductListed, "currency"),
    ],
)
def test_an_amount_and_its_currency_come_together(event: type[msgspec.Struct], field: str) -> None:
    """An amount without a unit is no amount; schema and decoder agree."""
    body = {name: value for name, value in example(event).items() if name != field}
    assert not validator(event).is_valid(body)
    with pytest.raises(Refused, match=f"stands without `{field}`") as caught:
        decode_input(json.dumps(body).encode())
    assert caught.value.reason is Reason.MISSING
