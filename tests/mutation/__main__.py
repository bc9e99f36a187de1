"""``python -m tests.mutation [PATTERN]``: what the last mutation runs found, module by module.

Reads what mutmut left in ``mutants/``; ``--survivors`` prints each survivor with its change.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Final, NamedTuple

from rich.console import Console
from rich.table import Table

_MUTANTS: Final = Path("mutants")
_CORE: Final = "services.scorer.core."
# Exit codes of a mutant's tests, as mutmut stores them. A mutant that hangs is caught: its test never passes.
_SURVIVED: Final = 0
_NO_TEST: Final = (5, 33)
_KILLED: Final = (1, 3)
_TIMED_OUT: Final = (-24, 24, 36, 152, 255, -9)


class Module(NamedTuple):
    """Verdicts on one module's mutants."""

    name: str
    verdicts: dict[str, str]  # by mutant: killed, timeout, survived, no test, not run, other


def main() -> None:
    """Print the table, and the survivors if asked."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("pattern", nargs="?", default="*", help="of mutants, as in ONLY of make mutation")
    parser.add_argument("--survivors", action="store_true", help="print what each survivor changes")
    options = parser.parse_args()
    modules = [one for one in _modules(options.pattern) if one.verdicts]
    if not modules:
        sys.exit(f"no verdicts on {options.pattern} in {_MUTANTS}/; run make mutation first")
    _show(modules, Console())
    if options.survivors:
        for name in (name for one in modules for name, verdict in one.verdicts.items() if _is_alive(verdict)):
            subprocess.run([str(Path(sys.executable).with_name("mutmut")), "show", name], check=False)


def _modules(pattern: str) -> Iterator[Module]:
    for path in sorted(_MUTANTS.rglob("*.py.meta")):
        module = ".".join(path.relative_to(_MUTANTS).parts).removesuffix(".py.meta")
        codes: dict[str, int | None] = json.loads(path.read_text())["exit_code_by_key"]
        verdicts = {name: _verdict(code) for name, code in codes.items() if fnmatch(name, pattern)}
        yield Module(module.removeprefix(_CORE), verdicts)


def _verdict(code: int | None) -> str:
    if code is None:
        return "not run"
    if code in _KILLED:
        return "killed"
    if code in _TIMED_OUT:
        return "timeout"
    if code == _SURVIVED:
        return "survived"
    return "no test" if code in _NO_TEST else "other"


def _is_alive(verdict: str) -> bool:
    return verdict in {"survived", "no test", "other"}


def _show(modules: list[Module], console: Console) -> None:
    table = Table(title="Mutants of the scoring core")
    for column in ("module", "mutants", "not run", "killed", "timed out", "alive", "killed %"):
        is_name = column == "module"
        table.add_column(column, justify="left" if is_name else "right", no_wrap=is_name)
    total: Counter[str] = Counter()
    for one in modules:
        counts = Counter(one.verdicts.values())
        total += counts
        if counts["not run"] < len(one.verdicts):
            table.add_row(one.name, *_row(counts))
    table.add_section()
    table.add_row("all", *_row(total))
    console.print(table)


def _row(counts: Counter[str]) -> tuple[str, ...]:
    run = counts.total() - counts["not run"]
    killed = counts["killed"] + counts["timeout"]
    numbers = (counts.total(), counts["not run"], killed, counts["timeout"], run - killed)
    return *map(str, numbers), f"{100 * killed / run:.1f}" if run else ""


if __name__ == "__main__":
    main()
