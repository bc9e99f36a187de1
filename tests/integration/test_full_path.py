"""A year of made-up customers from a file to the exports, as a user runs it: equal to the oracle, at any lanes."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.histories.synthetic import Settings, write
from tests.history.compare import History, dead, differences, rows, run_local, run_oracle, settled

LANES = (1, 8)
# Neither the default zone nor the default currency; a currency without decimals, a zone with clock changes.
ELSEWHERE = Settings(
    seed=7, customers=60, years=1, currency="JPY", time_zone="America/New_York", conflicts=0.02
)


pytestmark = pytest.mark.timeout(400)  # two runs of everything, on a machine that may be busy


@dataclass(frozen=True)
class Runs:
    """The same history by everybody."""

    events: int
    oracle: Path
    exports: dict[int, Path]  # by lanes


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("full-path")
    history = History(
        path=folder / "history.jsonl", currency=ELSEWHERE.currency, time_zone=ELSEWHERE.time_zone
    )
    events = write(history.path, ELSEWHERE)
    oracle = run_oracle(history, folder)
    return Runs(
        events, oracle, {lanes: run_local(history, folder, lanes=lanes, seconds_max=180) for lanes in LANES}
    )


@pytest.mark.parametrize("lanes", LANES)
def test_every_table_is_the_oracles(runs: Runs, lanes: int) -> None:
    """Customers, cut-offs, settled tier changes, warnings and dead letters, row by row."""
    assert differences(runs.exports[lanes], runs.oracle) == []


def test_the_history_is_worth_comparing(runs: Runs) -> None:
    """Equal tables prove little when there is nothing in them."""
    sizes = {path.stem: len(rows(path)) for path in runs.oracle.glob("*.csv")}
    assert sizes["cutoffs"] > 360
    assert min(sizes["customers"], sizes["tier_changes"], sizes["warnings"]) > 30
    assert sizes["dead_letters"] > 10
    assert {row["ended_by"] for row in rows(runs.oracle / "warnings.csv")} >= {"", "purchase"}


@pytest.mark.parametrize("name", ["customers", "cutoffs", "tier_changes", "warnings", "tasks"])
def test_the_number_of_lanes_does_not_show(runs: Runs, name: str) -> None:
    """The exports are the same to the byte, causes, causing events and what advisors are told included."""
    one, eight = (runs.exports[lanes] / f"{name}.csv" for lanes in LANES)
    assert one.read_bytes() == eight.read_bytes()
    assert len(rows(one)) > 30


def test_dead_letters_differ_only_in_where_they_stood(runs: Runs) -> None:
    """Partition and offset follow from the lanes; reason and bytes do not."""
    one, eight = (rows(runs.exports[lanes] / "dead_letters.csv") for lanes in LANES)
    assert dead(one) == dead(eight)
    assert Counter(row["value_hex"] for row in one) == Counter(row["value_hex"] for row in eight)
    assert {row["partition"] for row in one} == {"0"}
    assert len({row["partition"] for row in eight}) > 3


@pytest.mark.parametrize("lanes", LANES)
def test_the_summary_counts_what_the_export_holds(runs: Runs, lanes: int) -> None:
    """What a user reads at the end of a run is what is in the files."""
    folder = runs.exports[lanes]
    said = json.loads((folder / "summary.json").read_text())
    customers, tasks = rows(folder / "customers.csv"), rows(folder / "tasks.csv")
    letters = rows(folder / "dead_letters.csv")
    assert said["events"] == runs.events
    assert said["customers"] == len(customers)
    assert said["tiers"] == Counter(row["tier"] for row in customers)
    assert said["tier_changes"] == len(rows(folder / "tier_changes.csv"))
    assert said["warnings"] == len(rows(folder / "warnings.csv"))
    assert said["open_warnings"] == sum(not row["ended_at"] for row in rows(folder / "warnings.csv"))
    assert said["tasks_by_state"] == Counter(row["state"] for row in tasks)
    assert said["dead_letters_by_reason"] == Counter(row["reason"] for row in letters)
    assert said["cut_offs"] == len(rows(folder / "cutoffs.csv"))


def test_a_difference_would_be_found(runs: Runs, tmp_path: Path) -> None:
    """The comparison itself: one changed cell of any table is named."""
    for name in ("customers", "cutoffs", "tier_changes", "warnings"):
        for path in runs.exports[1].glob("*.csv"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
        assert differences(tmp_path, runs.oracle) == []
        table = rows(tmp_path / f"{name}.csv")
        column = list(table[0])[4]
        table[7] = {**table[7], column: "other"}
        with (tmp_path / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(table[0]))
            writer.writeheader()
            writer.writerows(table)
        found = differences(tmp_path, runs.oracle)
        assert len(found) == 1
        assert found[0].startswith(name)
        assert "'other'" in found[0]


def test_changes_of_one_instant_are_drawn_together() -> None:
    """There and back is nothing; there and on is one step."""

    def change(who: str, *tiers: str) -> dict[str, str]:
        names = ("previous", "current", "ranked_previous", "ranked_current")
        return {"customer_id": who, "at": "t", **dict(zip(names, tiers, strict=True))}

    there_and_back = [change("a", "x", "y", "x", "y"), change("a", "y", "x", "y", "x")]
    there_and_on = [change("b", "x", "y", "x", "y"), change("b", "y", "z", "y", "z")]
    assert settled(there_and_back + there_and_on) == [change("b", "x", "z", "x", "z")]
