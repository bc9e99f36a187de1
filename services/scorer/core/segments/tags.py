"""Preference tags, inferred from the ledger of months, each with its evidence.

Only where the policy's ``tags`` says so: else categories and brands may be kept for a metric alone, and
nobody agreed to be tagged.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from services.scorer.core import months
from services.scorer.core.segments.wording import amount, counted, month

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.scorer.core.policy import Policy
    from services.scorer.core.state import Interest, Month, State

TAGS_MAX: Final = 24  # the strongest of each kind come first; more say nothing


class Tag(msgspec.Struct, frozen=True, kw_only=True):
    """One inferred preference."""

    kind: Literal["running", "mostly_brand", "mostly_category", "only_browses"]
    subject: str  # the category or brand
    text: str  # in words
    evidence: str


def tags(state: State, policy: Policy) -> tuple[Tag, ...]:
    """Return the tags at the customer's clock, the months' runs first."""
    if not policy.tags:
        return ()
    ledger = months.in_window(state, policy)
    found = [
        *_running(ledger, months.number_of(state.settled_ms, policy), policy),
        *_mostly(ledger, "brands", policy),
        *_mostly(ledger, "categories", policy),
        *_only_browses(ledger, policy),
    ]
    return tuple(found[:TAGS_MAX])


def _running(ledger: tuple[Month, ...], now: int, policy: Policy) -> Iterator[Tag]:
    """Yield categories bought or browsed in month after month, up to this one or the one before.

    This month is young: that it is still missing ends no run.
    """
    seen: dict[str, set[int]] = {}
    for one in ledger:
        for interest in one.categories:
            if interest.purchases > 0 or interest.browses > 0:
                seen.setdefault(interest.name, set()).add(one.number)
    runs = []
    for name, numbers in seen.items():
        last = now if now in numbers else now - 1
        first = last
        while first in numbers:
            first -= 1
        if last - first >= policy.segments.tags.months_min:
            runs.append((name, first + 1, last))
    for name, first, last in sorted(runs, key=lambda run: (run[1] - run[2], run[0])):
        yield Tag(
            kind="running",
            subject=name,
            text=f"{name} {last - first + 1} months running",
            evidence=f"Bought or browsed in every month from {month(first)} to {month(last)}.",
        )


def _mostly(ledger: tuple[Month, ...], kind: months.Kind, policy: Policy) -> Iterator[Tag]:
    """Yield the brand or category that most was spent on, bought more than once."""
    rules = policy.segments.tags
    spent, purchases = _totals(ledger, kind)
    bought = {name: amount_minor for name, amount_minor in spent.items() if amount_minor > 0}
    total = sum(bought.values())
    for name in sorted(bought):
        share = 100 * bought[name]
        if share < rules.mostly_percent * total or purchases[name] < rules.mostly_purchases_min:
            continue
        yield Tag(
            kind="mostly_brand" if kind == "brands" else "mostly_category",
            subject=name,
            text=f"mostly {'brand ' if kind == 'brands' else ''}{name}",
            evidence=f"{share / total:.0f} % of what was bought, {amount(bought[name], policy)} in "
            f"{counted(purchases[name], 'purchase')}.",
        )


def _only_browses(ledger: tuple[Month, ...], policy: Policy) -> Iterator[Tag]:
    """Yield categories looked at often and never bought in the window, the most looked at first."""
    browses: Counter[str] = Counter()
    bought: set[str] = set()
    for interest in _interests(ledger, "categories"):
        browses[interest.name] += interest.browses
        if interest.purchases > 0 or interest.bought_minor > 0:
            bought.add(interest.name)
    for name in sorted(browses, key=lambda one: (-browses[one], one)):
        if name not in bought and browses[name] >= policy.segments.tags.browses_min:
            yield Tag(
                kind="only_browses",
                subject=name,
                text=f"browses {name} often, never buys",
                evidence=f"Looked at {browses[name]} times in the months of the window, bought never.",
            )


def _totals(ledger: tuple[Month, ...], kind: months.Kind) -> tuple[Counter[str], Counter[str]]:
    spent: Counter[str] = Counter()
    purchases: Counter[str] = Counter()
    for interest in _interests(ledger, kind):
        spent[interest.name] += interest.bought_minor
        purchases[interest.name] += interest.purchases
    return spent, purchases


def _interests(ledger: tuple[Month, ...], kind: months.Kind) -> Iterator[Interest]:
    for one in ledger:
        yield from getattr(one, kind)
