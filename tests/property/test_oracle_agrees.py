"""The core comes to what the oracle counts, from every kind of input and under very different policies.

A few seeds of each by default; ``TIERSTREAM_ORACLE_SEEDS=200`` looks at many more.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from services.scorer.core.policy import Policy
from tests.histories.every_kind import KINDS
from tests.property.oracle_given import POLICIES, core_tables, made, oracle_tables

SEEDS = int(os.environ.get("TIERSTREAM_ORACLE_SEEDS", "2"))
CORRECTED = ("corrections", "late_corrections")
STRAIGHT = tuple(kind for kind in KINDS if kind not in CORRECTED)
SOON = tuple(kind for kind in KINDS if kind != "late_corrections")


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


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_late_corrections_come_to_what_the_oracle_counts(name: str, seed: int, tmp_path: Path) -> None:
    """Corrections of months ago as well."""
    agree(name, seed, tmp_path, years=1, kinds=KINDS)


def agree(name: str, seed: int, folder: Path, *, years: int, kinds: tuple[str, ...]) -> None:
    """Hold the core's tables against the oracle's."""
    path, policy = folder / "history.jsonl", Policy.from_json(POLICIES[name])
    made(path, policy, seed, customers=16, years=years, kinds=kinds)

    ours, theirs = core_tables(path, policy), oracle_tables(path, policy)

    for table, rows in theirs.items():
        assert ours[table] == rows, table
    assert len(theirs["tier changes"]) > 20
