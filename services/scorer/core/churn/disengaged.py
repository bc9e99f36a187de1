"""Disengaged: unsubscribed, or a complaint that found no solution in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.events import DisengagedBasis
from schemas.times import DAY_MS, from_ms
from services.scorer.core.churn.start import Start
from services.scorer.core.state import NEVER_MS, Case

if TYPE_CHECKING:
    from services.scorer.core.policy import DisengagedRule, Policy
    from services.scorer.core.state import State


def starts(state: State, _policy: Policy, rule: DisengagedRule) -> list[Start]:
    """Return when a customer unsubscribed, and when complaints were left too long."""
    first_ms = state.first_purchase_ms
    if first_ms is None:
        return []
    found = [Start(time_ms, sure=True) for time_ms in state.unsubscribed if time_ms >= first_ms]
    found += [
        Start(_too_long_ms(case, rule))
        for case in state.cases
        if case.kind == "complaint"
        and case.opened_ms != NEVER_MS
        and case.solved_ms > _too_long_ms(case, rule)
    ]
    return sorted(one for one in found if one.at_ms >= first_ms)


def resolved_ms(state: State, rule: DisengagedRule, start_ms: int) -> int | None:
    """Return when the complaint behind an episode was solved, None when it was not, or it was none.

    Of two complaints of one instant the later solution ends it.
    """
    cases = _cases(state, rule, start_ms)
    solved_ms = max((case.solved_ms for case in cases), default=NEVER_MS)
    return None if solved_ms == NEVER_MS else solved_ms


def basis(state: State, _policy: Policy, rule: DisengagedRule, start_ms: int) -> DisengagedBasis:
    """Return what happened, and when."""
    cases = _cases(state, rule, start_ms)
    if not cases:
        return DisengagedBasis(what="unsubscribed", at=from_ms(start_ms))
    return DisengagedBasis(what="complaint", at=from_ms(cases[0].opened_ms), contact_id=cases[0].contact_id)


def _too_long_ms(case: Case, rule: DisengagedRule) -> int:
    return case.opened_ms + rule.complaint_days * DAY_MS


def _cases(state: State, rule: DisengagedRule, start_ms: int) -> list[Case]:
    """Return the complaints that became too old at an instant; none where the customer unsubscribed then."""
    if start_ms in state.unsubscribed:
        return []
    return [
        case
        for case in state.cases
        if case.kind == "complaint" and case.opened_ms != NEVER_MS and _too_long_ms(case, rule) == start_ms
    ]
