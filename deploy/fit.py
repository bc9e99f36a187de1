"""``tierstream fit``: the parameters of predicted behaviour, from a history of purchases."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from deploy.fitting.errors import CanNotFitError
from services.scorer.core.policy import Policy


def fit(
    *,
    events: Annotated[
        list[Path] | None,
        typer.Option(
            help="a file of events, JSON Lines in the wire form; may be repeated", exists=True, dir_okay=False
        ),
    ] = None,
    kafka_bootstrap: Annotated[
        str | None, typer.Option(envvar="KAFKA_BOOTSTRAP", help="without --events: fit the log of this Kafka")
    ] = None,
    model: Annotated[Literal["mbg_nbd", "bg_nbd"], typer.Option(help="when customers drop out")] = "mbg_nbd",
    unit: Annotated[Literal["day", "week"], typer.Option(help="of alpha and of every age")] = "day",
    until: Annotated[
        str | None,
        typer.Option(
            help="fit on what is known at the end of this local day (or at this RFC 3339 instant) and compare "
            "with what came after; without it everything is fitted and nothing held out"
        ),
    ] = None,
    currency: Annotated[str, typer.Option(help="the base currency, ISO 4217")] = "USD",
    time_zone: Annotated[str, typer.Option(help="whose days count, IANA")] = "UTC",
    json: Annotated[Path | None, typer.Option(help="write the report here, as JSON")] = None,
    picture: Annotated[
        Path | None, typer.Option(help="draw the calibration here, as PNG; needs --until")
    ] = None,
    policy_section: Annotated[
        Path | None, typer.Option(help="write the section 'model' of a policy here, as YAML")
    ] = None,
) -> None:
    """Fit when and for how much customers buy again, and say whether the fit may be trusted."""
    if picture is not None and until is None:
        raise typer.BadParameter("--picture shows what was held out: give --until as well")
    for option, path in (("--json", json), ("--picture", picture), ("--policy-section", policy_section)):
        if path is not None and not path.absolute().parent.is_dir():  # before the work, not after it
            raise typer.BadParameter(f"{option}: there is no folder {path.absolute().parent}; make it first")
    try:
        policy = Policy.default(currency=currency, time_zone=time_zone)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    from deploy.fitting import run  # noqa: PLC0415 -- scipy takes a second that other commands don't need

    told, console = Console(stderr=True), Console()
    try:
        report = run.fit(
            events=events or [],
            bootstrap=kafka_bootstrap,
            kind=model,
            unit=unit,
            until=until,
            policy=policy,
            console=told,
        )
    except CanNotFitError as error:
        raise typer.TyperException(str(error)) from None
    for table in report.tables():
        console.print(table)
        console.print()
    console.print(report.verdict(), highlight=False, markup=False, soft_wrap=True)
    for line in run.write(report, json_to=json, picture=picture, section=policy_section):
        told.print(line, highlight=False, markup=False, soft_wrap=True)
