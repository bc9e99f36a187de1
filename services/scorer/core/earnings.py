"""What purchases earned: margin and high-grade products, in the months of the ledger.

Each purchase's own part is kept beside the months, so that a correction can take it out again.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from services.scorer.core import months
from services.scorer.core.products import HIGH
from services.scorer.core.state import Earned, Month

if TYPE_CHECKING:
    from schemas.events import PurchaseBody, PurchaseRecorded
    from services.scorer.core.facts import Fact
    from services.scorer.core.policy import Policy
    from services.scorer.core.products import Products
    from services.scorer.core.state import State

_PERCENT: Final = 100


def earned_of(
    body: PurchaseRecorded | PurchaseBody, fact: Fact, products: Products, policy: Policy
) -> Earned | None:
    """Return what a purchase earned by the products in force; a return's is negative, None is nothing.

    A line's margin is its amount in the base currency by the margin percent: exact, one rounding half to
    even. High-grade products are counted by quantity, lines below 0 (discounts) left out. Lines of products
    that are not known, and purchases without lines, earn nothing.
    """
    sign = 1 if fact.is_sale else -1
    rate = policy.conversions.get(body.currency, Fraction(0))
    margin_minor = high_grade = 0
    for line in body.lines or ():
        product = products.get(line.sku)
        if product is None:
            continue
        if product.margin_percent is not None:
            margin_minor += _margin_minor(line.amount_minor * rate, product.margin_percent)
        if product.grade == HIGH and line.amount_minor >= 0:
            high_grade += line.quantity
    if not margin_minor and not high_grade:
        return None
    number = months.number_of(fact.time_ms, policy)
    return Earned(fact.event, number, sign * margin_minor, sign * high_grade)


def _margin_minor(amount_minor: Fraction, percent: Decimal) -> int:
    return round(amount_minor * Fraction(percent) / _PERCENT)


def note(state: State, earned: Earned) -> None:
    """Count what a purchase earned into a draft's state."""
    state.earned = tuple(sorted((*state.earned, earned), key=lambda one: one.event))
    _count(state, earned, +1)


def withdraw(state: State, event: int) -> None:
    """Take what a purchase earned, by the hash of its event id, out of a draft's state again."""
    gone = next((one for one in state.earned if one.event == event), None)
    if gone is not None:
        state.earned = tuple(one for one in state.earned if one.event != event)
        _count(state, gone, -1)


def forgotten(earned: tuple[Earned, ...], now: int) -> tuple[Earned, ...]:
    """Return the parts of months that are still kept in month ``now``; the others are in no sum any more."""
    kept = tuple(one for one in earned if one.month > now - months.MONTHS_KEPT)
    return kept if len(kept) < len(earned) else earned


def _count(state: State, earned: Earned, sign: int) -> None:
    noted = months.noted(
        state.months,
        earned.month,
        margin_minor=sign * earned.margin_minor,
        high_grade=sign * earned.high_grade,
    )
    # A month that a correction empties is as one that never was.
    state.months = tuple(month for month in noted if month != Month(month.number))
