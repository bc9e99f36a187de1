"""What is decided about a customer at one instant, in the order in which it depends on each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.scorer.core import effects, episodes, pins
from services.scorer.core.score import score_of
from services.scorer.core.tiers import first_tier, next_tier, shown_tier, value_of

if TYPE_CHECKING:
    from services.scorer.core.draft import Because, Draft
    from services.scorer.core.state import State


def evaluate(draft: Draft, at_ms: int, known_until_ms: int, because: Because) -> None:
    """Rescore, rank, review the episodes, and publish the tiers if one of them moved.

    Args:
        draft: its window stands at ``at_ms``.
        at_ms: the instant.
        known_until_ms: episodes that start before it are raised.
        because: what a tier change is put down to.
    """
    state, policy = draft.state, draft.policy
    state.score = score_of(state, policy)
    ranked_before = state.ranked
    if ranked_before is None:
        if not state.purchases:
            return  # a prospect: no tier before the first purchase event
        ranked = first_tier(value_of(state, policy), draft.cuts, policy.tiers)
    elif draft.undone:
        ranked = policy.tiers.names[-1]  # at once: there is nothing that a dwell would give time for
    else:
        ranked = next_tier(
            ranked_before,
            value_of(state, policy),
            draft.cuts,
            ranked_since_ms=state.ranked_since_ms,
            now_ms=at_ms,
            ladder=policy.tiers,
        )
    if ranked != ranked_before:
        state.ranked, state.ranked_since_ms = ranked, at_ms
    review_and_show(draft, at_ms, known_until_ms, because, ranked_before=ranked_before)


def become_prospect(state: State) -> None:
    """Take the tiers from a draft's state: the only purchase never was.

    What was published last stands (lapsed, ranked last); the next purchase gives a first tier again.
    """
    state.ranked, state.ranked_since_ms = None, 0
    state.tier, state.tier_since_ms = None, 0
    state.starts = ()


def review_and_show(
    draft: Draft, at_ms: int, known_until_ms: int, because: Because, *, ranked_before: str | None
) -> None:
    """Review the episodes of a customer who is ranked, and publish the tiers if one of them moved."""
    state, shown_before = draft.state, draft.state.tier
    if state.ranked is None:
        raise AssertionError("a customer is ranked before a tier is shown")
    ranked = state.ranked
    episodes.review(draft, at_ms, known_until_ms)
    in_episode = bool(state.episodes) and any(episode.is_open for episode in state.episodes)
    pin = None if draft.undone else pins.pin_of(state, at_ms)  # a prospect has no tier to pin
    shown = shown_tier(
        ranked, orders=state.orders, in_episode=in_episode, pinned=None if pin is None else pin.tier
    )
    if shown != shown_before:
        state.tier, state.tier_since_ms = shown, at_ms
    if ranked != ranked_before or shown != shown_before:
        effects.tier_changed(
            draft, at_ms, shown_before=shown_before, ranked_before=ranked_before, because=because
        )
