"""The outcome as CSV files, to lay beside what the services export."""

import csv
from pathlib import Path

from tests.oracle.clock import rfc3339
from tests.oracle.replay import Outcome
from tests.oracle.tiers import PERCENTS

Row = tuple[object, ...]

HEADERS = {
    "customers": (
        "customer_id score ranked_tier ranked_since tier tier_since spend_minor orders purchase_days"
        " last_purchase_at"
    ),
    "cutoffs": "version at active high_18 high_20 high_22 low_18 low_20 low_22",
    "tier_changes": "customer_id at previous current ranked_previous ranked_current",
    "tier_changes_settled": "customer_id at previous current ranked_previous ranked_current",
    "warnings": "customer_id rule start ended_at ended_by",
    "dead_letters": "event_id reason",
}


def customer_rows(outcome: Outcome) -> list[Row]:
    """Return a row for everyone with a purchase event."""
    return [
        (
            one.customer_id,
            one.score,
            one.ranked,
            rfc3339(one.ranked_since_ms),
            one.tier,
            rfc3339(one.tier_since_ms),
            max(0, one.measures.net_minor),
            one.measures.orders,
            one.measures.days,
            rfc3339(one.last_sale_ms),
        )
        for one in outcome.customers
    ]


def cut_rows(outcome: Outcome) -> list[Row]:
    """Return a row for every midnight and one for the end; cuts are empty when nobody was active."""
    rows: list[Row] = []
    for row in outcome.cut_rows:
        cuts = row.cuts
        cells = [""] * 6 if cuts is None else [cut[p] for cut in (cuts.high, cuts.low) for p in PERCENTS]
        rows.append((row.version, rfc3339(row.at_ms), row.active, *cells))
    return rows


def change_rows(outcome: Outcome, *, settled: bool) -> list[Row]:
    """Return the tier changes; with ``settled``, those of one customer at one instant drawn together."""
    return [
        (
            one.customer_id,
            rfc3339(one.at_ms),
            one.previous or "",
            one.current,
            one.ranked_previous or "",
            one.ranked_current,
        )
        for one in (outcome.settled_changes() if settled else outcome.changes)
    ]


def warning_rows(outcome: Outcome) -> list[Row]:
    """Return the churn episodes by start, customer and rule; the end is empty while one is open."""
    episodes = [(one.customer_id, episode) for one in outcome.customers for episode in one.silence.episodes]
    episodes.sort(key=lambda pair: (pair[1].start_ms, pair[0], pair[1].rule))
    return [
        (customer_id, one.rule, rfc3339(one.start_ms), rfc3339(one.ended_ms), one.ended_by)
        for customer_id, one in episodes
    ]


def export(outcome: Outcome, folder: Path) -> None:
    """Write every table into ``folder``, which is made when it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    tables: dict[str, list[Row]] = {
        "customers": customer_rows(outcome),
        "cutoffs": cut_rows(outcome),
        "tier_changes": change_rows(outcome, settled=False),
        "tier_changes_settled": change_rows(outcome, settled=True),
        "warnings": warning_rows(outcome),
        "dead_letters": [tuple(letter) for letter in sorted(outcome.dead_letters)],
    }
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(HEADERS[name].split())
            writer.writerows(rows)
