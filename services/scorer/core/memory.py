"""What is taken up of an event, what is refused, and what is forgotten as the clock moves on.

Facts are remembered for the window and the lateness together (395 days by default). An order, its sales and the
returns that name it are remembered until the newest of them is that old: a return that stays must not
lose its order, or it would count a second time, on its own day.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from schemas.events import PurchaseCorrected, PurchaseRecorded, ReferralMade
from schemas.times import to_ms
from schemas.wire import Reason, Refused
from services.scorer.core import contacts, counted, earnings, episodes, facts, notes, sightings, window
from services.scorer.core.facts import Fact
from services.scorer.core.identity import stable_hash
from services.scorer.core.limits import refuse
from services.scorer.core.news import Amendment, News, Note
from services.scorer.core.policy import DisengagedRule
from services.scorer.core.state import NEVER_MS, Earned, Revision, Sighting, State

if TYPE_CHECKING:
    from schemas.events import Input
    from services.scorer.core.draft import Draft
    from services.scorer.core.policy import Policy

__all__ = ["forget", "is_repeat", "refuse", "take_up", "tell_of_corrected"]


def is_repeat(state: State, news: News, now_ms: int, policy: Policy) -> bool:
    """Whether the event is known already, with this very body, or by a higher revision.

    Raises:
        Refused: CONFLICT, the id is known with another body; LATE, it is older than what is remembered,
            so it can't be told from a repeat.
    """
    horizon_ms = now_ms - policy.memory_ms
    if isinstance(news, Amendment):
        return _is_known_revision(state, news, horizon_ms)
    if isinstance(news, Note) and isinstance(news.body, ReferralMade):
        return _is_known_pair(state, news)
    known = _known(state, news, horizon_ms)
    if isinstance(known, Revision):
        return True  # what the purchase first said was corrected since
    if known is not None and known.crc != news.crc:
        raise Refused(Reason.CONFLICT, "this customer's event_id was used with another body")
    if known is None and news.time_ms < horizon_ms:
        _refuse_late(policy)
    return known is not None


def take_up(draft: Draft, event: Input, news: News) -> None:
    """Record a new event in a draft's state."""
    match news:
        case Sighting():
            _take_up_sighting(draft, news, event)
        case Note():
            notes.take_up(draft, news)
        case Amendment():
            _amend(draft, news)
            gone = earnings.withdraw(draft.state, news.purchase)
            if news.fact is not None and isinstance(event, PurchaseCorrected):
                _earn(draft, news.fact, event.purchase, gone)
        case Fact():
            _take_up_purchase(draft, news)
            if isinstance(event, PurchaseRecorded) and event.referred_by is not None:
                notes.tell_referrer(draft, event)
            _earn(draft, news, event)


def tell_of_corrected(draft: Draft, purchase: PurchaseRecorded, now_ms: int) -> None:
    """Tell the referrer of a purchase that came after its correction, as if it had come before."""
    is_corrected = _revision(draft.state, stable_hash(purchase.event_id)) is not None
    if is_corrected and to_ms(purchase.occurred_at) >= now_ms - draft.policy.memory_ms:
        notes.tell_referrer(draft, purchase)  # any other was told of when it was taken up


def forget(state: State, policy: Policy) -> None:
    """Drop from a draft's state what is no longer remembered at ``settled_ms``."""
    horizon_ms = state.settled_ms - policy.memory_ms
    if state.oldest_ms < horizon_ms:
        _forget_purchases(state, horizon_ms)
    contacts.forget(state, horizon_ms)
    episodes.forget(state, horizon_ms, policy)
    if state.recent and state.recent[0].time_ms < horizon_ms:
        state.recent = tuple(one for one in state.recent if one.time_ms >= horizon_ms)
    if state.counted is not None:
        state.counted = counted.forget(state.counted, horizon_ms)
    notes.forget(state, horizon_ms, policy)


def _known(state: State, news: Fact | Sighting | Note, horizon_ms: int) -> Any:
    """Return what is remembered under the event's id, if it may still be."""
    if isinstance(news, Sighting):
        return _remembered(state.recent, news.event, horizon_ms) or _counted(state, news.event, horizon_ms)
    if isinstance(news, Note):
        return _remembered(state.seen, news.event, horizon_ms) or _counted(state, news.event, horizon_ms)
    revised = _revision(state, news.event)
    if revised is not None and revised.time_ms >= horizon_ms:
        return revised
    return _known_purchase(state, news.event, horizon_ms)


def _known_purchase(state: State, event: int, horizon_ms: int) -> Fact | None:
    """Return the fact of an event, None also where it is only not forgotten yet.

    Whether it was forgotten must not depend on when somebody last looked.
    """
    fact = facts.find_event(state.purchases, event)
    if fact is None or fact.time_ms >= horizon_ms or _newest_ms(state.purchases, fact) >= horizon_ms:
        return fact
    return None


def _remembered(kept: tuple[Any, ...], event: int, horizon_ms: int) -> Any:
    return next((one for one in kept if one.event == event and one.time_ms >= horizon_ms), None)


def _counted(state: State, event: int, horizon_ms: int) -> Any:
    one = counted.find(state, event)
    return one if one is not None and one.time_ms >= horizon_ms else None


def _revision(state: State, event: int) -> Revision | None:
    at = bisect_left(state.revisions, event, key=lambda one: one.event)
    return state.revisions[at] if at < len(state.revisions) and state.revisions[at].event == event else None


def _is_known_revision(state: State, news: Amendment, horizon_ms: int) -> bool:
    revised = _revision(state, news.purchase)
    if revised is not None and revised.number >= news.number:
        if revised.number == news.number and revised.crc != news.crc:
            raise Refused(Reason.CONFLICT, "this revision of the purchase has another body already")
        return True
    old = _known_purchase(state, news.purchase, horizon_ms)
    told_ms = min(news.fact.time_ms if news.fact is not None else NEVER_MS, news.time_ms)
    if told_ms < horizon_ms or (old is not None and old.time_ms < horizon_ms):
        raise Refused(
            Reason.LATE, "the purchase is older than what is remembered; its correction can't count"
        )
    return False


def _is_known_pair(state: State, news: Note) -> bool:
    referred = stable_hash(news.body.referred_customer_id)
    known_ms = notes.paired_ms(state.referrals, referred)
    return known_ms is not None and known_ms <= news.time_ms


def _refuse_late(policy: Policy) -> None:
    days = policy.window_days + policy.lateness_days
    raise Refused(Reason.LATE, f"the event is more than {days} days older than the customer's clock")


def _newest_ms(purchases: bytes, fact: Fact) -> int:
    """Return the time of the newest fact about the same order."""
    if fact.order == 0:
        return fact.time_ms
    return max(one.time_ms for one in facts.every(purchases) if one.order == fact.order)


def _take_up_purchase(draft: Draft, fact: Fact) -> None:
    state = draft.state
    if not fact.is_sale:
        window.add(state, fact, draft.policy)
        return
    _hear(draft, fact.time_ms)
    window.add(state, fact, draft.policy)
    contacts.note_sale(state, fact.time_ms, draft.policy)


def _amend(draft: Draft, news: Amendment) -> None:
    """Put another body in the place of a purchase's; the highest revision counts."""
    state, policy = draft.state, draft.policy
    revised = Revision(news.purchase, news.number, news.crc, news.time_ms)
    state.revisions = (*(one for one in state.revisions if one.event != news.purchase), revised)
    state.revisions = tuple(sorted(state.revisions, key=lambda one: one.event))
    old = facts.find_event(state.purchases, news.purchase)
    if old is not None:
        window.remove(state, old, policy)
        draft.undone = news.fact is None and not state.purchases and state.first_purchase_ms is None
    if news.fact is not None:
        window.add(state, news.fact, policy)
    contacts.rebuild(state, state.settled_ms - policy.memory_ms, policy)
    draft.news_is_late = True


def _earn(draft: Draft, fact: Fact, body: Any, gone: Earned | None = None) -> None:
    """Count what a purchase puts into its month.

    Of one from before the months were kept nobody knows what they hold of it: as much is put in as was
    taken out for it (``gone``), and nothing where nothing was.
    """
    earned = earnings.earned_of(body, fact, draft.moment.products, draft.policy)
    if earned is not None and fact.time_ms < counted.since_ms(draft.state):
        earned = None if gone is None else replace(earned, names=earned.names if gone.names else b"")
    if earned is not None:
        earnings.note(draft.state, earned)


def _take_up_sighting(draft: Draft, sighting: Sighting, event: Any) -> None:
    state, policy, time_ms = draft.state, draft.policy, sighting.time_ms
    state.recent = sightings.with_sighting(state.recent, sighting)
    if counted.note(state, sighting, policy):
        notes.interact(state, time_ms, policy)
        if policy.keeps_interests and sightings.is_browse(sighting):
            notes.note_browse(state, time_ms, event, policy)
    if sightings.is_browse(sighting):
        if sighting.competitor:
            notes.mention(draft, time_ms, sighting.competitor)
    elif sightings.is_response(sighting):
        _hear(draft, time_ms)
        state.last_response_ms = max(state.last_response_ms or 0, time_ms)
        contacts.note_response(state, time_ms, policy)
    elif sighting.kind == "opened":
        if policy.heeds_openings:
            _hear(draft, time_ms)
        state.last_opened_ms = max(state.last_opened_ms or 0, time_ms)
        contacts.note_opening(state, time_ms, policy)
    elif sighting.kind == "unsubscribed":
        state.unsubscribed = tuple(sorted({*state.unsubscribed, time_ms}))
        draft.noted = draft.noted or policy.has_rule(DisengagedRule)


def _hear(draft: Draft, time_ms: int) -> None:
    """Note that the customer was heard of; before the contact is put among those that are known."""
    state = draft.state
    latest_ms = max(state.last_purchase_ms or 0, state.last_response_ms or 0)
    if draft.policy.heeds_openings:
        latest_ms = max(latest_ms, state.last_opened_ms or 0)
    if state.episodes:
        # A contact of the very instant of a start prevents it as well; one of an end may be the end.
        latest_ms = max(latest_ms, *(max(one.start_ms, one.end_ms) + 1 for one in state.episodes))
    if state.mentions or state.unsubscribed or state.cases:
        latest_ms = max(latest_ms, state.settled_ms)  # a contact may lie between two of these
    if time_ms < latest_ms or (state.first_purchase_ms is not None and time_ms < state.first_purchase_ms):
        draft.news_is_late = True
    draft.heard = True


def _forget_purchases(state: State, horizon_ms: int) -> None:
    """Drop the facts of orders without a fact from ``horizon_ms`` on; all of them left the window before."""
    purchases, size, gone = state.purchases, facts.count(state.purchases), 0
    # The usual case: an order of one sale at the head.
    while gone < size and facts.time_at(purchases, gone) < horizon_ms:
        if not window.is_alone(state, facts.fact_at(purchases, gone)):
            break
        gone += 1
    _note_forgotten(state, facts.every(purchases[: gone * facts.SIZE]))
    state.purchases = purchases[gone * facts.SIZE :]
    state.outside -= gone
    state.oldest_ms = facts.time_at(purchases, gone) if gone < size else NEVER_MS
    if state.oldest_ms < horizon_ms:
        _forget_orders(state, horizon_ms)


def _forget_orders(state: State, horizon_ms: int) -> None:
    newest: dict[int, int] = {}
    for fact in facts.every(state.purchases):  # in order of time: the last one stays
        newest[fact.order or fact.event] = fact.time_ms
    every = list(facts.every(state.purchases))
    kept = [fact for fact in every if newest[fact.order or fact.event] >= horizon_ms]
    _note_forgotten(state, (fact for fact in every if newest[fact.order or fact.event] < horizon_ms))
    state.outside -= facts.count(state.purchases) - len(kept)
    state.purchases = b"".join(map(facts.pack, kept))
    state.has_links = len({fact.order or fact.event for fact in kept}) < len(kept)
    state.oldest_ms = min((time_ms for time_ms in newest.values() if time_ms >= horizon_ms), default=NEVER_MS)


def _note_forgotten(state: State, gone: Any) -> None:
    """Keep when the latest forgotten sale was: a silence may still begin there."""
    latest_ms = max((fact.time_ms for fact in gone if fact.is_sale), default=None)
    if latest_ms is not None:
        state.forgotten_last_ms = max(state.forgotten_last_ms or 0, latest_ms)
