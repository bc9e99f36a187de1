"""Churn episodes, as a function of the facts: raised once, then cleared or retracted.

An episode (rule, start) begins where its rule says so and none of the rule is open, and ends with the
first contact after its start. ``review`` derives the episodes from the facts and publishes what differs
from what was published before. Usually there is nothing to derive: an event that comes in order only ends
what is open, and until a rule's next start nothing can begin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.tiers import EpisodeEnd
from services.scorer.core import effects
from services.scorer.core.churn import rules
from services.scorer.core.contacts import cause_of, contact_ms, first_after
from services.scorer.core.policy import DisengagedRule, ModelRule, SilenceRule
from services.scorer.core.state import NEVER_MS, PASSED, Episode, State

if TYPE_CHECKING:
    from services.scorer.core.churn.start import Start
    from services.scorer.core.draft import Draft
    from services.scorer.core.policy import ChurnRules, Policy

End = tuple[int, EpisodeEnd]


def next_start_ms(state: State, policy: Policy) -> int:
    """Return the earliest instant at which an episode may begin; it may be early, never late."""
    starts = state.starts
    if len(starts) == len(policy.churn):
        return min(starts) if starts else NEVER_MS
    return NEVER_MS if state.ranked is None else state.settled_ms  # never looked at under this policy


def review(draft: Draft, at_ms: int, known_until_ms: int) -> None:
    """Bring the published episodes in line with the facts, as known at ``at_ms``."""
    state, policy = draft.state, draft.policy
    if len(state.starts) != len(policy.churn):
        draft.news_is_late = True  # never looked at under this policy
    if draft.news_is_late:
        for rule in policy.churn:
            _derive(draft, rule, at_ms, known_until_ms)
        state.starts = tuple(_ahead(state, policy, rule, known_until_ms) for rule in policy.churn)
        draft.news_is_late = draft.heard = False
        return
    if draft.heard:
        draft.heard = False
        _end_open(draft, at_ms)
        state.starts = _after_contact(state, policy)
    if next_start_ms(state, policy) < known_until_ms or draft.noted:
        draft.noted = False
        starts = list(state.starts)
        for index, rule in enumerate(policy.churn):
            if starts[index] < known_until_ms or rules.is_noted(rule):
                _derive(draft, rule, at_ms, known_until_ms)
                starts[index] = _ahead(state, policy, rule, known_until_ms)
        state.starts = tuple(starts)


def forget(state: State, horizon_ms: int) -> None:
    """Drop from a draft's state the episodes that no fact from ``horizon_ms`` on can touch."""
    if state.episodes:
        state.episodes = tuple(one for one in state.episodes if one.end_ms == 0 or one.end_ms >= horizon_ms)


def abandon(draft: Draft, at_ms: int) -> None:
    """End the open episodes of rules that the policy does not have."""
    names = {rule.name for rule in draft.policy.churn}
    for episode in draft.state.episodes:
        if episode.rule not in names and episode.is_open:
            effects.churn_cleared(draft, episode, at_ms, EpisodeEnd.RETRACTED)
    draft.state.episodes = tuple(one for one in draft.state.episodes if one.rule in names)


def _derive(draft: Draft, rule: ChurnRules, at_ms: int, known_until_ms: int) -> None:
    """Derive one rule's episodes, and publish what differs."""
    state, policy = draft.state, draft.policy
    decided = {one.start_ms: one for one in state.episodes if one.rule == rule.name}
    starts = {one.at_ms: one for one in rules.starts(state, policy, rule)}
    frozen_ms = rules.frozen_ms(state, policy, rule)
    for start_ms in sorted(starts.keys() | decided.keys()):
        episode, start = decided.get(start_ms), starts.get(start_ms)
        exists = start is not None or start_ms < frozen_ms
        if episode is None:
            if start is None or start_ms < frozen_ms or not _has_begun(start, at_ms, known_until_ms):
                continue  # it was decided and forgotten, or may still be prevented
            if _is_covered(decided, start_ms, rules.pause_ms(rule)):
                continue
            episode = _raise(draft, rule, start_ms)
        decided[start_ms] = _settle(draft, rule, episode, at_ms, exists=exists)
    others = [one for one in state.episodes if one.rule != rule.name]
    state.episodes = tuple(sorted([*others, *decided.values()], key=lambda one: (one.start_ms, one.rule)))


def _has_begun(start: Start, at_ms: int, known_until_ms: int) -> bool:
    return start.at_ms < known_until_ms or (start.sure and start.at_ms <= at_ms)


def _is_covered(decided: dict[int, Episode], start_ms: int, pause_ms: int) -> bool:
    """Return whether another episode of the rule stands at this instant, or began a short while ago."""
    return any(
        one.start_ms < start_ms
        and one.ended_by != EpisodeEnd.RETRACTED
        and (one.end_ms == 0 or one.end_ms > start_ms or start_ms < one.start_ms + pause_ms)
        for one in decided.values()
    )


def _raise(draft: Draft, rule: ChurnRules, start_ms: int) -> Episode:
    """Decide an episode once and for all: warn, or note that the rule did not apply at its start."""
    if rule.tiers and draft.state.ranked not in rule.tiers:
        return Episode(rule.name, start_ms, 0, PASSED)
    effects.churn_warned(draft, rule, start_ms)
    return Episode(rule.name, start_ms)


def _settle(draft: Draft, rule: ChurnRules, episode: Episode, at_ms: int, *, exists: bool) -> Episode:
    """Clear or retract an episode whose end differs from what was published, and return it.

    A late contact may retract an episode that was cleared already, or clear it earlier than published.
    """
    if episode.ended_by == EpisodeEnd.RETRACTED:
        return episode
    found: End | None = (at_ms, EpisodeEnd.RETRACTED) if not exists else _end_of(draft.state, rule, episode)
    if found is None:
        return episode
    end_ms, ended_by = found
    if episode.ended_by == PASSED:
        return msgspec.structs.replace(episode, end_ms=end_ms)
    if (episode.end_ms, episode.ended_by) == found:
        return episode
    effects.churn_cleared(draft, episode, end_ms, ended_by)
    return msgspec.structs.replace(episode, end_ms=end_ms, ended_by=ended_by.value)


def _end_of(state: State, rule: ChurnRules, episode: Episode) -> End | None:
    """Return the first thing after the start that ends the episode, None when nothing did."""
    openings = isinstance(rule, SilenceRule) and rule.opened_counts
    contact = first_after(state, episode.start_ms, openings=openings)
    end = None if contact is None else (contact_ms(contact), cause_of(contact))
    if isinstance(rule, DisengagedRule):
        solved_ms = rules.resolved_ms(state, rule, episode.start_ms)
        if solved_ms is not None and (end is None or solved_ms < end[0]):
            return solved_ms, EpisodeEnd.RESOLVED
    return end


def _end_open(draft: Draft, at_ms: int) -> None:
    """End what is open by the contact that just came, in order."""
    state = draft.state
    if not state.episodes:
        return
    by_name = {rule.name: rule for rule in draft.policy.churn}
    state.episodes = tuple(
        _settle(draft, by_name[one.rule], one, at_ms, exists=True)
        if one.rule in by_name and one.end_ms in {0, at_ms}
        else one
        for one in state.episodes
    )


def _after_contact(state: State, policy: Policy) -> tuple[int, ...]:
    """Return the next starts after a contact that came in order.

    Silences and crossings are known at once. Of the others what was known stands: another contact only
    lets them begin later, so they fire early, find nothing and look anew.
    """
    starts = []
    for rule, known_ms in zip(policy.churn, state.starts, strict=True):
        if isinstance(rule, SilenceRule):
            start_ms = rules.next_silence_ms(state, policy, rule)
            starts.append(NEVER_MS if start_ms is None else start_ms)
        elif isinstance(rule, ModelRule):
            starts.append(rules.next_crossing_ms(state, policy, rule))
        else:
            starts.append(known_ms if known_ms != NEVER_MS else rules.first_look_ms(state, rule))
    return tuple(starts)


def _ahead(state: State, policy: Policy, rule: ChurnRules, known_until_ms: int) -> int:
    """Return the rule's first start from ``known_until_ms`` on that is not decided, if nothing more is heard."""
    decided = {one.start_ms for one in state.episodes if one.rule == rule.name}
    starts = rules.starts(state, policy, rule)
    ahead = (one.at_ms for one in starts if one.at_ms >= known_until_ms and not one.sure)
    return min((at_ms for at_ms in ahead if at_ms not in decided), default=NEVER_MS)
