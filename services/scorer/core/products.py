"""What a product is to a score: its grade and its margin.

A product is looked up once, when a purchase of it is taken up; what it becomes later does not change what
was earned. So a replay that looks up in the same version comes to the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from schemas.events import Input, ProductListed, PurchaseBody, PurchaseCorrected, PurchaseRecorded
from schemas.times import to_ms

if TYPE_CHECKING:
    from schemas.purchases import PurchaseLine

HIGH: Final = "high"


class Product(msgspec.Struct, frozen=True, gc=False):
    """A product in one version of the catalogue."""

    grade: str  # entry, standard or high
    margin_percent: Decimal | None = None  # of the amount paid; None: not known


Products: TypeAlias = Mapping[str, Product]  # by sku; one that is absent is not known
NO_PRODUCTS: Final[Products] = MappingProxyType({})


def product_of(listed: ProductListed) -> Product:
    """Return what counts of a listing. The margin is the decimal that was written, not its binary neighbour."""
    margin = listed.margin_percent
    return Product(listed.grade, None if margin is None else Decimal(repr(margin)))


def is_later(one: ProductListed, other: ProductListed) -> bool:
    """Return whether ``one`` is the later word on a product; at one instant the higher event id is."""
    return (to_ms(one.occurred_at), one.event_id) > (to_ms(other.occurred_at), other.event_id)


def latest(listed: Iterable[ProductListed]) -> dict[str, ProductListed]:
    """Return the latest listing of each sku, whatever order they come in."""
    found: dict[str, ProductListed] = {}
    for one in listed:
        known = found.get(one.sku)
        if known is None or is_later(one, known):
            found[one.sku] = one
    return found


def skus_of(events: Iterable[Input]) -> set[str]:
    """Return the skus of the purchases among events: what has to be looked up before they are applied."""
    return {line.sku for event in events for line in _lines(event)}


def _lines(event: Input) -> Iterator[PurchaseLine]:
    body: PurchaseRecorded | PurchaseBody | None = None
    if isinstance(event, PurchaseRecorded):
        body = event
    elif isinstance(event, PurchaseCorrected):
        body = event.purchase
    yield from () if body is None else body.lines or ()
