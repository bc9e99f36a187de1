"""``tierstream backtest``: files in, tables and JSON out; neither Kafka nor PostgreSQL."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from deploy.backtesting.bars import bar
from deploy.backtesting.output import EventFiles, JsonFile, check_writable, interruptible, say, write_whole
from deploy.backtesting.reading import Opened, opened, read
from deploy.backtesting.report import Run, to_json
from deploy.backtesting.stretches import Dealer
from deploy.backtesting.tables import print_tables
from deploy.backtesting.tally import Seen, Tally
from deploy.backtesting.variants import ranks_alone, without_hysteresis
from deploy.history import History
from deploy.policy_commands import Currency, TimeZone, chosen
from deploy.products.checks import loadable
from deploy.replay import Plan
from schemas.times import DAY_MS, from_ms
from schemas.wire import REMEDIES, Reason
from services.scorer.core.policy import Policy
from services.scorer.core.products import product_of
from services.scorer.offline.processes import ProcessLostError, replay_in_processes
from services.scorer.offline.replay import Counts, Outcome, replay
from services.scorer.records import FUTURE_MS_MAX

ALONE_BYTES_MAX: Final = 5_000_000  # below it other processes cost more than they save
CHURN_DAYS: Final = 90


class NobodyScoredError(ValueError):
    """The history has events, and not one customer with a tier. The message says why and what to do."""


def backtest(  # noqa: PLR0917 -- typer reads a command's options from its parameters
    events: Annotated[list[Path], EventFiles],
    policy: Annotated[
        str, typer.Option(help="a YAML file, or a template; retail has every rule that needs no fit")
    ] = "retail",
    currency: Currency = None,
    time_zone: TimeZone = None,
    json_: JsonFile = None,
    processes: Annotated[
        int | None, typer.Option(min=1, max=256, help="default: every core, one for a small history")
    ] = None,
    churn_days: Annotated[
        int, typer.Option(min=1, max=3660, help="a warning is true when so long nothing is bought")
    ] = CHURN_DAYS,
) -> None:
    """Replay event files through the scorer's core alone: tier sizes, flaps, and how right warnings were."""
    told = Console(stderr=True)
    with interruptible(told):
        check_writable("--json", json_)
        by = chosen(policy, currency, time_zone).policy
        try:
            report = backtest_files(events, by, told, processes=processes, churn_days=churn_days)
            if json_ is not None:
                write_whole(json_, json.dumps(report, indent=2, allow_nan=False).encode() + b"\n")
        except (NobodyScoredError, ProcessLostError) as error:
            say(told, f"tierstream: {error}", style="red")
            raise typer.Exit(1) from None
        except OSError as error:
            say(told, f"tierstream: {error}; is there room, and may the files be read?", style="red")
            raise typer.Exit(1) from None
    print_tables(report, Console())  # last, since whoever reads may leave


def backtest_files(
    paths: Sequence[Path],
    policy: Policy,
    console: Console,
    *,
    processes: int | None,
    churn_days: int = CHURN_DAYS,
) -> dict[str, Any]:
    """Return the report of event files under a policy; shows bars and bad lines on ``console``.

    Raises:
        MalformedError: there is no event in them, or one is damaged.
        NobodyScoredError: no purchase counts, so there is nothing to report.
        ProcessLostError: a process was killed or hangs.
    """
    started = time.monotonic()
    wall_ms = time.time_ns() // 1_000_000
    files = opened(paths)
    processes = processes or usual_processes(files)
    with bar(console, "reading") as show:
        history, bad = read(files, partitions=processes, progress=show)
    for line in bad.lines():
        say(console, line, style="yellow")
    dealer = Dealer(history, Plan(policy.zone), wall_ms)
    last_ms = history.last_ms(not_after_ms=wall_ms + FUTURE_MS_MAX)
    make_tally = partial(Tally, end_ms=last_ms, horizon_ms=churn_days * DAY_MS)
    policies = policy, ranks_alone(without_hysteresis(policy))
    outcome = _replayed(dealer, policies, make_tally, last_ms, console)
    if dealer.dated_ahead:
        outcome.counts.refused["TIME"] += dealer.dated_ahead
    seen = together(outcome.watched)
    if not seen.end.shown:
        raise NobodyScoredError(_nobody(outcome.counts, policy))
    run = Run(
        policy=policy,
        events=len(history),
        first_ms=history.first_ms(),
        last_ms=last_ms,
        churn_days=churn_days,
        processes=processes,
        seconds=time.monotonic() - started,
        bad_lines=bad.to_json(),
    )
    return to_json(run, outcome.counts, seen)


def _nobody(counts: Counts, policy: Policy) -> str:
    """Return why nobody has a tier, with the remedy of each reason."""
    head = f"no purchase of this history counts under the policy, which counts in {policy.currency}"
    refused = [f"{count:,} {why}: {REMEDIES[Reason(why)]}" for why, count in counts.refused.most_common()]
    return "\n".join([head, *refused]) if refused else f"{head}: give events of purchases"


def usual_processes(files: Sequence[Opened]) -> int:
    """Return one for each core, or one alone for a small history."""
    if sum(file.size for file in files) <= ALONE_BYTES_MAX:
        return 1
    usable = getattr(os, "sched_getaffinity", None)  # Linux: a container may have fewer than the machine
    return len(usable(0)) if usable is not None else os.cpu_count() or 1


def together(seen: Sequence[Seen]) -> Seen:
    """Return what all processes saw."""
    first, *others = seen
    for one in others:
        first.add(one)
    return first


def _replayed(
    dealer: Dealer,
    policies: tuple[Policy, Policy],
    make_tally: Callable[[], Tally],
    last_ms: int,
    console: Console,
) -> Outcome:
    history: History = dealer.history
    first_ms = history.first_ms()
    listed = loadable(history.listed, wall_ms=dealer.wall_ms)
    products = {sku: product_of(one) for sku, one in listed.items()}
    with bar(console, "replaying") as show:

        def progress(at_ms: int) -> None:
            show(at_ms - first_ms, max(1, last_ms - first_ms), f"{from_ms(at_ms):%-d %B %Y}")

        if history.partitions == 1:
            return replay(dealer.stretches(), policies, make_tally(), products=products, progress=progress)
        return replay_in_processes(
            dealer.stretches(),
            policies,
            make_tally,
            processes=history.partitions,
            products=products,
            progress=progress,
        )
