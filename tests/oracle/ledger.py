"""What the months of the window hold, counted from the lists of facts: baskets, browses, interactions.

The months of the window are the current local one and those before it, twelve for a window of 365 days.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field

from tests.oracle.clock import local_day
from tests.oracle.facts import Facts
from tests.oracle.policy import Policy

NAMES_MAX = 64  # of each kind in one month: the first in the alphabet


@dataclass(slots=True)
class Names:
    """What one month holds of each category, or of each brand."""

    bought_minor: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # less what came back
    browses: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def kept(self) -> list[str]:
        """Return the names that the month keeps."""
        return sorted({*self.bought_minor, *self.browses})[:NAMES_MAX]


@dataclass(slots=True)
class Ledger:
    """The months of the window at one instant."""

    interactions: int = 0
    margin_minor: int = 0  # signed
    high_grade: int = 0  # signed
    categories: dict[int, Names] = field(default_factory=lambda: defaultdict(Names))  # by month
    brands: dict[int, Names] = field(default_factory=lambda: defaultdict(Names))


def month_of(at_ms: int, policy: Policy) -> int:
    """Return the number of an instant's local month: one more for each month."""
    day = local_day(at_ms, policy.zone)
    return 12 * day.year + day.month


def ledger(facts: Facts, now_ms: int) -> Ledger:
    """Count the months of the window at an instant."""
    policy = facts.policy
    found, now = Ledger(), month_of(now_ms, policy)
    window = range(now - policy.window_days * 12 // 365, now + 1)
    found.interactions = sum(month_of(at_ms, policy) in window for at_ms in facts.interactions)
    for at_ms, category, brand in facts.browses:
        month = month_of(at_ms, policy)
        if month in window:
            found.categories[month].browses[category] += 1
            found.brands[month].browses[brand] += 1
    for purchase in facts.purchases():
        month = month_of(purchase.at_ms, policy)
        for line in purchase.lines if month in window else ():
            found.margin_minor += line.margin_minor
            found.high_grade += line.high_grade
            found.categories[month].bought_minor[line.category] += line.amount_minor
            found.brands[month].bought_minor[line.brand] += line.amount_minor
    return found


def share(months: dict[int, Names], of: Collection[str]) -> float:
    """Return the named ones' share of the amount bought, 0 without any; below 0 in a month counts as 0."""
    named = total = 0
    for month in months.values():
        for name in month.kept():
            bought_minor = max(0, month.bought_minor.get(name, 0))
            total += bought_minor
            named += bought_minor if name in of else 0
    return named / total if total else 0.0


def browses(months: dict[int, Names], of: Collection[str]) -> int:
    """Return how often the named ones were looked at."""
    return sum(month.browses.get(name, 0) for month in months.values() for name in month.kept() if name in of)
