"""The lines of a purchase, and what each comes to in the base currency."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tests.oracle.products import HIGH, Products


@dataclass(frozen=True, slots=True, kw_only=True)
class BasketLine:
    """One line. Of a return everything is below 0: it takes out what its own lines name."""

    category: str
    brand: str
    amount_minor: int  # of the base currency
    margin_minor: int  # 0 for a product that is not listed, or whose margin is not known
    high_grade: int  # products of grade high


def basket(fields: Mapping[str, Any], rate: Fraction, products: Products) -> tuple[BasketLine, ...]:
    """Return the lines of a purchase's body, at the rate of its currency.

    Each amount is rounded once, half to even: that of the line, and apart from it that of its margin, which
    is exact up to there. A line below 0 is a discount, and sells no products.
    """
    sign = 1 if fields["kind"] == "sale" else -1
    found = []
    for line in fields.get("lines") or ():
        exact = Fraction(line["amount_minor"]) * rate
        product = products.get(line["sku"])
        percent = None if product is None else product.margin_percent
        is_high = product is not None and product.grade == HIGH and line["amount_minor"] >= 0
        found.append(
            BasketLine(
                category=line["category"],
                brand=line["brand"],
                amount_minor=sign * round(exact),
                margin_minor=0 if percent is None else sign * round(exact * percent / 100),
                high_grade=sign * line["quantity"] if is_high else 0,
            )
        )
    return tuple(found)
