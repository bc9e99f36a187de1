"""What of one customer can't be added up, or has no room: refused in words, so that nothing is lost silently.

Whatever a warning or a score may rest on is kept whole up to a bound, and refused beyond it. Whoever comes
near one of these bounds is no single person: a till, a test account, a robot that opens every message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from schemas.events import CustomerDescribed, PurchaseCorrected, ReferralMade, ServiceContactRecorded
from schemas.wire import Reason, Refused
from services.scorer.core import contacts, facts, notes, sightings
from services.scorer.core.facts import Fact
from services.scorer.core.identity import stable_hash
from services.scorer.core.money import in_base
from services.scorer.core.news import Amendment, News, Note
from services.scorer.core.state import Sighting

if TYPE_CHECKING:
    from schemas.events import Input, PurchaseBody, PurchaseRecorded
    from services.scorer.core.policy import Policy
    from services.scorer.core.state import State

# The sum of all that may be remembered has to stay within 64 bits.
BASE_MINOR_MAX: Final = 10**14
UNSUBSCRIBED_MAX: Final = 64
COMPLAINTS_MAX: Final = notes.CASES_MAX
REFERRALS_MAX: Final = 5_000


def refuse(state: State, event: Input, news: News, now_ms: int, policy: Policy) -> None:
    """Refuse an event that can't be added up, or that there is no room for.

    Raises:
        Refused: CURRENCY, RANGE or HOT.
    """
    match news:
        case Sighting():
            _refuse_sighting(state, news, now_ms - policy.memory_ms, policy)
        case Note():
            _refuse_note(state, news, now_ms - policy.memory_ms, policy)
        case Amendment():
            _refuse_amendment(state, news, now_ms - policy.memory_ms, policy)
            if news.fact is not None and isinstance(event, PurchaseCorrected):
                _refuse_purchase(state, event.purchase, news.fact, now_ms, policy)
        case Fact():
            _refuse_purchase(state, event, news, now_ms, policy)


def _refuse_purchase(state: State, body: Any, fact: Fact, now_ms: int, policy: Policy) -> None:
    """Refuse amounts that no sum holds, and more than ``purchases_max`` in the window, or behind it."""
    if body.currency not in policy.conversions:
        raise Refused(
            Reason.CURRENCY, f"the policy counts in {policy.currency} and has no rate for {body.currency}"
        )
    _refuse_amounts(body, fact, policy)
    size = facts.count(state.purchases)
    if size < policy.purchases_max:
        return
    start_ms = now_ms - policy.window_ms
    outside = facts.first_after(state.purchases, start_ms)
    beside = size - outside if fact.time_ms > start_ms else outside
    old = facts.find_event(state.purchases, fact.event)  # what a correction replaces makes room for it
    if old is not None and (old.time_ms > start_ms) == (fact.time_ms > start_ms):
        beside -= 1
    if beside >= policy.purchases_max:
        raise Refused(Reason.HOT, f"the customer has {policy.purchases_max} purchases in the window already")


def _refuse_amounts(body: PurchaseRecorded | PurchaseBody, fact: Fact, policy: Policy) -> None:
    if abs(fact.amount_minor) > BASE_MINOR_MAX:
        _refuse_range("the amount comes", policy)
    if body.lines and (policy.keeps_interests or policy.needs_products):
        total = sum(abs(in_base(line.amount_minor, body.currency, policy)) for line in body.lines)
        if total > BASE_MINOR_MAX:
            _refuse_range("the lines come", policy)


def _refuse_range(what: str, policy: Policy) -> None:
    most = f"{BASE_MINOR_MAX:.0e} minor units of {policy.currency}"
    raise Refused(Reason.RANGE, f"{what} to more than {most}")


def _refuse_amendment(state: State, news: Amendment, horizon_ms: int, policy: Policy) -> None:
    """Refuse to correct more purchases than there may be."""
    if len(state.revisions) < policy.purchases_max:
        return
    known = [one for one in state.revisions if one.time_ms >= horizon_ms]
    if len(known) >= policy.purchases_max and all(one.event != news.purchase for one in known):
        raise Refused(Reason.HOT, f"{policy.purchases_max} purchases of the customer were corrected already")


def _refuse_sighting(state: State, news: Sighting, horizon_ms: int, policy: Policy) -> None:
    """Refuse a contact that may end an episode, or begin one, beyond those that are kept whole."""
    if sightings.is_response(news):
        known, kind, at_most = contacts.remembered(state.responses, horizon_ms), "answers", contacts.TIMES_MAX
    elif news.kind == "opened" and policy.heeds_openings:
        known, kind, at_most = contacts.remembered(state.openings, horizon_ms), "openings", contacts.TIMES_MAX
    elif news.kind == "unsubscribed":
        known = [one for one in state.unsubscribed if one >= horizon_ms]
        kind, at_most = "unsubscriptions", UNSUBSCRIBED_MAX
    else:
        return
    if len(known) >= at_most and news.time_ms not in known:
        raise Refused(Reason.HOT, f"the customer has {at_most} remembered {kind} already")


def _refuse_note(state: State, news: Note, horizon_ms: int, policy: Policy) -> None:
    match news.body:
        case CustomerDescribed(assets_minor=int(amount_minor), assets_currency=currency):
            if abs(in_base(amount_minor, currency, policy)) > BASE_MINOR_MAX:
                _refuse_range("the assets come", policy)
        case ServiceContactRecorded(kind="complaint"):
            known = notes.remembered_complaints(state, horizon_ms, policy)
            if len(known) >= COMPLAINTS_MAX and news.body.contact_id not in known:
                raise Refused(Reason.HOT, f"the customer has {COMPLAINTS_MAX} remembered complaints already")
        case ReferralMade():
            referred = stable_hash(news.body.referred_customer_id)
            if len(state.referrals) >= REFERRALS_MAX and notes.paired_ms(state.referrals, referred) is None:
                raise Refused(Reason.HOT, f"the customer has referred {REFERRALS_MAX} people already")
