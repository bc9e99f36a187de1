"""Real data sets through the whole path: every export equals the oracle's, at one lane and at eight.

Minutes long, so not part of ``make test``: ``make histories``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.demo import complete_journey
from tests.histories import cdnow
from tests.history.compare import History, differences, rows, run_local, run_oracle

LANES = (8, 1)
SECONDS_MAX = 400.0
WRITERS: dict[str, Callable[[Path], object]] = {
    "complete-journey": complete_journey.write,
    "cdnow": cdnow.write,
}
pytestmark = pytest.mark.timeout(SECONDS_MAX * 3)


@dataclass(frozen=True)
class Runs:
    """One history by the oracle and, by lanes, by the services."""

    oracle: Path
    exports: dict[int, Path]


@pytest.fixture(scope="module", params=WRITERS)
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp(request.param)
    history = History(path=folder / "history.jsonl")
    WRITERS[request.param](history.path)
    oracle = run_oracle(history, folder)
    return Runs(
        oracle, {lanes: run_local(history, folder, lanes=lanes, seconds_max=SECONDS_MAX) for lanes in LANES}
    )


@pytest.mark.parametrize("lanes", LANES)
def test_a_real_history_comes_to_what_the_oracle_counts(runs: Runs, lanes: int) -> None:
    """Customers, cut-offs, settled tier changes, warnings and dead letters, row by row."""
    assert differences(runs.exports[lanes], runs.oracle) == []
    assert len(rows(runs.exports[lanes] / "customers.csv")) > 2000
    assert len(rows(runs.exports[lanes] / "cutoffs.csv")) > 360


@pytest.mark.parametrize("name", ["customers", "cutoffs", "tier_changes", "warnings", "tasks"])
def test_the_number_of_lanes_does_not_show(runs: Runs, name: str) -> None:
    """The exports are the same to the byte."""
    eight, one = ((runs.exports[lanes] / f"{name}.csv").read_bytes() for lanes in LANES)
    assert eight == one
