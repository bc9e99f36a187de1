"""Predicted value."""

from __future__ import annotations

from services.scorer.core.metrics.metric import Metric
from services.scorer.core.models.history import history_at
from services.scorer.core.models.spend import expected_value_minor
from services.scorer.core.policy import Policy
from services.scorer.core.state import State


def measure(state: State, policy: Policy, _of: tuple[str, ...]) -> float:
    """Return what the customer will spend in the next 12 months by the policy's model, in major units."""
    value_minor = predicted_value_minor(state, policy)
    return 0.0 if value_minor is None else value_minor / policy.minor_per_major


def predicted_value_minor(state: State, policy: Policy) -> int | None:
    """Return the predicted 12-month value in minor units; None without a model, or before a purchase."""
    model = policy.model
    history = None if model is None else history_at(state, policy, model.purchases)
    if model is None or history is None:
        return None
    mean_minor = state.lifetime_net_minor / state.lifetime_days if state.lifetime_days else None
    return expected_value_minor(model, history, mean_minor)


METRIC = Metric(
    name="predicted_value",
    unit="major units",
    meaning="Expected spend in the next 12 months, by the purchase and the spend model.",
    measure=measure,
    moves_with_time=True,
)
