"""Whom PostgreSQL runs as, and what that account can reach.

PostgreSQL refuses to run as root. As root we run it as ``nobody`` instead, an account that every system
has, so that nothing is changed outside our own folder; the folders above the data must then let others pass.
"""

import os
import stat
import sys
from pathlib import Path

from deploy.local.errors import StartError

if sys.platform != "win32":
    import pwd


def account() -> tuple[int, int] | None:
    """Return the account PostgreSQL runs as: None for our own, ``nobody`` when we are root.

    Raises:
        StartError: we are root, and there is no such account.
    """
    if os.geteuid() != 0:
        return None
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise StartError(
            "PostgreSQL refuses to run as root, and this system has no account 'nobody' to run it as. "
            "Run as an ordinary user, or set DATABASE_URL to a server of yours."
        ) from None
    return nobody.pw_uid, nobody.pw_gid


def closed_to_others(path: Path) -> Path | None:
    """Return the first folder on the way, or the path itself, that others can't enter; None if they can."""
    path = path.resolve()
    for step in (*reversed(path.parents), path):
        if not step.stat().st_mode & stat.S_IXOTH:
            return step
    return None


def refuse_unreachable(data_dir: Path) -> None:
    """Refuse a data folder that ``nobody`` could not enter.

    Raises:
        StartError: which folder is closed, and where to go instead.
    """
    closed = closed_to_others(data_dir)
    if closed is not None:
        raise StartError(
            f"PostgreSQL refuses to run as root, so it runs as 'nobody', who can't enter {closed}. "
            f"Choose a data folder elsewhere, for example below /var/tmp, instead of {data_dir}; "
            "or run as an ordinary user."
        )
