"""A backtest's report as tables for people."""

from __future__ import annotations

from typing import Any, Final

from rich.console import Console
from rich.table import Table

from deploy.backtesting.output import WIDE

_EXPLAINED: Final = (
    *("true_warning", "lost", "recall", "lead_days", "recall_of_silences", "base_rate", "flap"),
)


def print_tables(report: dict[str, Any], console: Console) -> None:
    """Print the report for people."""
    console.print(
        f"{report['events']:,} events of {report['customers']:,} customers, {report['from'][:10]} to "
        f"{report['to'][:10]}, in {report['seconds']:.1f} s ({report['events_per_second']:,.0f} events/s, "
        f"processes: {report['processes']})",
        highlight=False,
        soft_wrap=True,
    )
    refused = ", ".join(f"{reason} {count:,}" for reason, count in report["dead_letters"].items())
    if refused:
        console.print(f"dead letters: {refused}", highlight=False, soft_wrap=True)
    for table in (_tiers(report), _shown(report), _flaps(report["flaps"]), _rules(report)):
        console.print()
        console.print(table, width=None if console.is_terminal else WIDE)
    console.print()
    for name in _EXPLAINED:
        said = f"[dim]{name.replace('_', ' ')}: {report['definitions'][name]}[/]"
        console.print(said, highlight=False, soft_wrap=not console.is_terminal)


def _tiers(report: dict[str, Any]) -> Table:
    table = _table("ranked tiers", "at the end", "share", "of active", "mean share", "mean of active")
    for row in report["tiers"]:
        shares = ("share", "share_of_active", "mean_share", "mean_share_of_active")
        table.add_row(row["tier"], f"{row['customers']:,}", *(_percent(row[name]) for name in shares))
    return table


def _shown(report: dict[str, Any]) -> Table:
    table = _table("tiers shown", "at the end", "share", "mean share")
    for row in report["shown"]:
        shares = (_percent(row["share"]), _percent(row["mean_share"]))
        table.add_row(row["tier"], f"{row['customers']:,}", *shares)
    return table


def _flaps(flaps: dict[str, Any]) -> Table:
    table = _table("flaps", "with hysteresis", "without", "fewer")
    table.add_row(
        "per customer-year",
        _figure(flaps["with_hysteresis"], "{:.4f}"),
        _figure(flaps["without_hysteresis"], "{:.4f}"),
        _percent(flaps["reduction"]),
    )
    counts = (flaps["count_with_hysteresis"], flaps["count_without_hysteresis"])
    table.add_row(f"in {flaps['customer_years']:,.0f} customer-years", *(f"{one:,}" for one in counts), "")
    table.add_row("customer-days that differ", _percent(flaps["customer_days_that_differ"]), "", "")
    return table


def _rules(report: dict[str, Any]) -> Table:
    table = _table("rule", "warnings", "judged", "precision", "recall", "lead days", "of silences")
    for row in report["rules"]:
        table.add_row(
            *(row["rule"], f"{row['warnings']:,}", f"{row['judged']:,}"),
            *(_percent(row["precision"]), _percent(row["recall"])),
            _figure(row["lead_days_median"], "{:.1f}"),
            _percent(row["recall_of_silences"]),
        )
    table.add_row("[dim]at random[/]", "", "", _percent(report["base_rate"]), "", "", "")
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _percent(share: float | None) -> str:
    return _figure(share, "{:.1%}")


def _figure(value: float | None, how: str) -> str:
    return "-" if value is None else how.format(value)
