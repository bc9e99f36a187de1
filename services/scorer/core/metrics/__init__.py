"""The metrics that a score can be made of, one file each.

To add one: write a file with ``METRIC = Metric(...)``, list it below, and add its name to ``METRICS`` in
``policy/scoring.py``; a test holds the two lists together.
"""

from services.scorer.core.metrics import (
    assets,
    brand_share,
    browse_interest,
    category_share,
    high_grade,
    interactions,
    largest_order,
    margin,
    orders,
    predicted_value,
    purchase_cycle,
    recency,
    referrals,
    repurchase_rate,
    spend,
)
from services.scorer.core.metrics.metric import Metric

BY_NAME: dict[str, Metric] = {
    one.METRIC.name: one.METRIC
    for one in (
        spend,
        orders,
        predicted_value,
        repurchase_rate,
        largest_order,
        purchase_cycle,
        recency,
        category_share,
        brand_share,
        browse_interest,
        referrals,
        interactions,
        margin,
        high_grade,
        assets,
    )
}
MEASURES = {name: metric.measure for name, metric in BY_NAME.items()}

__all__ = ["BY_NAME", "MEASURES", "Metric"]
