"""The core's part of the table that people read."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from tests.bench.core import Core, Scored
from tests.bench.parts import PARTS_OF_ADVANCE


def show(core: Core, console: Console) -> None:
    """Print the core's tables."""
    _speeds(core, console)
    _parts(core, console)
    _sizes(core, console)
    models = core.models
    console.print(
        f"predictions, microseconds each: P(no purchase) {models.no_purchase:.2f}, the age at which it reaches "
        f"a threshold {models.crossing:.1f}, expected purchases {models.expected_purchases:.1f}"
    )


def _speeds(core: Core, console: Console) -> None:
    table = Table(title=f"The scoring core alone on one core: {core.events:,} events, CPU time")
    for column in ("events/s", *(one.policy for one in core.policies), "of bare decoding"):
        table.add_column(column, justify="left" if column == "events/s" else "right")
    rows: dict[str, Callable[[Scored], float]] = {
        "bare strict decoding": lambda one: one.decode,
        "advance, states in memory": lambda one: one.advance,
        "decoding and advance": lambda one: one.decode_and_advance,
        "the same, states decoded and encoded": lambda one: one.stored,
    }
    for name, rate in rows.items():
        shares = " / ".join(f"{rate(one) / one.decode:.2f}" for one in core.policies)
        table.add_row(name, *(f"{rate(one):,.0f}" for one in core.policies), shares)
    console.print(table)


def _parts(core: Core, console: Console) -> None:
    table = Table(title="One event, part by part, in microseconds")
    table.add_column("part")
    for one in core.policies:
        table.add_column(one.policy, justify="right")
    for name in core.policies[0].parts:
        sub = name.startswith("evaluate: ")
        label = f"  of it {name.removeprefix('evaluate: ')}" if sub else name
        table.add_row(label, *(f"{one.parts[name]:.2f}" for one in core.policies))
    table.add_section()
    table.add_row("advance, its parts added up", *(f"{_sum(one):.2f}" for one in core.policies))
    table.add_row("advance as one", *(f"{one.advance_microseconds:.2f}" for one in core.policies))
    console.print(table)


def _sum(one: Scored) -> float:
    return sum(one.parts[name] for name in PARTS_OF_ADVANCE)


def _sizes(core: Core, console: Console) -> None:
    table = Table(title="Bytes of a stored customer: purchases alone / with browses and responses")
    table.add_column("purchases a year", justify="right")
    for one in core.policies:
        table.add_column(one.policy, justify="right")
    for count in core.policies[0].bytes_by_purchases:
        sizes = [one.bytes_by_purchases[count] for one in core.policies]
        table.add_row(
            str(count), *(f"{one.purchases_only:,} / {one.with_browses_and_responses:,}" for one in sizes)
        )
    console.print(table)
