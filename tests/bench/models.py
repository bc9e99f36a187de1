"""What predictions cost: P(no purchase) is asked once an event and customer, the rest seldom."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from services.scorer.core.models.crossing import age_no_purchase_reaches
from services.scorer.core.models.expectation import expected_purchases
from services.scorer.core.models.parameters import PurchaseModel
from services.scorer.core.models.purchases import probability_no_purchase

_ROUNDS: Final = 5  # the best of them: noise only ever adds
_MODEL: Final = PurchaseModel(kind="mbg_nbd", unit="day", r=0.64, alpha=51.0, a=0.81, b=1.23)  # CDNOW


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """Microseconds per call."""

    no_purchase: float
    crossing: float
    expected_purchases: float


def run(*, calls: int = 100_000) -> Models:
    """Time the models on a customer with 5 repeat purchase days; ``calls`` of the quickest."""
    return Models(
        no_purchase=_microseconds(lambda: probability_no_purchase(_MODEL, 5, 120.0, 180.0, 90.0), calls),
        crossing=_microseconds(
            lambda: age_no_purchase_reaches(
                _MODEL, 5, 120.0, horizon=90.0, threshold=0.7, step=1.0, age_max=3_660.0
            ),
            calls // 20,
        ),
        expected_purchases=_microseconds(
            lambda: expected_purchases(_MODEL, 5, 120.0, 180.0, 365.0), calls // 100
        ),
    )


def _microseconds(work: Callable[[], float], calls: int) -> float:
    best = float("inf")
    for _ in range(_ROUNDS):
        began = time.process_time()
        for _ in range(calls):
            work()
        best = min(best, time.process_time() - began)
    return round(best / calls * 1e6, 2)
