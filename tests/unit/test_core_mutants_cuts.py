"""Histograms and catalogues as they are stored: on any machine, and never mixed up."""

from __future__ import annotations

from array import array
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from schemas.events import CutPoint, ProductListed
from services.scorer.core import cuts
from services.scorer.core.cuts import (
    Cuts,
    Histogram,
    bands_moved,
    count_move,
    cuts_of,
    empty_histogram,
    histogram_from_bytes,
    histogram_to_bytes,
)
from services.scorer.core.products import is_later, latest
from tests.unit.core_given import CUTS, POLICY


def crowd(*scores: int) -> Histogram:
    """Return the histogram of customers with these scores."""
    histogram = empty_histogram()
    for score in scores:
        count_move(histogram, (None, score))
    return histogram


class TestCrowd:
    """Cut-offs by share: 20 % above, 20 % below, two points of rank to get in and two to fall out."""

    def test_a_hundred_customers(self) -> None:
        """The best 20 are above, the worst 20 below; in by rank 18 or 22, out by the other."""
        assert cuts_of(crowd(*range(1, 101)), POLICY) == Cuts(
            points=(
                CutPoint(above="high_value", enter=83, plain=81, leave=79),
                CutPoint(above="regular", enter=23, plain=21, leave=19),
            )
        )

    def test_a_share_is_rounded_down(self) -> None:
        """Of nine customers one is above and one below, never two: a tier holds no more than its share."""
        cuts_ = cuts_of(crowd(*range(1, 10)), POLICY)

        assert cuts_ is not None
        assert [point.plain for point in cuts_.points] == [9, 2]

    def test_a_crowd_of_one(self) -> None:
        """He is neither among the best nor among the worst; without him there are no cut-offs."""
        cuts_ = cuts_of(crowd(500), POLICY)

        assert cuts_ is not None
        assert [(point.enter, point.plain, point.leave) for point in cuts_.points] == [
            (501, 501, 501),
            (500, 500, 500),
        ]
        assert cuts_of(empty_histogram(), POLICY) is None

    def test_one_leaves_the_others_behind(self) -> None:
        """Of three at one score one moves on: two are left, and nobody is lost."""
        histogram = crowd(7, 7, 7)

        count_move(histogram, (7, 9))

        assert (histogram[7], histogram[9], sum(histogram)) == (2, 1, 3)
        with pytest.raises(OverflowError):
            count_move(histogram, (8, None))


class TestStored:
    """A histogram as bytes."""

    def test_little_endian_whatever_the_machine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where the machine's order is the other one, each count is turned round, on the way out and in."""
        histogram = empty_histogram()
        histogram[3], histogram[10_000] = 0x01020304, 7
        plain = histogram_to_bytes(histogram)
        turned = array("I", histogram)
        turned.byteswap()

        assert plain[12:16] == b"\x04\x03\x02\x01"
        monkeypatch.setattr(cuts, "sys", SimpleNamespace(byteorder="big"))
        assert histogram_to_bytes(histogram) == turned.tobytes()
        assert histogram[3] == 0x01020304  # the one in use stays as it is
        assert histogram_from_bytes(turned.tobytes()) == histogram

    @pytest.mark.parametrize("size", [0, 40_000, 40_003, 40_008])
    def test_what_is_no_histogram_is_refused(self, size: int) -> None:
        """It says how many bytes there should be, how many there are, and what to do."""
        with pytest.raises(
            ValueError, match=f"^a histogram has 40004 bytes, not {size}; rebuild it from the customers$"
        ):
            histogram_from_bytes(bytes(size))


def test_cut_offs_of_two_ladders_are_not_compared() -> None:
    """Who is concerned can't be said: a mix-up stops at once, it does not forget half of the customers."""
    other = Cuts(points=(*CUTS.points, CutPoint(above="at_risk", enter=9, plain=8, leave=7)))

    assert bands_moved(CUTS, CUTS) == []
    with pytest.raises(ValueError, match="shorter"):
        bands_moved(other, CUTS)
    with pytest.raises(ValueError, match="longer"):
        bands_moved(CUTS, other)


def listed(event_id: str, hour: int) -> ProductListed:
    """Return a listing."""
    return ProductListed(
        event_id=event_id, occurred_at=datetime(2024, 1, 1, hour, tzinfo=UTC), sku="s", name="seat",
        category="seats", brand="acme", grade="entry",
    )  # fmt: skip


def test_a_listing_is_not_later_than_itself() -> None:
    """So a repeat replaces nothing: the first copy stays."""
    one, again = listed("a", 1), listed("a", 1)

    assert not is_later(one, again)
    assert is_later(listed("b", 1), one)
    assert is_later(listed("a", 2), listed("b", 1))
    assert latest([one, again])["s"] is one
