"""Folders that we write to: made before anything starts, and refused in words when they can't be."""

import tempfile
from pathlib import Path

from deploy.local.errors import StartError


def make_writable(folder: Path, *, what: str, remedy: str) -> None:
    """Make the folder, private, unless it is there, and see that a file can be written in it.

    Args:
        folder: Where to.
        what: What will be written there, in the plural, for the message.
        remedy: What to do when it can't be.

    Raises:
        StartError: it can't be made, or not be written to; the message has reason and remedy.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # A file, not its permissions: a disk may be full or mounted for reading, and root may do anything else.
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\n")
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise StartError(f"{what} can't be written to {folder}: {why}; {remedy}") from None
