"""The columns of ``cutoffs.csv`` follow the ladder."""

from __future__ import annotations

from deploy.cut_columns import CutColumns, columns_of
from services.scorer.core.policy import Ladder, Level, Policy
from tests.unit.core_given import POLICY

METALS = Policy(
    churn=(),
    tiers=Ladder(
        levels=(
            Level(name="gold", percent=5),
            Level(name="silver", percent=15),
            Level(name="tin"),
            Level(name="dust", percent=10),
            Level(name="ash", percent=10),
        )
    ),
)


def test_the_default_ladder_has_six() -> None:
    """From the top by rising percent, then from the bottom; each finds its cut among enter, plain, leave."""
    columns = CutColumns({1: POLICY})

    assert columns.names == ["high_18", "high_20", "high_22", "low_18", "low_20", "low_22"]
    enter, plain, leave = 5_000, 4_800, 4_600
    assert columns.cells(1, [enter, plain, leave, 1_900, 1_700, 1_500]) == [
        *(enter, plain, leave),
        *(1_500, 1_700, 1_900),
    ]
    assert columns.cells(1, None) == [""] * 6


def test_any_percentile_ladder_counts_from_both_ends() -> None:
    """Percents are cumulated: what stands above an edge from the top, below one from the bottom."""
    names = [column.name for column in columns_of(METALS.tiers)]

    assert names == [
        *("high_3", "high_5", "high_7", "high_18", "high_20", "high_22"),
        *("low_18", "low_20", "low_22", "low_8", "low_10", "low_12"),
    ]


def test_without_a_margin_an_edge_has_one_column() -> None:
    """Enter, plain and leave are the same number."""
    ladder = Ladder(margin_percent=0)

    assert [column.name for column in columns_of(ladder)] == ["high_20", "low_20"]


def test_a_fixed_ladder_names_its_levels() -> None:
    """One column for each threshold; everybody below the last one is in the last level."""
    ladder = Ladder(
        by="spend",
        levels=(
            Level(name="gold", at_least=20_000),
            Level(name="silver", at_least=10_000),
            Level(name="plain"),
        ),
    )

    assert columns_of(ladder) == [("from_gold", 1), ("from_silver", 4)]


def test_rows_of_two_policies_stand_in_one_file() -> None:
    """Each row fills the columns of the policy that it was computed under."""
    fixed = Policy(
        churn=(), tiers=Ladder(by="score", levels=(Level(name="gold", at_least=8_000), Level(name="plain")))
    )
    columns = CutColumns({1: POLICY, 2: fixed})

    assert columns.names[-1] == "from_gold"
    assert columns.cells(1, [1, 2, 3, 4, 5, 6]) == [1, 2, 3, 6, 5, 4, ""]
    assert columns.cells(2, [8_000, 8_000, 7_840]) == ["", "", "", "", "", "", 8_000]
