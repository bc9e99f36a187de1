"""An offline replay comes to what the oracle counts, however many processes hold the customers."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.scorer.core.policy import Policy
from tests.histories.synthetic import Settings, write
from tests.property.offline_given import oracle_tables, run, tables

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
