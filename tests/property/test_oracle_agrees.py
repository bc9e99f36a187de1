"""The core comes to what the oracle counts, from every kind of input and under very different policies.

A few seeds of each by default; ``TIERSTREAM_ORACLE_SEEDS=200`` looks at many more.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from services.scorer.core.policy import Policy
from tests.histories.every_kind import KINDS
from tests.oracle.events import read_events
from tests.oracle.replay import replay as oracle_replay
from tests.property.offline_given import Tables, run, tables, tables_of
from tests.property.oracle_given import POLICIES, made

SEEDS = int(os.environ.get("TIERSTREAM_ORACLE_SEEDS", "2"))
CORRECTED = ("corrections", "late_corrections")
STRAIGHT = tuple(kind for kind in KINDS if kind not in CORRECTED)
SOON = tuple(kind for kind in KINDS if kind != "late_corrections")
# What corrections do to starts long past, for rules of other kinds and tiers, is in ``test_oracle_differs``.
LATE = ("by spend", "by score", "metrics", "hard landing")


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_kind_of_input_comes_to_what_the_oracle_counts(name: str, seed: int, tmp_path: Path) -> None:
    """Customers, every cut-off, settled tier changes, warnings with their ends, and refusals: two years."""
    agree(name, seed, tmp_path, years=2, kinds=STRAIGHT)


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_corrections_come_to_what_the_oracle_counts(name: str, seed: int, tmp_path: Path) -> None:
    """Corrections within a month as well: revisions in any order, voids, moved and of unknown purchases."""
    agree(name, seed, tmp_path, years=1, kinds=SOON)


@pytest.mark.parametrize("name", LATE)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_late_corrections_come_to_what_the_oracle_counts(name: str, seed: int, tmp_path: Path) -> None:
    """Corrections of months ago as well."""
    agree(name, seed, tmp_path, years=1, kinds=KINDS)


def agree(name: str, seed: int, folder: Path, *, years: int, kinds: tuple[str, ...]) -> None:
    """Hold the core's tables against the oracle's.

    Of a warning whose end was said and then taken back by a correction only the start is compared.
    """
    path, policy = folder / "history.jsonl", Policy.from_json(POLICIES[name])
    made(path, policy, seed, customers=16, years=years, kinds=kinds)
    counted = oracle_replay(read_events([path]), policy=policy.to_json())
    moved = {
        (one.customer_id, episode.rule, episode.start_ms)
        for one in counted.customers
        for episode in one.warnings.episodes
        if episode.taken_back
    }

    ours, theirs = tables(run(path, policy)), tables_of(counted)

    for table, rows in theirs.items():
        assert sans_ends(ours, table, moved) == sans_ends({table: rows}, table, moved), table
    assert len(theirs["tier changes"]) > 20


def sans_ends(found: Tables, table: str, moved: set[tuple[str, str, int]]) -> list[tuple[object, ...]]:
    """Return a table's rows; of warnings that ``moved`` without their ends."""
    if table != "warnings":
        return found[table]
    return [row[:3] if row[:3] in moved else row for row in found[table]]
