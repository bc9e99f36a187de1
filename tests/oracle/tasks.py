"""Which tasks advisors must find after a replay, derived from tier changes and warnings alone.

Two playbooks, as the alerter's text has them. ``welcome_high_value``: a customer enters the ranked top tier;
due 24 h later; taken back when the customer leaves that tier before anybody called. ``call_back_silent``: a
silence; due 48 h later; a second warning while the task lives is merged into it (the earlier deadline stands);
taken back when no silence in it is open any more. Nobody works during a replay, so a task ends by being
taken back or by being overdue for more than 7 days when the replay ends: that is history.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from tests.oracle.clock import DAY_MS
from tests.oracle.customer import TierChange
from tests.oracle.episodes import Episode
from tests.oracle.replay import Outcome
from tests.oracle.tiers import HIGH

HOUR_MS = 3_600_000
WELCOME, CALL_BACK = "welcome_high_value", "call_back_silent"
WELCOME_DUE_MS, CALL_BACK_DUE_MS = 24 * HOUR_MS, 48 * HOUR_MS
HISTORY_AFTER_MS = 7 * DAY_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task at the end of a replay; times in ms."""

    playbook: str
    customer_id: str
    created_ms: int
    due_ms: int
    state: str = "open"
    closed_by: str = ""


def tasks_of(outcome: Outcome, end_ms: int) -> tuple[Task, ...]:
    """Return every task that a replay ending at ``end_ms`` leaves, by customer, playbook and time."""
    changes: dict[str, list[TierChange]] = defaultdict(list)
    for change in outcome.changes:  # of one customer in the order of evaluation
        changes[change.customer_id].append(change)
    tasks = [
        ended(task, end_ms)
        for customer in outcome.customers
        for made in (
            welcomes(customer.customer_id, changes[customer.customer_id]),
            call_backs(customer.customer_id, customer.warnings.episodes),
        )
        for task in made
    ]
    return tuple(sorted(tasks, key=lambda task: (task.customer_id, task.playbook, task.created_ms)))


def welcomes(customer_id: str, changes: Iterable[TierChange]) -> Iterator[Task]:
    """Yield a task for every arrival in the ranked top tier, taken back by the departure."""
    live: Task | None = None
    for change in changes:
        if change.ranked_current == HIGH and change.ranked_previous != HIGH:
            live = Task(
                playbook=WELCOME,
                customer_id=customer_id,
                created_ms=change.at_ms,
                due_ms=change.at_ms + WELCOME_DUE_MS,
            )
        elif change.ranked_current != HIGH and live is not None:
            yield replace(live, state="withdrawn", closed_by="tier moved on")
            live = None
    if live is not None:
        yield live


def call_backs(customer_id: str, episodes: Iterable[Episode]) -> Iterator[Task]:
    """Yield a task for every stretch of time in which at least one silence is open."""
    live: Task | None = None
    last: Episode | None = None  # the one that ends last of those in the live task
    for episode in sorted(episodes, key=lambda one: one.start_ms):
        if live is not None and last is not None and not _ends_before(last, episode.start_ms):
            last = max(last, episode, key=_end_ms)
            continue
        if live is not None and last is not None:
            yield _taken_back(live, last)
        live = Task(
            playbook=CALL_BACK,
            customer_id=customer_id,
            created_ms=episode.start_ms,
            due_ms=episode.start_ms + CALL_BACK_DUE_MS,
        )
        last = episode
    if live is not None and last is not None:
        yield _taken_back(live, last)


def ended(task: Task, end_ms: int) -> Task:
    """Return the task as the end of the replay leaves it."""
    if task.state == "open" and task.due_ms < end_ms - HISTORY_AFTER_MS:
        return replace(task, state="history", closed_by="replay")
    return task


def _taken_back(task: Task, last: Episode) -> Task:
    if last.ended_ms is None:
        return task
    return replace(task, state="withdrawn", closed_by=last.ended_by)


def _end_ms(episode: Episode) -> float:
    return float("inf") if episode.ended_ms is None else episode.ended_ms


def _ends_before(episode: Episode, at_ms: int) -> bool:
    return episode.ended_ms is not None and episode.ended_ms <= at_ms
