"""What is decided about a customer at one instant, in the order in which it depends on each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.scorer.core import effects, silence
from services.scorer.core.score import score_of
from services.scorer.core.tiers import first_tier, next_tier, shown_tier

if TYPE_CHECKING:
    from services.scorer.core.draft import Because, Draft


def evaluate(draft: Draft, at_ms: int, known_until_ms: int, because: Because) -> None:
    """Rescore, rank, review the silences, and publish the tiers if one of them moved.

    Args:
        draft: its window stands at ``at_ms``.
        at_ms: the instant.
        known_until_ms: silences that start before it are raised.
        because: what a tier change is put down to.
    """
    state, cuts = draft.state, draft.moment.cuts
    state.score = score_of(state.net_minor, state.orders, state.purchase_days, draft.policy)
    ranked_before, shown_before = state.ranked, state.tier
    if ranked_before is None:
        if not state.purchases:
            return  # a prospect: no tier before the first purchase event
        ranked = first_tier(state.score, cuts)
    else:
        ranked = next_tier(
            ranked_before,
            state.score,
            cuts,
            ranked_since_ms=state.ranked_since_ms,
            now_ms=at_ms,
            policy=draft.policy,
        )
    if ranked is not ranked_before:
        state.ranked, state.ranked_since_ms = ranked, at_ms
    silence.review(draft, at_ms, known_until_ms)
    in_episode = bool(state.episodes) and any(episode.is_open for episode in state.episodes)
    shown = shown_tier(ranked, orders=state.orders, in_episode=in_episode)
    if shown is not shown_before:
        state.tier, state.tier_since_ms = shown, at_ms
    if ranked is not ranked_before or shown is not shown_before:
        effects.tier_changed(
            draft, at_ms, shown_before=shown_before, ranked_before=ranked_before, because=because
        )
