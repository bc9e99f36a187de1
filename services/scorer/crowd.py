"""The crowd: a lane's histogram of scores, and the cut-offs of all lanes together.

A lane keeps its histogram in memory and saves it now and then; between two saves each turn notes the
moves between bins in ``lane_log``, so a take-over reads one row and a few notes.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Any, Final

from schemas.times import MINUTE_MS
from services.lanes.work import Write
from services.scorer import store
from services.scorer.core.cuts import (
    BINS,
    Cuts,
    Histogram,
    Ties,
    add_histogram,
    count_move,
    cuts_of,
    empty_histogram,
    histogram_from_bytes,
    histogram_to_bytes,
    ties_of,
)
from services.scorer.core.policy import Policy

Moved = tuple[int | None, int | None]
_NOBODY: Final = 0xFFFF  # in a note: not in the percentiles
RANK_MOVE_MIN: Final = 0.001  # 0.1 points of rank: less is not worth a version
VERSION_MS_MAX: Final = MINUTE_MS  # at least one a minute


def pack_moves(moves: Iterable[Moved]) -> bytes:
    """Return the moves between bins as a note of the turn; customers who stay are left out.

    Raises:
        ValueError: there is no such bin. Found out here, before the commit, and not by the histogram after it.
    """
    flat = array("H")
    for old, new in moves:
        if old != new:
            flat.append(_NOBODY if old is None else old)
            flat.append(_NOBODY if new is None else new)
    if any(BINS <= number < _NOBODY for number in flat):
        raise ValueError(f"a score has one of {BINS} bins")
    return flat.tobytes()


def apply_note(histogram: Histogram, note: bytes) -> None:
    """Apply a note's moves."""
    flat = array("H", note)
    for old, new in zip(flat[::2], flat[1::2], strict=True):
        count_move(histogram, (None if old == _NOBODY else old, None if new == _NOBODY else new))


async def load_histogram(connection: Any, lane: int) -> Histogram:
    """Return the lane's histogram: the saved one, and what was noted after it."""
    saved = await connection.fetchrow(store.HISTOGRAM, lane)
    histogram = empty_histogram() if saved is None else histogram_from_bytes(saved["counts"])
    for row in await connection.fetch(store.MOVES_AFTER, lane, 0 if saved is None else saved["seq"]):
        apply_note(histogram, row["note"])
    return histogram


def save_histogram(histogram: Histogram, *, at_ms: int, complete: bool, policy_version: int) -> Write:
    """Return the write that saves a lane's histogram."""
    counts = [sum(histogram)], [histogram_to_bytes(histogram)]
    return Write(store.SAVE_HISTOGRAM, ([at_ms], [complete], *counts, [policy_version]))


def save_rescored(histogram: Histogram, *, at_ms: int, policy_version: int) -> Write:
    """Return the write that saves how another policy would score a lane's customers."""
    counts = [sum(histogram)], [histogram_to_bytes(histogram)]
    return Write(store.SAVE_RESCORED, ([policy_version], [at_ms], *counts))


async def rescored_total(connection: Any, policy_version: int, lanes: int) -> Histogram | None:
    """Return everybody as another policy scores them; None while a lane is not through."""
    rows = await connection.fetch(store.RESCORED, policy_version)
    if len(rows) < lanes:
        return None
    total = empty_histogram()
    for row in rows:
        total = add_histogram(total, histogram_from_bytes(row["counts"]))
    return total


async def total_histogram(connection: Any) -> Histogram:
    """Return the sum over all lanes, as saved."""
    total = empty_histogram()
    for row in await connection.fetch(store.ALL_HISTOGRAMS):
        total = add_histogram(total, histogram_from_bytes(row["counts"]))
    return total


def new_cut_offs(total: Histogram, policy: Policy) -> tuple[Cuts | None, Ties]:
    """Return the cuts of everybody, and how many stand exactly at them."""
    cuts = cuts_of(total, policy)
    return cuts, ties_of(total, cuts, policy)


def moved_enough(total: Histogram, old: Cuts | None, new: Cuts | None) -> bool:
    """Return whether a cut moved past more than 0.1 % of the active customers."""
    if old is None or new is None or len(old.points) != len(new.points):
        return old != new
    least = RANK_MOVE_MIN * sum(total)
    pairs = zip(store.numbers_of(old), store.numbers_of(new), strict=True)
    return any(sum(total[min(a, b) : max(a, b)]) > least for a, b in pairs)


def cut_offs_write(new: store.CutOffs, ties: Ties) -> Write:
    """Return the write of one row of ``cut_offs``."""
    numbers = None if new.cuts is None else store.array_literal(store.numbers_of(new.cuts))
    tied = store.array_literal(ties.tied)
    row = (new.version, new.at_ms, new.complete, ties.active, tied, new.policy_version, numbers)
    return Write(store.INSERT_CUT_OFFS, store.columns([row]))
