"""From purchases to what a fit needs of each customer: (x, t_x, T), mean spend, and what came after.

A purchase day is a local day with at least one order that was not wholly returned, dated by the order's
earliest sale, as everywhere in Tierstream. A return is taken out of its order's day if the order is known
and at most ``returns_days`` older; any other return lowers what the customer spent, on no day in
particular. What lies after the end of the calibration is not known to it: a later return leaves its
order standing, and a purchase that is corrected later counts as it was believed to be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deploy.fitting.errors import MisuseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from deploy.fitting.purchases import Purchase, Purchases
    from services.scorer.core.policy import Policy

Floats = NDArray[np.float64]


class Customer(NamedTuple):
    """One customer at the end of the calibration; ages in days."""

    repeat_days: int
    last_age_days: int
    age_days: int
    mean_minor: float  # net, of a repeat purchase day; 0 without any
    later_days: int  # purchase days in the hold-out


class Groups(NamedTuple):
    """Customers with the same (x, t_x, T) as one row: the likelihood of each is computed once."""

    repeat_days: Floats  # x
    last_age: Floats  # t_x, in units
    age: Floats  # T, in units
    counts: Floats  # customers
    later_days: Floats  # purchase days in the hold-out, of all of them together


@dataclass(frozen=True, slots=True)
class Sample:
    """All customers who had bought by ``until_ms``, the end of the calibration."""

    customers: Sequence[Customer]
    until_ms: int
    held_out_days: int  # from then to the last purchase; 0: nothing is held out

    @property
    def repeat_customers(self) -> int:
        """Customers who came back on another day."""
        return sum(customer.repeat_days > 0 for customer in self.customers)

    def groups(self, days_per_unit: int) -> Groups:
        """Return the customers grouped, in the unit that ``days_per_unit`` tells."""
        keys = np.array([customer[:3] for customer in self.customers], dtype=np.int64)
        rows, index, counts = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
        later = np.array([customer.later_days for customer in self.customers], dtype=np.float64)
        return Groups(
            rows[:, 0].astype(np.float64),
            rows[:, 1] / days_per_unit,
            rows[:, 2] / days_per_unit,
            counts.astype(np.float64),
            np.bincount(index.reshape(-1), weights=later, minlength=len(rows)).astype(np.float64),
        )

    def spenders(self) -> tuple[Floats, Floats]:
        """Return repeat days and mean spend (minor units) of customers with a positive mean."""
        rows = [(one.repeat_days, one.mean_minor) for one in self.customers if one.mean_minor > 0]
        table = np.array(rows, dtype=np.float64).reshape(-1, 2)
        return table[:, 0], table[:, 1]


def sample(purchases: Purchases, *, until_ms: int | None) -> Sample:
    """Return the customers at ``until_ms``, or at the last purchase when None.

    Raises:
        MisuseError: nobody had bought by then.
    """
    policy = purchases.policy
    last_ms = max(one.at_ms for known in purchases.by_customer.values() for one in known if one.stands)
    knows_all = until_ms is None
    if until_ms is None:
        until_ms = last_ms
    until_day, last_day = policy.local_day(until_ms), policy.local_day(last_ms)
    found = (
        _customer(known, _known_by(known, None if knows_all else until_ms), until_day, policy)
        for known in purchases.by_customer.values()
    )
    customers = [customer for customer in found if customer is not None]
    if not customers:
        raise MisuseError("nobody had bought anything yet by --until: give a later one")
    return Sample(customers, until_ms, max(0, last_day - until_day))


def _known_by(known: Sequence[Purchase], until_ms: int | None) -> list[Purchase]:
    """Return the purchases as they were believed to be at an instant, None for what stands in the end."""
    if until_ms is None:
        return [one for one in known if one.stands]
    return [one for one in known if one.at_ms <= until_ms and one.told_ms <= until_ms < one.until_ms]


def _customer(
    known: Sequence[Purchase], then: Sequence[Purchase], until_day: int, policy: Policy
) -> Customer | None:
    """Return what the model needs of one customer, None when it had not bought by then.

    Args:
        known: all purchases, by time.
        then: those that were known at the end of the calibration, by time.
        until_day: its last local day.
        policy: for time zone and returns.
    """
    spent, astray_minor = _spend_by_day(then, policy)
    if not spent:
        return None
    standing = _known_by(known, None)
    later, _ = _spend_by_day(standing, policy) if standing != then else ({}, 0)
    first, last = min(spent), max(spent)
    repeat_days = len(spent) - 1
    repeat_minor = sum(spent.values()) - spent[first] + astray_minor
    return Customer(
        repeat_days,
        last - first,
        until_day - first,
        repeat_minor / repeat_days if repeat_days else 0.0,
        sum(day > until_day for day in later),
    )


def _spend_by_day(known: Iterable[Purchase], policy: Policy) -> tuple[dict[int, int], int]:
    """Return net spend by purchase day, and what returns without an order took away. ``known`` by time."""
    purchases = list(known)
    began: dict[int, int] = {}
    sold: dict[int, int] = {}
    for purchase in purchases:
        if purchase.amount_minor >= 0:
            began.setdefault(purchase.order, purchase.at_ms)
            sold[purchase.order] = sold.get(purchase.order, 0) + purchase.amount_minor
    returned: dict[int, int] = {}
    astray_minor = 0
    for purchase in purchases:
        if purchase.amount_minor >= 0:
            continue
        order_ms = began.get(purchase.order)
        if order_ms is not None and purchase.at_ms - order_ms <= policy.returns_ms:
            returned[purchase.order] = returned.get(purchase.order, 0) - purchase.amount_minor
        else:
            astray_minor += purchase.amount_minor
    spent: dict[int, int] = {}
    for order, order_ms in began.items():
        back = returned.get(order, 0)
        if back and back >= sold[order]:  # wholly returned; a gift of amount 0 counts
            continue
        day = policy.local_day(order_ms)
        spent[day] = spent.get(day, 0) + sold[order] - back
    return spent, astray_minor
