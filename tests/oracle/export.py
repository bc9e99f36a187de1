"""The outcome as CSV files, to lay beside what the services export."""

import csv
from pathlib import Path

from tests.oracle.clock import rfc3339
from tests.oracle.policy import Ladder
from tests.oracle.replay import Outcome

Row = tuple[object, ...]

HEADERS = {
    "customers": (
        "customer_id score ranked_tier ranked_since tier tier_since spend_minor orders purchase_days"
        " last_purchase_at"
    ),
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
            len(one.measures.days),
            rfc3339(one.last_sale_ms),
        )
        for one in outcome.customers
    ]


def cut_header(ladder: Ladder) -> list[str]:
    """Return the columns of cut-offs: three for each edge, by rising percentage where the crowd decides."""
    if ladder == Ladder():
        edges = [f"{end}_{percent}" for end in ("high", "low") for percent in (18, 20, 22)]
    else:
        above = [level.name for level in ladder.levels[:-1]]
        edges = [f"{name}_{rank}" for name in above for rank in ("enter", "plain", "leave")]
    return ["version", "at", "active", *edges]


def cut_rows(outcome: Outcome) -> list[Row]:
    """Return a row for every midnight and one for the end; cuts are empty when nobody was active."""
    ladder = outcome.policy.ladder
    rows: list[Row] = []
    for row in outcome.cut_rows:
        cells: list[object] = [""] * (3 * len(ladder.levels) - 3)
        if row.cuts is not None:
            cells = [number for edge in row.cuts for number in (edge.enter, edge.plain, edge.leave)]
            if ladder == Ladder():  # by rising percentage, and from the bottom that ends with ``enter``
                cells[3:] = reversed(cells[3:])
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
    episodes = [(one.customer_id, episode) for one in outcome.customers for episode in one.warnings.episodes]
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
            cut_offs = name == "cutoffs"
            header = cut_header(outcome.policy.ladder) if cut_offs else HEADERS[name].split()
            writer.writerow(header)
            writer.writerows(rows)
