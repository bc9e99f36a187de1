"""What must come of a run, computed by the oracle alone, in a process of its own."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from tests.oracle.clock import rfc3339
from tests.oracle.events import read_events
from tests.oracle.export import customer_rows, cut_rows, warning_rows
from tests.oracle.replay import Outcome, replay
from tests.oracle.tasks import tasks_of

Row = tuple[str, ...]
Rows = Counter[Row]


@dataclass(frozen=True, slots=True)
class Expected:
    """Every table as a bag of rows of texts; the customer's id comes first where there is one."""

    customers: Rows
    cut_offs: Rows
    tier_changes: Rows  # customer, how many of his it is, at, previous, current, ranked previous and current
    warnings: Rows  # customer, rule, start, end, ended by
    tasks: Rows  # customer, playbook, created, due, state, closed by
    conflicts: int


def compute(path: Path, currency: str, zone: str) -> Expected:
    """Replay the file through the oracle."""
    outcome = replay(read_events([path]), currency=currency, time_zone=zone)
    return Expected(
        customers=bag(customer_rows(outcome)),
        cut_offs=bag(cut_rows(outcome)),
        tier_changes=bag(_changes(outcome)),
        warnings=bag(warning_rows(outcome)),
        tasks=bag(_tasks(outcome)),
        conflicts=sum(reason == "CONFLICT" for _, reason in outcome.dead_letters),
    )


def bag(rows: list[tuple[object, ...]]) -> Rows:
    """Return rows as texts, counted."""
    return Counter(tuple("" if cell is None else str(cell) for cell in row) for row in rows)


def in_background(path: Path, currency: str, zone: str) -> Future[Expected]:
    """Begin to compute beside the run, politely: the run needs the processors more."""
    pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=os.nice, initargs=(15,))
    future = pool.submit(compute, path, currency, zone)
    pool.shutdown(wait=False)
    return future


def _changes(outcome: Outcome) -> list[tuple[object, ...]]:
    counts: defaultdict[str, int] = defaultdict(int)
    rows: list[tuple[object, ...]] = []
    for one in outcome.changes:
        counts[one.customer_id] += 1
        rows.append(
            (
                *(one.customer_id, counts[one.customer_id], rfc3339(one.at_ms)),
                *(one.previous, one.current, one.ranked_previous, one.ranked_current),
            )
        )
    return rows


def _tasks(outcome: Outcome) -> list[tuple[object, ...]]:
    return [
        (
            *(task.customer_id, task.playbook, rfc3339(task.created_ms), rfc3339(task.due_ms)),
            *(task.state, task.closed_by),
        )
        for task in tasks_of(outcome, outcome.cut_rows[-1].at_ms)
    ]
