"""The rolling window ``(now - window_days, now]``: net spend, orders and purchase days.

``recount`` is the definition. ``add`` and ``move`` keep the same three numbers up to date without
recounting, wherever one fact alone decides; else they recount. A property test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from services.scorer.core import facts
from services.scorer.core.state import NEVER_MS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.scorer.core.facts import Fact
    from services.scorer.core.policy import Policy
    from services.scorer.core.state import State


class Window(NamedTuple):
    """The facts that a score is made of."""

    net_minor: int  # may be negative, when more came back than was bought
    orders: int  # not fully returned
    purchase_days: int  # distinct local days of those orders


@dataclass(slots=True)
class Order:
    """All sales under one order id, dated by the earliest, and the returns attached to it."""

    time_ms: int
    sold_minor: int = 0
    returned_minor: int = 0

    @property
    def net_minor(self) -> int:
        """What is left of it after its returns."""
        return self.sold_minor - self.returned_minor

    @property
    def counts(self) -> bool:
        """An order whose returns reach its amount counts no longer; a gift of amount 0 does."""
        return self.returned_minor == 0 or self.returned_minor < self.sold_minor


def recount(purchases: bytes, now_ms: int, policy: Policy) -> Window:
    """Return the window at ``now_ms``, counted from the facts up to then.

    A return that names a known order is taken out of that order's day, whichever of the two came
    first; any other return is a negative amount at its own time.
    """
    known = [fact for fact in facts.every(purchases) if fact.time_ms <= now_ms]
    orders, loose = _attach(known, policy)
    start_ms = now_ms - policy.window_ms
    inside = [order for order in orders.values() if order.time_ms > start_ms]
    counted = [order for order in inside if order.counts]
    return Window(
        sum(order.net_minor for order in inside)
        + sum(fact.amount_minor for fact in loose if fact.time_ms > start_ms),
        len(counted),
        len({policy.local_day(order.time_ms) for order in counted}),
    )


def counted_orders(purchases: bytes, now_ms: int, policy: Policy) -> list[Order]:
    """Return the orders of the window at ``now_ms`` that were not fully returned, by time."""
    known = [fact for fact in facts.every(purchases) if fact.time_ms <= now_ms]
    start_ms = now_ms - policy.window_ms
    return [
        order for order in _attach(known, policy)[0].values() if order.time_ms > start_ms and order.counts
    ]


def _attach(known: list[Fact], policy: Policy) -> tuple[dict[int, Order], list[Fact]]:
    """Return the orders with their returns attached, and the returns that belong to none."""
    orders, loose = _orders(known), []
    for fact in known:
        if fact.is_sale:
            continue
        order = orders.get(fact.order)
        if order is not None and fact.time_ms - order.time_ms <= policy.returns_ms:
            order.returned_minor -= fact.amount_minor
        else:
            loose.append(fact)
    return orders, loose


def _orders(known: list[Fact]) -> dict[int, Order]:
    orders: dict[int, Order] = {}
    for fact in known:
        if fact.is_sale:
            order = orders.setdefault(fact.order, Order(fact.time_ms))  # in order of time: the earliest
            order.sold_minor += fact.amount_minor
    return orders


def add(state: State, fact: Fact, policy: Policy) -> None:
    """Put a new fact, not later than ``settled_ms``, into a draft's state and its window."""
    linked = facts.has_order(state.purchases, fact.order)
    first_sale = fact.is_sale and not (linked and _is_sold(state.purchases, fact.order))
    state.purchases, index = facts.inserted(state.purchases, fact)
    state.oldest_ms = min(state.oldest_ms, fact.time_ms)
    inside = fact.time_ms > state.settled_ms - policy.window_ms
    if not inside:
        state.outside += 1
    is_new_day = fact.is_sale and not any(facts.sales_of_the_day(state.purchases, index, policy))
    _add_to_lifetime(state, fact, is_new_order=first_sale, is_new_day=is_new_day)
    if linked:
        state.has_links = True
        _recount(state, policy)
    elif inside:
        same_day = facts.sales_of_the_day(state.purchases, index, policy)
        _count(state, fact, +1, (sale for at, sale in same_day if at >= state.outside), policy)


def remove(state: State, fact: Fact, policy: Policy) -> None:
    """Take a fact out of a draft's state again: its purchase was corrected."""
    state.purchases = facts.without(state.purchases, fact.event)
    state.outside = facts.first_after(state.purchases, state.settled_ms - policy.window_ms)
    state.has_links = True  # at worst more is looked up than must be
    state.lifetime_net_minor -= fact.amount_minor
    if fact.is_sale:
        sales = [one for one in facts.every(state.purchases) if one.is_sale]
        day = policy.local_day(fact.time_ms)
        state.lifetime_orders -= all(one.order != fact.order for one in sales)
        state.lifetime_days -= all(policy.local_day(one.time_ms) != day for one in sales)
        if state.forgotten_last_ms is None:  # else the first sale was forgotten long ago, and stays the first
            state.first_purchase_ms = sales[0].time_ms if sales else None
        state.last_purchase_ms = sales[-1].time_ms if sales else state.forgotten_last_ms
    _recount(state, policy)


def move(state: State, now_ms: int, policy: Policy) -> None:
    """Let time pass to ``now_ms`` in a draft's state: facts as old as the window are out at that instant."""
    start_ms = now_ms - policy.window_ms
    state.settled_ms = now_ms
    size = facts.count(state.purchases)
    while state.outside < size and facts.time_at(state.purchases, state.outside) <= start_ms:
        fact = facts.fact_at(state.purchases, state.outside)
        if not is_alone(state, fact):
            state.outside = facts.first_after(state.purchases, start_ms)
            _recount(state, policy)
            return
        later = facts.sales_of_the_day(state.purchases, state.outside, policy, steps=(1,))
        state.outside += 1
        if not _count(state, fact, -1, (sale for _, sale in later), policy):
            state.outside = facts.first_after(state.purchases, start_ms)
            _recount(state, policy)
            return


def reopen(state: State, now_ms: int, policy: Policy) -> None:
    """Count a draft's window anew at ``now_ms``: the policy may have another length of it."""
    state.settled_ms = now_ms
    state.outside = facts.first_after(state.purchases, now_ms - policy.window_ms)
    _recount(state, policy)


def is_alone(state: State, fact: Fact) -> bool:
    """Whether no other fact sells or names the fact's order, so that it alone decides what it counts."""
    return not state.has_links or facts.is_alone(state.purchases, fact.order)


def next_expiry_ms(state: State, policy: Policy) -> int:
    """Return when the oldest fact leaves the window; its order may have left before, never after."""
    if state.outside * facts.SIZE == len(state.purchases):
        return NEVER_MS
    return facts.time_at(state.purchases, state.outside) + policy.window_ms


def _count(state: State, fact: Fact, sign: int, same_day: Iterable[Fact], policy: Policy) -> bool:
    """Count a fact that stands alone in (+1) or out (-1); False when only a recount could tell.

    ``same_day``: the other sales of its local day that are in the window. One that stands alone is an
    order that counts, so the day is one with or without ``fact``. One with companions may be dated
    elsewhere or returned.
    """
    state.net_minor += sign * fact.amount_minor
    if not fact.is_sale:
        return True
    state.orders += sign
    is_only = True
    for sale in same_day:
        if is_alone(state, sale):
            return True
        is_only = False
    if is_only:
        state.purchase_days += sign
        return True
    _recount(state, policy)
    return False


def _recount(state: State, policy: Policy) -> None:
    state.net_minor, state.orders, state.purchase_days = recount(state.purchases, state.settled_ms, policy)


def _is_sold(purchases: bytes, order: int) -> bool:
    return any(fact.is_sale and fact.order == order for fact in facts.every(purchases))


def _add_to_lifetime(state: State, fact: Fact, *, is_new_order: bool, is_new_day: bool) -> None:
    state.lifetime_net_minor += fact.amount_minor
    if not fact.is_sale:
        return
    state.lifetime_orders += is_new_order
    state.lifetime_days += is_new_day
    if state.first_purchase_ms is None or fact.time_ms < state.first_purchase_ms:
        state.first_purchase_ms = fact.time_ms
    if state.last_purchase_ms is None or fact.time_ms > state.last_purchase_ms:
        state.last_purchase_ms = fact.time_ms
