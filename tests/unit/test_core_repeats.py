"""Repeats of what the months count: known for as long as they could be counted again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.events import FeedbackGiven
from schemas.times import HOUR_MS, from_ms
from schemas.wire import Reason, Refused
from services.scorer.core import contacts, counted
from services.scorer.core.policy import Policy, Weight
from services.scorer.core.rescore import rescore
from services.scorer.core.state import Counted, decode_state, encode_state
from tests.unit.core_given import POLICY, T0, Life, at, browse, contact, response, sale

if TYPE_CHECKING:
    from schemas.events import Input

MONTHS = Policy(
    tags=True,
    score=(
        Weight(metric="interactions", weight=0.5, reference=100),
        Weight(metric="browse_interest", weight=0.5, reference=100, of=("seats",)),
    ),
)


def feedback(time_ms: int, event: str) -> FeedbackGiven:
    """Return an answer to a survey."""
    return FeedbackGiven(
        event_id=event, customer_id="c", occurred_at=from_ms(time_ms), kind="survey", score=7
    )


def many(number: int, start_ms: int = T0) -> list[Input]:
    """Return browses, responses, contacts and answers, an hour apart."""
    kinds = (
        lambda time_ms, name: browse(time_ms, event=name),
        lambda time_ms, name: response(time_ms, "opened", event=name),
        feedback,
        lambda time_ms, name: replace(contact(time_ms, name, kind="ticket"), event_id=name),
    )
    return [kinds[one % 4](start_ms + one * HOUR_MS, f"n{one}") for one in range(number)]


def interactions(life: Life) -> int:
    """Return what the months count."""
    return sum(month.interactions for month in life.known.months)


def test_any_repeat_is_known_for_months() -> None:
    """300 events, all of them again, in any order: the same facts, and the clock stays too."""
    once = many(300)
    life = Life(policy=MONTHS).happens(sale(T0), *once)
    before = life.known
    assert interactions(life) == 300
    life.happens(*once[::-1], *once)
    assert life.known == before


@given(st.permutations(many(12)), st.lists(st.integers(0, 11), max_size=24))
def test_order_and_repeats_do_not_show(order: list[Input], again: list[int]) -> None:
    """Any permutation with any repeats ends in the same months, score and memory of what was counted."""
    straight = Life(policy=MONTHS).happens(sale(T0, event="s"), *many(12)).known
    crooked = Life(policy=MONTHS).happens(sale(T0, event="s"), *order, *(order[one] for one in again)).known
    fields = ("months", "score", "counted", "responses", "openings", "cases", "answers")
    for field in fields:
        assert getattr(crooked, field) == getattr(straight, field), field


def test_another_body_under_a_counted_id_is_a_conflict() -> None:
    """Beyond the newest 16, too."""
    life = Life(policy=MONTHS).happens(*many(100))
    for one in (browse(T0 + 1, event="n0"), feedback(T0 + 2 * HOUR_MS + 1, "n2")):
        with pytest.raises(Refused) as caught:
            life.happens(one)
        assert caught.value.reason == Reason.CONFLICT


def test_beyond_the_most_the_oldest_is_not_counted_again() -> None:
    """2,048 are known one by one; an older one that is not among them is taken up, but counts nowhere."""
    first, *others = many(counted.COUNTED_MAX + 1)
    life = Life(policy=MONTHS).happens(first, *others)
    assert interactions(life) == counted.COUNTED_MAX + 1
    life.happens(first, browse(T0 - HOUR_MS), response(T0 - 2 * HOUR_MS))
    assert interactions(life) == counted.COUNTED_MAX + 1
    assert T0 - 2 * HOUR_MS in contacts.times(life.known.responses)  # a late answer may end a warning
    assert life.happens(others[0]).steps[-1].duplicate
    assert not life.happens(response(T0, "delivered")).steps[-1].duplicate  # it is not counted


def test_what_left_the_memory_is_forgotten() -> None:
    """After 395 days the bytes are gone; what comes then is too late anyway."""
    life = Life(policy=MONTHS).happens(sale(T0), *many(10)).until(at(396))
    assert life.known.counted is not None
    assert life.known.counted.events == b""
    with pytest.raises(Refused) as caught:
        life.happens(many(10)[0])
    assert caught.value.reason == Reason.LATE


def test_a_policy_without_months_keeps_nothing_of_it() -> None:
    """No month, no byte."""
    assert Life().happens(*many(30)).known.counted is None


def test_a_policy_that_begins_to_count_counts_from_then_on() -> None:
    """What was before is in no month, whether it comes late or again; and it is taken up for all else."""
    life = Life().happens(sale(T0), *many(100)).until(at(30))
    life.state = rescore(life.known, life.moment(at(30)), MONTHS).state
    life.policy = MONTHS
    life.happens(*many(100), response(at(30), event="late"), browse(at(30) + 1, event="new"))
    assert interactions(life) == 1
    assert life.known.last_response_ms == at(30)
    assert rescore(life.known, life.moment(at(31)), MONTHS).state.counted == life.known.counted
    assert rescore(life.known, life.moment(at(31)), POLICY).state.counted is None


def test_bytes_that_look_like_an_event_are_none() -> None:
    """A hash is found at its place only, not across two fields."""
    life = Life(policy=MONTHS).happens(*many(3))
    state = life.known
    assert state.counted is not None
    across = int.from_bytes(state.counted.events[4:12], "little")
    assert counted.find(state, across) is None
    assert counted.find(state, int.from_bytes(state.counted.events[8:16], "little")) is not None


def test_it_is_stored_with_the_state() -> None:
    """Marks and all; a state of an earlier format that counted goes on from its own clock."""
    state = Life(policy=MONTHS).happens(*many(20)).known
    assert decode_state(encode_state(state)) == state
    assert state.counted is not None
    assert state.counted == Counted(0, 0, state.counted.events)
