"""One customer under another policy: everything that is derived is derived anew from the facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.tiers import Cause
from services.scorer.core import contacts, counted, episodes, memory, window
from services.scorer.core.draft import Because, Draft, Step
from services.scorer.core.evaluate import review_and_show
from services.scorer.core.score import score_of
from services.scorer.core.tiers import placed_tier, value_of

if TYPE_CHECKING:
    from services.scorer.core.draft import Moment
    from services.scorer.core.policy import Policy
    from services.scorer.core.state import State

_POLICY = Because(Cause.POLICY)


def rescore(state: State, moment: Moment, policy: Policy) -> Step:
    """Bring a customer under another policy at ``moment.now_ms``; ``settle`` under the old one comes first.

    The ranked tier is where the plain cuts place the score: the dwell protects from the crowd and from
    time, not from a decision of the house. Episodes of rules that are gone end; those of new rules count
    from now on as if they had always been there. ``moved`` begins outside: the histogram is another one.

    Whether anybody hears of it is the caller's to say.
    """
    draft = Draft.of(state, moment, policy)
    kept = draft.state
    window.reopen(kept, max(moment.now_ms, kept.settled_ms), policy)
    contacts.rebuild(kept, kept.settled_ms - policy.memory_ms, policy)
    kept.counted = counted.begun(kept.counted, kept.settled_ms, policy)
    memory.forget(kept, policy)
    kept.score = score_of(kept, policy)
    ranked_before = kept.ranked
    if ranked_before is None:
        return _outside(draft.step())
    at_ms = kept.settled_ms
    kept.ranked = placed_tier(value_of(kept, policy), draft.cuts, policy.tiers)
    if kept.ranked != ranked_before:
        kept.ranked_since_ms = at_ms
    episodes.abandon(draft, at_ms)
    kept.starts = ()
    review_and_show(draft, at_ms, moment.known_until_ms, _POLICY, ranked_before=ranked_before)
    return _outside(draft.step())


def _outside(step: Step) -> Step:
    return Step(state=step.state, effects=step.effects, moved=(None, step.moved[1]))
