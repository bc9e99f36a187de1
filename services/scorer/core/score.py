"""The composite score: the policy's metrics by weight, and bonus points, on a grid of 10,001 bins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schemas.events import MetricPoints, ScoreParts
from services.scorer.core.metrics import BY_NAME, MEASURES

if TYPE_CHECKING:
    from services.scorer.core.policy import Policy
    from services.scorer.core.policy.scoring import Bonus
    from services.scorer.core.state import State

SCORE_MAX: Final = 10_000


def score_of(state: State, policy: Policy) -> int:
    """Return the score, 0 to 10,000, rounded once (half to even) before anything else sees it."""
    total = 0.0
    for weight in policy.score:
        value = MEASURES[weight.metric](state, policy, weight.of)
        total += weight.weight * weight.normalised(value)
    score = round(SCORE_MAX * total)
    if policy.bonus:
        score += sum(_bonus_points(bonus, state, policy)[1] for bonus in policy.bonus)
    return min(SCORE_MAX, score)


def parts_of(state: State, policy: Policy) -> ScoreParts:
    """Return what the score is made of, each metric's value and its share in points."""
    points = []
    for weight in policy.score:
        value = BY_NAME[weight.metric].measure(state, policy, weight.of)
        share = SCORE_MAX * weight.weight * weight.normalised(value)
        points.append(MetricPoints(metric=weight.metric, value=value, points=share))
    for bonus in policy.bonus:
        value, extra = _bonus_points(bonus, state, policy)
        points.append(MetricPoints(metric=bonus.metric, value=value, points=extra))
    return ScoreParts(
        spend_minor=max(0, state.net_minor),
        orders=state.orders,
        purchase_days=state.purchase_days,
        points=tuple(points),
    )


def _bonus_points(bonus: Bonus, state: State, policy: Policy) -> tuple[float, int]:
    """Return the metric's value, and the points for its whole units."""
    value = BY_NAME[bonus.metric].measure(state, policy, bonus.of)
    return value, min(bonus.points_max, bonus.points * int(value))
