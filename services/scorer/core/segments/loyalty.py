"""Satisfaction in five steps, and the loyalty ladder in five: from what was bought, answered and recommended.

Source: Christopher, Payne, Ballantyne (1991), Relationship Marketing: prospect, customer, client, supporter,
advocate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from services.scorer.core.segments.finding import Finding
from services.scorer.core.segments.wording import counted, local_date

if TYPE_CHECKING:
    from services.scorer.core.policy import Policy
    from services.scorer.core.state import State

LADDER: Final = {
    "prospect": "Win the first purchase: case, trial, sample.",
    "customer": "Win the second purchase: after-sale check, related product.",
    "client": "Ask for an opinion, and mend what he names.",
    "supporter": "Invite to recommend: referral reward.",
    "advocate": "Thank in person: ambassador invitation, first access.",
}
_STEPS: Final = (
    (9.0, "very_satisfied"),
    (7.0, "satisfied"),
    (5.0, "neutral"),
    (3.0, "dissatisfied"),
    (0.0, "very_dissatisfied"),
)
_REPEATED_DAYS: Final = 2


def satisfaction(state: State, policy: Policy) -> Finding | None:
    """Return one of five steps by the mean of the remembered surveys and reviews; None if there is none."""
    mean = mean_answer(state)
    if mean is None:
        return None
    name = next(name for least, name in _STEPS if mean >= least)
    answers = [one for one in state.answers if one.kind != "nps"]
    latest = local_date(answers[-1].time_ms, policy)
    sentence = f"Mean of {counted(len(answers), 'answer')} is {mean:.1f} of 10, the latest on {latest}."
    return Finding(name=name, evidence=(sentence,))


def loyalty(state: State, policy: Policy) -> Finding:
    """Return the step of the ladder that the customer stands on.

    prospect: never bought · customer: bought once, or again but is dissatisfied (habit is not loyalty) ·
    client: bought on two days or more · supporter: a client who is satisfied · advocate: a client who
    recommends, by word (the latest NPS answer) or by deed (a referral in the window).
    """
    rules = policy.segments.loyalty
    if state.first_purchase_ms is None:
        return _found("prospect", ["Never bought anything."])
    said = [f"Bought on {counted(state.lifetime_days, 'day')} in all."]
    if state.lifetime_days < _REPEATED_DAYS:
        return _found("customer", said)
    mean = mean_answer(state)
    said.append("Gave no opinion yet." if mean is None else f"Mean opinion {mean:.1f} of 10.")
    if mean is not None and mean < rules.dissatisfied_below:
        return _found("customer", said)
    recommends = _recommendations(state, policy)
    if recommends:
        return _found("advocate", said + recommends)
    if mean is not None and mean >= rules.satisfied_from:
        return _found("supporter", said)
    return _found("client", said)


def mean_answer(state: State) -> float | None:
    """Return the mean of the remembered surveys and reviews, 0 to 10."""
    answers = [one.score for one in state.answers if one.kind != "nps"]
    return sum(answers) / len(answers) if answers else None


def _recommendations(state: State, policy: Policy) -> list[str]:
    said = []
    asked = next((one for one in reversed(state.answers) if one.kind == "nps"), None)
    if asked is not None and asked.score >= policy.segments.loyalty.recommends_from:
        said.append(f"Would recommend: {asked.score} of 10 on {local_date(asked.time_ms, policy)}.")
    start_ms = state.settled_ms - policy.window_ms
    referred = sum(start_ms < one.time_ms <= state.settled_ms for one in state.referrals)
    if referred:
        said.append(f"Referred {counted(referred, 'person', 'people')} in the window.")
    return said


def _found(name: str, evidence: list[str]) -> Finding:
    return Finding(name=name, evidence=tuple(evidence), playbook=LADDER[name])
