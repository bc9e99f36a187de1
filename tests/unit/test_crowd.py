"""The crowd's arithmetic: notes that rebuild a histogram, when cut-offs are worth a version, their row."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scorer import crowd, store
from services.scorer.core.cuts import BINS, Cuts, Histogram, Ties, count_move, empty_histogram
from services.scorer.core.policy import Policy
from services.scorer.store import cut_offs_of
from tests.unit.core_given import cuts_at

POLICY = Policy.default()
BIN = st.none() | st.integers(0, BINS - 1)


def histogram_of(*scores: int) -> Histogram:
    histogram = empty_histogram()
    for score in scores:
        count_move(histogram, (None, score))
    return histogram


def cuts(high: int = 8000, low: int = 2000, *, step: int = 100) -> Cuts:
    return cuts_at((high + step, high, high - step), (low + step, low, low - step))


# -- notes ------------------------------------------------------------------------------------------


def test_a_note_holds_the_moves_and_nothing_of_those_who_stay() -> None:
    """Four bytes a move: every turn writes one."""
    assert crowd.pack_moves([]) == b""
    assert crowd.pack_moves([(7, 7), (None, None)]) == b""
    assert len(crowd.pack_moves([(7, 8), (None, 8), (7, None), (7, 7)])) == 12


@pytest.mark.parametrize(
    "moves", [[(None, 0)], [(0, None)], [(0, BINS - 1)], [(BINS - 1, 0), (None, BINS - 1)]]
)
def test_the_first_and_the_last_bin_are_not_taken_for_nobody(moves: list[crowd.Moved]) -> None:
    """The mark for "not in the percentiles" lies outside the bins."""
    ours, expected = histogram_of(0, BINS - 1), histogram_of(0, BINS - 1)
    crowd.apply_note(ours, crowd.pack_moves(moves))
    for move in moves:
        count_move(expected, move)
    assert ours == expected


@given(st.lists(st.lists(st.tuples(st.integers(0, 9), BIN), max_size=8), max_size=8))
def test_applying_all_notes_is_counting_everybody(turns: list[list[tuple[int, int | None]]]) -> None:
    """A takeover reads one saved histogram and the notes after it, and must count the same people."""
    bins: dict[int, int | None] = {}
    taken_over = empty_histogram()
    for turn in turns:
        moves = []
        for customer, new in turn:
            moves.append((bins.get(customer), new))
            bins[customer] = new
        crowd.apply_note(taken_over, crowd.pack_moves(moves))
    assert taken_over == histogram_of(*(score for score in bins.values() if score is not None))


def test_a_move_out_of_an_empty_bin_is_an_error() -> None:
    """Then the histogram is another's, and its cut-offs would be wrong in silence."""
    with pytest.raises(OverflowError):
        crowd.apply_note(empty_histogram(), crowd.pack_moves([(5, 6)]))


# -- new cut-offs -----------------------------------------------------------------------------------


def test_new_cut_offs_of_nobody_are_none() -> None:
    """Before the first purchase there is nothing to rank."""
    assert crowd.new_cut_offs(empty_histogram(), POLICY) == (None, Ties(0, ()))


def test_new_cut_offs_tell_who_ties_at_them() -> None:
    """Ten people at 100, 200 .. 1000: two are high, two are low."""
    found, ties = crowd.new_cut_offs(histogram_of(*range(100, 1001, 100)), POLICY)
    assert found is not None
    assert tuple(point.plain for point in found.points) == (801, 300)
    assert ties == Ties(active=10, tied=(1, 1))


def test_the_first_and_the_last_cut_offs_are_always_worth_a_version() -> None:
    """From nobody to somebody, and back."""
    total = histogram_of(5)
    assert crowd.moved_enough(total, None, cuts())
    assert crowd.moved_enough(total, cuts(), None)
    assert not crowd.moved_enough(total, None, None)


def test_a_cut_that_passes_nobody_is_not_worth_a_version() -> None:
    """Points alone move no one."""
    total = histogram_of(*[5000] * 2000)
    assert not crowd.moved_enough(total, cuts(), cuts())
    assert not crowd.moved_enough(total, cuts(), cuts(high=8500))


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize(("passed", "worth"), [(1, False), (2, False), (3, True)])
def test_a_cut_that_passes_more_than_a_thousandth_is(passed: int, worth: bool, back: bool) -> None:  # noqa: FBT001
    """2,000 active: passing 2 of them is 0.1 points of rank, and no more than that is not enough."""
    total = histogram_of(*[5000] * (2000 - passed), *[8050] * passed)
    old, new = cuts(high=8000, step=0), cuts(high=8051, step=0)
    assert crowd.moved_enough(total, *((new, old) if back else (old, new))) is worth


def test_a_cut_is_at_or_above() -> None:
    """Who stands at the old cut changes sides when it rises by one; who stands at the new one does not."""
    old, new = cuts(high=8000, step=0), cuts(high=8001, step=0)
    assert crowd.moved_enough(histogram_of(8000), old, new)
    assert not crowd.moved_enough(histogram_of(8001), old, new)
    assert not crowd.moved_enough(histogram_of(7999), old, new)


@pytest.mark.parametrize("index", range(6))
def test_each_of_the_six_cuts_counts(index: int) -> None:
    """The hysteresis moves people as well."""
    old = store.numbers_of(cuts())
    new = [number + (place == index) for place, number in enumerate(old)]
    assert crowd.moved_enough(histogram_of(old[index]), cuts(), cuts_of_row(new))


# -- writes -----------------------------------------------------------------------------------------


def cuts_of_row(numbers: list[int]) -> Cuts:
    """Return cuts as they are read from a row."""
    found = cut_offs_of((7, 1_000, True, numbers, 3), POLICY).cuts
    assert found is not None
    return found


def write(of: Cuts | None, ties: Ties) -> dict[str, Any]:
    """Return the row of a cut-offs write, by the names that its SQL gives the arrays."""
    made = crowd.cut_offs_write(
        store.CutOffs(version=7, at_ms=1_000, complete=True, cuts=of, policy_version=3), ties
    )
    assert made.sql.count("{}") == len(made.arrays)
    assert all(len(array) == 1 for array in made.arrays)
    names = made.sql.rsplit("AS v(", 1)[1].rstrip(")").split(", ")
    return dict(zip(names, (array[0] for array in made.arrays), strict=True))


def test_cut_offs_are_written_in_the_order_in_which_they_are_read() -> None:
    """Three integers for each edge in one column: their order is the contract."""
    row = write(cuts(), Ties(active=50, tied=(4, 5)))
    assert row["cuts"] == "{8100,8000,7900,2100,2000,1900}"
    assert cuts_of_row([8100, 8000, 7900, 2100, 2000, 1900]) == cuts()
    assert (row["active"], row["tied"], row["policy"]) == (50, "{4,5}", 3)


def test_cut_offs_of_nobody_are_written_without_points() -> None:
    """The column is null where nobody is active."""
    row = write(None, Ties(0, ()))
    assert (row["active"], row["cuts"], row["tied"]) == (0, None, "{}")


def test_a_histogram_is_saved_with_its_head_count() -> None:
    """Anyone can see by one number whether a saved histogram fits the customers, and whose scores it holds."""
    made = crowd.save_histogram(histogram_of(5, 5, 9), at_ms=1_000, complete=False, policy_version=2)
    at_ms, complete, active, counts, policy_version = (array[0] for array in made.arrays)
    assert (at_ms, complete, active, len(counts), policy_version) == (1_000, False, 3, 4 * BINS, 2)
