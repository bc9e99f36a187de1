"""The score, as RULES.md has it."""

import math
from collections.abc import Callable

from tests.oracle import ledger
from tests.oracle.clock import local_day
from tests.oracle.policy import Bonus, Policy, Term
from tests.oracle.window import Measures

SCORE_MAX = 10_000
Names = tuple[str, ...]
GAP_DAYS_MIN = 2  # purchase days between which there is a gap


def repurchase_rate(found: Measures, _policy: Policy) -> float:
    """Return the share of purchase days that came after another one."""
    days = len(found.days)
    return (days - 1) / days if days else 0.0


def purchase_cycle(found: Measures, policy: Policy) -> float:
    """Return the mean gap between purchase days, in days; the window's length without a gap."""
    days = found.days
    if len(days) < GAP_DAYS_MIN:
        return policy.window_days
    return (days[-1] - days[0]).days / (len(days) - 1)


def recency(found: Measures, policy: Policy) -> float:
    """Return the local days since the last sale, at most the window's length."""
    if found.last_sale_ms is None:
        return policy.window_days
    today, last = local_day(found.now_ms, policy.zone), local_day(found.last_sale_ms, policy.zone)
    return min(policy.window_days, max(0, (today - last).days))


VALUES: dict[str, Callable[[Measures, Policy], float]] = {
    "spend": lambda found, policy: max(0, found.net_minor) / policy.per_major,
    "orders": lambda found, _policy: found.orders,
    "repurchase_rate": repurchase_rate,
    "largest_order": lambda found, policy: found.largest_minor / policy.per_major,
    "purchase_cycle": purchase_cycle,
    "recency": recency,
    "referrals": lambda found, _policy: found.referrals,
    "interactions": lambda found, _policy: found.ledger.interactions,
    "margin": lambda found, policy: max(0, found.ledger.margin_minor) / policy.per_major,
    "high_grade": lambda found, _policy: max(0, found.ledger.high_grade),
    "assets": lambda found, policy: found.assets_minor / policy.per_major,
    "predicted_value": lambda found, policy: found.predicted_minor / policy.per_major,
}
OF_NAMES: dict[str, Callable[[Measures, Names], float]] = {
    "category_share": lambda found, of: ledger.share(found.ledger.categories, of),
    "brand_share": lambda found, of: ledger.share(found.ledger.brands, of),
    "browse_interest": lambda found, of: ledger.browses(found.ledger.categories, of),
}


def value(one: Term | Bonus, found: Measures, policy: Policy) -> float:
    """Return what a metric comes to."""
    of_names = OF_NAMES.get(one.metric)
    return VALUES[one.metric](found, policy) if of_names is None else of_names(found, one.of)


def normalised(term: Term, found: float) -> float:
    """Return a metric's value as 0 to 1."""
    match term.normaliser:
        case "log":
            share = math.log(1 + max(0.0, found) / term.unit) / math.log(1 + term.reference / term.unit)
            return min(1.0, share)
        case "linear":
            return min(1.0, max(0.0, found / term.reference))
        case "inverse":
            return min(1.0, max(0.0, 1 - found / term.reference))
    raise AssertionError(term.normaliser)


def score(found: Measures, policy: Policy) -> int:
    """Return the score, 0 to 10,000, rounded once, half to even."""
    weighed = sum(term.weight * normalised(term, value(term, found, policy)) for term in policy.terms)
    extra = sum(
        min(one.points_max, one.points * math.floor(value(one, found, policy))) for one in policy.bonuses
    )
    return min(SCORE_MAX, round(SCORE_MAX * weighed) + extra)
