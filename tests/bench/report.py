"""The table that people read, and ``out/bench.json`` that machines read."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from tests.bench import core_report
from tests.bench.ceiling import Ceiling
from tests.bench.core import Core
from tests.bench.peer import Peer
from tests.bench.scorer import Outcome

CEILING_SHARE_AIM: Final = 0.3
PEER_FACTOR_AIM: Final = 3.0
OTHERS_CORES_MAX: Final = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that was measured in one run."""

    customers: int
    events_published: int
    state_bytes: float
    scorers: list[Outcome]
    ceiling: Ceiling
    peer: Peer
    core: Core
    alone_events_per_second: float  # ScorerWork.chunk on one core, rows from memory
    seconds: float

    @property
    def best(self) -> Outcome:
        """The quicker of the scorer's runs."""
        return max(self.scorers, key=lambda one: one.events_per_second)

    @property
    def wrong(self) -> int:
        """Customers counted wrong and dead letters, over all runs of the scorer."""
        return sum(one.wrong_customers + one.dead_letters for one in self.scorers)


def show(report: Report, console: Console) -> None:
    """Print the table, and below it what is needed to judge it."""
    table = Table(title="Tierstream against its peers: one run, one machine")
    for column in ("what", "events/s", "per busy core", "ours to it", "aim"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for row in _rows(report):
        table.add_row(*row)
    console.print(table)
    for one in report.scorers:
        console.print(
            f"{_workers(one)}: {one.total_events:,} events in {one.total_seconds:.1f} s from process start, "
            f"{one.events_per_turn:.0f} a turn, {one.outputs:,} changes published; "
            f"{one.wrong_customers} of {report.customers:,} customers wrong, {one.dead_letters} dead letters"
        )
        console.print(f"in the window: {_counts(one.topics)}; turns of the whole run: {_counts(one.turns)}")
    for name, cores in _cores(report):
        console.print(f"cores busy, {name}: " + ", ".join(f"{who} {used:.2f}" for who, used in cores.items()))
    if any(cores["others"] > OTHERS_CORES_MAX for _, cores in _cores(report)):
        console.print("[bold]The machine was busy with other things: every speed above is too low.[/bold]")
    console.print(
        f"states of {report.state_bytes:.0f} bytes; the whole benchmark took {report.seconds:.0f} s"
    )
    core_report.show(report.core, console)


def _rows(report: Report) -> Iterator[tuple[str, ...]]:
    best, ceiling, peer, alone = report.best, report.ceiling, report.peer, report.alone_events_per_second
    for one in report.scorers:
        yield f"scorer, {_workers(one)}", _rate(one.events_per_second), _rate(_per_core(one)), "", ""
    share = best.events_per_second / ceiling.events_per_second
    share_per_core = _per_core(best) / _per_core(ceiling)
    yield (
        *("bare PostgreSQL transaction", _rate(ceiling.events_per_second), _rate(_per_core(ceiling))),
        *(f"{share:.2f}; per core {share_per_core:.2f}", f">= {CEILING_SHARE_AIM}"),
    )
    factor = best.events_per_second / peer.events_per_second
    factor_per_core = _per_core(best) / _per_core(peer)
    yield (
        *("plain Faust agent with a table", _rate(peer.events_per_second), _rate(_per_core(peer))),
        *(f"{factor:.1f} x; per core {factor_per_core:.1f} x", f">= {PEER_FACTOR_AIM:.0f} x"),
    )
    yield "scorer's turns, rows from memory", "", _rate(alone), "", ""
    yield "advance alone", "", _rate(report.core.advance), "", ""
    yield "strict decoding alone", "", _rate(report.core.decode), "", ""


def _per_core(one: Outcome | Ceiling | Peer) -> float:
    """Return events per second and core that it kept busy: what a busy machine changes least."""
    busy = sum(cores for name, cores in one.cores.items() if name != "others")
    return one.events_per_second / max(0.01, busy)


def _cores(report: Report) -> Iterator[tuple[str, dict[str, float]]]:
    for one in report.scorers:
        yield _workers(one), one.cores
    yield "bare transaction", report.ceiling.cores
    yield "plain Faust", report.peer.cores


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _workers(one: Outcome) -> str:
    return "1 worker" if one.workers == 1 else f"{one.workers} workers"


def save(report: Report, path: Path) -> None:
    """Write the JSON file."""
    _write(asdict(report), path)


def save_core(core: Core, path: Path) -> None:
    """Write the JSON file of the core's part alone."""
    _write({"core": asdict(core)}, path)


def _write(measured: dict[str, Any], path: Path) -> None:
    machine: dict[str, Any] = {
        "cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version(),
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": machine, **measured}, indent=2) + "\n")


def _rate(value: float) -> str:
    return f"{value:,.0f}"
