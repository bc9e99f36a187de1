"""What purchases put into the months: margin, high-grade products, and what was bought of which category and brand.

Each purchase's own part is kept beside the months, so that a correction can take it out again. Its names are
packed, as they are read only then: hundreds of purchases as objects would cost every event of the customer.
"""

from __future__ import annotations

from bisect import bisect_left
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec
from msgspec.structs import replace

from services.scorer.core import months
from services.scorer.core.money import in_base
from services.scorer.core.products import HIGH
from services.scorer.core.state import Earned, Interest, Month

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.events import PurchaseBody, PurchaseRecorded
    from services.scorer.core.facts import Fact
    from services.scorer.core.policy import Policy
    from services.scorer.core.products import Products
    from services.scorer.core.state import State

Interests: TypeAlias = tuple[tuple[Interest, ...], tuple[Interest, ...]]  # categories and brands

_PERCENT: Final = 100
_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Interests)


def earned_of(
    body: PurchaseRecorded | PurchaseBody, fact: Fact, products: Products, policy: Policy
) -> Earned | None:
    """Return what a purchase puts into its month as far as the policy asks; None is nothing.

    A return takes out what its own lines name. Purchases without lines put in nothing.
    """
    if not body.lines or not (policy.needs_products or policy.keeps_interests):
        return None
    sign = 1 if fact.is_sale else -1
    margin_minor, high_grade = _of_products(body, products, policy) if policy.needs_products else (0, 0)
    categories: tuple[Interest, ...] = ()
    brands: tuple[Interest, ...] = ()
    if policy.keeps_interests:
        amounts = [in_base(line.amount_minor, body.currency, policy) for line in body.lines]
        categories = _interests((line.category for line in body.lines), amounts, sign)
        brands = _interests((line.brand for line in body.lines), amounts, sign)
    if not (margin_minor or high_grade or categories):
        return None
    names = _encode((categories, brands)) if categories else b""
    number = months.number_of(fact.time_ms, policy)
    return Earned(fact.event, number, sign * margin_minor, sign * high_grade, names)


def interests_of(earned: Earned) -> Interests:
    """Return what was bought of each category and of each brand."""
    return _decoder.decode(earned.names) if earned.names else ((), ())


def _of_products(
    body: PurchaseRecorded | PurchaseBody, products: Products, policy: Policy
) -> tuple[int, int]:
    """Return the margin and the number of high-grade products, by the products in force.

    A line's margin is its amount in the base currency by the margin percent: exact, one rounding half to
    even. High-grade products are counted by quantity, lines below 0 (discounts) left out. Lines of products
    that are not known earn nothing.
    """
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
    return margin_minor, high_grade


def _margin_minor(amount_minor: Fraction, percent: Decimal) -> int:
    return round(amount_minor * Fraction(percent) / _PERCENT)


def _interests(names: Iterable[str], amounts: list[int], sign: int) -> tuple[Interest, ...]:
    """Return what was bought of each name, in one purchase; as many as a month keeps."""
    bought: dict[str, int] = {}
    for name, amount_minor in zip(names, amounts, strict=True):
        bought[name] = bought.get(name, 0) + sign * amount_minor
    return tuple(Interest(name, bought[name], sign, 0, 0) for name in sorted(bought)[: months.NAMES_MAX])


def note(state: State, earned: Earned) -> None:
    """Count what a purchase earned into a draft's state."""
    at = bisect_left(state.earned, earned.event, key=lambda one: one.event)
    state.earned = (*state.earned[:at], earned, *state.earned[at:])
    _count(state, earned, *interests_of(earned))


def withdraw(state: State, event: int) -> Earned | None:
    """Take what a purchase earned, by the hash of its event id, out of a draft's state again; return it."""
    gone = next((one for one in state.earned if one.event == event), None)
    if gone is None:
        return None
    state.earned = tuple(one for one in state.earned if one.event != event)
    # One that is not there adds up to nothing just now: parts are forgotten with their months.
    month = next((one for one in state.months if one.number == gone.month), Month(gone.month))
    categories, brands = interests_of(gone)
    back = replace(gone, margin_minor=-gone.margin_minor, high_grade=-gone.high_grade)
    _count(state, back, _taken_out(month.categories, categories), _taken_out(month.brands, brands))
    return gone


def forgotten(earned: tuple[Earned, ...], now: int) -> tuple[Earned, ...]:
    """Return the parts of months that are still kept in month ``now``; the others are in no sum any more."""
    kept = tuple(one for one in earned if one.month > now - months.MONTHS_KEPT)
    return kept if len(kept) < len(earned) else earned


def _taken_out(kept: tuple[Interest, ...], put_in: tuple[Interest, ...]) -> tuple[Interest, ...]:
    """Return what takes a purchase's interests out of a month; a full month may have left some of them out."""
    names = {one.name for one in kept} if len(kept) == months.NAMES_MAX else None
    return tuple(
        replace(one, bought_minor=-one.bought_minor, purchases=-one.purchases)
        for one in put_in
        if names is None or one.name in names
    )


def _count(
    state: State, earned: Earned, categories: tuple[Interest, ...], brands: tuple[Interest, ...]
) -> None:
    state.months = months.noted(
        state.months,
        earned.month,
        margin_minor=earned.margin_minor,
        high_grade=earned.high_grade,
        categories=categories,
        brands=brands,
    )
