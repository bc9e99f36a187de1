"""Purchase facts of one customer, packed: 36 bytes each, sorted by (time, event hash).

Bytes and not objects: a state is decoded and encoded with every chunk, and 63 purchases as objects
would cost more than everything the scorer does with them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from struct import Struct
from typing import TYPE_CHECKING, Final, NamedTuple, overload

from schemas.times import DAY_MS, to_ms
from services.scorer.core.identity import stable_hash
from services.scorer.core.money import in_base

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.events import PurchaseBody, PurchaseRecorded
    from services.scorer.core.policy import Policy

_RECORD: Final = Struct("<qqQQI")
_TIME: Final = Struct("<q")
_TIME_ALONE: Final = Struct("<q28x")  # of a record
_BELOW_128: Final = bytes(range(128))
SIZE: Final = _RECORD.size
_SIGN_AT, _ORDER_AT, _EVENT_AT = 15, 16, 24
# No local day is longer, not even one that a clock change repeats in part.
_DAY_REACH_MS: Final = 2 * DAY_MS


class Fact(NamedTuple):
    """One purchase event. A sale of amount 0 is a sale; a return is always below 0."""

    time_ms: int
    amount_minor: int  # a return's is negative
    order: int  # hash of the order sold, or of the order that a return names; 0: it names none
    event: int  # hash of the event id
    crc: int  # of the whole body

    @property
    def is_sale(self) -> bool:
        """Whether it sold something."""
        return self.amount_minor >= 0


def fact_of(body: PurchaseRecorded | PurchaseBody, event: int, crc: int, policy: Policy) -> Fact:
    """Return what is remembered of a purchase, in the base currency.

    Args:
        body: as it was recorded, or as it was corrected.
        event: hash of the event id that it was recorded under.
        crc: of the event that says so.
        policy: for the rates; an amount without one is refused before it counts.
    """
    sale = body.kind == "sale"
    order_id = body.order_id if sale else body.returned_order_id
    amount_minor = in_base(body.amount_minor, body.currency, policy)
    return Fact(
        to_ms(body.occurred_at),
        amount_minor if sale else -max(1, amount_minor),  # a return stays one, however small it converts
        0 if order_id is None else stable_hash(order_id),
        event,
        crc,
    )


def pack(fact: Fact) -> bytes:
    """Return the fact's 36 bytes."""
    return _RECORD.pack(*fact)


def count(purchases: bytes) -> int:
    """Return the number of facts."""
    return len(purchases) // SIZE


def fact_at(purchases: bytes, index: int) -> Fact:
    """Return the fact at ``index``."""
    return Fact._make(_RECORD.unpack_from(purchases, index * SIZE))


def time_at(purchases: bytes, index: int) -> int:
    """Return the time of the fact at ``index``, in milliseconds."""
    time_ms: int = _TIME.unpack_from(purchases, index * SIZE)[0]
    return time_ms


class Times(Sequence[int]):
    """The times of packed facts, each read only when it is asked for."""

    def __init__(self, purchases: bytes) -> None:
        """Look at these facts."""
        self._purchases = purchases

    def __len__(self) -> int:
        """Return the number of facts."""
        return len(self._purchases) // SIZE

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[int]: ...
    def __getitem__(self, index: int | slice) -> int | Sequence[int]:
        """Return the time of a fact in ms, or those of several."""
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        time_ms: int = _TIME.unpack_from(self._purchases, index * SIZE)[0]
        return time_ms

    def __iter__(self) -> Iterator[int]:
        """Yield all of them."""
        return (time_ms for (time_ms,) in _TIME_ALONE.iter_unpack(self._purchases))


def are_sales(purchases: bytes) -> bool:
    """Whether no fact is a return: an amount below 0 has the highest bit of its last byte set."""
    return not purchases[_SIGN_AT::SIZE].translate(None, _BELOW_128)


def every(purchases: bytes) -> Iterator[Fact]:
    """Yield all facts in order of time."""
    return map(Fact._make, _RECORD.iter_unpack(purchases))


def inserted(purchases: bytes, fact: Fact) -> tuple[bytes, int]:
    """Return the facts with ``fact`` at its place, and that place."""
    size = count(purchases)
    if not size or time_at(purchases, size - 1) < fact.time_ms:
        return purchases + _RECORD.pack(*fact), size

    def place(index: int) -> tuple[int, int]:
        other = fact_at(purchases, index)
        return other.time_ms, other.event

    index = bisect_left(range(size), (fact.time_ms, fact.event), key=place)
    at = index * SIZE
    return purchases[:at] + _RECORD.pack(*fact) + purchases[at:], index


def without(purchases: bytes, event: int) -> bytes:
    """Return the facts without the one of an event, by its hash."""
    return b"".join(pack(fact) for fact in every(purchases) if fact.event != event)


def first_after(purchases: bytes, time_ms: int) -> int:
    """Return the index of the first fact later than ``time_ms``."""
    return bisect_right(range(count(purchases)), time_ms, key=lambda index: time_at(purchases, index))


def find_event(purchases: bytes, event: int) -> Fact | None:
    """Return the fact of an event, by its hash."""
    index = _find(purchases, event.to_bytes(8, "little"), _EVENT_AT)
    return None if index is None else fact_at(purchases, index)


def has_order(purchases: bytes, order: int) -> bool:
    """Whether any fact sells or names the order. Nothing names order 0."""
    return order != 0 and _find(purchases, order.to_bytes(8, "little"), _ORDER_AT) is not None


def is_alone(purchases: bytes, order: int) -> bool:
    """Whether at most one fact sells or names the order, so that no other fact changes what it counts."""
    if order == 0:
        return True
    needle = order.to_bytes(8, "little")
    if purchases.find(needle, purchases.find(needle) + 1) < 0:  # the usual case, without any counting
        return True
    index = _find(purchases, needle, _ORDER_AT)
    return index is None or _find(purchases, needle, _ORDER_AT, (index + 1) * SIZE) is None


def sales_of_the_day(
    purchases: bytes, index: int, policy: Policy, *, steps: tuple[int, ...] = (-1, 1)
) -> Iterator[tuple[int, Fact]]:
    """Yield the other sales, with their indexes, on the local day of the fact at ``index``, nearest first.

    One by one, since the first usually decides: thousands of sales of one day must not each read them all.

    Args:
        purchases: the facts.
        index: of the fact.
        policy: for the time zone.
        steps: -1 looks at earlier facts, 1 at later ones; in this order.
    """
    time_ms = time_at(purchases, index)
    day = None
    for step in steps:
        at = (index + step) * SIZE
        while 0 <= at < len(purchases) and abs(_TIME.unpack_from(purchases, at)[0] - time_ms) < _DAY_REACH_MS:
            fact = Fact._make(_RECORD.unpack_from(purchases, at))
            if day is None:
                day = policy.local_day(time_ms)
            if fact.amount_minor >= 0 and policy.local_day(fact.time_ms) == day:
                yield at // SIZE, fact
            at += step * SIZE


def _find(purchases: bytes, needle: bytes, field_at: int, start: int = 0) -> int | None:
    """Return the index of the first fact from byte ``start`` whose field at ``field_at`` is ``needle``."""
    at = purchases.find(needle, start)
    while at >= 0:
        index, offset = divmod(at, SIZE)
        if offset == field_at:  # else the bytes only happen to look alike, across two fields
            return index
        at = purchases.find(needle, at + 1)
    return None
