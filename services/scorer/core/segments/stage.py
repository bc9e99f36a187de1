"""The life-cycle stage: prospect, new, active, loyal, dormant or lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from services.scorer.core.gap import usual_gap_days
from services.scorer.core.segments.finding import Finding
from services.scorer.core.segments.wording import counted, days_since, local_date

if TYPE_CHECKING:
    from services.scorer.core.policy import Policy
    from services.scorer.core.state import State

PLAYBOOK: Final = {
    "prospect": "Show cases, offer a trial or a sample.",
    "new": "Welcome, guide, ask after the first purchase; related product after one to two weeks.",
    "active": "Keep the rhythm: content by interest, ladder incentives.",
    "loyal": "New products first, referral reward, ambassador invitation.",
    "dormant": "Wake up: ask, remind of what he liked, one offer with an end date.",
    "lost": "Ask why once; a returning offer; then leave in peace.",
}


def stage(state: State, policy: Policy) -> Finding:
    """Return the stage at the customer's clock; the first of these that holds.

    prospect: never bought · lost: silent for ``lost_days`` · dormant: silent for longer than the customer's
    patience · new: first purchase within ``new_days`` · loyal: long with us and bought often enough in the
    window · active: everybody else.
    """
    rules, now_ms = policy.segments.stage, state.settled_ms
    first_ms, last_ms = state.first_purchase_ms, state.last_purchase_ms
    if first_ms is None or last_ms is None:
        return _found("prospect", "Never bought anything.")
    silent, tenure = days_since(last_ms, now_ms, policy), days_since(first_ms, now_ms, policy)
    last = f"Last purchase on {local_date(last_ms, policy)}, {counted(silent, 'day')} ago"
    if silent >= rules.lost_days:
        return _found("lost", f"{last}; from {rules.lost_days} on a customer is lost.")
    patience, because = patience_days(state, policy)
    if silent >= patience:
        return _found("dormant", f"{last}; dormant from {patience} on, {because}.")
    first = f"First purchase on {local_date(first_ms, policy)}, {counted(tenure, 'day')} ago"
    if tenure < rules.new_days:
        return _found("new", f"{first}; new up to {rules.new_days}.")
    bought = f"bought on {counted(state.purchase_days, 'day')} of the window"
    if tenure >= rules.loyal_days and state.purchase_days >= rules.loyal_purchase_days:
        return _found("loyal", f"{first}; {bought}, {rules.loyal_purchase_days} are loyal.")
    return _found("active", f"{last}; {bought}.")


def patience_days(state: State, policy: Policy) -> tuple[int, str]:
    """Return after how many days of silence the customer is dormant, and why so many."""
    rules, gap_days = policy.segments.stage, usual_gap_days(state, policy)
    if gap_days is None:
        return rules.dormant_days, "as there is no usual gap yet"
    days = round(rules.dormant_gaps * gap_days)
    within = min(rules.dormant_days_max, max(rules.dormant_days_min, days))
    return (
        within,
        f"{rules.dormant_gaps:g} times the usual gap of {gap_days:.1f} days, kept within the policy's bounds",
    )


def _found(name: str, evidence: str) -> Finding:
    return Finding(name=name, evidence=(evidence,), playbook=PLAYBOOK[name])
