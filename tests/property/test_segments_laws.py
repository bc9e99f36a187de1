"""Laws of the segments: every cell in one group, quintiles that add up over lanes."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.scorer.core.policy.segments import RfmRules
from services.scorer.core.policy.segments import Segments as Section
from services.scorer.core.segments import RfmCounts, RfmFacts, RfmPoints
from services.scorer.core.segments.groups import eight_way, four_way
from services.scorer.core.segments.rfm_counts import SPEND_BINS, least_of, quintiles, spend_bin
from tests.property.laws import LAWS
from tests.unit.core_given import POLICY

EIGHT = {
    "important_value", "important_keep", "important_develop", "important_win_back",
    "general_value", "general_keep", "general_develop", "general_win_back",
}  # fmt: skip
crowds = st.lists(
    st.builds(RfmFacts, st.integers(19_000, 19_400), st.integers(1, 40), st.integers(0, 10**7)), max_size=60
)
numbers = st.lists(st.integers(0, 12), min_size=1, max_size=60)


@pytest.mark.parametrize("high_from", [2, 3, 4, 5])
def test_every_cell_is_in_one_group_of_each(high_from: int) -> None:
    """All 125 cells; every group is taken, by as many cells as its line says."""
    policy = replace(POLICY, segments=Section(rfm=RfmRules(high_from=high_from)))
    cells = [
        RfmPoints(r=r, f=f, m=m, weighted=1.0, by_crowd=True) for r, f, m in product(range(1, 6), repeat=3)
    ]

    eight = Counter(eight_way(cell, policy).name for cell in cells)
    four = Counter(four_way(cell, policy).name for cell in cells)

    assert set(eight) == EIGHT
    assert set(four) == {"high_value", "potential", "general", "low"}
    assert eight.total() == four.total() == 125
    low, high = high_from - 1, 6 - high_from
    assert eight["important_value"] == four["high_value"] == high**3
    assert eight["important_develop"] == four["potential"] == high * low * high
    assert eight["general_win_back"] == four["low"] == low**3


@LAWS
@given(numbers)
def test_groups_are_as_equal_as_ties_allow(values: list[int]) -> None:
    """Everybody is in the group in which the middle of those who are like him lies."""
    boundaries = quintiles(Counter(values))

    assert list(boundaries) == sorted(boundaries)
    for value in set(values):
        middle = sum(other < value for other in values) + values.count(value) / 2
        group = 1 + sum(value >= boundary for boundary in boundaries)
        assert group == 1 + sum(100 * middle >= percent * len(values) for percent in (20, 40, 60, 80))


def test_fifths_of_different_customers_are_fifths() -> None:
    """Without ties each group has exactly a fifth."""
    boundaries = quintiles(Counter(range(100)))

    groups = Counter(sum(value >= boundary for boundary in boundaries) for value in range(100))
    assert set(groups.values()) == {20}


@LAWS
@given(crowds, st.data())
def test_lanes_add_up(crowd: list[RfmFacts], data: st.DataObject) -> None:
    """However the customers are spread over lanes, and however they came to be where they are."""
    whole, lanes = RfmCounts(), [RfmCounts(), RfmCounts(), RfmCounts()]
    for facts in crowd:
        lane = lanes[data.draw(st.integers(0, 2))]
        before = data.draw(st.sampled_from([None, *crowd]))
        lane.move(None, before)
        lane.move(before, facts)
        whole.move(None, facts)
    total = RfmCounts()
    for lane in lanes:
        total.add(RfmCounts.from_bytes(lane.to_bytes()))

    assert total.to_bytes() == whole.to_bytes()
    assert total.cuts() == whole.cuts()
    assert total.customers == len(crowd)
    assert (total.cuts() is None) == (not crowd)


def test_a_customer_who_is_not_there_can_not_leave() -> None:
    """Counts that don't belong to these customers are found out, and stay as they were."""
    counts = RfmCounts()
    counts.move(None, RfmFacts(19_000, 2, 500))
    before = counts.to_bytes()

    with pytest.raises(OverflowError, match="anew"):
        counts.move(RfmFacts(19_000, 3, 500), RfmFacts(19_001, 4, 900))
    assert counts.to_bytes() == before


def test_stored_counts_that_are_none_are_refused() -> None:
    """Never taken for an empty crowd."""
    with pytest.raises(ValueError, match="Expected"):
        RfmCounts.from_bytes(b"\x91\xa1x")


@LAWS
@given(st.integers(0, 5 * 10**15), st.integers(0, 5 * 10**15))
def test_spend_bins(one: int, other: int) -> None:
    """They keep the order, are within the grid, and hide less than 6.25 %."""
    assert (spend_bin(one) <= spend_bin(other)) or one > other
    assert 0 <= spend_bin(one) < SPEND_BINS
    least = least_of(spend_bin(one))
    assert spend_bin(least) == spend_bin(one)
    assert least <= one <= least * 1.0625 + 0.999


def test_every_bin_begins_where_it_says() -> None:
    """The least spend of a bin is in it, one unit less is in the bin before."""
    for number in range(1, 800):
        assert spend_bin(least_of(number)) == number
        assert spend_bin(least_of(number) - 1) == number - 1
