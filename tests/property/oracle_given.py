"""Policies under which the core and the oracle are laid side by side, and the histories for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from services.scorer.core.policy import Policy
from tests.histories.every_kind import Extras, write
from tests.histories.synthetic import Settings

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
        "tiers": {
            "by": "score",
            "levels": [
                {"name": "gold", "at_least": 4000},
                {"name": "silver", "at_least": 2500},
                {"name": "base"},
            ],
            "margin_percent": 5,
            "dwell_days": 30,
            "orders_min": 2,
        },
        "churn": [SILENCE],
    },
    "yen": {"currency": "JPY", "rates": {"USD": "151.337", "EUR": "162.5", "KWD": "491.23"}},
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
}


def made(path: Path, policy: Policy, seed: int, *, customers: int, years: int, kinds: tuple[str, ...]) -> int:
    """Write a history that suits a policy: its zone, its currency, its tiers and rules; return how many lines."""
    settings = Settings(
        seed=seed,
        customers=customers,
        years=years,
        currency=policy.currency,
        time_zone=policy.time_zone,
    )
    rules = tuple(rule.name for rule in policy.churn) or ("none",)
    return write(path, settings, Extras(kinds=kinds, tiers=policy.tiers.names, rules=rules))
