"""Starts at which a rule did not apply, packed: nobody is warned of them, and they are not judged again.

Each start is judged once, by the tier that the customer was ranked in then. So it has to be kept for as long
as a late fact may have all starts derived anew. A frequency rule may find thousands of them in a month:
as bytes they cost nothing until then.
"""

from __future__ import annotations

from bisect import bisect_left
from struct import Struct
from typing import TYPE_CHECKING, Final
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_RECORD: Final = Struct("<qI")  # start in ms, CRC-32 of the rule's name; ascending
_SIZE: Final = _RECORD.size


def name_crc(rule: str) -> int:
    """Return the 32 bits that stand for a rule; a policy has a handful of them."""
    return crc32(rule.encode())


def noted(passed: bytes, rule: str, start_ms: int) -> bytes:
    """Return the starts with one more."""
    record = (start_ms, name_crc(rule))
    at = len(passed) // _SIZE
    if at and _at(passed, at - 1) >= record:  # the usual one is the newest
        at = bisect_left(range(at), record, key=lambda index: _at(passed, index))
        if _at(passed, at) == record:
            return passed
    return passed[: at * _SIZE] + _RECORD.pack(*record) + passed[at * _SIZE :]


def packed(starts: Iterable[tuple[str, int]]) -> bytes:
    """Return starts, each a rule's name and an instant in ms, in their packed form."""
    made = b""
    for rule, start_ms in starts:
        made = noted(made, rule, start_ms)
    return made


def starts_of(passed: bytes, rule: str) -> frozenset[int]:
    """Return the starts of one rule, in ms."""
    if not passed:
        return frozenset()
    name = name_crc(rule)
    return frozenset(start_ms for start_ms, crc in _RECORD.iter_unpack(passed) if crc == name)


def since(passed: bytes, oldest_ms: int, frozen_ms: Callable[[], dict[int, int]]) -> bytes:
    """Return the starts that can still be derived anew.

    Args:
        passed: all of them.
        oldest_ms: none later than this is to go.
        frozen_ms: asked only when one may have to go: by CRC of each rule, before which instant its episodes
            stand as they were decided. The starts of other rules go.
    """
    if not passed or _at(passed, 0)[0] >= oldest_ms:
        return passed
    frozen = frozen_ms()
    records = list(_RECORD.iter_unpack(passed))
    kept = [one for one in records if one[1] in frozen and one[0] >= frozen[one[1]]]
    return passed if len(kept) == len(records) else b"".join(_RECORD.pack(*one) for one in kept)


def _at(passed: bytes, index: int) -> tuple[int, int]:
    start_ms, crc = _RECORD.unpack_from(passed, index * _SIZE)
    return start_ms, crc
