"""What is taken up of the quieter topics: attributes, referrals, service contacts, feedback, decisions.

Every one is a set, a maximum or the latest by event time, so the order of arrival can't show and a
repeat changes nothing.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from schemas.events import (
    ChurnReasonCorrected,
    CustomerDescribed,
    FeedbackGiven,
    ReferralMade,
    ServiceContactRecorded,
    TierPinned,
    TierUnpinned,
)
from schemas.times import DAY_MS, to_ms
from services.scorer.core import counted, earnings, months, pins
from services.scorer.core.identity import stable_hash
from services.scorer.core.money import in_base
from services.scorer.core.referral import referral_of
from services.scorer.core.state import (
    MENTIONS_MAX,
    NEVER_MS,
    Answer,
    Attribute,
    Case,
    Correction,
    Decision,
    Interest,
    Mention,
    Referral,
    Seen,
)

if TYPE_CHECKING:
    from schemas.events import ProductBrowsed, PurchaseRecorded
    from services.scorer.core.draft import Draft
    from services.scorer.core.news import Note
    from services.scorer.core.policy import Policy
    from services.scorer.core.state import State

SEEN_MAX: Final = 64
CASES_MAX: Final = 64
# A complaint counts for as long as its rule may wait (``DisengagedRule.complaint_days``), and one day more.
_COMPLAINT_MS: Final = 91 * DAY_MS
ANSWERS_MAX: Final = 16
CORRECTIONS_MAX: Final = 64
REFERRERS_MAX: Final = 64
_NOT_ATTRIBUTES: Final = frozenset(
    {"event_id", "customer_id", "occurred_at", "cleared", "assets_minor", "assets_currency"}
)

_SEVERITIES: Final = ("", "minor", "medium", "serious")  # ascending


def take_up(draft: Draft, note: Note) -> None:
    """Record a note in a draft's state."""
    state, body = draft.state, note.body
    if counted.note(state, note, draft.policy):
        interact(state, note.time_ms, draft.policy)
    state.seen = _newest(state.seen, Seen(note.time_ms, note.event, note.crc), SEEN_MAX)
    match body:
        case CustomerDescribed():
            _describe(state, note, draft.policy)
        case ReferralMade():
            _refer(state, stable_hash(body.referred_customer_id), note.time_ms)
        case ServiceContactRecorded():
            _contact(draft, note)
        case FeedbackGiven():
            state.answers = _newest(
                state.answers, Answer(note.time_ms, note.event, body.kind, body.score), ANSWERS_MAX
            )
        case TierPinned():
            until_ms = NEVER_MS if body.until is None else to_ms(body.until)
            decision = Decision(note.time_ms, note.event, body.tier, until_ms, body.cause, body.decided_by)
            pins.decide(state, decision)
        case TierUnpinned():
            pins.decide(state, Decision(note.time_ms, note.event, "", 0, body.cause, body.decided_by))
        case ChurnReasonCorrected():
            _correct_reason(state, note)


def mention(draft: Draft, time_ms: int, competitor: str) -> None:
    """Note that a competitor was named."""
    state = draft.state
    one = Mention(time_ms, competitor)
    if one not in state.mentions:
        kept = list(state.mentions)
        insort(kept, one, key=lambda known: (known.time_ms, known.competitor))
        state.mentions = tuple(kept[-MENTIONS_MAX:])
        draft.noted = True


def interact(state: State, time_ms: int, policy: Policy) -> None:
    """Count one more interaction in its month."""
    state.months = months.noted(state.months, months.number_of(time_ms, policy), interactions=1)


def forget(state: State, horizon_ms: int, policy: Policy) -> None:
    """Drop from a draft's state what is no longer remembered."""
    if not (
        state.seen or state.mentions or state.cases or state.revisions or state.months or state.unsubscribed
    ):
        return  # the usual customer
    if state.seen and state.seen[0].time_ms < horizon_ms:
        state.seen = tuple(one for one in state.seen if one.time_ms >= horizon_ms)
    if state.mentions and state.mentions[0].time_ms < horizon_ms:
        state.mentions = tuple(one for one in state.mentions if one.time_ms >= horizon_ms)
    if state.unsubscribed and state.unsubscribed[0] < horizon_ms:
        state.unsubscribed = tuple(one for one in state.unsubscribed if one >= horizon_ms)
    if state.cases:
        kept = tuple(one for one in state.cases if _is_remembered(one, horizon_ms, policy))
        state.cases = kept if len(kept) < len(state.cases) else state.cases
    if state.revisions:
        kept_too = tuple(one for one in state.revisions if one.time_ms >= horizon_ms)
        state.revisions = kept_too if len(kept_too) < len(state.revisions) else state.revisions
    if state.months:
        now = months.number_of(state.settled_ms, policy)
        kept_months = months.forgotten(state.months, now)
        if kept_months is not state.months:
            state.months = kept_months
            state.earned = earnings.forgotten(state.earned, now)


def remembered_complaints(state: State, horizon_ms: int, policy: Policy) -> frozenset[str]:
    """Return the contact ids of the complaints that are not forgotten yet."""
    return frozenset(
        one.contact_id
        for one in state.cases
        if one.kind == "complaint" and _is_remembered(one, horizon_ms, policy)
    )


def paired_ms(pairs: tuple[Referral, ...], who: int) -> int | None:
    """Return since when a pair is known, None when it is not. Pairs are sorted by the other customer."""
    at = bisect_left(pairs, who, key=lambda pair: pair.referred)
    return pairs[at].time_ms if at < len(pairs) and pairs[at].referred == who else None


def _is_remembered(case: Case, horizon_ms: int, policy: Policy) -> bool:
    """Whether a contact is kept yet: until no event of it that is late within bounds can come any more."""
    return _newest_ms(case) >= horizon_ms - _COMPLAINT_MS - policy.lateness_ms


def _is_another(case: Case, time_ms: int, policy: Policy) -> bool:
    """Whether an event under the id of a contact that is over for so long is of another contact.

    By the times of events alone: what is kept depends on when somebody looked.
    """
    return time_ms - _newest_ms(case) > policy.memory_ms + _COMPLAINT_MS


def _newest_ms(case: Case) -> int:
    return max(one for one in (case.opened_ms, case.solved_ms, case.told_ms) if one != NEVER_MS)


def _newest(kept: tuple[Any, ...], one: Any, at_most: int) -> tuple[Any, ...]:
    if any(known.event == one.event for known in kept):
        return kept
    every = list(kept)
    insort(every, one, key=lambda known: (known.time_ms, known.event))
    return tuple(every[-at_most:])


def _describe(state: State, note: Note, policy: Policy) -> None:
    """Take over each attribute that is newer than what is known of it."""
    body: CustomerDescribed = note.body
    told: dict[str, str | int | bool | None] = dict.fromkeys(
        "assets_minor" if name == "assets" else name for name in body.cleared
    )
    for name in body.__struct_fields__:
        value = getattr(body, name)
        if value is not None and name not in _NOT_ATTRIBUTES:
            told[name] = value.isoformat() if isinstance(value, date) else value
    if body.assets_minor is not None and body.assets_currency in policy.conversions:
        told["assets_minor"] = in_base(body.assets_minor, body.assets_currency, policy)
    known = {one.name: one for one in state.attributes}
    for name, value in told.items():
        old = known.get(name)
        if old is None or (old.time_ms, old.event) < (note.time_ms, note.event):
            known[name] = Attribute(name, value, note.time_ms, note.event)
    state.attributes = tuple(known[name] for name in sorted(known))


def _refer(state: State, referred: int, time_ms: int) -> None:
    """Count a pair once, at the earliest time known."""
    if time_ms < (paired_ms(state.referrals, referred) or NEVER_MS):
        state.referrals = _paired(state.referrals, Referral(referred, time_ms))


def _contact(draft: Draft, note: Note) -> None:
    """Put an event of a service contact to what is known of the contact."""
    state, body = draft.state, note.body
    known = {one.contact_id: one for one in state.cases}
    old = known.get(body.contact_id)
    if old is None or _is_another(old, note.time_ms, draft.policy):
        old = Case(body.contact_id, body.kind, NEVER_MS, NEVER_MS)
    opened = note.time_ms if body.status == "opened" else NEVER_MS
    solved = note.time_ms if body.status == "solved" else NEVER_MS
    known[body.contact_id] = Case(
        body.contact_id,
        min(old.kind, body.kind),  # a contact has one kind; of two the one that is told first in the alphabet
        min(old.opened_ms, opened),
        min(old.solved_ms, solved),
        tuple(sorted({*old.topics, *body.topics})),
        max(old.severity, body.severity or "", key=_SEVERITIES.index),
        max(old.told_ms, note.time_ms),
    )
    # Complaints stay the longest: a warning may rest on them.
    newest = sorted(
        known.values(), key=lambda case: (case.kind == "complaint", _newest_ms(case), case.contact_id)
    )
    state.cases = tuple(sorted(newest[-CASES_MAX:], key=lambda case: case.contact_id))
    draft.noted = True
    if body.competitor:
        mention(draft, note.time_ms, body.competitor)


def _correct_reason(state: State, note: Note) -> None:
    """Keep the latest word on an episode's reason, of the episodes that were spoken of last."""
    body: ChurnReasonCorrected = note.body
    one = Correction(body.rule, to_ms(body.started_at), body.reason, note.time_ms, note.event)
    known = {(old.rule, old.start_ms): old for old in state.corrections}
    old = known.get((one.rule, one.start_ms))
    if old is None or (old.time_ms, old.event) < (one.time_ms, one.event):
        known[one.rule, one.start_ms] = one
        newest = sorted(known.values(), key=lambda word: (word.time_ms, word.event))[-CORRECTIONS_MAX:]
        state.corrections = tuple(sorted(newest, key=lambda word: (word.rule, word.start_ms)))


def tell_referrer(draft: Draft, purchase: PurchaseRecorded) -> None:
    """Publish the referral that a purchase shows: once per pair, and again if it turns out to be older.

    Of more than ``REFERRERS_MAX`` the oldest are forgotten: told again, they count once all the same.
    """
    made = referral_of(purchase)
    if made is None:
        return
    state, time_ms = draft.state, to_ms(purchase.occurred_at)
    referrer = stable_hash(made.customer_id)
    if time_ms < (paired_ms(state.referrers, referrer) or NEVER_MS):
        state.referrers = _paired(state.referrers, Referral(referrer, time_ms))
        if len(state.referrers) > REFERRERS_MAX:
            oldest = min(state.referrers, key=lambda one: (one.time_ms, one.referred))
            state.referrers = tuple(one for one in state.referrers if one != oldest)
        draft.effects.append(made)


def _paired(pairs: tuple[Referral, ...], pair: Referral) -> tuple[Referral, ...]:
    """Return the pairs with one at its time, known before or not."""
    at = bisect_left(pairs, pair.referred, key=lambda known: known.referred)
    there = at < len(pairs) and pairs[at].referred == pair.referred
    return (*pairs[:at], pair, *pairs[at + there :])


def note_browse(state: State, time_ms: int, event: ProductBrowsed, policy: Policy) -> None:
    """Count a browse of a category and a brand in its month."""
    dwell_seconds = event.dwell_seconds or 0
    state.months = months.noted(
        state.months,
        months.number_of(time_ms, policy),
        categories=[Interest(event.category, 0, 0, 1, dwell_seconds)],
        brands=[Interest(event.brand, 0, 0, 1, dwell_seconds)],
    )
