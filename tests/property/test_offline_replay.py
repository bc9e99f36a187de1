"""An offline replay comes to what the oracle counts, however many processes hold the customers."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from deploy.backtesting import stretches
from services.scorer.core.policy import Policy
from services.scorer.offline.processes import ProcessLostError
from tests.histories.synthetic import Settings, write
from tests.property.offline_given import Collector, oracle_tables, run, tables

ZONES = ("UTC", "Europe/London", "America/New_York", "Pacific/Apia", "Asia/Kolkata")


@pytest.mark.parametrize("seed", range(5))
def test_an_offline_replay_comes_to_what_the_oracle_counts(seed: int, tmp_path: Path) -> None:
    """Customers, every cut-off, settled tier changes, warnings and refusals, in many time zones."""
    path, zone = tmp_path / "history.jsonl", ZONES[seed % len(ZONES)]
    write(path, Settings(seed=seed, customers=40, years=2, time_zone=zone))
    policy = Policy.default(time_zone=zone)

    ours, theirs = tables(run(path, policy)), oracle_tables(path, policy)

    for table, rows in theirs.items():
        assert ours[table] == rows, table
    assert len(theirs["warnings"]) > 20
    assert len(theirs["tier changes"]) > 50


def test_the_number_of_processes_does_not_show(tmp_path: Path) -> None:
    """Processes exchange histograms at every midnight, so all of them stand under the same cuts."""
    path, policy = tmp_path / "history.jsonl", Policy.default()
    write(path, Settings(seed=7, customers=30, years=2))

    alone, spread = run(path, policy), run(path, policy, processes=3)

    assert tables(spread) == tables(alone)
    assert spread.counts == alone.counts
    assert alone.counts.duplicates > 0


class Deserter(Collector):
    """Leaves without a word."""

    def __init__(self) -> None:
        """Go."""
        os._exit(3)


class Objector(Collector):
    """Says why it can't."""

    def __init__(self) -> None:
        """Raise."""
        raise ValueError("not like this")


@pytest.mark.parametrize(
    ("watcher", "error", "said"),
    [
        pytest.param(Deserter, ProcessLostError, "try fewer --processes", id="killed"),
        pytest.param(Objector, ValueError, "not like this", id="failed"),
    ],
)
def test_a_process_that_fails_is_not_waited_for(
    watcher: type[Collector], error: type[Exception], said: str, tmp_path: Path
) -> None:
    """What it said is raised; when it said nothing, the message says what to try. None stays behind."""
    path = tmp_path / "history.jsonl"
    write(path, Settings(seed=1, customers=5, years=1))

    with pytest.raises(error, match=said):
        run(path, Policy.default(), processes=2, watcher=watcher)

    assert multiprocessing.active_children() == []


def test_a_busy_day_is_dealt_out_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of a day come to what the day does; events of one instant keep the order of their topics."""
    path, policy = tmp_path / "history.jsonl", Policy.default()
    write(path, Settings(seed=2, customers=20, years=1))
    whole = tables(run(path, policy))

    monkeypatch.setattr(stretches, "BYTES_MAX", 300)

    assert tables(run(path, policy)) == whole
    assert tables(run(path, policy, processes=2)) == whole
