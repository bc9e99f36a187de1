"""The crowd's RFM quintiles: three counting histograms of a lane, which add up over lanes.

Exact for dates and orders; spend is counted in bins of a logarithmic grid, at most 6.25 % wide.
"""

from __future__ import annotations

from collections import Counter
from typing import Final, Self

import msgspec

from services.scorer.core.segments.rfm import Boundaries, RfmCuts, RfmFacts

SPEND_BINS: Final = 1_000
_PER_OCTAVE: Final = 16  # a power of 2: bins are found by shifting, the same on every machine
_PERCENTS: Final = (20, 40, 60, 80)


def spend_bin(spend_minor: int) -> int:
    """Return the bin of a spend: one per minor unit up to 31, then 16 to every doubling."""
    if spend_minor < _PER_OCTAVE:
        return max(0, spend_minor)
    octave = spend_minor.bit_length() - _PER_OCTAVE.bit_length()
    return min(SPEND_BINS - 1, _PER_OCTAVE * octave + (spend_minor >> octave))


def least_of(spend_bin_: int) -> int:
    """Return the least spend that is counted in a bin, in minor units."""
    octave = max(0, spend_bin_ // _PER_OCTAVE - 1)
    return (spend_bin_ - _PER_OCTAVE * octave) << octave


class RfmCounts:
    """How many active customers there are by date of the last purchase, by orders and by spend."""

    def __init__(self) -> None:
        """Start with nobody."""
        self._last_days: Counter[int] = Counter()
        self._orders: Counter[int] = Counter()
        self._spend_bins: Counter[int] = Counter()

    @property
    def customers(self) -> int:
        """How many are counted."""
        return self._orders.total()

    def move(self, old: RfmFacts | None, new: RfmFacts | None) -> None:
        """Take a customer out as he was and put him in as he is; None is outside the crowd.

        Raises:
            OverflowError: nobody is counted where he was: these are not the counts of these customers.
                Nothing was changed.
        """
        if old is not None and not self._holds(old):
            raise OverflowError("nobody is counted there; count the lane's customers anew")
        if old is not None:
            self._count(old, -1)
        if new is not None:
            self._count(new, +1)

    def add(self, other: RfmCounts) -> None:
        """Count the customers of another lane as well."""
        self._last_days.update(other._last_days)
        self._orders.update(other._orders)
        self._spend_bins.update(other._spend_bins)

    def cuts(self) -> RfmCuts | None:
        """Return the quintiles, None while nobody is counted."""
        if not self.customers:
            return None
        first, second, third, fourth = quintiles(self._spend_bins)
        return RfmCuts(
            last_day=quintiles(self._last_days),
            orders=quintiles(self._orders),
            spend_minor=(least_of(first), least_of(second), least_of(third), least_of(fourth)),
            customers=self.customers,
        )

    def to_bytes(self) -> bytes:
        """Return the stored form; equal counts give equal bytes."""
        return msgspec.msgpack.encode(
            [sorted(one.items()) for one in (self._last_days, self._orders, self._spend_bins)]
        )

    @classmethod
    def from_bytes(cls, stored: bytes) -> Self:
        """Return the counts that ``stored`` holds.

        Raises:
            ValueError: it holds none; count the lane's customers anew.
        """
        counts = cls()
        last_days, orders, spend_bins = msgspec.msgpack.decode(stored, type=_Stored)
        counts._last_days.update(dict(last_days))
        counts._orders.update(dict(orders))
        counts._spend_bins.update(dict(spend_bins))
        return counts

    def _holds(self, facts: RfmFacts) -> bool:
        return (
            self._last_days[facts.last_day] > 0
            and self._orders[facts.orders] > 0
            and self._spend_bins[spend_bin(facts.spend_minor)] > 0
        )

    def _count(self, facts: RfmFacts, sign: int) -> None:
        for counter, value in (
            (self._last_days, facts.last_day),
            (self._orders, facts.orders),
            (self._spend_bins, spend_bin(facts.spend_minor)),
        ):
            counter[value] += sign
            if not counter[value]:
                del counter[value]


_Pairs = list[tuple[int, int]]
_Stored = tuple[_Pairs, _Pairs, _Pairs]


def quintiles(counts: Counter[int]) -> Boundaries:
    """Return the four boundaries between five groups as equal as ties allow.

    Customers with one value stay together, in the group in which the middle of them lies: where six of
    ten bought once, these are the second group, and nobody is the first. A boundary is the least value
    whose middle has p percent of the customers below it; above all values where there is none.
    """
    everybody = counts.total()
    found: list[int] = []
    below = 0
    for value in sorted(counts):
        middle_doubled = 2 * below + counts[value]
        while len(found) < len(_PERCENTS) and 100 * middle_doubled >= 2 * _PERCENTS[len(found)] * everybody:
            found.append(value)
        below += counts[value]
    beyond = max(counts, default=0) + 1
    first, second, third, fourth = found + [beyond] * (len(_PERCENTS) - len(found))
    return first, second, third, fourth
