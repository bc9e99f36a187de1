"""``tierstream demo``: a year of 2,469 real households in about a minute, then synthetic live shoppers."""

from __future__ import annotations

import asyncio
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final

import asyncpg
import msgspec
from aiokafka import AIOKafkaProducer
from rich.console import Console
from rich.progress import Progress

from deploy.demo import complete_journey
from deploy.demo.live import live_events
from deploy.local.session import Options, Session, load, session
from deploy.replay import Plan
from deploy.summary import Summary, summarize
from schemas.wire import decode_input, topic_of
from services.scorer.core.policy import Policy
from services.scorer.records import partition_of

LANES: Final = 8
TICK_SECONDS: Final = 1.0
EVENTS_PER_TICK: Final = 3
_FREQUENT_FIRST: Final = """
SELECT customer_id FROM customers WHERE ranked_tier IS NOT NULL ORDER BY score DESC, customer_id"""


def demo(console: Console, *, once: bool) -> Summary:
    """Run the demo; with ``once`` it ends after the replay, else on Ctrl-C. Returns the replay's summary."""
    policy = Policy.default(currency="USD", time_zone=complete_journey.RETAILER_ZONE.key)
    with ExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="tierstream-demo-")))
        options = Options(policy=policy, lanes=LANES, log_dir=folder / "logs")
        running = exits.enter_context(session(options, console, replays=True))
        console.print(f"\n  desk      [bold]{running.api_url}[/]")
        console.print(
            "  sign in   as [bold]Leila Haddad[/] (customer service), [bold]Amara Okafor[/] (senior advisor)"
        )
        console.print("            or [bold]Ingrid Moreau[/] (manager); no password, this is a demo\n")
        history_file = folder / "complete-journey.jsonl"
        _write(history_file, console)
        history = load([history_file], LANES, console)
        started = time.monotonic()
        running.replay(history, Plan(policy.zone, then_live=True))
        done = asyncio.run(
            summarize(running.stack.database_url, events=len(history), seconds=time.monotonic() - started)
        )
        if not once:
            console.print(
                "\nThe year is over; time goes on live now, with [bold]synthetic[/] shoppers. Ctrl-C ends."
            )
            asyncio.run(_live(running))
        return done


def _write(path: Path, console: Console) -> None:
    """Write the data set in wire form, moved by whole weeks so that its year ends now."""
    weeks = complete_journey.weeks_until(datetime.now(UTC))
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("preparing Complete Journey", total=None)
        complete_journey.write(
            path,
            moved_by_weeks=weeks,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )


async def _live(running: Session) -> None:
    """Publish synthetic events until interrupted or a process can't be kept running."""
    rng = Random()
    connection = await asyncpg.connect(running.stack.database_url)
    try:
        customers = [row[0] for row in await connection.fetch(_FREQUENT_FIRST)]
    finally:
        await connection.close()
    producer = AIOKafkaProducer(bootstrap_servers=running.stack.kafka_bootstrap, acks="all")
    await producer.start()
    try:
        while True:
            running.supervisor.check()
            for event in live_events(rng, customers, datetime.now(UTC), limit=EVENTS_PER_TICK):
                value = msgspec.json.encode(event)
                key = event["customer_id"]
                await producer.send(
                    topic_of(decode_input(value)), value, key=key.encode(), partition=partition_of(key, LANES)
                )
            await asyncio.sleep(TICK_SECONDS)
    finally:
        await producer.stop()
