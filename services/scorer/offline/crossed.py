"""Which scores stand otherwise to new cut-offs than to the old ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec


def crossed(old: Any, new: Any) -> list[range] | None:
    """Return the ranges of scores that a moved cut passed over; None means every score.

    A cut that moves from a to b changes sides for the scores a to b - 1. Every number of the cuts is
    taken for a cut, whatever the tiers are called: a range too many costs time and changes nothing,
    since adopting cuts that ask for the same tier does nothing.

    Args:
        old: the cuts that the customers know; None when there were none.
        new: of the same policy, or None: no cuts ask for nothing.
    """
    if new is None:
        return []
    if old is None:
        return None
    before, after = list(_numbers(msgspec.to_builtins(old))), list(_numbers(msgspec.to_builtins(new)))
    if len(before) != len(after):
        return None
    return [range(min(a, b), max(a, b)) for a, b in zip(before, after, strict=True) if a != b]


def _numbers(cuts: Any) -> Iterator[int]:
    """Yield the numbers in nested lists and objects, in their order."""
    if isinstance(cuts, int):
        yield cuts
    elif isinstance(cuts, dict):
        yield from _each(cuts.values())
    elif isinstance(cuts, list | tuple):
        yield from _each(cuts)


def _each(parts: Iterable[Any]) -> Iterator[int]:
    for part in parts:
        yield from _numbers(part)
