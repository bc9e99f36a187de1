"""``tierstream explain``: why a customer is in his tier, what keeps or lifts it, and whether the log agrees."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

import typer

from deploy.explaining import run
from deploy.explaining.errors import CanNotExplainError

EXIT_DIFFERS: Final = 1


def explain(
    *,
    customer: Annotated[str, typer.Argument(help="the customer's id")],
    json: Annotated[bool, typer.Option("--json", help="print everything as JSON")] = False,
    kafka_bootstrap: Annotated[str, typer.Option(envvar="KAFKA_BOOTSTRAP")] = "127.0.0.1:9092",
    database_url: Annotated[str, typer.Option(envvar="DATABASE_URL")] = "postgresql://127.0.0.1/tierstream",
) -> None:
    """Say why a customer is in his tier, recompute it from the log, and say what keeps or lifts it."""
    try:
        found = asyncio.run(run.explain(database_url, kafka_bootstrap, customer))
    except CanNotExplainError as error:
        raise typer.TyperException(str(error)) from None
    if json:
        typer.echo(run.to_json(found))
    else:
        for line in found.lines():
            typer.echo(line)
    if not found.is_right:
        raise typer.Exit(EXIT_DIFFERS)
