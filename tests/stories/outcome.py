"""What came of the stories, as the export tells it, and whether that is what they say."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.stories.story import Expectation

Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The tables of an export."""

    customers: dict[str, Row]
    tier_changes: list[Row]
    warnings: list[Row]

    @classmethod
    def read(cls, folder: Path) -> Outcome:
        """Return the tables in a folder."""
        customers = {row["customer_id"]: row for row in _rows(folder / "customers.csv")}
        reasons = {_episode(row): row["reason"] for row in _rows(folder / "warning_reasons.csv")}
        warnings = [row | {"reason": reasons[_episode(row)]} for row in _rows(folder / "warnings.csv")]
        return cls(customers, _rows(folder / "tier_changes.csv"), warnings)

    def objection(self, expected: Expectation) -> str | None:
        """Return what is otherwise than a story says, None when it is as it says."""
        words, who = expected.words, expected.words["who"]
        standing = [row for row in self.warnings if row["customer_id"] == who and _stands(row, expected.at)]
        match expected.kind:
            case "ranked" | "shown":
                column = "ranked_current" if expected.kind == "ranked" else "current"
                found: str | None = self._latest(who, expected.at).get(column)
                return _differs(found, words["tier"])
            case "spent":
                return _differs(f"{int(self.customers[who]['spend_minor']) / 100:.2f}", words["amount"])
            case "quiet":
                return _differs(" ".join(row["rule"] for row in standing), "")
            case "stands":
                return self._objection_to_warning(standing, words)
            case _:
                ended = [
                    row["ended_by"]
                    for row in self.warnings
                    if (row["customer_id"], row["rule"]) == (who, words["rule"])
                    and row["ended_at"]
                    and datetime.fromisoformat(row["ended_at"]) <= expected.at
                ]
                return _differs(ended[-1] if ended else "nothing", words["cause"])

    def _objection_to_warning(self, standing: list[Row], words: dict[str, str]) -> str | None:
        row = next((row for row in standing if row["rule"] == words["rule"]), None)
        if row is None:
            return f"standing are {[row['rule'] for row in standing]}"
        for name in ("severity", "reason"):
            if name in words and row[name] != words[name]:
                return f"its {name} is {row[name]}"
        return None

    def _latest(self, who: str, at: datetime) -> Row:
        past = [
            row
            for row in self.tier_changes
            if row["customer_id"] == who and datetime.fromisoformat(row["at"]) <= at
        ]
        return past[-1] if past else {}


def _episode(row: Row) -> tuple[str, str, str]:
    return row["customer_id"], row["rule"], row["started_at"]


def _rows(path: Path) -> list[Row]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _stands(row: Row, at: datetime) -> bool:
    started = datetime.fromisoformat(row["started_at"])
    return started <= at and (not row["ended_at"] or datetime.fromisoformat(row["ended_at"]) > at)


def _differs(found: str | None, expected: str) -> str | None:
    return None if found == expected else f"it is {found or 'nothing'}"
