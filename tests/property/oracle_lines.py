"""Lines of a history in few words, for the smallest ones."""

from __future__ import annotations

from typing import Any

Line = dict[str, Any]


def sale(order: str, at: str, amount: int = 1000, *, who: str = "ann", **other: Any) -> Line:
    """Return a sale whose event and order share an id."""
    return {
        "type": "purchase-recorded.v1",
        "event_id": order,
        "customer_id": who,
        "occurred_at": at,
        "kind": "sale",
        "order_id": order,
        "amount_minor": amount,
        "currency": "USD",
        "channel": "web",
        "store_id": "s1",
    } | other


def clicked(at: str) -> Line:
    """Return a response."""
    head = {"type": "campaign-responded.v1", "event_id": f"r-{at}", "customer_id": "ann", "occurred_at": at}
    return head | {"campaign_id": "c1", "response": "clicked"}


def correction(at: str, of: str, body: Line | None, *, number: int = 1) -> Line:
    """Return revision 1; without a body a void."""
    head = {"type": "purchase-corrected.v1", "event_id": f"k{number}", "customer_id": "ann"}
    return head | {"occurred_at": at, "corrects": of, "revision": 1, "purchase": body}


def body(purchase: Line) -> Line:
    """Return what a correction says of a purchase."""
    return {key: value for key, value in purchase.items() if key not in ("type", "event_id", "customer_id")}


def basket(*lines: tuple[str, int]) -> Line:
    """Return lines of so much in each category, which is the brand too and the sku."""
    return {
        "lines": [
            {"sku": name, "category": name, "brand": name, "quantity": 1, "amount_minor": amount}
            for name, amount in lines
        ]
    }


def browsed(at: str, number: int = 0, category: str = "a") -> Line:
    """Return a browse."""
    head = {"type": "product-browsed.v1", "event_id": f"b-{number}-{at}", "customer_id": "ann"}
    return head | {
        "occurred_at": at,
        "sku": "x",
        "category": category,
        "brand": category,
        "action": "viewed",
    }


def listed(sku: str, at: str, *, number: int = 0, margin: float | None = None, grade: str = "high") -> Line:
    """Return what a product is."""
    head = {"type": "product-listed.v1", "event_id": f"p{number}", "occurred_at": at, "sku": sku}
    product = head | {"brand": "b", "category": "c", "grade": grade}
    return product if margin is None else product | {"margin_percent": margin}
