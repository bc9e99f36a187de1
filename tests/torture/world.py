"""One run: the real processes, the history published into them, chaos, and what is found afterwards."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

import asyncpg

from deploy.export import export
from deploy.history import TOPICS
from deploy.local.services import CrashLoopError, Supervisor
from deploy.local.stack import LocalStack, local_stack
from deploy.migrate import migrate_database, migrate_topics
from deploy.replay import Plan, replay
from services.alerter.people import seed as seed_people
from services.scorer.core.policy import Policy
from tests.torture import compare, observe
from tests.torture.chaos import Chaos
from tests.torture.expect import Expected
from tests.torture.faults import SESSION_SECONDS, Fault, Stroke
from tests.torture.history import Log, Spoiled
from tests.torture.observe import Watch

LANES: Final = 8
SCORERS: Final = 3
ALERTERS: Final = 2
# Small turns: more points to die at, and most publish nothing. A turn that does is refused by the primary
# key of what it publishes, fence or not: with chunks of a whole day a missing fence went unnoticed.
CHUNK_RECORDS_MAX: Final = 5
STALL_SECONDS_MAX: Final = 75.0  # no lane commits anything: longer than any freeze and its recovery

_ACTIVATE: Final = "INSERT INTO policies (version, body) VALUES (1, $1)"
Say = Callable[[str], None]


class StuckError(RuntimeError):
    """The lanes did not come to the end of the log; whatever is missing is lost."""


@dataclass(frozen=True, slots=True)
class Setup:
    """How to run. ``plant`` names a bug of ``planted.py``."""

    seed: int
    seconds_max: float
    pace: float  # events per second that are published
    folder: Path
    currency: str
    zone: str
    plant: str | None = None


@dataclass(frozen=True, slots=True)
class End:
    """How a run went; ``stuck`` says why the lanes did not get through."""

    strokes: tuple[Stroke, ...]
    seconds: float
    stuck: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """What a run left behind."""

    end: End
    exits: Counter[tuple[str, int]]  # service and exit code
    outputs: dict[tuple[str, int], list[observe.Sent]]
    inputs: dict[tuple[str, int], list[observe.Sent]]
    refusals: Counter[tuple[tuple[str, int, int], object]]
    proofs: dict[tuple[str, int], bytes]
    numbers: dict[int, int]  # by lane of the scorer: the last outbox number
    exports: Path


@contextmanager
def workers(stack: LocalStack, setup: Setup) -> Iterator[Supervisor]:
    """Keep the scorers and alerters of a run going."""
    shared = {
        "DATABASE_URL": stack.database_url,
        "KAFKA_BOOTSTRAP": stack.kafka_bootstrap,
        "LANES_COUNT": str(LANES),
        "LANES_CLOCK": "event",
        "LANES_SESSION_SECONDS": str(SESSION_SECONDS),
        "LANES_CHUNK_RECORDS_MAX": str(CHUNK_RECORDS_MAX),
    }
    with Supervisor(setup.folder / "logs") as supervisor:
        for service, count in (("scorer", SCORERS), ("alerter", ALERTERS)):
            module = f"services.{service}.main" if setup.plant is None else "tests.torture.planted"
            planted = (
                {} if setup.plant is None else {"TORTURE_PLANT": setup.plant, "TORTURE_SERVICE": service}
            )
            for number in range(count):
                supervisor.start(
                    f"{service}-{number}", module, {**shared, **planted, "LANES_SLOT": str(number)}
                )
        yield supervisor


@dataclass(frozen=True, slots=True)
class Course:
    """What a run puts the processes through."""

    history: Spoiled
    log: Log
    faults: tuple[Fault, ...]


def run(setup: Setup, course: Course, say: Say) -> Found:
    """Run everything once; returns when all lanes are through, or are stuck."""
    with ExitStack() as exits:
        stack = exits.enter_context(local_stack())
        migrate_database(stack.database_url)
        asyncio.run(_prepare(stack, setup))
        supervisor = exits.enter_context(workers(stack, setup))
        return asyncio.run(_run(stack, supervisor, setup, course, say))


async def _prepare(stack: LocalStack, setup: Setup) -> None:
    await migrate_topics(stack.kafka_bootstrap, lanes=LANES, replays=True)
    policy = Policy.default(currency=setup.currency, time_zone=setup.zone)
    connection = await asyncpg.connect(stack.database_url)
    try:
        await connection.execute(_ACTIVATE, json.dumps(policy.to_json()))
        await seed_people(connection)
    finally:
        await connection.close()


async def _run(stack: LocalStack, supervisor: Supervisor, setup: Setup, course: Course, say: Say) -> Found:
    if stack.postgres is None:
        raise SystemExit("the torture kills its own PostgreSQL: unset DATABASE_URL")
    started = time.monotonic()
    watch = Watch(stack.database_url, course.log.total, moved_at=asyncio.get_running_loop().time())
    chaos = Chaos(supervisor, stack.postgres, watch, Random(setup.seed), say)
    plan = Plan(ZoneInfo(setup.zone), events_per_second=setup.pace)
    publishing = asyncio.create_task(replay(stack.kafka_bootstrap, course.history, plan))
    watching, striking = asyncio.create_task(watch.run()), asyncio.create_task(chaos.run(course.faults))
    stuck: str | None = None
    try:
        last_ms = course.history.last_ms(not_after_ms=int(time.time() * 1000))
        tasks = (publishing, striking, watching)
        await _until_through(supervisor, watch, setup, last_ms, tasks)
        await asyncio.wait_for(striking, STALL_SECONDS_MAX)  # a worker may still be frozen, and write late
        await _until_through(supervisor, watch, setup, last_ms, tasks)
    except (StuckError, CrashLoopError, TimeoutError) as error:
        stuck = str(error)
    finally:
        for task in (striking, publishing, watching):
            task.cancel()
        await asyncio.gather(striking, publishing, watching, return_exceptions=True)
    end = End(tuple(chaos.strokes), time.monotonic() - started, stuck)
    stack.postgres.start()  # chaos may have been stopped while it was down
    return await _found(stack, supervisor, setup, end)


async def _until_through(
    supervisor: Supervisor,
    watch: Watch,
    setup: Setup,
    last_ms: int,
    tasks: tuple[asyncio.Task[int], asyncio.Task[None], asyncio.Task[None]],
) -> None:
    """Wait for the end of the log.

    Raises:
        StuckError: nothing moves any more, or it takes too long.
        CrashLoopError: a worker can't be kept running.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + setup.seconds_max
    while not (tasks[0].done() and watch.through(LANES, last_ms)):
        supervisor.check()
        for task in tasks:
            if task.done():
                task.result()  # raises what it failed with
        if loop.time() - watch.moved_at > STALL_SECONDS_MAX:
            raise StuckError(f"nothing moved for {STALL_SECONDS_MAX:.0f} s at {watch.share:.1%} of the log")
        if loop.time() > until:
            raise StuckError(f"not through after {setup.seconds_max:.0f} s: {watch.share:.1%} of the log")
        await asyncio.sleep(0.05)


async def _found(stack: LocalStack, supervisor: Supervisor, setup: Setup, end: End) -> Found:
    policy = Policy.default(currency=setup.currency, time_zone=setup.zone)
    exports = setup.folder / "exports"
    await export(stack.database_url, exports, policy)
    connection = await asyncpg.connect(stack.database_url)
    try:
        rows = await connection.fetch("SELECT lane, outbox_number FROM lanes WHERE service = 'scorer'")
    finally:
        await connection.close()
    return Found(
        end=end,
        exits=Counter(
            (process.name.split("-")[0], code)
            for process in supervisor.processes()
            for _, code in process.exits
        ),
        outputs=await observe.read_topics(stack.kafka_bootstrap, observe.OUTPUTS),
        inputs=await observe.read_topics(stack.kafka_bootstrap, TOPICS),
        refusals=await observe.refusals_in(stack.database_url),  # type: ignore[arg-type]
        proofs=await observe.proofs_in(stack.database_url),
        numbers={row["lane"]: row["outbox_number"] for row in rows},
        exports=exports,
    )


def judge(expected: Expected, log: Log, found: Found) -> compare.Verdict:
    """Compare everything that a run left with what the oracle says."""
    verdict = compare.Verdict()
    tables = (
        ("customers", expected.customers, "customers.csv", _CUSTOMER),
        ("cut-offs", expected.cut_offs, "cutoffs.csv", _CUT_OFF),
        ("warnings", expected.warnings, "warnings.csv", "customer_id rule started_at ended_at ended_by"),
    )
    for name, rows, file, columns in tables:
        verdict.compare(name, rows, observe.exported(found.exports, file, columns))
    verdict.compare("tier changes", expected.tier_changes, observe.exported_changes(found.exports))
    verdict.compare("tasks", expected.tasks, observe.exported_tasks(found.exports))
    verdict.compare("dead letters", Counter(log.refusals.items()), found.refusals)
    compare.compare_log(verdict, log.records, found.inputs)
    kept = [one for records in found.outputs.values() for one in compare.first_copies(verdict, records)]
    compare.compare_numbers(verdict, kept, found.numbers)
    events = compare.events_in(verdict, kept)
    compare.compare_topics(verdict, expected, events)
    compare.compare_proofs(verdict, events, found.proofs)
    return verdict


_CUSTOMER: Final = (
    "customer_id score ranked_tier ranked_since tier tier_since spend_minor orders purchase_days"
    " last_purchase_at"
)
_CUT_OFF: Final = "version at active high_18 high_20 high_22 low_18 low_20 low_22"
