"""Margin and high-grade products: what a purchase earns by the products in force, and keeps."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.events import ProductListed, PurchaseBody, PurchaseLine, PurchaseRecorded
from schemas.times import DAY_MS, from_ms
from services.scorer.core.advance import advance
from services.scorer.core.draft import Moment
from services.scorer.core.metrics import BY_NAME
from services.scorer.core.policy import Bonus, Policy, Weight
from services.scorer.core.products import Product, Products, latest, product_of, skus_of
from services.scorer.core.state import decode_state, encode_state
from tests.unit.core_given import T0, Life, at, browse, corrected, returned, sale

MEASURING = Policy(
    score=(Weight(metric="margin", weight=1.0, reference=1_000, unit=1),),
    bonus=(Bonus(metric="high_grade", points=100, points_max=300),),
    rates={"EUR": Decimal("1.1")},
)
PRODUCTS: dict[str, Product] = {
    "seat": Product("high", Decimal("31.5")),
    "toy": Product("entry", Decimal(10)),
    "gift": Product("high"),
}


class Shopper(Life):
    """A life in a shop with a catalogue."""

    products: Products = PRODUCTS

    def moment(self, now_ms: int, *, complete: bool = False) -> Moment:
        """Return the moment of a step."""
        return replace(super().moment(now_ms, complete=complete), products=self.products)


def measured(life: Life, metric: str) -> float:
    """Return a metric's value."""
    return BY_NAME[metric].measure(life.known, life.policy, ())


def shopper(policy: Policy = MEASURING) -> Shopper:
    """Return somebody who bought nothing yet."""
    return Shopper(policy=policy)


def line(sku: str, amount_minor: int, quantity: int = 1) -> PurchaseLine:
    """Return a line of a basket."""
    return PurchaseLine(sku=sku, category="c", brand="b", quantity=quantity, amount_minor=amount_minor)


def basket(time_ms: int, *lines: PurchaseLine, **fields: Any) -> PurchaseRecorded:
    """Return a sale of these lines."""
    return replace(sale(time_ms, sum(one.amount_minor for one in lines), **fields), lines=lines)


class TestMargin:
    """What is earned by a purchase."""

    def test_each_line_earns_its_products_margin(self) -> None:
        """31.5 % of 200.00 and 10 % of 50.00."""
        life = shopper().happens(basket(at(0), line("seat", 20_000), line("toy", 5_000)))
        assert measured(life, "margin") == 63.0 + 5.0

    def test_what_is_not_known_earns_nothing(self) -> None:
        """A product that is not listed, one without a margin, a purchase without lines."""
        life = shopper().happens(
            basket(at(0), line("unheard-of", 9_000)), basket(at(1), line("gift", 9_000)), sale(at(2), 9_000)
        )
        assert measured(life, "margin") == 0
        assert life.known.orders == 3

    @pytest.mark.parametrize(("amount_minor", "earned_minor"), [(5, 0), (15, 2), (25, 2), (35, 4)])
    def test_halves_are_rounded_to_even(self, amount_minor: int, earned_minor: int) -> None:
        """10 % of 15 and of 25 minor units are both 2: rounding favours nobody."""
        life = shopper().happens(basket(at(0), line("toy", amount_minor)))
        assert sum(month.margin_minor for month in life.known.months) == earned_minor

    def test_another_currency_is_rounded_once(self) -> None:
        """EUR 0.15 are USD 0.165; a tenth of it is 0.0165 and rounds to 2 cents, at once."""
        life = shopper().happens(basket(at(0), line("toy", 15), currency="EUR"))
        assert sum(month.margin_minor for month in life.known.months) == 2

    def test_a_return_takes_out_what_it_brought(self) -> None:
        """It names its lines."""
        life = shopper().happens(basket(at(0), line("seat", 20_000), line("toy", 5_000)))
        life.happens(replace(returned(at(1), 20_000), lines=(line("seat", 20_000),)))
        assert measured(life, "margin") == 5.0
        assert measured(life, "high_grade") == 0

    def test_more_returned_than_bought_is_no_debt(self) -> None:
        """What was bought before anybody counted may come back."""
        life = shopper().happens(replace(returned(at(1), 20_000), lines=(line("seat", 20_000),)))
        assert (measured(life, "margin"), measured(life, "high_grade")) == (0, 0)

    def test_it_leaves_with_its_month(self) -> None:
        """January is out of the window of twelve months and the current one in February a year later."""
        life = shopper().happens(basket(at(0), line("seat", 20_000)))
        assert measured(life.until(at(365)), "margin") == 63.0
        assert measured(life.until(at(400)), "margin") == 0
        assert life.until(at(800)).known.earned == ()

    def test_what_it_earned_stays_when_the_product_changes(self) -> None:
        """It was looked up when the purchase was taken up."""
        life = shopper()
        life.happens(basket(at(0), line("toy", 5_000)))
        life.products = {"toy": Product("high", Decimal(90))}
        life.happens(basket(at(1), line("toy", 5_000)))
        assert measured(life, "margin") == 5.0 + 45.0
        assert measured(life, "high_grade") == 1


class TestHighGrade:
    """Products of the high grade."""

    def test_they_are_counted_by_quantity_without_discounts(self) -> None:
        """Two seats with a discount line, and a gift for nothing."""
        life = shopper().happens(
            basket(at(0), line("seat", 40_000, 2), line("seat", -1_000), line("gift", 0), line("toy", 500, 9))
        )
        assert measured(life, "high_grade") == 3

    def test_they_earn_bonus_points_up_to_the_most(self) -> None:
        """100 points each, 300 at most."""
        life = shopper().happens(basket(at(0), line("gift", 0, 2)))
        assert life.known.score == 200
        assert life.happens(basket(at(1), line("gift", 0, 2))).known.score == 300


class TestCorrections:
    """Another body for a purchase."""

    def test_the_corrected_body_earns_in_its_place(self) -> None:
        """The seat was a toy."""
        bought = basket(at(0), line("seat", 20_000))
        life = shopper().happens(
            bought, corrected(bought, 1, lines=(line("toy", 20_000),), amount_minor=20_000)
        )
        assert (measured(life, "margin"), measured(life, "high_grade")) == (20.0, 0)

    def test_a_purchase_that_never_was_earned_nothing(self) -> None:
        """Its month is as if nothing had been."""
        bought = basket(at(0), line("seat", 20_000))
        life = shopper().happens(bought, corrected(bought, 1))
        assert (measured(life, "margin"), life.known.months, life.known.earned) == (0, (), ())

    def test_a_correction_may_come_first(self) -> None:
        """What the purchase first said does not count then."""
        bought = basket(at(0), line("seat", 20_000))
        changed = corrected(bought, 1, lines=(line("toy", 20_000),), amount_minor=20_000)
        assert (
            shopper().happens(changed, bought).known.months == shopper().happens(bought, changed).known.months
        )


def test_a_policy_that_asks_for_no_products_keeps_nothing_of_them() -> None:
    """Neither looked up nor stored."""
    default = Policy.default()
    life = shopper(default).happens(basket(at(0), line("seat", 20_000)))
    assert not default.needs_products
    assert (life.known.months, life.known.earned) == ((), ())
    assert MEASURING.needs_products


def test_what_was_earned_is_stored() -> None:
    """The state comes back as it was."""
    state = shopper().happens(basket(at(0), line("seat", 20_000))).known
    assert decode_state(encode_state(state)) == state
    assert [(one.margin_minor, one.high_grade) for one in state.earned] == [(6_300, 1)]


def test_the_products_to_look_up_are_those_of_lines() -> None:
    """Of purchases and of their corrections; a browse asks for nothing."""
    bought = basket(at(0), line("seat", 1), line("toy", 1))
    changed = corrected(bought, 1, lines=(line("gift", 1),))
    body = changed.purchase
    assert isinstance(body, PurchaseBody)
    assert skus_of([bought, changed, corrected(bought, 2), browse(at(0)), sale(at(0))]) == {
        "seat",
        "toy",
        "gift",
    }


def listed(at_ms: int, event_id: str, grade: Any = "high", margin: float | None = 31.5) -> ProductListed:
    """Return a listing of one product."""
    return ProductListed(
        event_id=event_id,
        occurred_at=from_ms(at_ms),
        sku="seat",
        brand="b",
        category="c",
        grade=grade,
        margin_percent=margin,
    )


def test_of_a_product_the_latest_word_counts() -> None:
    """By its own time; of two at one instant the higher event id, whatever order they come in."""
    first, second, third = listed(T0, "b"), listed(T0 + DAY_MS, "a"), listed(T0 + DAY_MS, "c", "entry")
    for order in ((first, second, third), (third, second, first), (second, third, first)):
        assert latest(order) == {"seat": third}


def test_a_margin_is_the_decimal_that_was_written() -> None:
    """0.1 is a tenth, and not the binary number beside it."""
    assert product_of(listed(T0, "a", margin=0.1)) == Product("high", Decimal("0.1"))
    assert product_of(listed(T0, "a", margin=None)).margin_percent is None


def test_without_a_catalogue_a_purchase_still_counts() -> None:
    """The core asks nobody: what the moment does not name is not known."""
    step = advance(None, basket(at(0), line("seat", 20_000)), Moment(now_ms=at(0)), MEASURING)
    assert step.state.orders == 1
    assert step.state.months == ()
