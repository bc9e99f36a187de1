"""``tierstream local``: the embedded stack with all services, a replay into it, and then live time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncpg
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.history import History, read
from deploy.local.folders import make_writable
from deploy.local.ports import free_port
from deploy.local.services import LOGS_REMEDY, Supervisor
from deploy.local.stack import LocalStack, local_stack
from deploy.migrate import activate_first, migrate_database, migrate_topics
from deploy.products.checks import loadable
from deploy.products.loading import load_into
from deploy.replay import Plan, replay
from schemas.times import from_ms
from services.alerter.people import seed
from services.scorer.core.policy import Policy

POLL_SECONDS: Final = 0.1
STALL_SECONDS_MAX: Final = 300.0  # nothing moved for so long: something is wrong

_LANES: Final = """
SELECT service, count(*) AS lanes, min(clock_ms) AS clock_ms, sum(seq) AS turns,
       bool_and(complete AND settled) AS complete, bool_and(outbox_number = published) AS published,
       bool_and(clock_mode = 'wall') AS live
FROM lanes GROUP BY service"""


class StalledError(RuntimeError):
    """The services stopped making progress; the message names their logs."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to run. ``lanes`` is for the life of the data folder."""

    policy: Policy
    lanes: int = 8
    scorers: int = 1
    alerters: int = 1
    data_dir: Path | None = None
    log_dir: Path | None = None
    with_api: bool = True
    api_port: int = 0
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Session:
    """A running Tierstream on this machine."""

    stack: LocalStack
    supervisor: Supervisor
    options: Options
    console: Console
    api_url: str | None

    def replay(self, history: History, plan: Plan) -> None:
        """Publish a history and wait until every lane of scorer and alerter is through with it."""
        asyncio.run(self._replay(history, plan))

    async def _replay(self, history: History, plan: Plan) -> None:
        last_ms = history.last_ms(not_after_ms=int(time.time() * 1000))
        first_ms = history.first_ms()
        with _bar(self.console) as bar:
            task = bar.add_task("replaying", total=max(1, last_ms - first_ms), what="")
            wall_ms = int(time.time() * 1000)
            await load_into(self.stack.database_url, loadable(history.listed, wall_ms=wall_ms).values())
            publishing = asyncio.create_task(replay(self.stack.kafka_bootstrap, history, plan))
            try:
                async for clock_ms in self._until_through(last_ms, then_live=plan.then_live):
                    if publishing.done():
                        publishing.result()
                    bar.update(
                        task, completed=max(0, clock_ms - first_ms), what=f"{from_ms(clock_ms):%-d %B %Y}"
                    )
                await publishing
            finally:
                publishing.cancel()

    async def _until_through(self, last_ms: int, *, then_live: bool) -> Any:
        """Yield the slowest lane's clock until all lanes reached ``last_ms`` and published everything."""
        connection = await asyncpg.connect(self.stack.database_url)
        moved, turns = time.monotonic(), -1
        try:
            while True:
                self.supervisor.check()
                rows = {row["service"]: row for row in await connection.fetch(_LANES)}
                if rows:
                    yield min(row["clock_ms"] for row in rows.values()) if len(rows) == 2 else 0  # noqa: PLR2004
                if len(rows) == 2 and all(self._through(row, last_ms, then_live) for row in rows.values()):  # noqa: PLR2004
                    return
                now_turns = sum(int(row["turns"]) for row in rows.values())
                if now_turns != turns:
                    moved, turns = time.monotonic(), now_turns
                if time.monotonic() - moved > STALL_SECONDS_MAX:
                    logs = ", ".join(str(process.log_path) for process in self.supervisor.processes())
                    raise StalledError(f"nothing moved for {STALL_SECONDS_MAX:.0f} s; look at {logs}")
                await asyncio.sleep(POLL_SECONDS)
        finally:
            await connection.close()

    def _through(self, row: Any, last_ms: int, then_live: bool) -> bool:  # noqa: FBT001
        here = row["lanes"] == self.options.lanes and row["clock_ms"] >= last_ms and row["published"]
        return bool(here and (row["live"] if then_live else row["complete"]))


@contextmanager
def session(options: Options, console: Console, *, replays: bool) -> Iterator[Session]:
    """Run everything while the block runs; ``replays`` lets new lanes begin in event time.

    Raises:
        StartError: a part could not start; nothing is left running.
    """
    logs = options.log_dir or (options.data_dir or Path.cwd() / "out") / "logs"
    make_writable(logs, what="logs", remedy=LOGS_REMEDY)  # before the seconds that servers take
    with ExitStack() as exits:
        stack = exits.enter_context(local_stack(options.data_dir, progress=console))
        migrate_database(stack.database_url)
        asyncio.run(_prepare(stack, options, replays=replays))
        supervisor = exits.enter_context(Supervisor(logs))
        shared = {
            "DATABASE_URL": stack.database_url,
            "KAFKA_BOOTSTRAP": stack.kafka_bootstrap,
            "LANES_COUNT": str(options.lanes),
            "LANES_CLOCK": "event" if replays else "wall",
            **options.environment,
        }
        for number in range(options.scorers):
            supervisor.start(
                f"scorer-{number}", "services.scorer.main", {**shared, "LANES_SLOT": str(number)}
            )
        for number in range(options.alerters):
            supervisor.start(
                f"alerter-{number}", "services.alerter.main", {**shared, "LANES_SLOT": str(number)}
            )
        url = None
        if options.with_api:
            port = options.api_port or free_port()
            supervisor.start(
                "api", "services.api", {**shared, "API_PORT": str(port), "API_DEV_ISSUER": "true"}
            )
            supervisor.start("products", "deploy.products", shared)
            url = f"http://127.0.0.1:{port}/"
        yield Session(stack, supervisor, options, console, url)


async def _prepare(stack: LocalStack, options: Options, *, replays: bool) -> None:
    await migrate_topics(stack.kafka_bootstrap, lanes=options.lanes, replays=replays)
    await activate_first(stack.database_url, options.policy)
    connection = await asyncpg.connect(stack.database_url)
    try:
        await seed(connection)
    finally:
        await connection.close()


def load(paths: list[Path], lanes: int, console: Console) -> History:
    """Check and index event files, with a bar.

    Raises:
        MalformedError: a line is no event; it names file, line and remedy.
    """
    with _bar(console) as bar:
        task = bar.add_task("reading", total=None, what="")
        return read(
            paths,
            partitions=lanes,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )


@contextmanager
def _bar(console: Console) -> Iterator[Progress]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[what]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=not console.is_terminal) as progress:
        yield progress
