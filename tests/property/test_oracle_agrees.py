"""The core comes to what the oracle counts, from every kind of input and under very different policies.

A few seeds of each by default; ``TIERSTREAM_ORACLE_SEEDS=200`` looks at many more.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from services.scorer.core.metrics import BY_NAME
from services.scorer.core.policy import Policy
from tests.histories.every_kind import KINDS
from tests.property.oracle_given import core_tables, made, oracle_tables
from tests.property.oracle_policies import POLICIES

SEEDS = int(os.environ.get("TIERSTREAM_ORACLE_SEEDS", "2"))
CORRECTED = ("corrections", "late_corrections")
STRAIGHT = tuple(kind for kind in KINDS if kind not in CORRECTED)
SOON = tuple(kind for kind in KINDS if kind != "late_corrections")


def test_every_metric_is_laid_side_by_side_under_two_policies() -> None:
    """At least: under other normalisers, windows and time zones."""
    policies = [Policy.from_json(policy) for policy in POLICIES.values()]
    counted = Counter(metric for policy in policies for metric in policy.measured)
    assert {metric for metric, count in counted.items() if count >= 2} == set(BY_NAME)


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_kind_of_input_comes_to_what_the_oracle_counts(name: str, seed: int, tmp_path: Path) -> None:
    """Customers, every cut-off, settled tier changes, warnings with their ends, and refusals: two years.

    One year of most seeds where everybody is measured at every midnight.
    """
    is_short = seed and Policy.from_json(POLICIES[name]).samples_daily
    agree(name, seed, tmp_path, years=1 if is_short else 2, kinds=STRAIGHT)


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


@pytest.mark.parametrize("name", ["default", "every rule", "by spend"])
@pytest.mark.parametrize("seed", range(SEEDS))
def test_who_never_bought_after_all_is_a_prospect(name: str, seed: int, tmp_path: Path) -> None:
    """Voids of somebody's only purchase as well."""
    agree(name, seed, tmp_path, years=1, kinds=KINDS, undone=True)


def agree(
    name: str, seed: int, folder: Path, *, years: int, kinds: tuple[str, ...], undone: bool = False
) -> None:
    """Hold the core's tables against the oracle's."""
    path, policy = folder / "history.jsonl", Policy.from_json(POLICIES[name])
    # Everybody is measured at every midnight: a prediction takes its time.
    customers = 12 if policy.samples_daily else 16
    made(path, policy, seed, customers=customers, years=years, kinds=kinds, undone=undone)

    ours, theirs = core_tables(path, policy), oracle_tables(path, policy)

    for table, rows in theirs.items():
        assert ours[table] == rows, table
    assert len(theirs["tier changes"]) > 20
