"""The three transitions: an event came, time passed, the crowd moved. Pure, all of them.

A customer's now is the latest of the lane's clock, the event's time and the customer's own clock. What
was due strictly before it fires first, each at its own instant; what is due at the same instant is
merged into the one evaluation at now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.events import Input, PurchaseRecorded
from schemas.tiers import Cause
from services.scorer.core import memory, window
from services.scorer.core.draft import Because, Draft, Moment, Step
from services.scorer.core.due import pass_time
from services.scorer.core.evaluate import become_prospect, evaluate
from services.scorer.core.news import Amendment, moves_a_tier, news_of
from services.scorer.core.state import Counted, State

if TYPE_CHECKING:
    from services.scorer.core.policy import Policy

__all__ = ["Moment", "Step", "adopt", "advance", "settle"]

_CROWD = Because(Cause.CROWD)


def advance(state: State | None, event: Input, moment: Moment, policy: Policy) -> Step:
    """Apply one event; a repeat of a known one changes nothing, not even the clock.

    Args:
        state: the customer's, None for one never seen.
        event: of that customer.
        moment: what is known of the world.
        policy: the one in force.

    Raises:
        Refused: CONFLICT, LATE, CURRENCY, RANGE or HOT; the state is unchanged then.
    """
    news = news_of(event, policy)
    now_ms = max(moment.now_ms, news.time_ms)
    # Clocks differ: a purchase may be later than its correction.
    if isinstance(news, Amendment) and news.fact is not None:
        now_ms = max(now_ms, news.fact.time_ms)
    if state is None:
        nothing = Counted() if policy.keeps_months else None
        state = State(customer_id=event.customer_id, settled_ms=now_ms, counted=nothing)
    now_ms = max(now_ms, state.settled_ms)
    if memory.is_repeat(state, news, now_ms, policy):
        return _repeat(state, event, now_ms, moment, policy)
    memory.refuse(state, event, news, now_ms, policy)
    draft = Draft.of(state, moment, policy)
    if not moves_a_tier(news, policy):  # it must not be named as the cause of what time did at its instant
        pass_time(draft, now_ms - 1, through_ms=now_ms - 1, known_until_ms=now_ms)
        memory.take_up(draft, event, news)
        return draft.step()
    pass_time(draft, now_ms, through_ms=now_ms - 1, known_until_ms=now_ms)
    memory.take_up(draft, event, news)
    evaluate(draft, now_ms, max(now_ms, moment.known_until_ms), Because(Cause.EVENT, event.event_id))
    if draft.undone:
        become_prospect(draft.state)
    return draft.step()


def _repeat(state: State, event: Input, now_ms: int, moment: Moment, policy: Policy) -> Step:
    """Return the step of an event that says nothing new of this customer.

    A purchase that comes after its correction may still say something of another one: who referred him.
    """
    if isinstance(event, PurchaseRecorded) and event.referred_by is not None:
        draft = Draft.of(state, moment, policy)
        memory.tell_of_corrected(draft, event, now_ms)
        if draft.effects:
            return draft.step()
    return Step(state=state, moved=(policy.bin_of(state), policy.bin_of(state)), duplicate=True)


def settle(state: State, moment: Moment, policy: Policy) -> Step:
    """Let time pass to ``moment.now_ms``: everything due by then fires, each at its own instant."""
    draft = Draft.of(state, moment, policy)
    pass_time(draft, moment.now_ms, through_ms=moment.now_ms, known_until_ms=moment.known_until_ms)
    return draft.step()


def adopt(state: State, moment: Moment, policy: Policy) -> Step:
    """Re-tier the customer under cuts that came into force at ``moment.now_ms``.

    ``settle`` under the old cuts comes first: what was due by now fires under those. Nothing that the
    new cuts ask for may be dated before they were in force, a dwell that ended long ago included.
    """
    draft = Draft.of(state, moment, policy)
    window.move(draft.state, max(moment.now_ms, state.settled_ms), policy)
    evaluate(draft, draft.state.settled_ms, moment.known_until_ms, _CROWD)
    return draft.step()
