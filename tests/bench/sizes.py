"""Bytes of a stored customer, by how often he buys."""

from __future__ import annotations

import time
from dataclasses import dataclass
from random import Random
from statistics import fmean
from typing import Final

from services.scorer.core.policy import Policy
from services.scorer.core.state import encode_state
from tests.bench.world import HISTORY_DAYS, lived

PURCHASES_A_YEAR: Final = (5, 63, 500)  # a fashion shop's customer, a grocer's, a canteen's
_CUSTOMERS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Mean bytes of the stored state after 395 days, which is all that is remembered."""

    purchases_only: int
    with_browses_and_responses: int  # in the proportions of the demo's year


def run(policy: Policy) -> dict[int, Size]:
    """Return the sizes under ``policy``, by purchases a year."""
    return {
        count: Size(
            purchases_only=_bytes(policy, count, alone=True),
            with_browses_and_responses=_bytes(policy, count, alone=False),
        )
        for count in PURCHASES_A_YEAR
    }


def _bytes(policy: Policy, purchases_a_year: int, *, alone: bool) -> int:
    rng, until_ms = Random(purchases_a_year), int(time.time() * 1000)
    purchases = round(purchases_a_year * HISTORY_DAYS / 365)
    lives = [
        lived(rng, f"size-{number}", purchases, until_ms, policy, alone=alone) for number in range(_CUSTOMERS)
    ]
    return round(fmean(len(encode_state(life.state)) for life in lives))
