"""The ledger by local month: interests, interactions, margin and high-grade products.

Kept by month and not by day: each line of every basket would cost more than everything else that is kept.
The window's months are the current one and as many before it as the window is long: of 365 days twelve.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Literal

import msgspec

from schemas.times import from_ms
from services.scorer.core.state import Interest, Month, State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.scorer.core.policy import Policy

Kind = Literal["categories", "brands"]
MONTHS_KEPT = 14
NAMES_MAX = 64  # a month keeps this many names of each kind; the first in the alphabet, whoever came first


def number_of(at_ms: int, policy: Policy) -> int:
    """Return the local month of an instant as 12 * year + month - 1."""
    local = from_ms(at_ms).astimezone(policy.zone)
    return 12 * local.year + local.month - 1


def in_window(state: State, policy: Policy) -> tuple[Month, ...]:
    """Return the ledger's months of the window at the customer's clock."""
    now = number_of(state.settled_ms, policy)
    first = now - 12 * policy.window_days // 365
    return tuple(month for month in state.months if first <= month.number <= now)


def bought_share(months: Iterable[Month], kind: Kind, of: tuple[str, ...]) -> float:
    """Return which share of the amount bought falls on the names, 0 to 1; 0 when nothing was bought."""
    named = every = 0
    for month in months:
        for interest in getattr(month, kind):
            every += max(0, interest.bought_minor)
            named += max(0, interest.bought_minor) if interest.name in of else 0
    return named / every if every else 0.0


def noted(
    months: tuple[Month, ...],
    number: int,
    *,
    interactions: int = 0,
    margin_minor: int = 0,
    high_grade: int = 0,
    categories: Iterable[Interest] = (),
    brands: Iterable[Interest] = (),
) -> tuple[Month, ...]:
    """Return the months with something more in one of them; sums, so the order of notes can't show.

    What adds up to nothing is as if it had never been: a correction leaves no trace.
    """
    at = bisect_left(months, number, key=lambda month: month.number)
    there = at < len(months) and months[at].number == number
    old = months[at] if there else Month(number)
    new = Month(
        number,
        old.interactions + interactions,
        old.margin_minor + margin_minor,
        _added(old.categories, categories),
        _added(old.brands, brands),
        old.high_grade + high_grade,
    )
    some = () if new == Month(number) else (new,)
    return (*months[:at], *some, *months[at + there :])


def forgotten(months: tuple[Month, ...], now: int) -> tuple[Month, ...]:
    """Return the months that are still kept in month ``now``."""
    if months and months[0].number <= now - MONTHS_KEPT:
        return tuple(month for month in months if month.number > now - MONTHS_KEPT)
    return months


def _added(old: tuple[Interest, ...], more: Iterable[Interest]) -> tuple[Interest, ...]:
    by_name = {interest.name: interest for interest in old}
    changed = False
    for interest in more:
        changed = True
        known = by_name.get(interest.name)
        total = interest if known is None else _sum(known, interest)
        if total == Interest(interest.name, 0, 0, 0, 0):
            by_name.pop(interest.name, None)
        else:
            by_name[interest.name] = total
    if not changed:
        return old
    return tuple(by_name[name] for name in sorted(by_name)[:NAMES_MAX])


def _sum(one: Interest, other: Interest) -> Interest:
    return msgspec.structs.replace(
        one,
        bought_minor=one.bought_minor + other.bought_minor,
        purchases=one.purchases + other.purchases,
        browses=one.browses + other.browses,
        dwell_seconds=one.dwell_seconds + other.dwell_seconds,
    )
