"""What time alone does: a fact leaves the window, a dwell ends, a silence grows too long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.tiers import Cause
from services.scorer.core import episodes, memory, pins, window
from services.scorer.core.draft import Because, Draft
from services.scorer.core.evaluate import evaluate
from services.scorer.core.metrics import referrals
from services.scorer.core.state import NEVER_MS
from services.scorer.core.tiers import is_downgrade, value_of, wanted_tier

if TYPE_CHECKING:
    from services.scorer.core.cuts import Cuts
    from services.scorer.core.policy import Policy
    from services.scorer.core.state import State

_TIME = Because(Cause.TIME)


def next_due_ms(state: State, policy: Policy, cuts: Cuts | None) -> int | None:
    """Return when ``settle`` would next do something, in ms; it may be early, never late.

    A silence that starts at s is due at s + 1: only then is everything up to s known. So a customer is
    to be settled when ``next_due_ms <= moment.known_until_ms``, which is the lane's clock, and 1 ms more
    at the complete end of a replay.
    """
    turn_ms = _next_turn_ms(state, policy.fixed_cuts or cuts, policy)
    start_ms = episodes.next_start_ms(state, policy)
    due_ms = min(turn_ms, start_ms + 1)
    return None if due_ms >= NEVER_MS else due_ms


def pass_time(draft: Draft, to_ms: int, *, through_ms: int, known_until_ms: int) -> None:
    """Fire what is due, each at its own instant and in order, then let the clock stand at ``to_ms``.

    At one instant the tier is ranked before a silence is judged.

    Args:
        draft: the step.
        to_ms: where the clock stands afterwards, unless it stands later already.
        through_ms: expiries and dwells up to and including it fire.
        known_until_ms: episodes that start before it fire.
    """
    state, policy, cuts = draft.state, draft.policy, draft.cuts
    while True:
        turn_ms = _next_turn_ms(state, cuts, policy)
        start_ms = episodes.next_start_ms(state, policy)
        if turn_ms <= through_ms and turn_ms <= start_ms:
            is_start = turn_ms == start_ms and turn_ms < known_until_ms
            at_ms, until_ms = turn_ms, turn_ms + 1 if is_start else turn_ms  # one change, not two
        elif start_ms < known_until_ms:
            at_ms, until_ms = start_ms, start_ms + 1
        else:
            break
        _stand_at(state, at_ms, policy)
        evaluate(draft, at_ms, until_ms, _TIME)
    _stand_at(state, to_ms, policy)


def _stand_at(state: State, at_ms: int, policy: Policy) -> None:
    """Let a draft's clock stand at ``at_ms``, or where it stood if that is later.

    Forgetting belongs to it: what is known at an instant must not depend on who looked before.
    """
    window.move(state, max(at_ms, state.settled_ms), policy)
    memory.forget(state, policy)


def _next_turn_ms(state: State, cuts: Cuts | None, policy: Policy) -> int:
    """Return when time next moves the score, the ranked tier or the pin, apart from episodes."""
    turn_ms = window.next_expiry_ms(state, policy)
    if cuts is not None and state.ranked is not None:
        turn_ms = min(turn_ms, _dwell_end_ms(state, state.ranked, cuts, policy))
    if state.decision is not None:
        turn_ms = min(turn_ms, pins.end_ms(state))
    if state.referrals and "referrals" in policy.measured:
        turn_ms = min(turn_ms, referrals.next_expiry_ms(state, policy))
    if policy.samples_daily and state.ranked is not None:
        return min(turn_ms, policy.next_midnight_ms(state.settled_ms))
    return turn_ms


def _dwell_end_ms(state: State, ranked: str, cuts: Cuts, policy: Policy) -> int:
    """Return when the downgrade that is wanted may happen, never when none is wanted.

    Not before the customer's clock: cuts that it was not yet told of may want one long overdue.
    """
    ladder = policy.tiers
    level = ladder.level_of[ranked]
    if level == len(cuts.points):
        return NEVER_MS  # there is nothing below
    value = value_of(state, policy)
    # Most customers stand well above the edge below them: the whole question need not be asked.
    if value >= cuts.points[level].leave:
        return NEVER_MS
    if not is_downgrade(ranked, wanted_tier(ranked, value, cuts, ladder), ladder):
        return NEVER_MS
    return max(state.ranked_since_ms + ladder.dwell_ms, state.settled_ms)
