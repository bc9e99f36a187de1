"""``tierstream fit``: the parameters of predicted behaviour, from a history of purchases."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from deploy.backtesting.output import (
    WIDE,
    EventFiles,
    JsonFile,
    check_writable,
    interruptible,
    say,
)
from deploy.fitting.errors import CanNotFitError, MisuseError
from deploy.policy_commands import Currency, PolicyOption, TimeZone, chosen


def fit(
    *,
    events: Annotated[list[Path] | None, EventFiles] = None,
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
    policy: PolicyOption = None,
    currency: Currency = None,
    time_zone: TimeZone = None,
    json_: JsonFile = None,
    picture: Annotated[
        Path | None, typer.Option(help="draw the calibration here, as PNG; needs --until")
    ] = None,
    policy_section: Annotated[
        Path | None, typer.Option(help="write the section 'model' of a policy here, as YAML")
    ] = None,
) -> None:
    """Fit when and for how much customers buy again, and say whether the fit may be trusted."""
    told, console = Console(stderr=True), Console()
    with interruptible(told):
        if picture is not None and until is None:
            raise typer.BadParameter("--picture shows what was held out: give --until as well")
        for option, path in (("--json", json_), ("--picture", picture), ("--policy-section", policy_section)):
            check_writable(option, path)
        by = chosen(policy, currency, time_zone).policy
        from deploy.fitting import run  # noqa: PLC0415 -- scipy takes a second that other commands don't need

        try:
            report = run.fit(
                events=events or [],
                bootstrap=kafka_bootstrap,
                kind=model,
                unit=unit,
                until=until,
                policy=by,
                console=told,
            )
            written = run.write(report, json_to=json_, picture=picture, section=policy_section)
        except MisuseError as error:
            raise typer.BadParameter(str(error)) from None
        except CanNotFitError as error:
            raise typer.TyperException(str(error)) from None
        except OSError as error:
            if not events:
                raise  # of Kafka, which the doctor looks at
            raise typer.TyperException(f"{error}; is there room, and may the files be read?") from None
    for table in report.tables():
        console.print(table, width=None if console.is_terminal else WIDE)
        console.print()
    say(console, report.verdict())
    for line in written:
        say(told, line)
