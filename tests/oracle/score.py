"""The score, as RULES.md has it."""

import math

from tests.oracle.clock import local_day
from tests.oracle.policy import Policy, Term
from tests.oracle.window import Measures

SCORE_MAX = 10_000
GAP_DAYS_MIN = 2  # purchase days between which there is a gap


def metric(name: str, found: Measures, policy: Policy) -> float:
    """Return the value of a metric, in its unit."""
    days = found.days
    match name:
        case "spend":
            return max(0, found.net_minor) / policy.per_major
        case "orders":
            return found.orders
        case "repurchase_rate":
            return (len(days) - 1) / len(days) if days else 0.0
        case "largest_order":
            return found.largest_minor / policy.per_major
        case "purchase_cycle":  # the mean gap between purchase days; the window's length without a gap
            if len(days) < GAP_DAYS_MIN:
                return policy.window_days
            return (days[-1] - days[0]).days / (len(days) - 1)
        case "recency":  # local days since the last sale, at most the window's length
            if found.last_sale_ms is None:
                return policy.window_days
            today, last = local_day(found.now_ms, policy.zone), local_day(found.last_sale_ms, policy.zone)
            return min(policy.window_days, max(0, (today - last).days))
        case "referrals":
            return found.referrals
        case "assets":
            return found.assets_minor / policy.per_major
    raise AssertionError(name)


def normalised(term: Term, value: float) -> float:
    """Return a metric's value as 0 to 1."""
    match term.normaliser:
        case "log":
            share = math.log(1 + max(0.0, value) / term.unit) / math.log(1 + term.reference / term.unit)
            return min(1.0, share)
        case "linear":
            return min(1.0, max(0.0, value / term.reference))
        case "inverse":
            return min(1.0, max(0.0, 1 - value / term.reference))
    raise AssertionError(term.normaliser)


def score(found: Measures, policy: Policy) -> int:
    """Return the score, 0 to 10,000, rounded once, half to even."""
    weighed = sum(term.weight * normalised(term, metric(term.metric, found, policy)) for term in policy.terms)
    extra = sum(
        min(one.points_max, one.points * math.floor(metric(one.metric, found, policy)))
        for one in policy.bonuses
    )
    return min(SCORE_MAX, round(SCORE_MAX * weighed) + extra)
