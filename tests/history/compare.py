"""Runs the command on a history and lays its export beside the oracle's, table by table."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from tests.oracle.events import read_events
from tests.oracle.export import export as export_oracle
from tests.oracle.replay import replay

Row = dict[str, str]
TIERS = ("previous", "current", "ranked_previous", "ranked_current")


@dataclass(frozen=True, kw_only=True)
class History:
    """A file of events and what it is counted in."""

    path: Path
    currency: str = "USD"
    time_zone: str = "UTC"


def run_local(history: History, folder: Path, *, lanes: int, seconds_max: float) -> Path:
    """Replay a history through ``tierstream local``; return the folder of its export, with summary.json.

    Raises:
        AssertionError: the command failed; the message is what it said.
    """
    exported = folder / f"lanes-{lanes}"
    exported.mkdir(parents=True)
    command = [
        *(sys.executable, "-m", "deploy.cli", "local", "--once", "--events", history.path),
        *("--currency", history.currency, "--time-zone", history.time_zone, "--lanes", lanes),
        *("--export", exported, "--summary", exported / "summary.json"),
    ]
    ours = {
        name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "KAFKA_BOOTSTRAP"}
    }
    done = subprocess.run(
        list(map(str, command)),
        cwd=exported,
        env=ours,
        capture_output=True,
        text=True,
        timeout=seconds_max,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return exported


def run_oracle(history: History, folder: Path) -> Path:
    """Let the oracle count a history; return the folder of its tables."""
    outcome = replay(read_events([history.path]), currency=history.currency, time_zone=history.time_zone)
    export_oracle(outcome, folder / "oracle")
    return folder / "oracle"


def rows(path: Path) -> list[Row]:
    """Return the rows of a CSV file."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def settled(changes: list[Row]) -> list[Row]:
    """Draw the changes of one customer at one instant together; what comes to nothing is left out.

    What several events of one millisecond pass through on the way depends on the order between topics.
    """
    drawn = []
    for (at, customer_id), group in groupby(changes, key=lambda row: (row["at"], row["customer_id"])):
        same = list(group)
        first, last = same[0], same[-1]
        row = {name: (first if "previous" in name else last)[name] for name in TIERS}
        if (row["previous"], row["ranked_previous"]) != (row["current"], row["ranked_current"]):
            drawn.append({"customer_id": customer_id, "at": at, **row})
    return drawn


def dead(letters: list[Row]) -> list[tuple[str, str]]:
    """Return event id and reason of every dead letter, sorted."""
    return sorted((json.loads(bytes.fromhex(row["value_hex"]))["event_id"], row["reason"]) for row in letters)


def differences(ours: Path, oracle: Path) -> list[str]:
    """Return what differs between an export and the oracle's tables, a few rows of each; empty when nothing."""
    renamed = [
        {"start" if name == "started_at" else name: cell for name, cell in row.items() if name != "severity"}
        for row in rows(ours / "warnings.csv")
    ]
    found = {
        "customers": rows(ours / "customers.csv"),
        "cutoffs": rows(ours / "cutoffs.csv"),
        "tier_changes_settled": settled(rows(ours / "tier_changes.csv")),
        "warnings": renamed,
        "dead_letters": [{"event_id": e, "reason": r} for e, r in dead(rows(ours / "dead_letters.csv"))],
    }
    return [
        line for table, got in found.items() for line in _differ(table, got, rows(oracle / f"{table}.csv"))
    ]


def _differ(table: str, ours: list[Row], oracle: list[Row]) -> list[str]:
    if ours == oracle:
        return []
    mine, theirs = ({tuple(row.items()) for row in table_} for table_ in (ours, oracle))
    extra, lacking = sorted(mine - theirs)[:3], sorted(theirs - mine)[:3]
    return [f"{table}: {len(ours)} rows, oracle {len(oracle)}; ours only {extra}, oracle only {lacking}"]
