"""Does the model foresee what it was not shown? Customers by repeat purchases, foreseen against happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from services.scorer.core.models.expectation import expected_purchases
from services.scorer.core.models.purchases import probability_no_purchase

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.fitting.sample import Sample
    from services.scorer.core.models.parameters import PurchaseModel

_FROM: Final = (0, 1, 2, 3, 4, 5, 6, 7, 15, 31, 63)
"""First x of each bucket. One each up to 6, as Fader, Hardie, Lee (2005), figure 3, then wider ones: in a
grocery nearly everybody is beyond."""


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """Customers with about as many repeat purchase days, over the whole hold-out. Means are per customer."""

    repeat_days_min: int
    repeat_days_max: int | None  # None: and more
    customers: int
    actual: float  # mean purchase days in the hold-out
    expected: float
    actual_without: float  # share who bought on no day
    expected_without: float

    @property
    def label(self) -> str:
        """Return the bucket's name in a table."""
        if self.repeat_days_max is None:
            return f"{self.repeat_days_min}+"
        if self.repeat_days_max == self.repeat_days_min:
            return str(self.repeat_days_min)
        return f"{self.repeat_days_min}-{self.repeat_days_max}"


def calibrate(
    sample: Sample, model: PurchaseModel, progress: Callable[[int, int], None] | None = None
) -> list[Bucket]:
    """Return one row per bucket that has customers; none without a hold-out."""
    if not sample.held_out_days:
        return []
    groups = sample.groups(model.days_per_unit)
    horizon = sample.held_out_days / model.days_per_unit
    sums = np.zeros((len(_FROM), 4))  # customers, actual, expected, expected_without
    rows = zip(*(column.tolist() for column in groups), strict=True)
    for number, (x, last_age, age, count, later) in enumerate(rows):
        expected = expected_purchases(model, int(x), last_age, age, horizon)
        without = probability_no_purchase(model, int(x), last_age, age, horizon)
        sums[_bucket(x)] += (count, later, count * expected, count * without)
        if progress is not None and number % 500 == 0:
            progress(number, len(groups.counts))
    silent = np.zeros(len(_FROM))
    for customer in sample.customers:
        silent[_bucket(customer.repeat_days)] += customer.later_days == 0
    return [
        Bucket(
            repeat_days_min=first,
            repeat_days_max=following - 1 if following else None,
            customers=int(row[0]),
            actual=float(row[1] / row[0]),
            expected=float(row[2] / row[0]),
            actual_without=float(none / row[0]),
            expected_without=float(row[3] / row[0]),
        )
        for first, following, row, none in zip(_FROM, (*_FROM[1:], 0), sums, silent, strict=True)
        if row[0]
    ]


def _bucket(repeat_days: float) -> int:
    return int(np.searchsorted(_FROM, repeat_days, side="right")) - 1
