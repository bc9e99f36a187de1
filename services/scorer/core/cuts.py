"""Cut-offs, read off the counting histogram of all active customers' scores."""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from schemas.events import CutPoint, CutPoints
from services.scorer.core.score import SCORE_MAX

if TYPE_CHECKING:
    from services.scorer.core.policy import Policy

BINS: Final = SCORE_MAX + 1
BAND_POINTS: Final = 50
BANDS: Final = SCORE_MAX // BAND_POINTS + 1

Histogram: TypeAlias = "array[int]"  # BINS counts, array("I")
Cuts = CutPoints
_UINT32: Final = "I"


class Ties(NamedTuple):
    """How many customers there are, and how many stand exactly at each edge.

    At an edge counted from the top: those at the last score below the plain cut; from the bottom: at it.
    """

    active: int
    tied: tuple[int, ...]


def empty_histogram() -> Histogram:
    """Return a histogram of nobody."""
    return array(_UINT32, bytes(4 * BINS))


def count_move(histogram: Histogram, moved: tuple[int | None, int | None]) -> None:
    """Take a customer out of its old bin and put it into its new one; None is outside the percentiles.

    Raises:
        OverflowError: the old bin is empty: the histogram is not the one of these customers.
    """
    old, new = moved
    if old is not None:
        histogram[old] -= 1
    if new is not None:
        histogram[new] += 1


def add_histogram(total: Histogram, lane: Histogram) -> Histogram:
    """Return the sum of two histograms."""
    return array(_UINT32, map(int.__add__, total, lane))


def histogram_to_bytes(histogram: Histogram) -> bytes:
    """Return 10,001 little-endian uint32."""
    if sys.byteorder == "big":
        histogram = array(_UINT32, histogram)
        histogram.byteswap()
    return histogram.tobytes()


def histogram_from_bytes(stored: bytes) -> Histogram:
    """Return the histogram that ``stored`` holds.

    Raises:
        ValueError: not 10,001 counts of 4 bytes.
    """
    if len(stored) != 4 * BINS:
        raise ValueError(
            f"a histogram has {4 * BINS} bytes, not {len(stored)}; rebuild it from the customers"
        )
    histogram = array(_UINT32, stored)
    if sys.byteorder == "big":
        histogram.byteswap()
    return histogram


def cuts_of(histogram: Histogram, policy: Policy) -> Cuts | None:
    """Return the cuts of a percentile ladder, or None when nobody is active; a fixed ladder has its own.

    With k = floor(p * N): an edge counted from the top is 1 + the (k+1)-th highest score, one counted from
    the bottom the (k+1)-th lowest, so a tier never holds more than its share and a tie across a cut is on
    the side of the rest.
    """
    ladder = policy.tiers
    if ladder.is_fixed:
        return policy.fixed_cuts
    up_to = list(accumulate(histogram))
    active = up_to[-1]
    if active == 0:
        return None

    def high(percent: int) -> int:
        return bisect_left(up_to, active - percent * active // 100) + 1

    def low(percent: int) -> int:
        return bisect_left(up_to, percent * active // 100 + 1)

    margin = ladder.margin_percent
    points = []
    for name, edge in zip(ladder.names, ladder.edges, strict=False):  # the last level has no edge below it
        cut, inwards = (high, -margin) if edge.from_top else (low, margin)
        points.append(
            CutPoint(
                above=name,
                enter=cut(edge.percent + inwards),
                plain=cut(edge.percent),
                leave=cut(edge.percent - inwards),
            )
        )
    return Cuts(points=tuple(points))


def ties_of(histogram: Histogram, cuts: Cuts | None, policy: Policy) -> Ties:
    """Return how many customers tie at the plain cuts of this histogram."""
    if cuts is None:
        return Ties(0, ())
    tied = tuple(
        histogram[point.plain - 1 if edge.from_top else point.plain]
        for point, edge in zip(cuts.points, policy.tiers.edges, strict=False)  # a fixed ladder has no ties
    )
    return Ties(sum(histogram), tied)


def band_of(score: int) -> int:
    """Return the coarse score, 0 to 200, by which the customers near a cut are found."""
    return score // BAND_POINTS


def bands_moved(old: Cuts | None, new: Cuts | None) -> list[int]:
    """Return the bands, ascending, that hold every customer whom the new cuts may treat otherwise.

    A cut that moves from a to b changes sides for the scores a to b - 1. Only the hysteresis cuts
    concern customers who have a tier; the plain ones decide first tiers. No cuts change nothing.
    """
    if new is None:
        return []
    if old is None:
        return list(range(BANDS))
    bands: set[int] = set()
    for before, after in zip(_hysteresis(old), _hysteresis(new), strict=True):
        if before != after:
            bands.update(range(band_of(min(before, after)), band_of(max(before, after) - 1) + 1))
    return sorted(bands)


def _hysteresis(cuts: Cuts) -> list[int]:
    return [cut for point in cuts.points for cut in (point.enter, point.leave)]
