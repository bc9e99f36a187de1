"""Events as the scorer publishes them, with only what a test of the alerter is about to be said."""

from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal

from schemas.events import (
    ChurnBasis,
    ChurnCleared,
    ChurnEvidence,
    ChurnWarned,
    CompetitorBasis,
    CutPoint,
    CutPoints,
    DisengagedBasis,
    FrequencyBasis,
    MetricPoints,
    ModelBasis,
    Pin,
    Proof,
    ScoreParts,
    SilenceBasis,
    TierChanged,
)
from schemas.tiers import Cause, ChurnKind, EpisodeEnd, Tier, WinBackReason

NOON = datetime(2026, 6, 2, 12, tzinfo=UTC)
EARLY, HIGH_SILENCE = "early_silence", "high_value_silence"
RULES: Final[dict[str, tuple[ChurnKind, Literal["medium", "high"]]]] = {
    EARLY: (ChurnKind.SILENCE, "medium"),
    HIGH_SILENCE: (ChurnKind.SILENCE, "high"),
    "fewer_orders": (ChurnKind.FREQUENCY, "medium"),
    "competitor_seen": (ChurnKind.COMPETITOR, "medium"),
    "little_hope": (ChurnKind.MODEL, "medium"),
    "disengaged": (ChurnKind.DISENGAGED, "medium"),
}
LENGTH_DAYS = {EARLY: 90, HIGH_SILENCE: 180}
LADDER = (Tier.HIGH_VALUE, Tier.REGULAR, Tier.AT_RISK)
PROOF = Proof(
    score=8412,
    parts=ScoreParts(
        spend_minor=1_234_000,
        orders=45,
        purchase_days=38,
        points=(
            MetricPoints(metric="spend", value=12_340.0, points=3400.0),
            MetricPoints(metric="orders", value=45.0, points=2500.0),
            MetricPoints(metric="repurchase_rate", value=37 / 38, points=2512.0),
        ),
    ),
    cut_offs_version=7,
    cut_offs=CutPoints(
        points=(
            CutPoint(above="high_value", enter=8000, plain=7900, leave=7800),
            CutPoint(above="regular", enter=2200, plain=2100, leave=2000),
        )
    ),
    policy_version=1,
    lane=0,
    seq=41,
)


def moved(
    previous: str | None,
    current: str,
    *,
    revision: int = 1,
    customer_id: str = "c1",
    at: datetime = NOON,
    cause: Cause = Cause.EVENT,
    ladder: tuple[str, ...] = LADDER,
    pin: Pin | None = None,
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
        ranked_level=ladder.index(current),
        cause=cause,
        causation_id=None,
        proof=Proof(**{**{name: getattr(PROOF, name) for name in Proof.__struct_fields__}, "pin": pin}),
    )


def basis_of(rule: str, at: datetime) -> ChurnBasis:
    """Return a plausible basis of the rule's kind for an episode that starts at ``at``."""
    kind, _ = RULES[rule]
    if kind is ChurnKind.SILENCE:
        days = LENGTH_DAYS[rule]
        return SilenceBasis(silent_since=at - timedelta(days=days), silent_days=days)
    if kind is ChurnKind.FREQUENCY:
        return FrequencyBasis(
            recent_orders=1, recent_days=90, past_orders=20, past_days=270,
            ratio=0.15, probability=0.0196, significant=True,
        )  # fmt: skip
    if kind is ChurnKind.COMPETITOR:
        return CompetitorBasis(competitor="Acme", at=at)
    if kind is ChurnKind.MODEL:
        return ModelBasis(
            probability_no_purchase=0.76, within_days=180, probability_alive=0.41, threshold=0.7,
            last_purchase_day=date(2026, 3, 4),
        )  # fmt: skip
    return DisengagedBasis(what="complaint", at=at - timedelta(days=7), contact_id="T-17")


def warned(
    rule: str = EARLY,
    *,
    revision: int = 1,
    customer_id: str = "c1",
    at: datetime = NOON,
    ranked_tier: str = Tier.REGULAR,
    ladder: tuple[str, ...] = LADDER,
    orders: int = 3,
    usual_gap_days: float | None = 21.4,
    last_response_at: datetime | None = None,
    last_browse: str | None = None,
    competitor: str | None = None,
    basis: ChurnBasis | None = None,
    contact_within_hours: int = 48,
    reason: WinBackReason = WinBackReason.UNKNOWN,
    reason_evidence: tuple[str, ...] = (),
) -> ChurnWarned:
    """An episode of one of ``RULES`` began at ``at``; the last purchase is a silence ago."""
    kind, severity = RULES[rule]
    return ChurnWarned(
        event_id=f"churn-warned.v1:{customer_id}:{revision}",
        customer_id=customer_id,
        occurred_at=at,
        revision=revision,
        rule=rule,
        kind=kind,
        severity=severity,
        contact_within_hours=contact_within_hours,
        evidence=ChurnEvidence(
            basis=basis or basis_of(rule, at),
            last_purchase_at=at - timedelta(days=LENGTH_DAYS.get(rule, 90)),
            last_response_at=last_response_at,
            usual_gap_days=usual_gap_days,
            orders=orders,
            spend_minor=50_000,
            ranked_tier=ranked_tier,
            ranked_level=ladder.index(ranked_tier),
            last_browse=last_browse,
            competitor=competitor,
            reason=reason,
            reason_evidence=reason_evidence,
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
