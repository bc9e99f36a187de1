"""Policies under which the core and the oracle are laid side by side.

Each metric is in two of them at least, under other normalisers, windows and time zones.
"""

from __future__ import annotations

from typing import Any, Final

from tests.property.oracle_baskets import CATEGORIES

RATES: Final = {"EUR": "1.0837", "JPY": "0.0067", "KWD": "3.25"}  # CHF has none on purpose
SILENCE: Final = {"rule": "silence", "name": "early_silence", "days": 90}
FOUR_LEVELS: Final = {
    "levels": [
        {"name": "gold", "percent": 10},
        {"name": "silver", "percent": 20},
        {"name": "regular"},
        {"name": "low", "percent": 20},
    ],
    "margin_percent": 3,
    "dwell_days": 60,
}
EVERY_RULE: Final = [
    {"rule": "silence", "name": "two_months", "months": 2},
    {"rule": "silence", "name": "opened", "days": 60, "opened_counts": True},
    {"rule": "silence", "name": "high_silence", "days": 120, "tiers": ["high_value"], "severity": "high"},
    {"rule": "frequency", "name": "rarer"},
    {
        "rule": "frequency",
        "name": "rarer_plain",
        "guard": "none",
        "orders_min": 2,
        "recent_days": 60,
        "past_days": 200,
        "ratio": 0.7,
    },
    {"rule": "competitor", "name": "competitor"},
    {"rule": "disengaged", "name": "disengaged"},
    {"rule": "model", "name": "model", "within_days": 90, "threshold": 0.7, "quiet_days": 20},
]
MBG_NBD: Final = {
    "purchases": {"kind": "mbg_nbd", "unit": "day", "r": 0.5, "alpha": 20.0, "a": 0.6, "b": 2.0}
}
BG_NBD: Final = {
    "purchases": {"kind": "bg_nbd", "unit": "week", "r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
}

RECENCY_AND_REFERRALS: Final[dict[str, Any]] = {
    "score": [
        {"metric": "spend", "weight": 0.5, "reference": 2000, "unit": 10},
        {"metric": "recency", "weight": 0.5, "normaliser": "inverse", "reference": 365},
    ],
    "bonus": [{"metric": "referrals", "points": 100, "points_max": 250}],
    "churn": [],
}

SPEND: Final = {"p": 6.25, "q": 3.74, "gamma_minor": 1544.0, "mean_minor": 3500}
PREDICTED: Final = MBG_NBD | {"spend": SPEND}
BY_SCORE: Final = {
    "by": "score",
    "levels": [
        {"name": "gold", "at_least": 4000},
        {"name": "silver", "at_least": 2500},
        {"name": "base"},
    ],
    "margin_percent": 5,
    "dwell_days": 30,
    "orders_min": 2,
}
YEN: Final = {"USD": "151.337", "EUR": "162.5", "KWD": "491.23"}

METRIC_POLICIES: Final[dict[str, dict[str, Any]]] = {
    "baskets, Berlin": {
        "rates": RATES,
        "score": [
            {
                "metric": "category_share",
                "weight": 0.3,
                "normaliser": "linear",
                "reference": 1,
                "of": ["shoes", "hats"],
            },
            {"metric": "brand_share", "weight": 0.2, "reference": 1, "unit": 0.1, "of": ["Acme"]},
            {"metric": "margin", "weight": 0.3, "reference": 500, "unit": 5},
            {"metric": "high_grade", "weight": 0.2, "normaliser": "linear", "reference": 20},
        ],
        "bonus": [{"metric": "interactions", "points": 5, "points_max": 100}],
        "tiers": FOUR_LEVELS,
        "churn": [SILENCE | {"tiers": ["gold", "regular"]}],
        "time_zone": "Europe/Berlin",
    },
    "baskets, seven months, yen, Kathmandu": {
        "currency": "JPY",
        "rates": YEN,
        "window_days": 210,
        "returns_days": 60,
        "score": [
            {
                "metric": "category_share",
                "weight": 0.25,
                "normaliser": "inverse",
                "reference": 1,
                "of": [*CATEGORIES[3:]],
            },
            {
                "metric": "brand_share",
                "weight": 0.25,
                "normaliser": "linear",
                "reference": 0.8,
                "of": ["Zeta", "Acme"],
            },
            {"metric": "margin", "weight": 0.25, "normaliser": "linear", "reference": 50_000},
            {"metric": "purchase_cycle", "weight": 0.25, "normaliser": "linear", "reference": 60},
        ],
        "bonus": [{"metric": "high_grade", "points": 7, "points_max": 700}],
        "churn": [SILENCE],
        "time_zone": "Asia/Kathmandu",
    },
    "attention, Auckland": {
        "rates": RATES,
        "score": [
            {"metric": "browse_interest", "weight": 0.3, "reference": 20, "of": ["shoes", "socks"]},
            {"metric": "interactions", "weight": 0.3, "normaliser": "linear", "reference": 30},
            {"metric": "recency", "weight": 0.2, "reference": 100, "unit": 10},
            {"metric": "assets", "weight": 0.2, "normaliser": "linear", "reference": 80_000},
        ],
        "bonus": [{"metric": "margin", "points": 1, "points_max": 300}],
        "churn": EVERY_RULE[:-1],
        "time_zone": "Pacific/Auckland",
    },
    "attention, fourteen months, St John's": {
        "rates": RATES,
        "window_days": 425,
        "score": [
            {"metric": "interactions", "weight": 0.4, "reference": 100, "unit": 2},
            {"metric": "largest_order", "weight": 0.3, "normaliser": "linear", "reference": 900},
            {"metric": "repurchase_rate", "weight": 0.3, "reference": 1, "unit": 0.2},
        ],
        "bonus": [
            {"metric": "browse_interest", "points": 15, "points_max": 90, "of": ["hats"]},
            {"metric": "referrals", "points": 50},
        ],
        "tiers": BY_SCORE,
        "churn": [],
        "time_zone": "America/St_Johns",
    },
    "predicted by days, London": {
        "rates": RATES,
        "score": [
            {"metric": "predicted_value", "weight": 0.7, "reference": 5000, "unit": 10},
            {"metric": "referrals", "weight": 0.3, "normaliser": "linear", "reference": 3},
        ],
        "model": PREDICTED,
        "churn": EVERY_RULE[-1:],
        "time_zone": "Europe/London",
    },
    "predicted by weeks, Los Angeles": {
        "rates": RATES,
        "window_days": 270,
        "lateness_days": 45,
        "score": [
            {"metric": "predicted_value", "weight": 0.5, "normaliser": "linear", "reference": 3000},
            {"metric": "orders", "weight": 0.5, "normaliser": "linear", "reference": 20},
        ],
        "bonus": [{"metric": "predicted_value", "points": 1, "points_max": 400}],
        "model": BG_NBD | {"spend": SPEND},
        "tiers": FOUR_LEVELS,
        "churn": [SILENCE],
        "time_zone": "America/Los_Angeles",
    },
}
POLICIES: Final[dict[str, dict[str, Any]]] = {
    "default": {"rates": RATES},
    "every rule": {"rates": RATES, "churn": EVERY_RULE, "model": MBG_NBD},
    "every rule, New York, by weeks": {
        "rates": RATES,
        "churn": EVERY_RULE,
        "model": BG_NBD,
        "time_zone": "America/New_York",
    },
    "four tiers, London": {
        "rates": RATES,
        "tiers": FOUR_LEVELS,
        "churn": [SILENCE, SILENCE | {"name": "best", "days": 100, "tiers": ["gold", "silver"]}],
        "time_zone": "Europe/London",
    },
    "hard landing": {"tiers": FOUR_LEVELS | {"soft_landing": False, "dwell_days": 20}, "churn": []},
    "by spend": {
        "rates": RATES,
        "tiers": {
            "by": "spend",
            "levels": [
                {"name": "gold", "at_least": 200},
                {"name": "silver", "at_least": 100},
                {"name": "base"},
            ],
            "margin_percent": 10,
            "dwell_days": 30,
        },
        "churn": [SILENCE],
    },
    "by score": {
        "rates": RATES,
        "tiers": BY_SCORE,
        "churn": [SILENCE],
    },
    "yen": {"currency": "JPY", "rates": YEN},
    "metrics that move with time": RECENCY_AND_REFERRALS,
    "metrics": {
        "rates": RATES,
        "score": [
            {"metric": "spend", "weight": 0.3, "reference": 2000, "unit": 10},
            {"metric": "largest_order", "weight": 0.2, "reference": 1000},
            {
                "metric": "purchase_cycle",
                "weight": 0.2,
                "normaliser": "inverse",
                "reference": 180,
            },
            {"metric": "assets", "weight": 0.3, "reference": 100_000, "unit": 100},
        ],
        "bonus": [{"metric": "orders", "points": 10, "points_max": 45}],
        "churn": [SILENCE],
        "time_zone": "America/New_York",
    },
    **METRIC_POLICIES,
}


def measuring(metric: str, reference: float = 1.0, *of: str, **other: Any) -> dict[str, Any]:
    """Return a policy of one metric."""
    term = {"metric": metric, "weight": 1.0, "normaliser": "linear", "reference": reference, "of": of}
    return {"score": [term], "churn": []} | other
