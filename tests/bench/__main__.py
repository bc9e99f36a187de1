"""``python -m tests.bench``: three to five minutes, everything on loopback, nothing left behind but ``out/``.

``--only core`` starts no server and takes about a minute.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import time
from pathlib import Path

from rich.console import Console

from deploy.local.stack import LocalStack, local_stack
from deploy.migrate import migrate_database, migrate_topics
from services.lanes.settings import WorkerSettings
from tests.bench import ceiling, core, core_report, peer, recording, scorer, seeding
from tests.bench.report import Report, save, save_core, show
from tests.bench.world import LANES, World, make_world


def main() -> None:
    """Measure, show, save; exits with 1 when a customer was counted wrong, never because of a speed."""
    options = _options()
    began, console = time.monotonic(), Console(stderr=True)
    gc.disable()  # millions of small objects that stay: collections would only look at them again and again
    if options.only == "core":
        options.out.mkdir(parents=True, exist_ok=True)
        measured = _core(options, console)
        core_report.show(measured, Console())
        save_core(measured, options.out / "bench-core.json")
        return
    console.print(f"making {options.customers:,} customers and {options.events:,} events")
    world = make_world(options.customers, options.events)
    options.out.mkdir(parents=True, exist_ok=True)
    with local_stack(
        progress=console, environ={}
    ) as stack:  # always our own servers: they are what is measured
        report = _measure(stack, world, options, console, began)
    show(report, Console())
    save(report, options.out / "bench.json")
    if report.wrong:
        sys.exit(f"{report.wrong} customers or dead letters too many: the numbers above mean nothing")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=400_000, help="published before anything is measured")
    parser.add_argument("--seconds", type=float, default=16.0, help="of each steady window")
    parser.add_argument(
        "--recorded", type=int, default=120_000, help="events of the turns that the ceiling repeats"
    )
    parser.add_argument("--core-events", type=int, default=40_000, help="events that the core alone scores")
    parser.add_argument("--only", choices=("core",), help="measure this part alone, without any server")
    parser.add_argument("--out", type=Path, default=Path("out"))
    return parser.parse_args()


def _measure(
    stack: LocalStack, world: World, options: argparse.Namespace, console: Console, began: float
) -> Report:
    console.print("seeding PostgreSQL and Kafka")
    migrate_database(stack.database_url)
    asyncio.run(migrate_topics(stack.kafka_bootstrap, lanes=LANES))
    state_bytes = asyncio.run(seeding.seed_database(stack.database_url, world))
    asyncio.run(seeding.publish(stack.kafka_bootstrap, world))
    gc.freeze()
    outcomes = []
    for workers in (1, 2):
        console.print(f"the scorer with {workers} worker(s)")
        outcomes.append(asyncio.run(_scorer(stack, world, options, workers)))
    console.print("a plain Faust agent with a table")
    purchases = sum(len(messages) for (topic, _), messages in world.log.items() if topic == "purchases")
    agent = peer.run(stack, options.out, log_events=purchases, seconds=options.seconds)
    console.print("the scorer's turns alone, then the bare PostgreSQL transaction")
    chunk = WorkerSettings().chunk_records_max
    turns = asyncio.run(recording.record(world, events=options.recorded, chunk=chunk))
    bare = asyncio.run(_ceiling(stack, turns, options))
    measured = _core(options, console)
    return Report(
        customers=options.customers,
        events_published=options.events,
        state_bytes=round(state_bytes, 1),
        scorers=outcomes,
        ceiling=bare,
        peer=agent,
        alone_events_per_second=round(turns.events / turns.seconds, 1),
        core=measured,
        seconds=round(time.monotonic() - began, 1),
    )


def _core(options: argparse.Namespace, console: Console) -> core.Core:
    console.print("the core alone")
    return core.run(customers=options.core_events // 4, events=options.core_events)


async def _scorer(
    stack: LocalStack, world: World, options: argparse.Namespace, workers: int
) -> scorer.Outcome:
    name = f"bench_{workers}"
    dsn = await seeding.copy_database(stack.database_url, name)
    outcome = await scorer.run(
        stack, dsn, world, workers=workers, seconds=options.seconds, logs=options.out / "logs"
    )
    await seeding.drop_database(stack.database_url, name)
    return outcome


async def _ceiling(
    stack: LocalStack, turns: recording.Recording, options: argparse.Namespace
) -> ceiling.Ceiling:
    dsn = await seeding.copy_database(stack.database_url, "bench_ceiling")
    pids = {} if stack.postgres is None else {"postgres": stack.postgres.pid or 0}
    return await ceiling.run(
        dsn, turns, pids, warm_up_seconds=scorer.WARM_UP_SECONDS, seconds=options.seconds
    )


if __name__ == "__main__":
    main()
