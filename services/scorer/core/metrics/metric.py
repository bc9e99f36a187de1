"""What a metric is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.scorer.core.policy import Policy
    from services.scorer.core.state import State

Measure = Callable[["State", "Policy", tuple[str, ...]], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A number about a customer, at the customer's own clock (``state.settled_ms``).

    ``measure`` gets the state, the policy and the names that count (``of``). A metric that moves with time
    alone is measured at local midnights and at the customer's own events, never continuously.
    """

    name: str
    unit: str
    meaning: str  # one sentence
    measure: Measure
    moves_with_time: bool = False
