"""The oracle's rules of churn, its ladder and its corrections, judged by hand."""

from __future__ import annotations

from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from tests.oracle.churn import binomial_up_to
from tests.oracle.clock import instant_ms, months_later_ms
from tests.oracle.currency import minor_per_major
from tests.oracle.events import Event, event_from
from tests.oracle.model import alive, no_purchase
from tests.oracle.policy import NotJudged, policy_from
from tests.oracle.replay import replay
from tests.oracle.tiers import cuts_of, first_level, fixed_cuts, next_level

WEEKS = {"kind": "bg_nbd", "unit": "week", "r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}


def sale(order: str, at: str, **other: object) -> Event:
    """Return a sale whose event and order share an id."""
    return event_from(
        {
            "type": "purchase-recorded.v1",
            "event_id": order,
            "customer_id": "ann",
            "occurred_at": at,
            "kind": "sale",
            "order_id": order,
            "amount_minor": 5000,
            "currency": "USD",
        }
        | other
    )


def correction(revision: int, at: str, amount: int | None) -> Event:
    """Return a correction of the sale ``a``; without an amount it never was."""
    fields = {"type": "purchase-corrected.v1", "event_id": f"k{revision}", "customer_id": "ann"}
    purchase = {"occurred_at": "2024-06-01T00:00:00Z", "kind": "sale", "order_id": "a", "currency": "USD"}
    body = None if amount is None else purchase | {"amount_minor": amount}
    return event_from(fields | {"occurred_at": at, "corrects": "a", "revision": revision, "purchase": body})


def test_a_binomial_tail() -> None:
    """Of four tosses at most one head: 5/16."""
    assert binomial_up_to(1, 4, Fraction(1, 2)) == Fraction(5, 16)


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        ("2024-01-31T10:00:00Z", 1, "2024-02-29T10:00:00Z"),
        ("2023-11-30T10:00:00Z", 3, "2024-02-29T10:00:00Z"),
        ("2024-02-15T10:00:00Z", 2, "2024-04-15T09:00:00Z"),  # 10:00 in London is 9:00 UTC by then
    ],
)
def test_calendar_months(start: str, months: int, end: str) -> None:
    """The same local time of day, on the month's last day where it is too short."""
    assert months_later_ms(instant_ms(start), months, ZoneInfo("Europe/London")) == instant_ms(end)


def test_the_model_by_its_published_formulas() -> None:
    """BG/NBD: 1 / (1 + .793/3.426 * (43.274/34.844)^2.243) at (2, 30.43, 38.86); one purchase: alive."""
    expected = 1 / (1 + 0.793 / 3.426 * (43.274 / 34.844) ** 2.243)
    assert alive(WEEKS, 2, 30.43, 38.86) == pytest.approx(expected, rel=1e-12)
    assert alive(WEEKS, 0, 0, 38.86) == 1.0
    assert no_purchase(WEEKS, 0, 0, 10, 26) == pytest.approx((14.414 / 40.414) ** 0.243, rel=1e-12)
    assert alive(WEEKS | {"kind": "mbg_nbd"}, 0, 0, 0) == pytest.approx(2.426 / 3.219, rel=1e-12)


def test_a_ladder_of_four() -> None:
    """Of 1 to 100: gold above 90, silver above 70, low below 21; a newcomer is never low."""
    levels = [
        {"name": n, "percent": p} for n, p in (("gold", 10), ("silver", 20), ("mid", None), ("low", 20))
    ]
    ladder = policy_from(
        {"tiers": {"levels": levels, "margin_percent": 0, "dwell_days": 1}, "churn": []}
    ).ladder
    cuts = cuts_of(range(1, 101), ladder)
    assert cuts is not None
    assert [edge.plain for edge in cuts] == [91, 71, 21]
    assert [first_level(score, cuts, ladder) for score in (91, 90, 70, 1)] == [0, 1, 2, 2]
    assert next_level(1, 0, 0, cuts, ladder, now_ms=86_400_000) == 1
    assert next_level(1, 0, 0, cuts, ladder, now_ms=86_399_999) == 0
    assert next_level(99, 3, 0, cuts, ladder, now_ms=1) == 0


def test_fixed_thresholds() -> None:
    """Silver from 100.00, left below 90.00; in yen there are no hundredths."""
    tiers = {"by": "spend", "levels": [{"name": "silver", "at_least": 100}, {"name": "base"}]}
    ladder = policy_from({"tiers": tiers | {"margin_percent": 10}, "churn": []}).ladder
    (edge,) = fixed_cuts(ladder, minor_per_major("USD"))
    assert (edge.enter, edge.leave) == (10_000, 9_000)
    assert fixed_cuts(ladder, minor_per_major("JPY"))[0].enter == 100
    assert first_level(0, (edge,), ladder) == 1


def test_the_highest_revision_counts_whichever_comes_first() -> None:
    """A void of revision 2 stands against revision 1 that comes later, and before the sale itself."""
    first, second = "2024-06-02T00:00:00Z", "2024-06-03T00:00:00Z"
    bought = sale("a", "2024-06-01T00:00:00Z")
    mended = replay([bought, correction(1, first, 700)])
    assert mended.customers[0].measures.net_minor == 700
    voided = replay([bought, correction(2, first, None), correction(1, second, 700)])
    assert [one.tier for one in voided.prospects] == [
        None
    ]  # it was the only purchase: nobody bought anything
    late = replay([correction(1, "2024-05-31T00:00:00Z", 700), bought])
    assert late.customers[0].measures.net_minor == 700


def test_money_is_converted_once_half_to_even() -> None:
    """0.5 cents become 0 and 1.5 become 2; what has no rate is a dead letter."""
    rates = {"rates": {"EUR": "0.5"}, "churn": []}
    bought = [sale(f"o{n}", "2024-06-01T00:00:00Z", currency="EUR", amount_minor=n) for n in (1, 3)]
    found = replay([*bought, sale("x", "2024-06-01T00:00:00Z", currency="CHF")], policy=rates)
    assert found.customers[0].measures.net_minor == 2
    assert found.dead_letters == (("x", "CURRENCY"),)


def test_what_is_not_judged_is_said() -> None:
    """A metric that the oracle does not count is an error, and no silent zero."""
    with pytest.raises(NotJudged, match="charm"):
        policy_from({"score": [{"metric": "charm", "weight": 1.0}]})
