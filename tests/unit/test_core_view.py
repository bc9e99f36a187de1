"""A customer as exports and the customer page show it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from schemas.events import Pin
from schemas.times import from_ms
from services.scorer.core.state import NEVER_MS, Decision, State
from services.scorer.core.view import summary
from tests.unit.core_given import POLICY, T0, Life, at, sale


@dataclass(frozen=True)
class Pinned:
    """What a manager decided, and what is to be seen of it at day 10."""

    tier: str
    until_ms: int
    shown: Pin | None


def shown_of(tier: str, until_ms: int) -> Pin:
    """Return the pin as it is shown."""
    until = None if until_ms == NEVER_MS else from_ms(until_ms)
    return Pin(tier=tier, until=until, cause="a promise", decided_by="ingrid")


@pytest.mark.parametrize(
    "case",
    [
        Pinned("high_value", NEVER_MS, shown_of("high_value", NEVER_MS)),
        Pinned("high_value", at(11), shown_of("high_value", at(11))),
        Pinned("high_value", at(10), None),
        Pinned("", NEVER_MS, None),
    ],
    ids=["for ever", "until tomorrow", "ended now", "taken back"],
)
def test_a_pin_is_shown_while_it_stands(case: Pinned) -> None:
    """With its cause, its end and who decided; never after its end."""
    state = State(customer_id="c", settled_ms=at(10))
    state.decision = Decision(at(1), 1, case.tier, case.until_ms, "a promise", "ingrid")

    assert summary(state, POLICY).pin == case.shown


def test_the_parts_are_those_of_the_policy() -> None:
    """Each metric with its value and points; together they make the score."""
    state = Life().happens(sale(T0), sale(at(3), 20_000)).until(at(5)).known
    seen = summary(state, POLICY)

    assert [one.metric for one in seen.parts.points] == [weight.metric for weight in POLICY.score]
    assert round(sum(one.points for one in seen.parts.points)) == seen.score
    assert (seen.spend_minor, seen.orders, seen.purchase_days) == (25_000, 2, 2)
