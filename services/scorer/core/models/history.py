"""The three numbers of a customer that the models need; together they are sufficient."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from services.scorer.core.models.parameters import PurchaseModel
    from services.scorer.core.policy import Policy
    from services.scorer.core.state import State


class History(NamedTuple):
    """How often a customer came back, and when. In the literature x, t_x and T.

    Not the R and F of RFM: there recency counts back from now, and frequency counts all purchases.
    Ages are in the model's unit, counted from the first purchase: ``0 <= last_age <= age``.
    """

    repeat_days: int  # local days with a purchase, without the first
    last_age: float  # age at the last of them; 0 when there is none
    age: float


def history_of(
    model: PurchaseModel, *, first_day: int, last_day: int, purchase_days: int, today: int
) -> History:
    """Return a customer's history from local days (ordinals) and the number of distinct purchase days.

    Whole days, as the models were fitted: two purchases on one day are one, and the hour says nothing.
    """
    per_unit = model.days_per_unit
    return History(purchase_days - 1, (last_day - first_day) / per_unit, (today - first_day) / per_unit)


def history_at(state: State, policy: Policy, model: PurchaseModel) -> History | None:
    """Return a customer's history at ``state.settled_ms``; None before the first purchase."""
    first_ms, last_ms = state.first_purchase_ms, state.last_purchase_ms
    if first_ms is None or last_ms is None:
        return None
    return history_of(
        model,
        first_day=policy.local_day(first_ms),
        last_day=policy.local_day(last_ms),
        purchase_days=state.lifetime_days,
        today=policy.local_day(max(state.settled_ms, last_ms)),
    )
