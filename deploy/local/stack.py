"""The one embedded stack that demo, tests and benchmarks run on: real PostgreSQL, real Kafka."""

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from deploy.local.errors import StartError
from deploy.local.folders import make_writable
from deploy.local.kafka import Kafka
from deploy.local.postgres import Postgres

_Part = TypeVar("_Part", Postgres, Kafka)


@dataclass(frozen=True, slots=True)
class LocalStack:
    """A running stack: addresses for clients, and the servers for those who break them.

    ``postgres`` or ``kafka`` is None when ``DATABASE_URL`` or ``KAFKA_BOOTSTRAP`` replaced it.
    """

    database_url: str
    kafka_bootstrap: str
    postgres: Postgres | None
    kafka: Kafka | None


@contextlib.contextmanager
def local_stack(
    data_dir: Path | None = None,
    *,
    progress: Console | None = None,
    environ: Mapping[str, str] | None = None,
) -> Iterator[LocalStack]:
    """Run PostgreSQL and Kafka while the block runs.

    Args:
        data_dir: Where data stay afterwards, to start from them again. None takes a new private
            temporary folder that is removed at the end; the servers are then simply killed.
        progress: Where to show what takes time; None shows nothing.
        environ: Where ``DATABASE_URL`` and ``KAFKA_BOOTSTRAP`` are read; None is ours. Either replaces
            its part: nothing embedded starts for it. Empty counts as not set.

    Raises:
        StartError: a part could not start. Then, and after Ctrl-C at any moment, nothing is left running.
    """
    given = os.environ if environ is None else environ
    database_url, bootstrap = given.get("DATABASE_URL") or None, given.get("KAFKA_BOOTSTRAP") or None
    if database_url and bootstrap:
        yield LocalStack(database_url, bootstrap, None, None)
        return
    _refuse_windows()
    with _folder(data_dir) as folder:
        postgres = None if database_url else Postgres(folder / "postgres")
        kafka = None if bootstrap else Kafka(folder / "kafka", progress=progress)
        with _running(postgres, kafka, keep=data_dir is not None):
            yield LocalStack(
                database_url or _required(postgres).dsn,
                bootstrap or _required(kafka).bootstrap,
                postgres,
                kafka,
            )


@contextlib.contextmanager
def _running(postgres: Postgres | None, kafka: Kafka | None, *, keep: bool) -> Iterator[None]:
    """Start both at once, and stop both whatever happens.

    PostgreSQL starts in a thread and Kafka here, because Ctrl-C arrives here, and fetching the jars is
    the one part that may take long.
    """
    started = None if postgres is None else _in_background(postgres.start)
    parts = [part for part in (postgres, kafka) if part is not None]
    ended = False
    try:
        if kafka is not None:
            kafka.start()
        if started is not None:
            started.result()
        yield
        ended = True
    finally:
        if started is not None:
            started.exception()  # wait for its thread: bounded by PostgreSQL's own limits
        # Data that nobody will read need no last checkpoint. After an error speed matters more than
        # order, and both servers recover from a kill.
        stops = [_in_background(part.stop if keep and ended else part.kill9) for part in parts]
        for stop in stops:
            stop.result()


def _in_background(work: Callable[[], None]) -> Future[None]:
    """Run ``work`` in a daemon thread; one of a pool would hold up the end of Python."""
    done: Future[None] = Future()

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
            done.set_exception(error)
        else:
            done.set_result(None)

    threading.Thread(target=run, daemon=True).start()
    return done


@contextlib.contextmanager
def _folder(data_dir: Path | None) -> Iterator[Path]:
    if data_dir is not None:
        make_writable(data_dir, what="data", remedy="name another folder with --data-dir")
        yield data_dir.absolute()
        return
    # Processes that a kill is just ending may still write: what they leave is not worth an error.
    with tempfile.TemporaryDirectory(prefix="tierstream-", ignore_cleanup_errors=True) as name:
        if os.geteuid() == 0:
            # PostgreSQL runs as nobody then and must pass; the parts' own folders hold nothing open.
            Path(name).chmod(0o711)
        yield Path(name)


def _required(part: _Part | None) -> _Part:
    if part is None:
        raise AssertionError("either the environment names this part, or it is embedded")
    return part


def _refuse_windows() -> None:
    if sys.platform == "win32":
        raise StartError(
            "the embedded stack runs on Linux and macOS. On Windows use WSL, or set DATABASE_URL and "
            "KAFKA_BOOTSTRAP to servers of yours."
        )
