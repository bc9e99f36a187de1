"""The published events, complete with id, proof and evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schemas.events import ChurnCleared, ChurnEvidence, ChurnWarned, Proof, TierChanged, type_of
from schemas.times import from_ms
from services.scorer.core.churn import rules
from services.scorer.core.gap import usual_gap_days
from services.scorer.core.identity import output_id
from services.scorer.core.pins import published_pin
from services.scorer.core.reasons import reason_of
from services.scorer.core.score import parts_of
from services.scorer.core.sightings import last_browse, last_competitor

if TYPE_CHECKING:
    from schemas.tiers import EpisodeEnd
    from services.scorer.core.draft import Because, Draft
    from services.scorer.core.policy import ChurnRules, Policy
    from services.scorer.core.state import Episode, State

_TIER_CHANGED: Final = type_of(TierChanged)
_CHURN_WARNED: Final = type_of(ChurnWarned)
_CHURN_CLEARED: Final = type_of(ChurnCleared)


def tier_changed(
    draft: Draft, at_ms: int, *, shown_before: str | None, ranked_before: str | None, because: Because
) -> None:
    """Publish the tiers that the draft's state has now."""
    state = draft.state
    if state.tier is None or state.ranked is None:
        raise AssertionError("a customer without a tier has no tier change")
    event_id = _next_id(draft, _TIER_CHANGED)
    draft.effects.append(
        TierChanged(
            event_id=event_id,
            customer_id=state.customer_id,
            occurred_at=from_ms(at_ms),
            revision=state.revision,
            previous=shown_before,
            current=state.tier,
            ranked_previous=ranked_before,
            ranked_current=state.ranked,
            ranked_level=draft.policy.tiers.level_of[state.ranked],
            cause=because.cause,
            causation_id=because.event_id,
            proof=_proof(draft, at_ms),
        )
    )


def churn_warned(draft: Draft, rule: ChurnRules, start_ms: int, *, again: bool = False) -> None:
    """Publish that an episode began, or that what ended it was taken back."""
    state = draft.state
    event_id = _next_id(draft, _CHURN_WARNED)
    draft.effects.append(
        ChurnWarned(
            event_id=event_id,
            customer_id=state.customer_id,
            occurred_at=from_ms(start_ms),
            revision=state.revision,
            rule=rule.name,
            kind=rules.KIND_OF[type(rule)],
            severity=rule.severity,
            contact_within_hours=rule.contact_within_hours,
            evidence=_evidence(state, draft.policy, rule, start_ms),
            again=again,
        )
    )


def churn_cleared(draft: Draft, episode: Episode, at_ms: int, cause: EpisodeEnd) -> None:
    """Publish that an episode is over, or never was."""
    state = draft.state
    event_id = _next_id(draft, _CHURN_CLEARED)
    draft.effects.append(
        ChurnCleared(
            event_id=event_id,
            customer_id=state.customer_id,
            occurred_at=from_ms(at_ms),
            revision=state.revision,
            rule=episode.rule,
            started_at=from_ms(episode.start_ms),
            cause=cause,
        )
    )


def _next_id(draft: Draft, type_name: str) -> str:
    """Count one more published change, and return its event id."""
    draft.state.revision += 1
    return output_id(type_name, draft.state.customer_id, draft.state.revision)


def _proof(draft: Draft, at_ms: int) -> Proof:
    state, moment = draft.state, draft.moment
    return Proof(
        score=state.score,
        parts=parts_of(state, draft.policy),
        cut_offs_version=moment.cut_offs_version,
        cut_offs=draft.cuts,
        policy_version=moment.policy_version,
        lane=moment.lane,
        seq=moment.seq,
        pin=None if draft.undone else published_pin(state, at_ms),
        never_bought=draft.undone,
    )


def _evidence(state: State, policy: Policy, rule: ChurnRules, start_ms: int) -> ChurnEvidence:
    if state.ranked is None:
        raise AssertionError("only a customer who bought can churn")
    last_purchase, last_response = state.last_purchase_ms, state.last_response_ms
    reason, sentences = reason_of(state, policy, rule.name, start_ms)
    return ChurnEvidence(
        basis=rules.basis(state, policy, rule, start_ms),
        last_purchase_at=None if last_purchase is None else from_ms(last_purchase),
        last_response_at=None if last_response is None else from_ms(last_response),
        usual_gap_days=usual_gap_days(state, policy),
        orders=state.orders,
        spend_minor=max(0, state.net_minor),
        ranked_tier=state.ranked,
        ranked_level=policy.tiers.level_of[state.ranked],
        last_browse=last_browse(state.recent),
        competitor=last_competitor(state),
        reason=reason,
        reason_evidence=sentences,
    )
