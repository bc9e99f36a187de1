"""Amounts in the policy's base currency."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.scorer.core.policy import Policy


def in_base(amount_minor: int, currency: str | None, policy: Policy) -> int:
    """Return an amount in minor units of the base currency, rounded half to even; 0 without a rate.

    Exact: rates are decimal fractions, and a return comes to what its sale came to.
    """
    if currency == policy.currency:
        return amount_minor
    rate = policy.conversions.get(currency or "")
    return 0 if rate is None else round(amount_minor * rate)
