"""When a customer was in contact, kept just densely enough that every silence keeps its exact ends.

A contact is a sale or a response (clicked, converted). It is stored as one integer, twice its time in
milliseconds plus 1 for a response, so contacts sort by time with the purchase first.
A contact whose kept neighbours are no further apart than the shortest silence can be dropped: no
episode can start or end between them, whatever arrives later. So three in a row always span more than
90 days, and some ten of them cover all that is remembered.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from schemas.tiers import EpisodeEnd

if TYPE_CHECKING:
    from collections.abc import Iterator


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


def since_horizon(contacts: tuple[int, ...], horizon_ms: int) -> tuple[int, ...]:
    """Return the contacts without those that no fact from ``horizon_ms`` on can be next to."""
    first = bisect_left(contacts, sale_contact(horizon_ms)) - 1
    return contacts[first:] if first > 0 else contacts


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


def _drop(kept: list[int], index: int, shortest_silence_ms: int) -> bool:
    """Drop the contact at ``index`` if its neighbours are close enough to each other."""
    if not 0 < index < len(kept) - 1:
        return False
    if contact_ms(kept[index + 1]) - contact_ms(kept[index - 1]) > shortest_silence_ms:
        return False
    del kept[index]
    return True
