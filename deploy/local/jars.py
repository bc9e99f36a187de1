"""Apache Kafka's jars: resolved from Maven coordinates, checked against a committed lock, kept in a cache.

``python -m deploy.local.jars`` fetches and checks them (an image build or CI may do so ahead of time);
``python -m deploy.local.jars --write-lock`` resolves afresh and rewrites the lock, after a change of the
versions below. Review the difference before committing it: the lock is what we trust.

A mirror is set where jgo, the resolver, looks for it: ``[repositories]`` in ``~/.config/jgo.conf``.
"""

import argparse
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import MavenContext, PythonResolver
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.local.errors import StartError

BROKER = "org.apache.kafka:kafka_2.13:4.3.0"
# The broker logs through slf4j, and its Maven artifact brings no binding: without this jar a failed start
# says nothing. The version is that of the log4j-core which Kafka itself brings.
LOG_BINDING = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4"
LOCK = Path(__file__).with_name("kafka-jars.sha256")

_HTTP_TIMEOUT_SECONDS = 30
_ATTEMPTS_MAX = 3
_PARALLEL = 6
_PLAIN_LINE_EVERY = 15  # jars


def cache_folder() -> Path:
    """Return ``$TIERSTREAM_CACHE``, else ``$XDG_CACHE_HOME/tierstream``, else ``~/.cache/tierstream``."""
    own = os.environ.get("TIERSTREAM_CACHE")
    if own:
        return Path(own).expanduser().absolute()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache").absolute() / "tierstream"


def kafka_classpath(
    cache_dir: Path | None = None, progress: Console | None = None, *, lock: Path = LOCK
) -> str:
    """Return the Java class path of the broker, fetching what the cache lacks.

    Every jar is hashed at every call (46 jars, 45 MB), so a changed file is never run. Concurrent
    callers may fetch twice, but a jar appears in the cache whole and checked, or not at all.

    Args:
        cache_dir: Where jars stay between runs; None is `cache_folder`.
        progress: Where to show the download; None shows nothing.
        lock: The lock file: SHA-256, two spaces, file name.

    Raises:
        StartError: a jar is not what the lock says, or can't be fetched. Nothing was run.
    """
    expected = read_lock(lock)
    folder = (cache_dir or cache_folder()) / "kafka" / hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    missing = {name for name in expected if not (folder / name).exists()}
    if missing:
        _fetch_into(folder, missing, expected, progress)
    for name, digest in expected.items():
        _check(folder / name, digest)
    return os.pathsep.join(str(folder / name) for name in expected)


def read_lock(lock: Path = LOCK) -> dict[str, str]:
    """Return file name -> SHA-256 in hex, in the file's order."""
    pairs = (line.split() for line in lock.read_text().splitlines() if line.strip())
    return {name: digest for digest, name in pairs}


def write_lock(lock: Path = LOCK, progress: Console | None = None) -> int:
    """Resolve and fetch everything anew, rewrite the lock, return the number of jars."""
    with _fetched(None, progress) as paths:
        lines = [f"{_sha256(path)}  {path.name}" for path in sorted(paths, key=lambda path: path.name)]
    lock.write_text("\n".join(lines) + "\n")
    return len(lines)


def _fetch_into(folder: Path, missing: set[str], expected: dict[str, str], progress: Console | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with _fetched(missing, progress) as paths:
        for path in paths:
            _check(path, expected[path.name])
            # Copied next to its place first: the download may be on another file system.
            staged = Path(tempfile.mkdtemp(prefix=".incoming-", dir=folder)) / path.name
            try:
                shutil.copy(path, staged)
                staged.replace(folder / path.name)
            finally:
                shutil.rmtree(staged.parent)


@contextmanager
def _fetched(wanted: set[str] | None, progress: Console | None) -> Iterator[list[Path]]:
    """Yield the downloaded jars, in a folder of their own that is removed afterwards.

    Args:
        wanted: File names that must come out; None takes whatever Maven resolves.
        progress: Where to show it; None shows nothing.
    """
    with tempfile.TemporaryDirectory(prefix="tierstream-jars-") as scratch:
        try:
            found = {artifact.filename: artifact for artifact in _resolve(Path(scratch), progress)}
            names = set(found) if wanted is None else wanted
            unknown = sorted(names - set(found))
            if unknown:
                raise StartError(
                    f"Maven no longer resolves {', '.join(unknown)} for {BROKER}, but {LOCK.name} lists it. "
                    "After an intended change of versions run: python -m deploy.local.jars --write-lock"
                )
            paths = _download([found[name] for name in sorted(names)], progress)
        except (requests.RequestException, RuntimeError, ValueError) as error:
            if isinstance(error, StartError):
                raise
            raise StartError(
                f"Apache Kafka's jars could not be fetched: {error}\nThey are needed once, then cached in "
                f"{cache_folder()}. Check the network and the proxy settings and start again, or set "
                "KAFKA_BOOTSTRAP to a broker of yours."
            ) from error
        yield paths


def _resolve(scratch: Path, progress: Console | None) -> list[Any]:
    """Return jgo's artifacts of the broker, its runtime dependencies and the log binding."""
    if progress is not None:
        progress.print(f"Resolving {BROKER} (once, then cached)")
    context = MavenContext(
        resolver=PythonResolver(),
        repo_cache=scratch,
        remote_repos={**GlobalSettings.load().repositories, "central": MAVEN_CENTRAL_URL},
        timeout=_HTTP_TIMEOUT_SECONDS,
    )
    broker = context.create_dependency(BROKER)
    _, dependencies = context.resolver.resolve([broker])
    # Not resolved together with the broker: jgo would take the binding's parent POM for a bill of
    # materials and silently bring kafka-clients 3.9 beside kafka 4.3.
    binding = context.create_dependency(LOG_BINDING)
    runtime = [item.artifact for item in dependencies if item.scope in ("compile", "runtime")]
    return [broker.artifact, *runtime, binding.artifact]


def _download(artifacts: Sequence[Any], progress: Console | None) -> list[Path]:
    pool = ThreadPoolExecutor(_PARALLEL)
    try:
        with _shown(progress, len(artifacts)) as advance:
            futures: list[Future[Path]] = [pool.submit(_download_one, artifact) for artifact in artifacts]
            for future in as_completed(futures):
                future.result()
                advance()
            return [future.result() for future in futures]
    finally:  # after Ctrl-C: what runs ends with its file, what waits is not begun
        pool.shutdown(wait=True, cancel_futures=True)


def _download_one(artifact: Any) -> Path:
    for attempt in range(1, _ATTEMPTS_MAX + 1):
        try:
            return Path(artifact.resolve())
        except requests.RequestException:
            # jgo keeps what arrived, and would take the torso for the whole jar from then on.
            artifact.cached_path.unlink(missing_ok=True)
            if attempt == _ATTEMPTS_MAX:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")


@contextmanager
def _shown(progress: Console | None, total: int) -> Iterator[Callable[[], None]]:
    """Yield what to call after each jar: a bar on a terminal, a plain line now and then elsewhere."""
    if progress is None:
        yield lambda: None
    elif progress.is_terminal:
        columns = (
            TextColumn("Fetching Apache Kafka"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=progress) as bar:
            task = bar.add_task("jars", total=total)
            yield lambda: bar.advance(task)
    else:
        done = 0

        def line() -> None:
            nonlocal done
            done += 1
            if done % _PLAIN_LINE_EVERY == 0 or done == total:
                progress.print(f"Fetched {done} of {total} jars of Apache Kafka")

        yield line


def _check(path: Path, expected: str) -> None:
    actual = _sha256(path)
    if actual != expected:
        raise StartError(
            f"{path.name} is not the jar that {LOCK.name} names: SHA-256 {actual}, expected {expected}. "
            f"It was not run. Delete {path} and start again to fetch it anew; if it differs again, the "
            "Maven repository or a proxy on the way delivers other bytes: do not use them."
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _main() -> None:
    parser = argparse.ArgumentParser(description="Fetch and check Apache Kafka's jars.")
    parser.add_argument("--write-lock", action="store_true", help=f"resolve anew and rewrite {LOCK.name}")
    console = Console()
    write = parser.parse_args().write_lock
    try:
        if write:
            console.print(f"{write_lock(progress=console)} jars locked in {LOCK}")
        else:
            console.print(f"{len(kafka_classpath(progress=console).split(os.pathsep))} jars checked")
    except StartError as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    _main()
