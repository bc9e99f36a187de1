"""Events as the scorer publishes them, with only what a test of the alerter is about to be said."""

from datetime import UTC, datetime, timedelta

from schemas.events import (
    ChurnCleared,
    ChurnWarned,
    CutPoints,
    Proof,
    ScoreParts,
    SilenceEvidence,
    TierChanged,
)
from schemas.tiers import Cause, ChurnRule, EpisodeEnd, Tier

NOON = datetime(2026, 6, 2, 12, tzinfo=UTC)
LENGTH_DAYS = {ChurnRule.EARLY_SILENCE: 90, ChurnRule.HIGH_VALUE_SILENCE: 180}
PROOF = Proof(
    score=8412,
    parts=ScoreParts(
        spend_minor=1_234_000,
        orders=45,
        purchase_days=38,
        spend_points=3400.0,
        orders_points=2500.0,
        repurchase_points=2921.0,
    ),
    cut_offs_version=7,
    cut_offs=CutPoints(high_18=8000, high_20=7900, high_22=7800, low_18=2000, low_20=2100, low_22=2200),
    policy_version=1,
    lane=0,
    seq=41,
)


def moved(
    previous: Tier | None,
    current: Tier,
    *,
    revision: int = 1,
    customer_id: str = "c1",
    at: datetime = NOON,
    cause: Cause = Cause.EVENT,
) -> TierChanged:
    """A customer's ranked tier, and the shown one with it, moved."""
    return TierChanged(
        event_id=f"tier-changed.v1:{customer_id}:{revision}",
        customer_id=customer_id,
        occurred_at=at,
        revision=revision,
        previous=previous,
        current=current,
        ranked_previous=previous,
        ranked_current=current,
        cause=cause,
        causation_id=None,
        proof=PROOF,
    )


def warned(
    rule: ChurnRule = ChurnRule.EARLY_SILENCE,
    *,
    revision: int = 1,
    customer_id: str = "c1",
    at: datetime = NOON,
    ranked_tier: Tier = Tier.REGULAR,
    orders: int = 3,
    usual_gap_days: float | None = 21.4,
    last_response_at: datetime | None = None,
    last_browse: str | None = None,
    competitor: str | None = None,
) -> ChurnWarned:
    """A silence grew too long at ``at``."""
    since = at - timedelta(days=LENGTH_DAYS[rule])
    return ChurnWarned(
        event_id=f"churn-warned.v1:{customer_id}:{revision}",
        customer_id=customer_id,
        occurred_at=at,
        revision=revision,
        rule=rule,
        severity="high" if rule == ChurnRule.HIGH_VALUE_SILENCE else "medium",
        evidence=SilenceEvidence(
            silent_since=since,
            silent_days=LENGTH_DAYS[rule],
            last_purchase_at=since,
            last_response_at=last_response_at,
            usual_gap_days=usual_gap_days,
            orders=orders,
            spend_minor=50_000,
            ranked_tier=ranked_tier,
            last_browse=last_browse,
            competitor=competitor,
        ),
    )


def cleared(
    warning: ChurnWarned,
    *,
    revision: int = 9,
    at: datetime | None = None,
    cause: EpisodeEnd = EpisodeEnd.PURCHASE,
) -> ChurnCleared:
    """The warned episode is over."""
    return ChurnCleared(
        event_id=f"churn-cleared.v1:{warning.customer_id}:{revision}",
        customer_id=warning.customer_id,
        occurred_at=warning.occurred_at + timedelta(days=1) if at is None else at,
        revision=revision,
        rule=warning.rule,
        started_at=warning.occurred_at,
        cause=cause,
    )
