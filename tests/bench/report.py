"""The table that people read, and ``out/bench.json`` that machines read."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from tests.bench.ceiling import Ceiling
from tests.bench.core import Core
from tests.bench.peer import Peer
from tests.bench.scorer import Outcome

CEILING_SHARE_AIM: Final = 0.3
PEER_FACTOR_AIM: Final = 3.0


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
    worker_python_events_per_second: float  # ScorerWork.chunk on one core, rows from memory
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
    """Print the table."""
    best, table = (
        report.best.events_per_second,
        Table(title="Tierstream against its peers, one machine, one run"),
    )
    for column in ("what", "events/s", "against", "aim", "window", "cores busy"):
        table.add_column(column, justify="left" if column in {"what", "cores busy"} else "right")
    for one in report.scorers:
        name = f"scorer, {one.workers} worker{'s' if one.workers > 1 else ''}"
        table.add_row(name, _rate(one.events_per_second), "", "", _s(one.window_seconds), _cores(one.cores))
    ceiling, peer, core = report.ceiling, report.peer, report.core
    share, factor = best / ceiling.events_per_second, best / peer.events_per_second
    table.add_row(
        "bare PostgreSQL transaction", _rate(ceiling.events_per_second), f"ours is {share:.2f} of it",
        f">= {CEILING_SHARE_AIM}", _s(ceiling.seconds), _cores(ceiling.cores),
    )  # fmt: skip
    table.add_row(
        "plain Faust agent with a table", _rate(peer.events_per_second), f"ours is {factor:.1f} times it",
        f">= {PEER_FACTOR_AIM:.0f}", _s(peer.window_seconds), _cores(peer.cores),
    )  # fmt: skip
    table.add_row(
        "scorer's turns without Kafka and PostgreSQL",
        _rate(report.worker_python_events_per_second),
        "per core",
    )
    table.add_row("core: decode", _rate(core.decode), "per core")
    table.add_row("core: advance", _rate(core.advance), "per core")
    console.print(table)
    for one in report.scorers:
        console.print(
            f"{one.workers} worker(s): {one.total_events:,} events in {one.total_seconds:.1f} s from process start, "
            f"{one.events_per_turn:.0f} a turn, {one.outputs:,} changes published, {one.wrong_customers} customers "
            f"wrong of {report.customers:,}, {one.dead_letters} dead letters"
        )
    console.print(
        f"states of {report.state_bytes:.0f} bytes on average; the whole benchmark took {report.seconds:.0f} s"
    )


def save(report: Report, path: Path) -> None:
    """Write the JSON file."""
    machine: dict[str, Any] = {
        "cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version(),
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": machine, **asdict(report)}, indent=2) + "\n")


def _rate(value: float) -> str:
    return f"{value:,.0f}"


def _s(seconds: float) -> str:
    return f"{seconds:.1f} s"


def _cores(cores: dict[str, float]) -> str:
    return ", ".join(f"{name.removeprefix('bench-')} {value:.2f}" for name, value in cores.items())
