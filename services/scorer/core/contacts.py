"""When a customer was heard of: every answer and opening, and an index by which silences are found.

A contact is a sale or a response (clicked, liked, answered, converted). It is stored as one integer,
twice its time in milliseconds plus 1 for a response, so contacts sort by time with the purchase first.
The index ``contacts`` is kept just densely enough that every silence keeps its exact ends: a contact
whose kept neighbours are no further apart than the shortest silence rule can be dropped, as no silence
can start or end between them, whatever arrives later. So three in a row always span more than that, and
some ten of them cover all that is remembered. ``heard`` is the same with opened campaigns in it.

What may end an episode at any instant is kept whole: sales are among the purchases, answers and
openings are packed times.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from struct import Struct
from typing import TYPE_CHECKING, Final

from schemas.tiers import EpisodeEnd
from services.scorer.core import facts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from services.scorer.core.policy import Policy
    from services.scorer.core.state import State

_TIME: Final = Struct("<q")
TIMES_MAX: Final = 2_048  # of answers and of openings: any of them may end an episode, so more are refused


def sale_contact(time_ms: int) -> int:
    """Return the contact that a sale is."""
    return time_ms * 2


def response_contact(time_ms: int) -> int:
    """Return the contact that a response is."""
    return time_ms * 2 + 1


def contact_ms(contact: int) -> int:
    """Return the contact's time."""
    return contact >> 1


def cause_of(contact: int) -> EpisodeEnd:
    """Return how a contact ends an episode."""
    return EpisodeEnd.RESPONSE if contact & 1 else EpisodeEnd.PURCHASE


def with_contact(contacts: tuple[int, ...], contact: int, shortest_silence_ms: int) -> tuple[int, ...]:
    """Return the contacts with one more, thinned; of two at the same instant the purchase stays."""
    sale = contact & ~1
    index = bisect_left(contacts, sale)
    if index < len(contacts) and contact_ms(contacts[index]) == contact_ms(contact):
        return (*contacts[:index], min(contacts[index], contact), *contacts[index + 1 :])
    kept = [*contacts[:index], contact, *contacts[index:]]
    # The new one first: if it goes, its neighbours stand as before.
    if not _drop(kept, index, shortest_silence_ms):
        _drop(kept, index + 1, shortest_silence_ms)
        _drop(kept, index - 1, shortest_silence_ms)
    return tuple(kept)


def note_sale(state: State, time_ms: int, policy: Policy) -> None:
    """Note a sale in a draft's state."""
    _note(state, sale_contact(time_ms), policy)


def note_response(state: State, time_ms: int, policy: Policy) -> None:
    """Note an answer to a campaign in a draft's state."""
    state.responses = _with_time(state.responses, time_ms)
    _note(state, response_contact(time_ms), policy)


def note_opening(state: State, time_ms: int, policy: Policy) -> None:
    """Note an opened campaign in a draft's state; it breaks a silence only where the policy says so.

    Where it does, one too many was refused; where it does not, the oldest goes.
    """
    state.openings = _with_time(state.openings, time_ms)[-TIMES_MAX * _TIME.size :]
    if policy.heeds_openings:
        state.heard = with_contact(state.heard, response_contact(time_ms), policy.shortest_silence_ms)


def rebuild(state: State, horizon_ms: int, policy: Policy) -> None:
    """Make both indexes anew from what is kept whole: a sale is gone, or the policy is another.

    What lies before ``horizon_ms`` is forgotten, all but the contact that the index kept as an anchor.
    """
    anchors = [contact for contact in state.contacts if contact_ms(contact) < horizon_ms]
    sales = [sale_contact(fact.time_ms) for fact in facts.every(state.purchases) if fact.is_sale]
    answers = [response_contact(time_ms) for time_ms in times(state.responses)]
    known = [*anchors, *(one for one in (*sales, *answers) if contact_ms(one) >= horizon_ms)]
    state.contacts = _index(known, policy.shortest_silence_ms)
    if policy.heeds_openings:
        openings = (response_contact(at_ms) for at_ms in times(state.openings) if at_ms >= horizon_ms)
        earlier = [contact for contact in state.heard if contact_ms(contact) < horizon_ms]
        state.heard = _index([*known, *earlier, *openings], policy.shortest_silence_ms)
    else:
        state.heard = ()


def forget(state: State, horizon_ms: int) -> None:
    """Drop from a draft's state the contacts that no fact from ``horizon_ms`` on can be next to."""
    contacts = state.contacts
    if len(contacts) > 1 and contacts[1] < horizon_ms * 2:  # else the first one is still needed
        state.contacts = _since(contacts, horizon_ms)
    if state.heard:
        state.heard = _since(state.heard, horizon_ms)
    if state.responses:
        state.responses = _times_since(state.responses, horizon_ms)
    if state.openings:
        state.openings = _times_since(state.openings, horizon_ms)


def silences(contacts: tuple[int, ...], first_sale_ms: int | None) -> Iterator[tuple[int, int | None]]:
    """Yield each anchor's time in ms with the contact that came next, None after the latest.

    Anchors count from the first sale on: somebody who never bought can't churn.
    """
    if first_sale_ms is None:
        return
    first = bisect_left(contacts, sale_contact(first_sale_ms))
    for index in range(first, len(contacts)):
        following = contacts[index + 1] if index + 1 < len(contacts) else None
        yield contact_ms(contacts[index]), following


def first_after(state: State, time_ms: int, *, openings: bool) -> int | None:
    """Return the first contact later than ``time_ms``: exact, from what is kept whole."""
    found = []
    for index in range(facts.first_after(state.purchases, time_ms), facts.count(state.purchases)):
        fact = facts.fact_at(state.purchases, index)
        if fact.is_sale:
            found.append(sale_contact(fact.time_ms))
            break
    for packed in (state.responses, state.openings) if openings else (state.responses,):
        at = bisect_right(range(len(packed) // 8), time_ms, key=lambda index, p=packed: _time_at(p, index))  # type: ignore[misc]
        if at * 8 < len(packed):
            found.append(response_contact(_time_at(packed, at)))
    return min(found, default=None)


def times(packed: bytes) -> Iterator[int]:
    """Yield packed times, ascending."""
    return (time_ms for (time_ms,) in _TIME.iter_unpack(packed))


def remembered(packed: bytes, horizon_ms: int) -> list[int]:
    """Return the packed times from ``horizon_ms`` on; none where there is room without counting."""
    if len(packed) < 8 * TIMES_MAX:
        return []
    return [time_ms for time_ms in times(packed) if time_ms >= horizon_ms]


def _note(state: State, contact: int, policy: Policy) -> None:
    state.contacts = with_contact(state.contacts, contact, policy.shortest_silence_ms)
    if policy.heeds_openings:
        state.heard = with_contact(state.heard, contact, policy.shortest_silence_ms)


def _with_time(packed: bytes, time_ms: int) -> bytes:
    if not packed or _time_at(packed, len(packed) // 8 - 1) < time_ms:
        packed += _TIME.pack(time_ms)
    else:
        every = list(times(packed))
        if time_ms not in every:
            insort(every, time_ms)
            packed = b"".join(map(_TIME.pack, every))
    return packed


def _time_at(packed: bytes, index: int) -> int:
    time_ms: int = _TIME.unpack_from(packed, index * 8)[0]
    return time_ms


def _times_since(packed: bytes, horizon_ms: int) -> bytes:
    if not packed or _time_at(packed, 0) >= horizon_ms:
        return packed
    return b"".join(_TIME.pack(time_ms) for time_ms in times(packed) if time_ms >= horizon_ms)


def _index(contacts: Iterable[int], shortest_silence_ms: int) -> tuple[int, ...]:
    made: tuple[int, ...] = ()
    for contact in sorted(contacts):
        made = with_contact(made, contact, shortest_silence_ms)
    return made


def _since(contacts: tuple[int, ...], horizon_ms: int) -> tuple[int, ...]:
    first = bisect_left(contacts, sale_contact(horizon_ms)) - 1
    return contacts[first:] if first > 0 else contacts


def _drop(kept: list[int], index: int, shortest_silence_ms: int) -> bool:
    """Drop the contact at ``index`` if its neighbours are close enough to each other."""
    if not 0 < index < len(kept) - 1:
        return False
    if contact_ms(kept[index + 1]) - contact_ms(kept[index - 1]) > shortest_silence_ms:
        return False
    del kept[index]
    return True
