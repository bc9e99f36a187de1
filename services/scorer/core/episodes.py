"""Churn episodes, as a function of the facts: raised, then cleared or retracted.

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
from services.scorer.core.churn import passed, rules
from services.scorer.core.contacts import cause_of, contact_ms, first_after
from services.scorer.core.policy import DisengagedRule, FrequencyRule, ModelRule, SilenceRule
from services.scorer.core.state import MENTIONS_MAX, NEVER_MS, OPEN, Episode, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
                # Purchases that came in order move no earlier start of a frequency rule.
                since_ms = starts[index] if isinstance(rule, FrequencyRule) else 0
                _derive(draft, rule, at_ms, known_until_ms, since_ms=since_ms)
                starts[index] = _ahead(state, policy, rule, known_until_ms)
        state.starts = tuple(starts)


def forget(state: State, horizon_ms: int, policy: Policy) -> None:
    """Drop from a draft's state the episodes that no fact from ``horizon_ms`` on can touch."""
    if state.episodes:
        state.episodes = tuple(one for one in state.episodes if one.end_ms == 0 or one.end_ms >= horizon_ms)
    if state.passed:
        # Mentions move their rules' frozen instant, however young they are.
        is_full = len(state.mentions) == MENTIONS_MAX
        oldest_ms = NEVER_MS if is_full else state.settled_ms - policy.lateness_ms
        state.passed = passed.since(state.passed, oldest_ms, lambda: _frozen(state, policy))


def _frozen(state: State, policy: Policy) -> dict[int, int]:
    """Return by CRC of each rule before which instant its episodes stand as they were decided."""
    return {passed.name_crc(rule.name): rules.frozen_ms(state, policy, rule) for rule in policy.churn}


def abandon(draft: Draft, at_ms: int) -> None:
    """End the open episodes of rules that the policy does not have."""
    names = {rule.name for rule in draft.policy.churn}
    for episode in draft.state.episodes:
        if episode.rule not in names and episode.is_open:
            effects.churn_cleared(draft, episode, at_ms, EpisodeEnd.RETRACTED)
    draft.state.episodes = tuple(one for one in draft.state.episodes if one.rule in names)


def _derive(draft: Draft, rule: ChurnRules, at_ms: int, known_until_ms: int, *, since_ms: int = 0) -> None:
    """Derive one rule's episodes from the facts, and publish what differs from what was decided.

    What started before ``since_ms`` stands as it was decided: nothing that came since can have moved it.
    """
    state = draft.state
    decided = {one.start_ms: one for one in state.episodes if one.rule == rule.name}
    frozen_ms = max(since_ms, rules.frozen_ms(state, draft.policy, rule))
    starts = _starts(draft, rule, frozen_ms, at_ms, known_until_ms)
    ends = _true_ends(draft, rule, decided, starts, frozen_ms)
    for start_ms in sorted(ends.keys() | decided.keys()):
        episode = decided.get(start_ms)
        if episode is None:
            effects.churn_warned(draft, rule, start_ms)
            episode = Episode(rule.name, start_ms)
        if start_ms in ends:
            decided[start_ms] = _ended(draft, rule, episode, ends[start_ms])
        elif episode.ended_by != EpisodeEnd.RETRACTED:
            decided[start_ms] = _ended(draft, rule, episode, (at_ms, EpisodeEnd.RETRACTED))
    others = [one for one in state.episodes if one.rule != rule.name]
    state.episodes = tuple(sorted([*others, *decided.values()], key=lambda one: (one.start_ms, one.rule)))


def _starts(draft: Draft, rule: ChurnRules, frozen_ms: int, at_ms: int, known_until_ms: int) -> Iterator[int]:
    """Yield the starts that there are by the facts, from the rule's frozen instant on."""
    for one in rules.starts(draft.state, draft.policy, rule, since_ms=frozen_ms):
        if one.at_ms >= known_until_ms and one.at_ms > at_ms:
            return  # they ascend: the others lie ahead
        if one.at_ms >= frozen_ms and _has_begun(one, at_ms, known_until_ms):
            yield one.at_ms


def _true_ends(
    draft: Draft, rule: ChurnRules, decided: dict[int, Episode], starts: Iterable[int], frozen_ms: int
) -> dict[int, End | None]:
    """Return the episodes that there are by the facts, each with what ended it, None while it is open.

    Before the rule's frozen instant they are those that were decided: the facts behind them are forgotten. A
    new start is noted as passed where the rule is not for somebody ranked as the customer is. Of somebody whose
    every purchase was voided none is true, however long ago it was decided: who never bought can't churn.
    """
    state, applies = draft.state, not rule.tiers or draft.state.ranked in rule.tiers
    if state.first_purchase_ms is None:
        return {}
    passed_before = passed.starts_of(state.passed, rule.name)
    stood = (one.start_ms for one in decided.values() if one.start_ms < frozen_ms and _stands(one))
    ends: dict[int, End | None] = {}
    covered_until_ms = -1
    for start_ms in sorted({*stood, *starts}):
        if start_ms < covered_until_ms or start_ms in passed_before:
            continue  # one of the rule stands already, or began a short while ago; or it was judged before
        if start_ms not in decided and not applies:
            state.passed = passed.noted(state.passed, rule.name, start_ms)
            continue
        ends[start_ms] = end = _end_of(state, rule, start_ms)
        covered_until_ms = NEVER_MS if end is None else max(end[0], start_ms + rules.pause_ms(rule))
    return ends


def _stands(episode: Episode) -> bool:
    return episode.ended_by != EpisodeEnd.RETRACTED


def _has_begun(start: Start, at_ms: int, known_until_ms: int) -> bool:
    return start.at_ms < known_until_ms or (start.sure and start.at_ms <= at_ms)


def _ended(draft: Draft, rule: ChurnRules, episode: Episode, end: End | None) -> Episode:
    """Publish the end of an episode if it differs from what was published, and return the episode.

    A late contact may clear it earlier than published, or show that it never was. When the purchase that
    ended it turns out never to have been, it stands again, and is warned of again.
    """
    end_ms, ended_by = (0, OPEN) if end is None else (end[0], end[1].value)
    if (episode.end_ms, episode.ended_by) == (end_ms, ended_by):
        return episode
    if end is None:
        effects.churn_warned(draft, rule, episode.start_ms, again=True)
    else:
        effects.churn_cleared(draft, episode, *end)
    return msgspec.structs.replace(episode, end_ms=end_ms, ended_by=ended_by)


def _end_of(state: State, rule: ChurnRules, start_ms: int) -> End | None:
    """Return the first thing after the start that ends the episode, None when nothing did."""
    openings = isinstance(rule, SilenceRule) and rule.opened_counts
    contact = first_after(state, start_ms, openings=openings)
    end = None if contact is None else (contact_ms(contact), cause_of(contact))
    if isinstance(rule, DisengagedRule):
        solved_ms = rules.resolved_ms(state, rule, start_ms)
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
        _ended(draft, by_name[one.rule], one, _end_of(state, by_name[one.rule], one.start_ms))
        if one.rule in by_name and one.end_ms in {0, at_ms} and one.ended_by != EpisodeEnd.RETRACTED
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
    mine = [one for one in state.episodes if one.rule == rule.name]
    decided = {one.start_ms for one in mine} | passed.starts_of(state.passed, rule.name)
    # Thousands of orders of one day would each be looked at while the rule pauses.
    paused = (one.start_ms + rules.pause_ms(rule) for one in mine if _stands(one))
    from_ms = max(known_until_ms, *paused, 0)
    starts = rules.starts(state, policy, rule, since_ms=from_ms)  # ascending: the first one is the next one
    ahead = (one.at_ms for one in starts if one.at_ms >= from_ms and not one.sure)
    return next((at_ms for at_ms in ahead if at_ms not in decided), NEVER_MS)
