"""Amounts, days and counts as people read them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from schemas.times import from_ms

if TYPE_CHECKING:
    from services.scorer.core.policy import Policy


def amount(amount_minor: int, policy: Policy) -> str:
    """Return an amount of the base currency, such as ``USD 1,234.50``."""
    major = Decimal(amount_minor).scaleb(-policy.exponent)
    return f"{policy.currency} {major:,.{policy.exponent}f}"


def local_date(at_ms: int, policy: Policy) -> str:
    """Return the business day of an instant, such as ``2026-03-01``."""
    return from_ms(at_ms).astimezone(policy.zone).date().isoformat()


def counted(number: int, one: str, many: str = "") -> str:
    """Return ``1 order``, ``2 orders``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def month(number: int) -> str:
    """Return a month of the ledger, such as ``2026-03``."""
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def days_since(at_ms: int, now_ms: int, policy: Policy) -> int:
    """Return the local days from one instant to a later one, never below 0."""
    return max(0, policy.local_day(now_ms) - policy.local_day(at_ms))
