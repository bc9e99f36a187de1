"""Churn episodes of the silence rules, as a function of the contacts.

An episode (rule, start) begins ``length`` after an anchor, the latest sale or response, if no contact
lies in (anchor, anchor + length]; the next contact clears it. ``review`` derives the episodes from
the contacts and publishes what differs from what was published before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from schemas.tiers import ChurnRule, EpisodeEnd, Tier
from services.scorer.core import effects
from services.scorer.core.contacts import cause_of, contact_ms, silences
from services.scorer.core.state import PASSED, Episode, State

if TYPE_CHECKING:
    from services.scorer.core.draft import Draft
    from services.scorer.core.policy import Policy

_Key = tuple[int, ChurnRule]


def next_silence_ms(state: State, policy: Policy) -> int | None:
    """Return the start of the next silence that is not decided yet, if nothing more is heard."""
    if state.first_purchase_ms is None or not state.contacts:
        return None
    anchor_ms = contact_ms(state.contacts[-1])
    if not state.episodes:
        return anchor_ms + policy.shortest_silence_ms
    decided = {(episode.rule, episode.start_ms) for episode in state.episodes}
    for rule, length in policy.silences:
        if (rule, anchor_ms + length) not in decided:
            return anchor_ms + length
    return None


def review(draft: Draft, at_ms: int, known_until_ms: int) -> None:
    """Bring the published episodes in line with the contacts, as known at ``at_ms``."""
    state, policy = draft.state, draft.policy
    if state.contacts is draft.reviewed:  # nobody was heard: only a silence can have begun
        next_ms = next_silence_ms(state, policy)
        if next_ms is None or next_ms >= known_until_ms:
            return
    draft.reviewed = state.contacts
    if _is_lively(state, known_until_ms, policy):
        return
    decided = {(episode.start_ms, episode.rule): episode for episode in state.episodes}
    derived = _derive(state, policy)
    length = dict(policy.silences)
    for start_ms, rule in sorted(derived.keys() | decided.keys()):
        key = start_ms, rule
        episode = decided.get(key)
        if episode is None:
            if start_ms >= known_until_ms:
                continue  # it may still be prevented
            episode = _raise(draft, rule, start_ms, length[rule])
        decided[key] = _end(draft, episode, key in derived, derived.get(key), at_ms)
    state.episodes = tuple(episode for _, episode in sorted(decided.items()))


def remembered(state: State, policy: Policy) -> tuple[Episode, ...]:
    """Return the episodes whose anchor is still remembered: nothing can touch the others any more."""
    if not state.episodes or not state.contacts:
        return ()
    oldest_ms, length = contact_ms(state.contacts[0]), dict(policy.silences)
    return tuple(one for one in state.episodes if one.start_ms - length[one.rule] >= oldest_ms)


def _is_lively(state: State, known_until_ms: int, policy: Policy) -> bool:
    """Whether no silence was ever long enough for an episode: the usual customer, found out cheaply."""
    contacts = state.contacts
    if state.episodes or not contacts:
        return not state.episodes
    reach = 2 * policy.shortest_silence_ms  # contacts are compared as stored: twice the time
    earlier = contacts[0]
    for later in contacts:
        if later - earlier > reach:
            return False
        earlier = later
    return earlier + reach >= 2 * known_until_ms


def _derive(state: State, policy: Policy) -> dict[_Key, int | None]:
    """Return every episode that the contacts make, past or to come, with the contact that ends it."""
    return {
        (anchor_ms + length, rule): following
        for anchor_ms, following in silences(state.contacts, state.first_purchase_ms)
        for rule, length in policy.silences
        if following is None or contact_ms(following) > anchor_ms + length
    }


def _raise(draft: Draft, rule: ChurnRule, start_ms: int, length_ms: int) -> Episode:
    """Decide an episode once and for all: warn, or note that the rule did not apply at its start."""
    if rule is ChurnRule.HIGH_VALUE_SILENCE and draft.state.ranked is not Tier.HIGH_VALUE:
        return Episode(rule, start_ms, 0, PASSED)
    effects.churn_warned(draft, rule, start_ms, length_ms)
    return Episode(rule, start_ms)


def _end(draft: Draft, episode: Episode, exists: bool, following: int | None, at_ms: int) -> Episode:  # noqa: FBT001
    """Clear or retract an episode whose end differs from what was published, and return it.

    A late contact may retract an episode that was cleared already, or clear it earlier than published.
    """
    if episode.ended_by in {PASSED, EpisodeEnd.RETRACTED}:
        return episode
    if not exists:
        end_ms, ended_by = at_ms, EpisodeEnd.RETRACTED
    elif following is None:
        return episode
    else:
        end_ms, ended_by = contact_ms(following), cause_of(following)
    if (episode.end_ms, episode.ended_by) == (end_ms, ended_by):
        return episode
    effects.churn_cleared(draft, episode, end_ms, ended_by)
    return msgspec.structs.replace(episode, end_ms=end_ms, ended_by=ended_by.value)
