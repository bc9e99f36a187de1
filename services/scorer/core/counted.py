"""Which events the months have counted, so that a repeat is not counted again.

All else that a browse, a response or a note of the quieter topics does is a set, a maximum or the latest: a
repeat changes nothing there. The months are sums. So under a policy that keeps them every event that was
counted is remembered: 20 bytes each, sorted by (time, event hash).
"""

from __future__ import annotations

from bisect import bisect_left
from struct import Struct
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from schemas.events import FeedbackGiven, ServiceContactRecorded
from services.scorer.core.news import Note
from services.scorer.core.state import Counted, Seen

if TYPE_CHECKING:
    from services.scorer.core.policy import Policy
    from services.scorer.core.state import Sighting, State

_RECORD: Final = Struct("<qQI")  # time in ms, event hash, CRC of the body
_SIZE: Final = _RECORD.size
_EVENT_AT: Final = 8
COUNTED_MAX: Final = 2_048  # five a day for as long as facts are remembered; beyond it the oldest go


def begun(counted: Counted | None, settled_ms: int, policy: Policy) -> Counted | None:
    """Return what is known as counted when a policy comes into force at ``settled_ms``.

    What occurred before a policy that keeps months is in none of them. Whether it was taken up then nobody
    can say any more, so it is not counted when it comes late, or again.
    """
    if not policy.keeps_months:
        return None
    return Counted(since_ms=settled_ms + 1) if counted is None else counted


def find(state: State, event: int) -> Seen | None:
    """Return the counted event of a hash, None when none is known."""
    if state.counted is None:
        return None
    packed, needle = state.counted.events, event.to_bytes(8, "little")
    at = packed.find(needle)
    while at >= 0:
        index, offset = divmod(at, _SIZE)
        if offset == _EVENT_AT:  # else the bytes only happen to look alike, across two fields
            return Seen(*_at(packed, index))
        at = packed.find(needle, at + 1)
    return None


def since_ms(state: State) -> int:
    """Return from when on what occurred is counted by month, of this customer."""
    return 0 if state.counted is None else state.counted.since_ms


def note(state: State, news: Sighting | Note, policy: Policy) -> bool:
    """Note an event in a draft's state if the months are to count it, and return whether they are.

    An unknown one that is older than what is kept whole may have been counted: it is left out.
    """
    if not policy.keeps_months or not _counts(news):
        return False
    counted = state.counted or Counted()
    if news.time_ms < max(counted.since_ms, counted.whole_from_ms):
        return False
    events = _inserted(counted.events, (news.time_ms, news.event, news.crc))
    state.counted = _without(replace(counted, events=events), len(events) // _SIZE - COUNTED_MAX)
    return True


def forget(counted: Counted, horizon_ms: int) -> Counted:
    """Return what is still remembered; a policy that remembers longer can't ask for what is gone."""
    size = len(counted.events) // _SIZE
    if not size or _at(counted.events, 0)[0] >= horizon_ms:
        return counted
    gone = bisect_left(range(size), horizon_ms, key=lambda index: _at(counted.events, index)[0])
    return _without(counted, gone)


def _counts(news: Sighting | Note) -> bool:
    """Whether the customer did something: a message that only arrived, and a note about him, are nothing."""
    if isinstance(news, Note):
        return isinstance(news.body, ServiceContactRecorded | FeedbackGiven)
    return news.kind != "delivered"


def _inserted(packed: bytes, record: tuple[int, int, int]) -> bytes:
    at = len(packed) // _SIZE
    if at and _at(packed, at - 1) >= record:  # the usual one is the newest
        at = bisect_left(range(at), record, key=lambda index: _at(packed, index))
    return packed[: at * _SIZE] + _RECORD.pack(*record) + packed[at * _SIZE :]


def _without(counted: Counted, oldest: int) -> Counted:
    """Return what is left without so many of the oldest, marked with since when it is whole."""
    if oldest <= 0:
        return counted
    last_ms = _at(counted.events, oldest - 1)[0]
    return replace(
        counted,
        whole_from_ms=max(counted.whole_from_ms, last_ms + 1),
        events=counted.events[oldest * _SIZE :],
    )


def _at(packed: bytes, index: int) -> tuple[int, int, int]:
    time_ms, event, crc = _RECORD.unpack_from(packed, index * _SIZE)
    return time_ms, event, crc
