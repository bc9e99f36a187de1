"""Stored states of earlier formats are read for ever."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from services.scorer.core.advance import settle
from services.scorer.core.churn import passed
from services.scorer.core.state import FORMAT, State, decode_state, encode_state
from tests.unit.core_given import CUTS, POLICY, Life, at, response, sale

# As the code wrote them before format 2 (2026-11-22).
FORMAT_1: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "states-format-1.json").read_text(encoding="utf-8")
)


# As the code wrote them before format 3 (2026-11-22).
FORMAT_2: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "states-format-2.json").read_text(encoding="utf-8")
)
_ELSEWHERE = {"sampled_day"}  # fields that are no more


@pytest.mark.parametrize("name", FORMAT_1)
def test_a_state_of_format_1_is_read(name: str) -> None:
    """Every field is what it was, and what format 2 adds is found where format 1 knew it."""
    before = FORMAT_1[name]["fields"]
    state = decode_state(bytes.fromhex(FORMAT_1[name]["stored"]))

    check_fields(state, before)
    assert len(state.responses) // 8 == sum(contact & 1 for contact in state.contacts)
    assert encode_state(state)[0] == FORMAT
    assert decode_state(encode_state(state)) == state


@pytest.mark.parametrize("name", FORMAT_2)
def test_a_state_of_format_2_is_read(name: str) -> None:
    """Every field is what it was, but for what format 3 keeps elsewhere."""
    before = FORMAT_2[name]["fields"]
    state = decode_state(bytes.fromhex(FORMAT_2[name]["stored"]))

    check_fields(state, before)
    gone = {(rule, start_ms) for rule, start_ms, _, ended_by in before["episodes"] if ended_by == "passed"}
    names = {rule for rule, _, _, _ in before["episodes"]}
    assert gone == {(rule, start) for rule in names for start in passed.starts_of(state.passed, rule)}
    assert encode_state(state)[0] == FORMAT
    assert decode_state(encode_state(state)) == state


def check_fields(state: State, before: dict[str, Any]) -> None:
    """Assert that every stored field is what it was; what was earned has no names yet."""
    stored = {name: value for name, value in before.items() if name not in _ELSEWHERE}
    assert [json_of(one)[:4] for one in state.earned] == stored.pop("earned", [])
    stored["episodes"] = [one for one in before["episodes"] if one[3] != "passed"]
    for field, value in stored.items():
        found = getattr(state, field)
        assert (found.hex() if isinstance(found, bytes) else json_of(found)) == value, field


def json_of(value: Any) -> Any:
    """Return the value as JSON gives it back."""
    if isinstance(value, tuple):
        return [json_of(one) for one in value]
    if hasattr(value, "__struct_fields__"):
        return [json_of(getattr(value, field)) for field in value.__struct_fields__]
    return value


def test_a_state_of_format_1_lives_on_as_if_nothing_had_been() -> None:
    """The silence that stood open is cleared by the next response, and the next silence is found."""
    life = Life(CUTS, state=decode_state(bytes.fromhex(FORMAT_1["silent_open"]["stored"])))
    same = Life(CUTS).happens(sale(at(0), 9_000_000, order="o1", event="e1")).until(at(200))
    assert life.known.episodes == same.known.episodes

    for one in (life, same):
        one.happens(response(at(210), event="late")).until(at(320))
    before = len(same.effects) - len(life.effects)
    assert [effect.event_id for effect in life.effects] == [
        effect.event_id for effect in same.effects[before:]
    ]


def test_an_unknown_format_is_refused() -> None:
    """A store from a later version must not be misread."""
    with pytest.raises(ValueError, match="format 09"):
        decode_state(b"\x09\x90")
    with pytest.raises(ValueError, match="format none"):
        decode_state(b"")


def test_the_newest_format_survives_a_settle() -> None:
    """Nothing is lost between two turns."""
    state: State = Life(CUTS).happens(sale(at(0))).until(at(100)).known
    moment = Life(CUTS).moment(at(120))
    assert settle(decode_state(encode_state(state)), moment, POLICY) == settle(state, moment, POLICY)
