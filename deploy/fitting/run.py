"""One run of ``tierstream fit``: read, fit, calibrate, report."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import date, datetime, timedelta
from pathlib import Path

from rich.console import Console

from deploy.backtesting.bars import bar
from deploy.backtesting.output import say, write_whole
from deploy.backtesting.reading import BadLines
from deploy.fitting.calibration import calibrate
from deploy.fitting.errors import MisuseError
from deploy.fitting.parameters import fit_purchases, fit_spend
from deploy.fitting.purchases import Purchases
from deploy.fitting.report import Report
from deploy.fitting.sample import sample
from deploy.fitting.source import read_files, read_log
from schemas.times import to_ms
from services.scorer.core.models.parameters import Kind, Unit
from services.scorer.core.policy import Policy


def fit(
    *,
    events: list[Path],
    bootstrap: str | None,
    kind: Kind,
    unit: Unit,
    until: str | None,
    policy: Policy,
    console: Console,
) -> Report:
    """Return the report of a fit on ``events``, or on the log at ``bootstrap`` when there are none.

    Raises:
        CanNotFitError: what is asked for can't be done.
        MalformedError: there is no event in the files, or one is damaged.
    """
    until_ms = None if until is None else end_of(until, policy)
    purchases, bad = Purchases(policy, wall_ms=int(time.time() * 1000)), BadLines()
    with bar(console, "reading") as show:
        if events:
            bad = read_files(events, purchases, show)
        elif bootstrap is not None:
            asyncio.run(read_log(bootstrap, purchases, show))
        else:
            raise MisuseError("nothing to fit: give --events, or --kafka-bootstrap of a running Tierstream")
    for line in bad.lines():
        say(console, line, style="yellow")
    purchases.settle()
    known = sample(purchases, until_ms=until_ms)
    fitted = fit_purchases(known, kind=kind, unit=unit)
    with bar(console, "calibrating") as show:
        buckets = [] if fitted.model is None else calibrate(known, fitted.model, show)
    return Report(
        kind=kind,
        unit=unit,
        policy=policy,
        until=until,
        sample=known,
        purchases=fitted,
        spend=fit_spend(known),
        calibration=buckets,
        left_out=purchases.left_out,
        bad_lines=bad.to_json(),
    )


def write(report: Report, *, json_to: Path | None, picture: Path | None, section: Path | None) -> list[str]:
    """Write what was asked for, each file whole or not at all; return a line on each, or why it was not."""
    said = []
    if json_to is not None:
        text = json.dumps(report.to_json(), indent=2, allow_nan=False) + "\n"
        write_whole(json_to, text.encode())
        said.append(f"report: {json_to}")
    if picture is not None:
        said.append(_draw(report, picture))
    if section is not None:
        if report.purchases.is_storable:
            write_whole(section, report.policy_section().encode())
            said.append(f"policy section: {section}")
        else:
            said.append(f"no policy section was written: {report.purchases.reason}")
    return said


def end_of(until: str, policy: Policy) -> int:
    """Return the last millisecond of the calibration: of a local day, or the instant itself.

    Raises:
        MisuseError: it is neither.
    """
    try:
        if len(until) == len("2026-01-31"):
            following = date.fromisoformat(until) + timedelta(days=1)
            midnight = datetime(following.year, following.month, following.day, tzinfo=policy.zone)
            return to_ms(midnight) - 1
        instant = datetime.fromisoformat(until)
    except (ValueError, OverflowError):
        raise MisuseError(f"--until {until!r} is no time: give 2026-01-31 or {_INSTANT}") from None
    if instant.tzinfo is None:
        raise MisuseError(f"--until {until!r} has no offset: give {_INSTANT}, or a plain date")
    return to_ms(instant)


_INSTANT = "2026-01-31T12:00:00Z"


def _draw(report: Report, path: Path) -> str:
    if not report.calibration:
        return "no picture was drawn: nothing is held out"
    from deploy.fitting.picture import draw  # noqa: PLC0415 -- matplotlib takes a second to load

    title = f"{report.kind}, fitted through {report.until_day}"
    draw(path, report.calibration, title=title, held_out_days=report.sample.held_out_days)
    return f"picture: {path}"
