"""A policy as the oracle reads it: the JSON that ``policies`` holds, with the default where it is silent."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from tests.oracle.clock import DAY_MS
from tests.oracle.currency import minor_per_major

Json = Mapping[str, Any]
METRICS = frozenset(
    [
        "spend",
        "orders",
        "repurchase_rate",
        "largest_order",
        "purchase_cycle",
        "recency",
        "category_share",
        "brand_share",
        "browse_interest",
        "referrals",
        "interactions",
        "margin",
        "high_grade",
        "assets",
        "predicted_value",
    ]
)
BY_NAME = frozenset(["category_share", "brand_share", "browse_interest"])
OF_PRODUCTS = frozenset(["margin", "high_grade"])
BY_MONTH = BY_NAME | OF_PRODUCTS | {"interactions"}
MOVE_WITH_TIME = BY_MONTH | {"recency", "predicted_value"}
RULES: dict[str, Json] = {
    "silence": {"days": None, "months": None, "opened_counts": False},
    "frequency": {
        "recent_days": 90,
        "past_days": 270,
        "ratio": 0.5,
        "guard": "binomial",
        "significance": 0.1,
        "orders_min": 4,
    },
    "competitor": {},
    "model": {"within_days": 180, "threshold": 0.7, "quiet_days": 30},
    "disengaged": {"complaint_days": 7},
}
DEFAULT: Json = {
    "currency": "USD",
    "rates": {},
    "time_zone": "UTC",
    "window_days": 365,
    "lateness_days": 30,
    "returns_days": 365,
    "anonymous": [],
    "purchases_max": 5000,
    "score": [
        {"metric": "spend", "weight": 0.4, "reference": 20_000, "unit": 10},
        {"metric": "orders", "weight": 0.3, "reference": 100},
        {"metric": "repurchase_rate", "weight": 0.3, "normaliser": "linear"},
    ],
    "bonus": [],
    "tiers": {},
    "churn": [
        {"rule": "silence", "name": "early_silence", "days": 90},
        {"rule": "silence", "name": "high_value_silence", "days": 180, "tiers": ["high_value"]},
    ],
    "model": None,
}


class NotJudged(Exception):  # noqa: N818 -- no error: the policy is right, and the oracle can't say so
    """The policy asks for something that the oracle does not count; take it out, or judge it elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One tier of the ladder: a share of the crowd, or a threshold, or neither."""

    name: str
    percent: int | None = None
    at_least: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """The levels, the best first."""

    by: str = "percentile"
    levels: tuple[Level, ...] = (
        Level(name="high_value", percent=20),
        Level(name="regular"),
        Level(name="at_risk", percent=20),
    )
    margin_percent: int = 2
    dwell_days: int = 90
    soft_landing: bool = True
    orders_min: int = 1

    @property
    def rest(self) -> int:
        """The level that takes everybody whom no share and no threshold takes."""
        return next(i for i, one in enumerate(self.levels) if one.percent is None and one.at_least is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One metric's share of the score."""

    metric: str
    weight: float
    normaliser: str = "log"
    reference: float = 1.0
    unit: float = 1.0
    of: tuple[str, ...] = ()  # the categories or brands that count


@dataclass(frozen=True, slots=True, kw_only=True)
class Bonus:
    """Points for each whole unit of a metric."""

    metric: str
    points: int
    points_max: int = 10_000
    of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Every number that decides."""

    currency: str
    per_major: int  # minor units of the currency in a major one
    conversions: Mapping[str, Fraction]  # base minor units for one minor unit of each currency
    zone: ZoneInfo
    window_days: int
    window_ms: int
    lateness_ms: int
    returns_ms: int
    anonymous: frozenset[str]
    purchases_max: int
    terms: tuple[Term, ...]
    bonuses: tuple[Bonus, ...]
    ladder: Ladder
    rules: tuple[Json, ...]  # name, rule, tiers and the parameters of the kind
    model: Json  # of the purchases: kind, unit, r, alpha, a, b; empty when there is none
    spend_model: Json  # p, q, gamma_minor, mean_minor; empty when there is none
    measured: frozenset[str]  # the metrics that the score is made of

    @property
    def samples_daily(self) -> bool:
        """Whether the score moves with time alone, so that it is looked at every local midnight."""
        return not MOVE_WITH_TIME.isdisjoint(self.measured)


def policy_from(body: Json) -> Policy:
    """Return the policy that a JSON object holds.

    Raises:
        NotJudged: it weighs a metric or has a rule that the oracle does not count.
    """
    whole = {**DEFAULT, **body}
    currency = whole["currency"]
    return Policy(
        currency=currency,
        per_major=minor_per_major(currency),
        conversions=_conversions(currency, whole["rates"]),
        zone=ZoneInfo(whole["time_zone"]),
        window_days=whole["window_days"],
        window_ms=whole["window_days"] * DAY_MS,
        lateness_ms=whole["lateness_days"] * DAY_MS,
        returns_ms=whole["returns_days"] * DAY_MS,
        anonymous=frozenset(whole["anonymous"]),
        purchases_max=whole["purchases_max"],
        terms=tuple(Term(**_counted(one)) for one in whole["score"]),
        bonuses=tuple(Bonus(**_counted(one)) for one in whole["bonus"]),
        ladder=_ladder(whole["tiers"]),
        rules=tuple(_rule(one) for one in whole["churn"]),
        model=(whole["model"] or {}).get("purchases") or {},
        spend_model=(whole["model"] or {}).get("spend") or {},
        measured=frozenset(one["metric"] for one in (*whole["score"], *whole["bonus"])),
    )


def _conversions(currency: str, rates: Json) -> dict[str, Fraction]:
    """Return what one minor unit of each currency is worth in minor units of the base, exactly."""
    found = {
        code: Fraction(Decimal(str(rate))) * minor_per_major(currency) / minor_per_major(code)
        for code, rate in rates.items()
    }
    return {**found, currency: Fraction(1)}


def _counted(term: Json) -> dict[str, Any]:
    if term["metric"] not in METRICS:
        message = f"the oracle does not count the metric {term['metric']}, only {sorted(METRICS)}"
        raise NotJudged(message)
    return {**term, "of": tuple(term.get("of", ()))}


def _ladder(body: Json) -> Ladder:
    given = dict(body)
    if "levels" in given:
        given["levels"] = tuple(Level(**level) for level in given["levels"])
    return Ladder(**given)


def _rule(body: Json) -> Json:
    if body["rule"] not in RULES:
        message = f"the oracle does not know rules of the kind {body['rule']}, only {sorted(RULES)}"
        raise NotJudged(message)
    return {"tiers": (), **RULES[body["rule"]], **body}
