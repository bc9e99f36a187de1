"""What is taken up of an event, what is refused, and what is forgotten as the clock moves on.

Facts are remembered for the window and the lateness together (395 days). An order, its sales and the
returns that name it are remembered until the newest of them is that old: a return that stays must not
lose its order, or it would count a second time, on its own day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.wire import Reason, Refused
from services.scorer.core import facts, silence, window
from services.scorer.core.contacts import response_contact, sale_contact, since_horizon, with_contact
from services.scorer.core.sightings import is_response, with_sighting
from services.scorer.core.state import Sighting, State

if TYPE_CHECKING:
    from schemas.events import PurchaseRecorded
    from services.scorer.core.facts import Fact
    from services.scorer.core.policy import Policy


def is_repeat(state: State, news: Fact | Sighting, now_ms: int, policy: Policy) -> bool:
    """Whether the event is known already, with this very body.

    Raises:
        Refused: CONFLICT, the id is known with another body; LATE, it is older than what is remembered,
            so it can't be told from a repeat.
    """
    horizon_ms = now_ms - policy.memory_ms
    known = _known(state, news, horizon_ms)
    if known is not None and known.crc != news.crc:
        raise Refused(Reason.CONFLICT, "this customer's event_id was used with another body")
    if known is None and news.time_ms < horizon_ms:
        days = policy.window_days + policy.lateness_days
        raise Refused(Reason.LATE, f"the event is more than {days} days older than the customer's clock")
    return known is not None


def refuse_purchase(state: State, event: PurchaseRecorded, time_ms: int, now_ms: int, policy: Policy) -> None:
    """Refuse a purchase that can't be added up, or that there is no room for.

    Room is ``purchases_max`` facts in the window, and as many behind it.

    Raises:
        Refused: CURRENCY or HOT.
    """
    if event.currency != policy.currency:
        raise Refused(Reason.CURRENCY, f"the policy counts in {policy.currency}, not {event.currency}")
    size = facts.count(state.purchases)
    if size < policy.purchases_max:
        return
    start_ms = now_ms - policy.window_ms
    outside = facts.first_after(state.purchases, start_ms)
    beside = size - outside if time_ms > start_ms else outside
    if beside >= policy.purchases_max:
        raise Refused(Reason.HOT, f"the customer has {policy.purchases_max} purchases in the window already")


def take_up(state: State, news: Fact | Sighting, policy: Policy) -> None:
    """Record a new event in a draft's state."""
    if isinstance(news, Sighting):
        _take_up_sighting(state, news, policy)
        return
    window.add(state, news, policy)
    if news.is_sale:
        state.contacts = with_contact(state.contacts, sale_contact(news.time_ms), policy.shortest_silence_ms)


def forget(state: State, policy: Policy) -> None:
    """Drop from a draft's state what is no longer remembered at ``settled_ms``."""
    horizon_ms = state.settled_ms - policy.memory_ms
    if state.oldest_ms < horizon_ms:
        _forget_purchases(state, horizon_ms)
    kept = since_horizon(state.contacts, horizon_ms)
    if kept is not state.contacts:
        state.contacts = kept
        state.episodes = silence.remembered(state, policy)
    if state.recent and state.recent[0].time_ms < horizon_ms:
        state.recent = tuple(one for one in state.recent if one.time_ms >= horizon_ms)


def _known(state: State, news: Fact | Sighting, horizon_ms: int) -> Fact | Sighting | None:
    if isinstance(news, Sighting):
        return next(
            (one for one in state.recent if one.event == news.event and one.time_ms >= horizon_ms), None
        )
    fact = facts.find_event(state.purchases, news.event)
    if fact is None or fact.time_ms >= horizon_ms or _newest_ms(state.purchases, fact) >= horizon_ms:
        return fact
    return None  # only not forgotten yet: whether it was must not depend on when somebody last looked


def _newest_ms(purchases: bytes, fact: Fact) -> int:
    """Return the time of the newest fact about the same order."""
    if fact.order == 0:
        return fact.time_ms
    return max(one.time_ms for one in facts.every(purchases) if one.order == fact.order)


def _take_up_sighting(state: State, sighting: Sighting, policy: Policy) -> None:
    time_ms = sighting.time_ms
    state.recent = with_sighting(state.recent, sighting)
    if sighting.kind == "opened":
        state.last_opened_ms = max(state.last_opened_ms or 0, time_ms)
    if is_response(sighting):
        state.last_response_ms = max(state.last_response_ms or 0, time_ms)
        state.contacts = with_contact(state.contacts, response_contact(time_ms), policy.shortest_silence_ms)


def _forget_purchases(state: State, horizon_ms: int) -> None:
    """Drop the facts of orders without a fact from ``horizon_ms`` on; all of them left the window before."""
    purchases, size, gone = state.purchases, facts.count(state.purchases), 0
    # The usual case: an order of one sale at the head.
    while gone < size and facts.time_at(purchases, gone) < horizon_ms:
        if not window.is_alone(state, facts.fact_at(purchases, gone)):
            break
        gone += 1
    state.purchases = purchases[gone * facts.SIZE :]
    state.outside -= gone
    state.oldest_ms = facts.time_at(purchases, gone) if gone < size else 2**62
    if state.oldest_ms < horizon_ms:
        _forget_orders(state, horizon_ms)


def _forget_orders(state: State, horizon_ms: int) -> None:
    newest: dict[int, int] = {}
    for fact in facts.every(state.purchases):  # in order of time: the last one stays
        newest[fact.order or fact.event] = fact.time_ms
    kept = [fact for fact in facts.every(state.purchases) if newest[fact.order or fact.event] >= horizon_ms]
    state.outside -= facts.count(state.purchases) - len(kept)
    state.purchases = b"".join(map(facts.pack, kept))
    state.has_links = len({fact.order or fact.event for fact in kept}) < len(kept)
    state.oldest_ms = min((time_ms for time_ms in newest.values() if time_ms >= horizon_ms), default=2**62)
