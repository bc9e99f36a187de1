"""``tierstream export`` of rows that the real core made."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from secrets import token_hex
from typing import Any

import asyncpg

from deploy.export import export
from services.scorer.core.policy import Ladder, Level, Policy
from tests.e2e.world import POLICY, make_database, play

CUSTOMERS = 30


def lines(path: Path) -> list[dict[str, str]]:
    """Return a file's lines by column."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


async def sql(url: str, statement: str, *arguments: Any) -> Any:
    """Run one statement and return its first value."""
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement, *arguments)
    finally:
        await connection.close()


async def test_cut_offs_stand_under_their_names(database_url: str, tmp_path: Path) -> None:
    """Enter, plain and leave of each edge in the column of their percent; every customer and task is there."""
    world = play(CUSTOMERS)
    url = await make_database(database_url, f"export_{token_hex(4)}", CUSTOMERS)

    counts = await export(url, tmp_path, POLICY)

    (row,) = lines(tmp_path / "cutoffs.csv")
    high, low = world.cuts.points
    assert [row[f"high_{percent}"] for percent in (18, 20, 22)] == [
        *map(str, (high.enter, high.plain, high.leave))
    ]
    assert [row[f"low_{percent}"] for percent in (18, 20, 22)] == [
        *map(str, (low.leave, low.plain, low.enter))
    ]
    assert list(row)[:3] == ["version", "at", "active"]
    assert counts["customers.csv"] == len(lines(tmp_path / "customers.csv")) == len(world.states)
    assert counts["tasks.csv"] == len(world.tasks)
    assert all(task["why"].rstrip().endswith(".") for task in lines(tmp_path / "tasks.csv"))


async def test_cut_offs_of_an_earlier_policy_keep_their_columns(database_url: str, tmp_path: Path) -> None:
    """After a change of ladder both stand in one file, each row in the columns of its own policy."""
    url = await make_database(database_url, f"export_{token_hex(4)}", 6)
    fixed = Policy(
        churn=(), tiers=Ladder(by="score", levels=(Level(name="gold", at_least=8_000), Level(name="plain")))
    )
    await sql(url, "INSERT INTO policies (version, body) VALUES (2, $1)", json.dumps(fixed.to_json()))
    await sql(
        url,
        "INSERT INTO cut_offs (version, at_ms, complete, active, cuts, tied, policy_version, seq) "
        "VALUES (1000, 0, false, 6, '{8000,8000,7840}', '{}', 2, 2)",
    )

    await export(url, tmp_path, fixed)

    before, after = lines(tmp_path / "cutoffs.csv")
    assert (before["from_gold"], after["from_gold"]) == ("", "8000")
    assert before["high_20"]
    assert after["high_20"] == after["low_20"] == ""
