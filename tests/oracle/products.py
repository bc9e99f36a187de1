"""What products are: the listings of a history, of each sku the latest.

A replay looks every purchase up in one version, that of the latest listing of each sku in its files, so
when a product was listed does not count.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from tests.oracle.clock import instant_ms

LISTED = "product-listed.v1"
HIGH = "high"


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What counts of a listing."""

    grade: str  # entry, standard or high
    margin_percent: Fraction | None = None  # None: not known


Products = Mapping[str, Product]  # by sku


def read_products(paths: Iterable[Path]) -> dict[str, Product]:
    """Return the products that JSON Lines files list; of one instant the higher event id counts."""
    latest: dict[str, tuple[int, str]] = {}
    found: dict[str, Product] = {}
    for path in paths:
        with path.open("rb") as lines:
            for line in lines:
                if not line.strip():
                    continue
                fields = json.loads(line, parse_float=Decimal)
                if fields["type"] != LISTED:
                    continue
                told = instant_ms(fields["occurred_at"]), fields["event_id"]
                if fields["sku"] not in latest or told > latest[fields["sku"]]:
                    latest[fields["sku"]] = told
                    margin = fields.get("margin_percent")
                    found[fields["sku"]] = Product(
                        grade=fields["grade"], margin_percent=None if margin is None else Fraction(margin)
                    )
    return found
