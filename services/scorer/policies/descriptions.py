"""What every key of a policy means, in a sentence: for comments in files and for the JSON Schema of editors."""

from __future__ import annotations

from typing import Final

_RULE: Final = {
    "name": "The rule's own name; episodes, warnings and reports go by it.",
    "severity": "medium or high; high goes first in the queues.",
    "contact_within_hours": "The suggested deadline of the call-back.",
    "tiers": "Only for customers ranked so when it starts; empty: for everybody.",
}
# struct -> key -> sentence; a test holds it together with the structs
DESCRIPTIONS: Final[dict[str, dict[str, str]]] = {
    "Policy": {
        "segments": "Where the lines run between segments, stages and bands; no score depends on them.",
        "name": "The policy's name.",
        "currency": "The base currency, ISO 4217. Money below is in its major units: dollars, not cents.",
        "accepts": "Currencies that purchases come in. Each needs a rate, or nothing is activated.",
        "rates": "Base units for one unit of each other currency. A purchase is converted once, when it is "
        "taken up; one in a currency without a rate is a dead letter.",
        "time_zone": "IANA time zone; business days and midnights follow it.",
        "window_days": "Length of the rolling window that scores look at.",
        "lateness_days": "An event may be this late and still count as if it had come in time.",
        "returns_days": "A return attaches to an order at most this much older than itself.",
        "purchases_max": "With more purchases in the window an id stands for many people and is set aside.",
        "anonymous": "Ids that stand for many people, such as the till's own; they are never scored.",
        "score": "What the score is made of; the weights add up to 1. Points run from 0 to 10,000.",
        "bonus": "Points on top of the weighted score, for each whole unit of a metric.",
        "tiers": "The ladder of tiers, and what keeps customers from flapping between its levels.",
        "churn": "The rules that raise warnings, each with its evidence; one is enough.",
        "model": "Predicted behaviour, as tierstream fit finds it; without it nothing is predicted.",
        "tags": "Infer preference tags; keeps categories and brands by month.",
    },
    "Weight": {
        "metric": "What is measured.",
        "weight": "Its share of the score, from 0 to 1.",
        "normaliser": "How the value becomes 0 to 1. log: ln(1 + value/unit) / ln(1 + reference/unit); "
        "linear: value/reference; inverse: 1 - value/reference, where small is good.",
        "reference": "The value that earns the whole share; with inverse, none of it.",
        "unit": "With log: where the logarithm begins to bend.",
        "of": "With category_share, brand_share and browse_interest: the names that count.",
    },
    "Bonus": {
        "metric": "What is measured.",
        "points": "Points for each whole unit.",
        "points_max": "The most that it may add.",
        "of": "With category_share, brand_share and browse_interest: the names that count.",
    },
    "Ladder": {
        "by": "percentile: shares of the live customer base; score or spend: fixed thresholds.",
        "levels": "The levels, the best first. By percentile one level has no percent and holds the rest; by "
        "score or spend the last has no at_least and takes everybody else.",
        "margin_percent": "Hysteresis. By percentile one enters a level this many points of rank inside its "
        "edge and leaves it as many beyond; by score or spend one leaves it this many percent below its "
        "threshold. 0: none.",
        "dwell_days": "No downgrade within this time of the last change. 0: at once.",
        "soft_landing": "At most one level down per change.",
        "orders_min": "With fewer orders in the window one is outside the percentiles.",
    },
    "Level": {
        "name": "The level's name.",
        "percent": "By percentile: its share of the customer base.",
        "at_least": "By score or spend: where it begins, in points or major units.",
    },
    "SilenceRule": {
        **_RULE,
        "days": "No purchase and no response for so many days; or give months.",
        "months": "The same in calendar months of the policy's time zone.",
        "opened_counts": "Whether an opened campaign breaks the silence as well.",
    },
    "FrequencyRule": {
        **_RULE,
        "recent_days": "The recent days that are compared.",
        "past_days": "The days before them: the customer's own standard.",
        "ratio": "Warn when buying has fallen to this share of the standard, or below.",
        "guard": "binomial: only where chance alone seldom does it; none: by the ratio alone.",
        "significance": "How seldom: the exact binomial p must lie below.",
        "orders_min": "With fewer past orders there is too little history to say anything.",
    },
    "CompetitorRule": _RULE,
    "ModelRule": {
        **_RULE,
        "within_days": "Looks at P(no purchase within these days).",
        "threshold": "Warn when it is above; .7 is a repurchase probability of 30 %.",
        "quiet_days": "Nobody is warned of so soon after a purchase.",
        "accept_degenerate": "Warn even by a fit in which hardly anybody ever drops out.",
    },
    "DisengagedRule": {
        **_RULE,
        "complaint_days": "A complaint may stay unsolved for so long.",
    },
    "Model": {
        "purchases": "When customers buy again.",
        "spend": "What they spend then (Gamma-Gamma).",
    },
    "PurchaseModel": {
        "kind": "mbg_nbd lets a customer drop out after any purchase, bg_nbd only after repeats.",
        "unit": "The unit of alpha: day or week.",
        "r": "Shape of the purchase rates.",
        "alpha": "Scale of the purchase rates, in units.",
        "a": "Dropout chance: the first parameter of its Beta distribution.",
        "b": "Dropout chance: the second one.",
    },
    "SpendModel": {
        "p": "Shape of spend around a customer's own mean.",
        "q": "Shape of the means' spread.",
        "gamma_minor": "Scale of the means' spread, in minor units.",
        "mean_minor": "Observed mean of a purchase day, in minor units.",
    },
    "Segments": {
        "rfm": "The points 1 to 5 for recency, frequency and monetary value.",
        "value": "From where current and potential value are high in the value matrix.",
        "stage": "The lengths of the life-cycle stages.",
        "intending_days": "How long a cart, a question or a click shows an intention.",
        "repurchase": "The repurchase bands.",
        "loyalty": "What counts as satisfied and as recommending.",
        "relationship": "What many customers, and what a high margin is, for the relationship level.",
        "age_from": "Where an age band begins, in years, from the youngest up.",
        "price_from": "Where a price band begins: average order value, in major units, from the lowest up.",
        "tags": "When a preference is one; only where the policy infers tags.",
    },
    "RfmRules": {
        "recency_weight": "Weight of the recency points; the three add up to 1.",
        "frequency_weight": "Weight of the frequency points.",
        "monetary_weight": "Weight of the monetary points.",
        "high_from": "From so many points on a dimension is high in the 4-way and 8-way groups.",
        "recency_days": "Four rising numbers: up to the first 5 points, later than the last 1. None: the crowd's quintiles.",
        "orders": "Four rising numbers: from the first 2 points, from the last 5. None: the crowd's quintiles.",
        "spend": "The same for the window's spend, in major units.",
    },
    "ValueRules": {
        "top_percent": "High is the best 20, 40, 60 or 80 percent of the crowd by spend, where no amount is given.",
        "current_at_least": "Current value is high from here on: spend of the window, in major units.",
        "potential_at_least": "Potential is high from here on: predicted 12-month value, in major units.",
        "rising_ratio": "Where nothing can be predicted: the recent half must be so many times the older one.",
        "rising_days_min": "A younger customer has no trend yet.",
    },
    "StageRules": {
        "new_days": "New for so long after the first purchase.",
        "loyal_days": "Loyal needs so long a tenure.",
        "loyal_purchase_days": "Loyal needs purchases on so many days of the window.",
        "dormant_days": "Dormant after so much silence, for who has no usual gap yet.",
        "dormant_gaps": "Dormant after so many of the customer's own usual gaps.",
        "dormant_days_min": "Never dormant sooner.",
        "dormant_days_max": "Never dormant later.",
        "lost_days": "Lost after so much silence.",
    },
    "RepurchaseRules": {
        "high_percent": "The high band begins here.",
        "low_percent": "Below it is the low band.",
        "within_days": "For the model's probability to buy again.",
    },
    "LoyaltyRules": {
        "satisfied_from": "Mean answer to surveys and reviews, 0 to 10.",
        "dissatisfied_below": "A lower mean is dissatisfied.",
        "recommends_from": "The latest answer to the NPS question, 0 to 10.",
    },
    "RelationshipRules": {
        "many_from": "A tier of so many customers is large.",
        "few_up_to": "A tier of so many customers is small.",
        "high_margin_percent": "A margin of so much of the spend is high.",
        "medium_margin_percent": "A lower one is low.",
    },
    "TagRules": {
        "months_min": "A category bought or browsed in so many months, one after the other.",
        "mostly_percent": "A brand or category with so much of the amount bought.",
        "mostly_purchases_min": "And bought so often.",
        "browses_min": "Browsed so often and never bought.",
    },
}
