"""The rolling window: what counts, from when, until when."""

from __future__ import annotations

from copy import copy
from datetime import datetime

import pytest

from schemas.times import DAY_MS, to_ms
from services.scorer.core.advance import settle
from services.scorer.core.policy import Policy
from services.scorer.core.score import parts_of, score_of
from services.scorer.core.state import State
from services.scorer.core.window import recount
from tests.unit.core_given import POLICY, Life, at, browse, returned, sale


@pytest.mark.parametrize(
    ("net_minor", "orders", "days", "expected"),
    [
        # 10,000 * (0.4 * ln 6 / ln 2001 + 0.3 * ln 2 / ln 101 + 0)
        pytest.param(5_000, 1, 1, 1393, id="one basket of 50.00"),
        pytest.param(0, 0, 0, 0, id="nothing"),
        pytest.param(-900, 0, 0, 0, id="spend is never below 0"),
        pytest.param(0, 1, 1, 451, id="a gift is an order: 3,000 * ln 2 / ln 101"),
        pytest.param(2_000_000, 100, 1, 7_000, id="both references earn their whole share"),
        pytest.param(9_000_000, 400, 2, 8_500, id="and no more beyond them; half of the days were repeats"),
    ],
)
def test_score(net_minor: int, orders: int, days: int, expected: int) -> None:
    """The score is the published formula, and its parts add up to it."""
    state = State(customer_id="c", settled_ms=0, net_minor=net_minor, orders=orders, purchase_days=days)
    parts = parts_of(state, POLICY)

    assert score_of(state, POLICY) == expected
    assert round(sum(part.points for part in parts.points)) == expected


@pytest.mark.parametrize(("currency", "minor"), [("JPY", 50), ("USD", 5_000), ("KWD", 50_000)])
def test_money_is_scored_in_major_units(currency: str, minor: int) -> None:
    """50 yen, 50.00 dollars and 50.000 dinars are the same basket."""
    state = State(customer_id="c", settled_ms=0, net_minor=minor, orders=1, purchase_days=1)

    assert score_of(state, Policy.default(currency=currency)) == 1393


def test_a_fact_leaves_at_exactly_365_days() -> None:
    """The window is open at its old end: (now - 365 d, now]."""
    life = Life().happens(sale(at(0)))

    assert life.until(at(365) - 1).facts == (5_000, 1, 1)
    assert life.until(at(365)).facts == (0, 0, 0)


def test_a_leap_day_is_a_day() -> None:
    """365 days after 29 Feb 2024 it is 28 Feb 2025: the window counts days, not calendar years."""
    leap = to_ms(datetime.fromisoformat("2024-02-29T09:00:00+00:00"))
    out = to_ms(datetime.fromisoformat("2025-02-28T09:00:00+00:00"))
    life = Life().happens(sale(leap))

    assert life.until(out - 1).facts[1] == 1
    assert life.until(out).facts[1] == 0


@pytest.mark.parametrize(
    ("first", "second", "days"),
    [
        pytest.param("2024-03-30T23:30:00+00:00", "2024-03-31T00:30:00+00:00", 2, id="midnight"),
        pytest.param("2024-03-31T00:10:00+00:00", "2024-03-31T22:50:00+00:00", 1, id="a day of 23 hours"),
        pytest.param("2024-03-31T22:50:00+00:00", "2024-03-31T23:10:00+00:00", 2, id="it ends at 23:00 UTC"),
        pytest.param("2024-10-26T23:10:00+00:00", "2024-10-27T23:50:00+00:00", 1, id="a day of 25 hours"),
    ],
)
def test_days_are_local(first: str, second: str, days: int) -> None:
    """Purchase days follow the policy's time zone through a clock change."""
    london = Policy.default(time_zone="Europe/London")
    times = [to_ms(datetime.fromisoformat(text)) for text in (first, second)]

    assert Life(policy=london).happens(*map(sale, times)).facts[2] == days


def test_two_sales_of_one_order() -> None:
    """They are one order, dated by the earliest, whichever came first; it leaves with its date."""
    life = Life().happens(sale(at(10), 700, order="o"), sale(at(3), 300, order="o"))

    assert life.facts == (1_000, 1, 1)
    assert life.until(at(365 + 3) - 1).facts == (1_000, 1, 1)
    assert life.until(at(365 + 3)).facts == (0, 0, 0)
    assert life.until(at(365 + 20)).facts == (0, 0, 0)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([(5, 400)], (600, 1, 1), id="in part"),
        pytest.param([(5, 400), (6, 600)], (0, 0, 0), id="whole, in two parts"),
        pytest.param([(5, 1_500)], (-500, 0, 0), id="more than it cost still reduces spend"),
        pytest.param([(-2, 1_000)], (0, 0, 0), id="dated before its order"),
    ],
)
@pytest.mark.parametrize("reverse", [False, True])
def test_a_return_is_taken_out_of_its_order(
    events: list[tuple[int, int]], expected: tuple[int, int, int], *, reverse: bool
) -> None:
    """Whichever arrives first, and it leaves the window with its order, not 365 days after itself."""
    arrivals = [sale(at(0), 1_000, order="o"), *(returned(at(d), m, order="o") for d, m in events)]
    life = Life().happens(*(reversed(arrivals) if reverse else arrivals))

    assert life.facts == expected
    assert life.until(at(365) - 1).facts == expected
    assert life.until(at(365)).facts == (0, 0, 0)
    assert life.until(at(800)).facts == (0, 0, 0)


def test_a_gift_that_comes_back_counts_no_longer() -> None:
    """An order of amount 0 is an order until something of it is returned."""
    life = Life().happens(sale(at(0), 0, order="o"))
    assert life.facts == (0, 1, 1)

    assert life.happens(returned(at(1), 100, order="o")).facts == (-100, 0, 0)


@pytest.mark.parametrize("order", [None, "never-seen"])
def test_a_return_of_no_known_order(order: str | None) -> None:
    """It is a negative amount at its own time, in the window for its own 365 days."""
    life = Life().happens(sale(at(0), 1_000), returned(at(100), 300, order=order))

    assert life.facts == (700, 1, 1)
    assert life.until(at(365)).facts == (-300, 0, 0)
    assert life.until(at(465)).facts == (0, 0, 0)


@pytest.mark.parametrize(
    ("late_ms", "expected"),
    [pytest.param(0, (1_000, 1, 1), id="365 days"), pytest.param(1, (700, 1, 1), id="and 1 ms")],
)
def test_a_return_attaches_up_to_365_days_after_its_order(
    late_ms: int, expected: tuple[int, int, int]
) -> None:
    """Later it counts at its own time, and stays there when the order itself is forgotten."""
    life = Life().happens(
        sale(at(0), 5_000, order="old"),
        sale(at(300), 1_000),
        returned(at(365) + late_ms, 300, order="old"),
    )

    assert life.facts == expected
    assert life.until(at(500)).facts == expected


def test_an_order_is_remembered_as_long_as_its_returns() -> None:
    """A return must not become a loose one because its order is older than 395 days."""
    life = Life().happens(sale(at(0), 5_000, order="o"), returned(at(200), 300, order="o"), sale(at(300)))

    assert life.until(at(450)).facts == (5_000, 1, 1)
    assert len(life.known.purchases) == 3 * 36
    life.until(at(200 + 395))
    assert len(life.known.purchases) == 3 * 36
    assert len(life.until(at(200 + 395) + 1).known.purchases) == 36


def test_recount_reads_only_up_to_now() -> None:
    """A proof is recomputed at its own instant, from facts that include later ones."""
    life = Life().happens(sale(at(0), 1_000, order="o"), returned(at(5), 1_000, order="o"), sale(at(9), 10))

    assert recount(life.known.purchases, at(4), POLICY) == (1_000, 1, 1)
    assert recount(life.known.purchases, at(8), POLICY) == (0, 0, 0)


def test_a_prospect_has_no_tier() -> None:
    """Somebody who only browsed is outside the percentiles and has no tier to change."""
    life = Life().happens(browse(at(0)))

    assert life.known.tier is None
    assert life.known.ranked is None
    assert life.steps[-1].moved == (None, None)
    assert life.effects == []


def test_moved_names_the_bins_before_and_after() -> None:
    """A customer enters the histogram with the first order and leaves it with the last."""
    life = Life().happens(sale(at(0), 5_000), sale(at(1), 5_000)).until(at(365)).until(at(366))
    one, two, later, last = life.steps

    assert one.moved == (None, 1393)
    assert two.moved[0] == 1393
    assert later.moved == (two.moved[1], 1393)
    assert last.moved == (1393, None)


def test_a_step_leaves_the_old_state_alone() -> None:
    """States are values: what a transition was given is as it was."""
    before = Life().happens(sale(at(0))).known
    as_it_was = copy(before)

    settle(before, Life().moment(at(400)), POLICY)

    assert before == as_it_was
    assert before.settled_ms + 400 * DAY_MS == at(400)
