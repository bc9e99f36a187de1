"""Margin and high-grade products: neither the order of arrival nor repeats show, and a recount agrees."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.events import Input, PurchaseBody, PurchaseCorrected, PurchaseLine, PurchaseRecorded
from schemas.fields import AMOUNT_MINOR_MAX
from services.scorer.core.advance import advance, settle
from services.scorer.core.draft import Moment
from services.scorer.core.metrics import BY_NAME
from services.scorer.core.policy import Bonus, Policy, Weight
from services.scorer.core.products import Product
from services.scorer.core.state import State
from tests.unit.core_given import at, corrected, returned, sale

POLICY = Policy(
    score=(Weight(metric="margin", weight=1.0, reference=1_000, unit=1),),
    bonus=(Bonus(metric="high_grade", points=7),),
    rates={"EUR": Decimal("1.07")},
    churn=(),
)
PRODUCTS = {
    "high": Product("high", Decimal("33.3")),
    "entry": Product("entry", Decimal("0.5")),
    "bare": Product("high"),
}
NOW_MS = at(200)

lines = st.builds(
    PurchaseLine,
    sku=st.sampled_from([*PRODUCTS, "unheard-of"]),
    category=st.just("c"),
    brand=st.just("b"),
    quantity=st.integers(0, 9),
    amount_minor=st.integers(-1_000, 50_000) | st.integers(0, AMOUNT_MINOR_MAX),
)
baskets = st.none() | st.lists(lines, max_size=3).map(tuple)


@st.composite
def histories(draw: st.DrawFn) -> list[Input]:
    """Sales and returns within 150 days, some of them corrected, once or twice."""
    events: list[Input] = []
    for number in range(draw(st.integers(1, 6))):
        time_ms, amount_minor = at(draw(st.integers(0, 150))), draw(st.integers(1, 99_999))
        make: Any = sale if draw(st.booleans()) else returned
        bought = replace(
            make(time_ms, amount_minor, event=f"e{number}"),
            lines=draw(baskets),
            currency=draw(st.sampled_from(["USD", "EUR"])),
        )
        events.append(bought)
        for revision in range(1, draw(st.integers(0, 2)) + 1):
            changes: dict[str, Any] = (
                {} if draw(st.booleans()) else {"lines": draw(baskets), "amount_minor": amount_minor}
            )
            events.append(corrected(bought, revision, at_ms=at(151 + revision), **changes))
    return events


def lived(events: list[Input]) -> State:
    """Return the state after events in this order, at one instant."""
    state: State | None = None
    for event in events:
        state = advance(state, event, Moment(now_ms=0, products=PRODUCTS), POLICY).state
    assert state is not None
    return settle(state, Moment(now_ms=NOW_MS), POLICY).state


@given(histories().flatmap(lambda events: st.tuples(st.just(events), st.permutations(events + events[:3]))))
def test_neither_order_nor_repeats_show(drawn: tuple[list[Input], list[Input]]) -> None:
    """The months, what each purchase earned and the score are those of any other order."""
    one, other = lived(drawn[0]), lived(drawn[1])
    assert (one.months, one.earned, one.score) == (other.months, other.earned, other.score)


@given(histories())
def test_a_recount_agrees(events: list[Input]) -> None:
    """Summed from the bodies that count, in plain fractions."""
    counts: dict[str, PurchaseRecorded | PurchaseBody | None] = {}
    for event in events:  # a later revision comes later
        if isinstance(event, PurchaseCorrected):
            counts[event.corrects] = event.purchase
        elif isinstance(event, PurchaseRecorded):
            counts[event.event_id] = event
    margin_minor = high_grade = 0
    for body in counts.values():
        sign = 0 if body is None else 1 if body.kind == "sale" else -1
        for line in () if body is None else body.lines or ():
            product = PRODUCTS.get(line.sku)
            if product is None or body is None:
                continue
            rate = Fraction("1.07") if body.currency == "EUR" else Fraction(1)
            percent = Fraction(product.margin_percent or 0)
            margin_minor += sign * round(line.amount_minor * rate * percent / 100)
            high_grade += sign * line.quantity * (product.grade == "high" and line.amount_minor >= 0)
    state = lived(events)
    assert BY_NAME["margin"].measure(state, POLICY, ()) == max(0, margin_minor) / 100
    assert BY_NAME["high_grade"].measure(state, POLICY, ()) == max(0, high_grade)
