"""What the months of the window hold, counted from the lists of facts: baskets, browses, interactions.

The months of the window are the current local one and those before it, twelve for a window of 365 days.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from tests.oracle.clock import local_day
from tests.oracle.facts import Facts, Purchase
from tests.oracle.policy import Policy

NAMES_MAX = 64  # of each kind in one month: the first in the alphabet


@dataclass(slots=True)
class Names:
    """What one month holds of each category, or of each brand."""

    bought_minor: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # less what came back
    purchases: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # sales less returns
    browses: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, purchase: Purchase, names: Iterable[tuple[str, int]]) -> None:
        """Count the lines of a purchase: of each the name and the amount."""
        lines = list(names)
        for name, amount_minor in lines:
            self.bought_minor[name] += amount_minor
        for name in {name for name, _ in lines}:
            self.purchases[name] += 1 if purchase.kind == "sale" else -1

    def kept(self) -> list[str]:
        """Return the names that the month keeps; what adds up to nothing is as if it had never been."""
        counts = (self.bought_minor, self.purchases, self.browses)
        names = {name for count in counts for name, total in count.items() if total}
        return sorted(names)[:NAMES_MAX]


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
        if month not in window:
            continue
        found.margin_minor += sum(line.margin_minor for line in purchase.lines)
        found.high_grade += sum(line.high_grade for line in purchase.lines)
        found.categories[month].add(purchase, ((one.category, one.amount_minor) for one in purchase.lines))
        found.brands[month].add(purchase, ((one.brand, one.amount_minor) for one in purchase.lines))
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
