"""``tierstream export``: customers, cut-offs, tier changes, warnings, tasks and dead letters as CSV files."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any, Final

import asyncpg
import msgspec

from deploy.cut_columns import CutColumns
from deploy.policies import stored_in
from schemas.times import from_ms
from services.scorer.core.policy import Policy
from services.scorer.core.state import decode_state
from services.scorer.core.view import summary

Row = Iterable[Any]
File = tuple[str, str, Callable[[Any, Policy], Row]]  # header, query, how a row becomes a line
PREFETCH: Final = 1000

_CUSTOMERS: Final = "SELECT state FROM customers WHERE ranked_tier IS NOT NULL ORDER BY customer_id"
_CUT_OFFS: Final = "SELECT version, at_ms, active, cuts, policy_version FROM cut_offs ORDER BY version"
_POLICIES: Final = """
SELECT version, body FROM policies WHERE version IN (SELECT policy_version FROM cut_offs) ORDER BY version"""
_TIER_CHANGES: Final = """
SELECT customer_id, revision, at_ms, previous, current, ranked_previous, ranked_current, cause, causation_id
FROM tier_changes ORDER BY at_ms, customer_id, revision"""
_WARNINGS: Final = """
SELECT customer_id, rule, started_ms, severity, ended_ms, ended_by
FROM warnings ORDER BY started_ms, customer_id, rule"""
_REASONS: Final = """
SELECT customer_id, rule, started_ms, kind, evidence FROM warnings ORDER BY started_ms, customer_id, rule"""
_TASKS: Final = """
SELECT task_key, customer_id, playbook, kind, team, urgency, state, created_at, due_at, assigned_to, outcome,
       closed_at, closed_by, title, why
FROM tasks ORDER BY created_at, task_key"""
_DEAD_LETTERS: Final = """
SELECT topic, partition, "offset", reason, detail, key, value FROM dead_letters
ORDER BY topic, partition, "offset" """


class _Evidence(msgspec.Struct):
    """The fields of a warning's evidence that have a column."""

    reason: str = "unknown"
    reason_evidence: tuple[str, ...] = ()


def _at(ms: int | None) -> str:
    return "" if ms is None else from_ms(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _customer(row: Any, policy: Policy) -> Row:
    view = summary(decode_state(row["state"]), policy)
    return (
        *(view.customer_id, view.score, view.ranked_tier, _at(view.ranked_since_ms)),
        *(view.tier, _at(view.tier_since_ms), view.spend_minor, view.orders, view.purchase_days),
        _at(view.last_purchase_ms),
    )


def _tier_change(row: Any, _policy: Policy) -> Row:
    return (row[0], row[1], _at(row["at_ms"]), *("" if cell is None else cell for cell in row[3:]))


def _warning(row: Any, _policy: Policy) -> Row:
    return (row[0], row[1], _at(row["started_ms"]), row[3], _at(row["ended_ms"]), row[5] or "")


def _reason(row: Any, _policy: Policy) -> Row:
    found = msgspec.json.decode(row["evidence"], type=_Evidence)
    return (
        row[0],
        row[1],
        _at(row["started_ms"]),
        row["kind"],
        found.reason,
        " ".join(found.reason_evidence),
    )


def _task(row: Any, _policy: Policy) -> Row:
    return tuple("" if cell is None else getattr(cell, "isoformat", lambda c=cell: c)() for cell in row)


def _dead_letter(row: Any, _policy: Policy) -> Row:
    return (*row[:5], *("" if cell is None else cell.hex() for cell in row[5:]))


# ``cutoffs.csv`` comes besides: its columns are the policy's.
FILES: Final[dict[str, File]] = {
    "customers.csv": (
        (
            "customer_id score ranked_tier ranked_since tier tier_since spend_minor orders purchase_days"
            " last_purchase_at"
        ),
        _CUSTOMERS,
        _customer,
    ),
    "tier_changes.csv": (
        "customer_id revision at previous current ranked_previous ranked_current cause causation_id",
        _TIER_CHANGES,
        _tier_change,
    ),
    "warnings.csv": ("customer_id rule started_at severity ended_at ended_by", _WARNINGS, _warning),
    "warning_reasons.csv": ("customer_id rule started_at kind reason evidence", _REASONS, _reason),
    "tasks.csv": (
        (
            "task_key customer_id playbook kind team urgency state created_at due_at assigned_to outcome"
            " closed_at closed_by title why"
        ),
        _TASKS,
        _task,
    ),
    "dead_letters.csv": (
        "topic partition offset reason detail key_hex value_hex",
        _DEAD_LETTERS,
        _dead_letter,
    ),
}


async def export(database_url: str, folder: Path, policy: Policy | None = None) -> dict[str, int]:
    """Write every file from one snapshot; return how many lines each one has, without its header.

    Customers are shown by the policy in force, unless another is given.

    Raises:
        NoPolicyError: none is in force.
        OSError: the folder can't be written.
    """
    counts: dict[str, int] = {}
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            by = policy or (await stored_in(connection)).policy
            folder.mkdir(parents=True, exist_ok=True)
            files = FILES | {"cutoffs.csv": await _cut_offs_file(connection, by)}
            for name, (header, query, line) in files.items():
                cursor = aiter(connection.cursor(query, prefetch=PREFETCH))
                counts[name] = await _write(
                    folder / name, header.split(), (line(row, by) async for row in cursor)
                )
    finally:
        await connection.close()
    return counts


async def _cut_offs_file(connection: Any, policy: Policy) -> File:
    """Return how ``cutoffs.csv`` is written: its columns follow the policies that cut-offs rest on."""
    rows = await connection.fetch(_POLICIES)
    known = {row["version"]: Policy.from_json(msgspec.json.decode(row["body"])) for row in rows}
    columns = CutColumns(known or {1: policy})

    def line(row: Any, _policy: Policy) -> Row:
        cells = columns.cells(row["policy_version"], row["cuts"])
        return (row["version"], _at(row["at_ms"]), row["active"], *cells)

    return " ".join(("version at active", *columns.names)), _CUT_OFFS, line


async def _write(path: Path, header: list[str], rows: AsyncIterator[Row]) -> int:
    count = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(header)
        async for row in rows:
            out.writerow(row)
            count += 1
    return count
