"""Every kind of churn rule behind one face."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schemas.tiers import ChurnKind
from schemas.times import DAY_MS
from services.scorer.core.churn import competitor, disengaged, frequency, model, silence
from services.scorer.core.policy import (
    CompetitorRule,
    DisengagedRule,
    FrequencyRule,
    ModelRule,
    SilenceRule,
)
from services.scorer.core.state import MENTIONS_MAX, NEVER_MS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from schemas.events import ChurnBasis
    from services.scorer.core.churn.start import Start
    from services.scorer.core.policy import ChurnRules, Policy
    from services.scorer.core.state import State

KIND_OF: Final[dict[type, ChurnKind]] = {
    SilenceRule: ChurnKind.SILENCE,
    FrequencyRule: ChurnKind.FREQUENCY,
    CompetitorRule: ChurnKind.COMPETITOR,
    ModelRule: ChurnKind.MODEL,
    DisengagedRule: ChurnKind.DISENGAGED,
}


def starts(state: State, policy: Policy, rule: ChurnRules, *, since_ms: int = 0) -> Iterable[Start]:
    """Return the rule's starts by the remembered facts, ascending; those ahead hold if nothing more is heard.

    Only those from ``since_ms`` on are asked for; others may be among them.
    """
    match rule:
        case SilenceRule():
            return silence.starts(state, policy, rule)
        case FrequencyRule():
            return frequency.starts_since(state, policy, rule, since_ms)
        case CompetitorRule():
            return competitor.starts(state, policy, rule)
        case ModelRule():
            return model.starts(state, policy, rule)
        case DisengagedRule():
            return disengaged.starts(state, policy, rule)


def basis(state: State, policy: Policy, rule: ChurnRules, start_ms: int) -> ChurnBasis:
    """Return what an episode of the rule rests on."""
    match rule:
        case SilenceRule():
            return silence.basis(state, policy, rule, start_ms)
        case FrequencyRule():
            return frequency.basis(state, policy, rule, start_ms)
        case CompetitorRule():
            return competitor.basis(state, policy, rule, start_ms)
        case ModelRule():
            return model.basis(state, policy, rule, start_ms)
        case DisengagedRule():
            return disengaged.basis(state, policy, rule, start_ms)


def frozen_ms(state: State, policy: Policy, rule: ChurnRules) -> int:
    """Return before which instant the rule's episodes stand as they were decided.

    Frequency and model look back so far that the facts behind an older start are partly forgotten. Of
    mentions only the newest are kept.
    """
    if isinstance(rule, FrequencyRule | ModelRule):
        return state.settled_ms - policy.lateness_ms
    if isinstance(rule, CompetitorRule) and len(state.mentions) == MENTIONS_MAX:
        return max(state.settled_ms - policy.memory_ms, state.mentions[0].time_ms)
    return state.settled_ms - policy.memory_ms


def pause_ms(rule: ChurnRules) -> int:
    """Return how long after a start the rule does not begin again."""
    return rule.recent_days * DAY_MS if isinstance(rule, FrequencyRule) else 0


def is_noted(rule: ChurnRules) -> bool:
    """Whether the rule begins with something that the customer did, not with what he left undone."""
    return isinstance(rule, CompetitorRule | DisengagedRule)


def first_look_ms(state: State, rule: ChurnRules) -> int:
    """Return when to look at the rule for the first time after a contact; early is allowed."""
    if isinstance(rule, FrequencyRule) and state.last_purchase_ms is not None:
        return state.last_purchase_ms + rule.recent_days * DAY_MS
    return NEVER_MS


next_silence_ms = silence.next_start_ms
next_crossing_ms = model.next_start_ms
resolved_ms = disengaged.resolved_ms
