"""``tierstream policy``: templates, checks, activation."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from deploy.policies import Chosen, NoPolicyError, check, choose, listed, propose, stored, summary, switching
from services.scorer.policies import (
    NoSuchTemplateError,
    PolicyError,
    policy_schema,
    read_policy_file,
    started,
    templates,
)

POLL_SECONDS: Final = 0.5
EXIT_REFUSED: Final = 2
EXIT_FAILED: Final = 1
policy_app = typer.Typer(
    no_args_is_help=True, help="Policies as files: start from a template, check, put in force."
)
console = Console(stderr=True)

DatabaseUrl = Annotated[str, typer.Option(envvar="DATABASE_URL")]
Currency = Annotated[str | None, typer.Option(help="the base currency, ISO 4217; wins over the policy's")]
TimeZone = Annotated[
    str | None, typer.Option(help="whose midnights and business days count, IANA; wins over the policy's")
]
PolicyOption = Annotated[
    str | None, typer.Option("--policy", help="a YAML file, or a template: see tierstream policy templates")
]
Files = Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="policies as YAML")]


def chosen(policy: str | None, currency: str | None, time_zone: str | None) -> Chosen:
    """Return what the options choose; a mistake ends the command with 2 and says what to do."""
    try:
        return choose(policy, currency=currency, time_zone=time_zone)
    except PolicyError as error:
        if policy is None:  # the option is wrong, not a file
            raise typer.BadParameter("; ".join(_words(error))) from None
        raise refused(error) from None
    except NoSuchTemplateError as error:
        raise typer.BadParameter(f"{error}; or give a file") from None
    except OSError as error:
        raise typer.BadParameter(f"{policy}: {error.strerror or error}; give a file that is there") from None


def refused(error: PolicyError) -> typer.Exit:
    """Print every mistake; return what ends the command."""
    for line in error.lines():
        console.print(line, style="red", highlight=False, markup=False, soft_wrap=True)
    return typer.Exit(EXIT_REFUSED)


def _words(error: PolicyError) -> list[str]:
    return [f"{one.what}; {one.remedy}" for one in error.mistakes]


@policy_app.command("templates")
def list_templates() -> None:
    """List the templates, each with its goal."""
    table = Table(show_header=False, box=None, pad_edge=False)
    for one in templates():
        table.add_row(one.name, one.goal)
    Console().print(table)


@policy_app.command()
def new(
    name: Annotated[str, typer.Argument(help="a template's name")] = "default",
    currency: Currency = None,
    time_zone: TimeZone = None,
) -> None:
    """Print a template as YAML, to begin a file of your own."""
    try:
        typer.echo(started(name, currency=currency, time_zone=time_zone), nl=False)
    except NoSuchTemplateError as error:
        raise typer.BadParameter(str(error)) from None
    except PolicyError as error:
        raise typer.BadParameter("; ".join(_words(error))) from None


@policy_app.command("check")
def check_files(files: Files) -> None:
    """Read files as policies: what each decides, or every mistake with its line and remedy."""
    failed = False
    for path in files:
        try:
            policy = check(path)
        except PolicyError as error:
            failed = True
            refused(error)
            continue
        table = Table(show_header=False, box=None, pad_edge=False)
        for label, words in summary(policy):
            table.add_row(label, words)
        Console().print(f"{path}: in order", highlight=False, markup=False, soft_wrap=True)
        Console().print(table)
    if failed:
        raise typer.Exit(EXIT_REFUSED)


@policy_app.command()
def schema() -> None:
    """Print the JSON Schema of a policy file, for editors that complete and check while you write."""
    typer.echo(json.dumps(policy_schema(), indent=2, ensure_ascii=False))


@policy_app.command()
def activate(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="the policy as YAML")],
    database_url: DatabaseUrl = "postgresql://127.0.0.1/tierstream",
    note: Annotated[str, typer.Option(help="why; it stands in the list of versions")] = "",
    wait: Annotated[bool, typer.Option("--wait", help="until every lane has switched")] = False,  # noqa: FBT002
    wait_seconds: Annotated[
        float, typer.Option(min=1, max=86_400, help="with --wait: at most so long")
    ] = 600,
) -> None:
    """Put a policy in force: every customer is rescored beside the old one, then all lanes switch together.

    A file with a mistake changes nothing. Tiers that differ move silently: nobody gets a task for customers
    who were already there.
    """
    try:
        policy, source = read_policy_file(file)
    except PolicyError as error:
        raise refused(error) from None
    done = asyncio.run(propose(database_url, policy, source, note=note))
    if done.is_new:
        console.print(
            f"version {done.version} is written: the lanes rescore everybody silently and switch together",
            highlight=False,
        )
    else:
        console.print(f"version {done.version} says the same already; nothing was written", highlight=False)
    if wait:
        asyncio.run(_wait(database_url, done.version, wait_seconds))


@policy_app.command("list")
def list_versions(database_url: DatabaseUrl = "postgresql://127.0.0.1/tierstream") -> None:
    """List the versions, the newest first."""
    table = Table(
        "version", "name", "currency", "time zone", "activated", "", "note", box=None, pad_edge=False
    )
    for one in asyncio.run(listed(database_url)):
        at = f"{one.activated_at:%Y-%m-%d %H:%M} UTC"
        mark = "in force" if one.in_force else ""
        table.add_row(str(one.version), one.name, one.currency, one.time_zone, at, mark, one.note)
    Console().print(table)


@policy_app.command()
def show(
    version: Annotated[int | None, typer.Argument(min=1, help="without it: the one in force")] = None,
    database_url: DatabaseUrl = "postgresql://127.0.0.1/tierstream",
) -> None:
    """Print a version's YAML, as it was given."""
    try:
        found = asyncio.run(stored(database_url, version))
    except NoPolicyError as error:
        raise typer.BadParameter(str(error)) from None
    typer.echo(found.source, nl=not found.source.endswith("\n"))


async def _wait(database_url: str, version: int, seconds: float) -> None:
    """Wait until every lane has switched, with a bar; end the command with 1 when the time is over."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    end = time.monotonic() + seconds
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(f"lanes with version {version}", total=None)
        async for switch in switching(database_url, version):
            bar.update(task, total=switch.lanes or None, completed=switch.through)
            if switch.is_done:
                console.print(f"all {switch.lanes} lanes have switched to version {version}", highlight=False)
                return
            if time.monotonic() > end:
                break
            await asyncio.sleep(POLL_SECONDS)
    console.print(
        f"after {seconds:g} s {switch.through} of {switch.lanes} lanes have version {version}; "
        "it goes on without us: see tierstream policy list, and whether the scorers run",
        style="red", highlight=False,
    )  # fmt: skip
    raise typer.Exit(EXIT_FAILED)
