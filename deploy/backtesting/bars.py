"""A progress bar for a terminal; into a file or a pipe it writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn


class Show(Protocol):
    """Shows what is done of all there is, and where it stands."""

    def __call__(self, done: int, total: int, where: str = "") -> None:
        """Draw it."""


@contextmanager
def bar(console: Console, what: str) -> Iterator[Show]:
    """Show how far ``what`` has come while the block runs."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[where]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=None, where="")

        def show(done: int, total: int, where: str = "") -> None:
            progress.update(task, completed=done, total=total, where=where)

        yield show
