"""What POS and e-commerce systems say about purchases: recorded, and corrected afterwards."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schemas.fields import (
    AmountMinor,
    Currency,
    CustomerEvent,
    Id,
    Instant,
    Quantity,
    SignedAmountMinor,
    Text,
)

Revision = Annotated[
    int, Meta(ge=1, le=10**9, description="of all corrections of a purchase the highest counts")
]


class PurchaseLine(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line of a basket."""

    sku: Text
    category: Text
    brand: Text
    quantity: Quantity
    amount_minor: SignedAmountMinor  # negative for a discount line


class PurchaseRecorded(CustomerEvent, frozen=True, kw_only=True, tag="purchase-recorded.v1"):
    """A sale or a return, on ``purchases``, written by POS and e-commerce systems.

    Sales with one ``order_id`` are one order, dated by the earliest. A return that names its order in
    ``returned_order_id`` is taken out of that order's day.
    """

    kind: Literal["sale", "return"]
    order_id: Id
    amount_minor: AmountMinor  # a return's is > 0
    currency: Currency
    channel: Text
    store_id: Text
    lines: tuple[PurchaseLine, ...] | None = None
    referred_by: Id | None = None
    returned_order_id: Id | None = None


class PurchaseBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All of a purchase but its ids: the fields of ``purchase-recorded.v1`` that can be corrected."""

    occurred_at: Instant  # when the purchase was made
    kind: Literal["sale", "return"]
    order_id: Id
    amount_minor: AmountMinor  # a return's is > 0
    currency: Currency
    channel: Text
    store_id: Text
    lines: tuple[PurchaseLine, ...] | None = None
    referred_by: Id | None = None
    returned_order_id: Id | None = None


class PurchaseCorrected(CustomerEvent, frozen=True, kw_only=True, tag="purchase-corrected.v1"):
    """Another body for a purchase or a return, on ``purchases``; ``purchase`` null says it never was.

    It replaces the whole body, so that corrections count the same in whatever order they arrive.
    ``occurred_at`` is when it was corrected, ``purchase.occurred_at`` when the purchase was made.
    """

    corrects: Id  # the event_id of the purchase-recorded.v1
    revision: Revision
    purchase: PurchaseBody | None
