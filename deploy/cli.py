"""``tierstream``: the one command."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
import time
from pathlib import Path
from typing import Annotated, Final

import asyncpg
import typer
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.table import Table

from deploy.backtesting.command import backtest
from deploy.demo.run import demo as run_demo
from deploy.doctor import examine
from deploy.explain import explain
from deploy.export import export as export_files
from deploy.fit import fit
from deploy.history import MalformedError
from deploy.local.errors import StartError
from deploy.local.services import CrashLoopError
from deploy.local.session import Options, Session, StalledError, load, session
from deploy.migrate import (
    PartitionsDifferError,
    PolicyDiffersError,
    activate_first,
    migrate_database,
    migrate_topics,
)
from deploy.policies import NoPolicyError
from deploy.policy_commands import Currency, PolicyOption, TimeZone, chosen, policy_app
from deploy.products.commands import products_app
from deploy.products.following import TopicMissingError
from deploy.publish import partitions_of
from deploy.publish import publish as publish_history
from deploy.replay import Plan
from deploy.skip import CanNotSkipError, skip
from deploy.summary import Summary, summarize

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False)
app.add_typer(policy_app, name="policy")
app.add_typer(products_app, name="products")
console = Console(stderr=True)
EXIT_REFUSED: Final = 2
EXIT_FAILED: Final = 1
EXIT_INTERRUPTED: Final = 130  # typer's answer to Ctrl-C

Bootstrap = Annotated[str, typer.Option(envvar="KAFKA_BOOTSTRAP")]
DatabaseUrl = Annotated[str, typer.Option(envvar="DATABASE_URL")]


@app.command()
def local(
    events: Annotated[
        list[Path] | None,
        typer.Option(
            help="a file of events, JSON Lines in the wire form; may be repeated", exists=True, dir_okay=False
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="end when the events are wholly dealt with")] = False,
    policy: PolicyOption = None,
    currency: Currency = None,
    time_zone: TimeZone = None,
    summary: Annotated[Path | None, typer.Option(help="write counts here, as JSON")] = None,
    export: Annotated[Path | None, typer.Option(help="write CSV files into this folder")] = None,
    lanes: Annotated[int, typer.Option(min=1, max=256, help="partitions of every topic, for life")] = 8,
    scorers: Annotated[int, typer.Option(min=1, max=16)] = 1,
    data_dir: Annotated[
        Path | None, typer.Option(help="keep the data here; else they are thrown away")
    ] = None,
) -> None:
    """Run everything on this machine: embedded PostgreSQL and Kafka, scorer, alerter, API and desk."""
    if once and not events:
        raise typer.BadParameter("--once needs --events: without events there is nothing to wait for")
    options = Options(
        policy=chosen(policy, currency, time_zone).policy,
        lanes=lanes,
        scorers=scorers,
        data_dir=data_dir,
        with_api=not once,
    )
    history = load(events, lanes, console) if events else None
    with session(options, console, replays=history is not None) as running:
        if running.api_url and not once:
            console.print(f"desk: [bold]{running.api_url}[/]   (Ctrl-C ends)")
        if history is not None:
            started = time.monotonic()
            running.replay(history, Plan(options.policy.zone, then_live=not once))
            done = asyncio.run(
                summarize(running.stack.database_url, events=len(history), seconds=time.monotonic() - started)
            )
            report(done)
            if summary is not None:
                summary.write_text(json.dumps(done.to_json(), indent=2) + "\n")
        if export is not None:
            asyncio.run(export_files(running.stack.database_url, export))
            console.print(f"exported to {export}")
        if not once:
            wait(running)


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="end after the year, with a summary")] = False,
) -> None:
    """Replay a year of 2,469 real households, then go on live with synthetic shoppers."""
    report(run_demo(console, once=once))


app.command()(backtest)


def wait(running: Session) -> None:
    """Keep running until Ctrl-C or a process that can't be kept running."""
    while True:
        running.supervisor.check()
        time.sleep(0.5)


def report(done: Summary) -> None:
    """Print a summary."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    for label, figure in done.lines():
        table.add_row(label, figure)
    Console().print(table)


@app.command()
def publish(
    files: Annotated[
        list[Path], typer.Argument(exists=True, dir_okay=False, help="JSON Lines in the wire form")
    ],
    kafka_bootstrap: Bootstrap = "127.0.0.1:9092",
) -> None:
    """Publish event files to a running Tierstream; every line is checked first."""
    history = load(files, asyncio.run(partitions_of(kafka_bootstrap)), console)
    count = asyncio.run(publish_history(kafka_bootstrap, history))
    console.print(f"{count:,} events acknowledged by Kafka")


@app.command()
def migrate(
    kafka_bootstrap: Bootstrap = "127.0.0.1:9092",
    database_url: DatabaseUrl = "postgresql://127.0.0.1/tierstream",
    lanes: Annotated[int, typer.Option(envvar="LANES_COUNT", min=1, max=1024, help="for life")] = 24,
    replication: Annotated[
        int, typer.Option(min=1, max=9, help="replicas of every topic; 3 in production")
    ] = 1,
    policy: PolicyOption = None,
    currency: Currency = None,
    time_zone: TimeZone = None,
) -> None:
    """Bring the schema to its head, make missing topics, and put the first policy in force."""
    first = chosen(policy, currency, time_zone)
    migrate_database(database_url)
    made = asyncio.run(migrate_topics(kafka_bootstrap, lanes=lanes, replication=replication))
    asyncio.run(activate_first(database_url, first.policy, first.source))
    console.print("schema at its head; topics made: " + (", ".join(made) or "none, all were there"))


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="where the CSV files go")],
    database_url: DatabaseUrl = "postgresql://127.0.0.1/tierstream",
) -> None:
    """Write customers, cut-offs, tier changes, warnings, tasks and dead letters as CSV, from one snapshot."""
    counts = asyncio.run(export_files(database_url, folder))
    for name, count in counts.items():
        console.print(f"{folder / name}: {count:,}")


@app.command()
def doctor(
    kafka_bootstrap: Bootstrap = "127.0.0.1:9092",
    database_url: DatabaseUrl = "postgresql://127.0.0.1/tierstream",
) -> None:
    """Look at Kafka, PostgreSQL, schema, partitions and clocks, and say what to do."""
    findings = asyncio.run(examine(database_url, kafka_bootstrap))
    for finding in findings:
        mark = "[red]x[/]" if finding.remedy else "[green]ok[/]"
        console.print(
            f"{mark} {finding.what}: {finding.found}" + (f"  -> {finding.remedy}" if finding.remedy else "")
        )
    if any(finding.remedy for finding in findings):
        raise typer.Exit(EXIT_FAILED)


app.command()(fit)

app.command()(explain)
lanes_app = typer.Typer(no_args_is_help=True, help="Look after lanes by hand.")
app.add_typer(lanes_app, name="lanes")


@lanes_app.command("skip")
def lanes_skip(
    service: Annotated[str, typer.Argument(help="scorer or alerter")],
    lane: Annotated[int, typer.Argument(min=0)],
    topic: Annotated[str, typer.Argument()],
    to: Annotated[int, typer.Option(min=1, help="the first offset to read again")],
    database_url: DatabaseUrl = "postgresql://127.0.0.1/tierstream",
) -> None:
    """Give up records that can't be read any more: the lane goes on at an offset, and a dead letter says so."""
    console.print(asyncio.run(skip(database_url, service, lane, topic, to)))


EXPECTED: Final = (
    MalformedError,
    StartError,
    CrashLoopError,
    StalledError,
    PartitionsDifferError,
    PolicyDiffersError,
    NoPolicyError,
    CanNotSkipError,
    TopicMissingError,
)


def main() -> None:
    """Run the command; what a user can mend is said in words, without a traceback."""
    for number in (signal.SIGINT, signal.SIGTERM):  # both end it in order, even started in the background
        signal.signal(number, signal.default_int_handler)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it logs what it then retries or raises
    try:
        status = app(standalone_mode=False)
    except typer.TyperException as error:  # not click's: typer brings a copy of its own
        said = error.format_message()
        if said:  # nothing to say without any command: the help was shown
            console.print(f"tierstream: {said}", style="red", highlight=False, markup=False, soft_wrap=True)
        status = error.exit_code
    except EXPECTED as error:
        console.print(f"tierstream: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        status = EXIT_REFUSED if isinstance(error, MalformedError) else EXIT_FAILED
    except (KafkaError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        found = str(error) or type(error).__name__
        said = f"tierstream: {found}; run tierstream doctor to see what is missing"
        console.print(said, style="red", highlight=False, markup=False, soft_wrap=True)
        status = EXIT_FAILED
    except (KeyboardInterrupt, typer.Abort):
        status = EXIT_INTERRUPTED
    if status == EXIT_INTERRUPTED:  # how one ends what runs until one ends it
        console.print("stopped")
        status = 0
    sys.exit(status or 0)


if __name__ == "__main__":
    main()
