"""Counts of what a run did, read from PostgreSQL: what ``--summary`` writes and the end of a run prints."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import asyncpg

_COUNTS: Final = """
SELECT (SELECT count(*) FROM customers WHERE ranked_tier IS NOT NULL) AS customers,
       (SELECT count(*) FROM tier_changes) AS tier_changes,
       (SELECT count(*) FROM warnings) AS warnings,
       (SELECT count(*) FROM warnings WHERE ended_ms IS NULL) AS open_warnings,
       (SELECT count(*) FROM tasks) AS tasks,
       (SELECT count(*) FROM dead_letters) AS dead_letters,
       (SELECT count(*) FROM cut_offs) AS cut_offs"""


@dataclass(frozen=True, slots=True)
class Summary:
    """What happened. ``events`` were acknowledged by Kafka; ``events_per_second`` until all was done."""

    events: int
    seconds: float
    events_per_second: float
    customers: int
    tiers: dict[str, int]
    tier_changes: int
    warnings: int
    open_warnings: int
    tasks: int
    tasks_by_state: dict[str, int]
    dead_letters: int
    dead_letters_by_reason: dict[str, int]
    cut_offs: int

    def to_json(self) -> dict[str, Any]:
        """Return the summary as a JSON object."""
        return asdict(self)

    def lines(self) -> list[tuple[str, str]]:
        """Return what a person reads, as label and figure."""
        tiers = [(f"  {name.replace('_', ' ')}", f"{count:,}") for name, count in self.tiers.items()]
        states = [(f"  {name}", f"{count:,}") for name, count in self.tasks_by_state.items()]
        reasons = [(f"  {name}", f"{count:,}") for name, count in self.dead_letters_by_reason.items()]
        return [
            ("events", f"{self.events:,}"),
            ("customers", f"{self.customers:,}"),
            *tiers,
            ("tier changes", f"{self.tier_changes:,}"),
            ("churn warnings", f"{self.warnings:,} ({self.open_warnings:,} open)"),
            ("tasks", f"{self.tasks:,}"),
            *states,
            ("dead letters", f"{self.dead_letters:,}"),
            *reasons,
            ("rate", f"{self.events_per_second:,.0f} events/s over {self.seconds:.1f} s"),
        ]


async def summarize(database_url: str, *, events: int, seconds: float) -> Summary:
    """Count in one snapshot."""
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            counts = await connection.fetchrow(_COUNTS)
            return Summary(
                events=events,
                seconds=round(seconds, 3),
                events_per_second=round(events / seconds, 1),
                tiers=await _groups(
                    connection, "SELECT tier, count(*) FROM customers WHERE tier IS NOT NULL GROUP BY 1"
                ),
                tasks_by_state=await _groups(connection, "SELECT state, count(*) FROM tasks GROUP BY 1"),
                dead_letters_by_reason=await _groups(
                    connection, "SELECT reason, count(*) FROM dead_letters GROUP BY 1"
                ),
                **dict(counts or {}),
            )
    finally:
        await connection.close()


async def _groups(connection: Any, query: str) -> dict[str, int]:
    return {row[0]: row[1] for row in await connection.fetch(f"{query} ORDER BY 2 DESC, 1")}
