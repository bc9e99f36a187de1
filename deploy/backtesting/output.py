"""Files that a command writes: refused before the work where they can't be, and whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

INTERRUPTED: Final = 130  # as a shell counts what Ctrl-C ended
WIDE: Final = 200  # characters: a table must not be cut where nobody looks at it
JsonFile = Annotated[
    Path | None,
    typer.Option("--json", metavar="FILE", help="write the report into this file, as JSON", dir_okay=False),
]
EventFiles = typer.Option(
    metavar="FILE",
    help="a file of events, JSON Lines in the wire form, gzipped or not; may be repeated. Lines that are no "
    "events are left out, counted and named",
    exists=True,
    dir_okay=False,
)


def check_writable(option: str, path: Path | None) -> None:
    """Refuse a path that nothing can be written to; before the work and not after it.

    Raises:
        BadParameter: it says what to give instead.
    """
    if path is None:
        return
    folder = path.absolute().parent
    if not folder.is_dir():
        raise typer.BadParameter(f"{option}: there is no folder {folder}; make it first")
    if path.is_dir():
        raise typer.BadParameter(f"{option}: {path} is a folder; give a file in it")
    if path.exists() and not os.access(path, os.W_OK):
        raise typer.BadParameter(f"{option}: {path} is write-protected; give another file")
    if _is_replaced(path):
        try:
            tempfile.TemporaryFile(dir=path.resolve().parent).close()
        except OSError as error:
            said = error.strerror or error
            raise typer.BadParameter(
                f"{option}: nothing can be written to {folder} ({said}); give a file in another folder"
            ) from None


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that nobody ever sees a part of it; a device or a pipe is written to as it is.

    Raises:
        OSError: it can't be written; what was there before is still there.
    """
    if not _is_replaced(path):
        path.write_bytes(content)
        return
    target = path.resolve()  # a link stays a link
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
        part = Path(file.name)
        try:
            file.write(content)
            file.flush()
            part.chmod(target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask())
            part.replace(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def say(console: Console, text: str, *, style: str | None = None) -> None:
    """Print a message as it is: no markup, and no line breaks of our own."""
    console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def interruptible(console: Console) -> Iterator[None]:
    """Let Ctrl-C end a command that was to write something: not with 0, or a script would read on."""
    try:
        yield
    except KeyboardInterrupt:
        say(console, "tierstream: stopped; nothing was written", style="red")
        raise SystemExit(INTERRUPTED) from None


def _is_replaced(path: Path) -> bool:
    return path.is_file() or not path.exists()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
