"""A task as the core sees it: its row without what only people and the database write."""

from typing import Any

import msgspec

from schemas.tasks import LIVE_STATES, TaskAction, TaskState, after


class CauseLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event that asks for the task; a line of the column ``causes``."""

    event_id: str
    revision: int  # of the customer; orders events of one topic
    occurred_at_ms: int
    sentence: str
    episode: str | None = None  # "{rule}/{start ms}"; None: no warning
    ended_at_ms: int | None = None  # None while the episode is open
    ended_by: str | None = None


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One task. ``task_key`` is made of the event that opened it, so a redelivery finds it again."""

    task_key: str
    customer_id: str
    playbook: str
    kind: str
    team: str
    urgency: int  # 1 first .. 5 last
    tier: str | None  # shown tier when it was raised
    title: str
    why: str
    advice: str
    evidence: tuple[dict[str, Any], ...]  # one object per cause, in the order of ``causes``
    causes: tuple[CauseLine, ...]
    episode: str | None  # of the warning that opened it
    created_at_ms: int  # event time of the cause
    due_at_ms: int
    state: TaskState = TaskState.OPEN
    closed_at_ms: int | None = None
    closed_by: str | None = None
    version: int = 1  # one more at every change, however the events were chunked
    id: int | None = None  # None until it has a row

    @property
    def is_live(self) -> bool:
        """Whether somebody may still have to do it."""
        return self.state in LIVE_STATES

    def rests_on(self, event_id: str) -> bool:
        """Return whether the event is one of its causes."""
        return any(line.event_id == event_id for line in self.causes)


def live_task(tasks: tuple[Task, ...], playbook: str) -> Task | None:
    """Return the customer's live task of the playbook; there is at most one."""
    return next((task for task in tasks if task.is_live and task.playbook == playbook), None)


def merged(task: Task, newer: Task) -> Task:
    """Return the live task with the causes of ``newer`` in it: the more urgent, and due the earlier.

    Title, reason and advice stay as they are: an advisor may be reading them out on the phone. The
    sentence of the newer cause stands in its own line.
    """
    return msgspec.structs.replace(
        task,
        urgency=min(task.urgency, newer.urgency),
        due_at_ms=min(task.due_at_ms, newer.due_at_ms),
        evidence=task.evidence + newer.evidence,
        causes=task.causes + newer.causes,
        version=task.version + 1,
    )


def withdrawn(task: Task, *, at_ms: int, closed_by: str) -> Task:
    """Return the task taken back. A claimed one loses its lease with its row's state.

    ``at_ms`` is event time. A late fact may be older than the task that it takes back; a task is
    never closed before it was made.
    """
    return msgspec.structs.replace(
        task,
        state=after(task.state, TaskAction.WITHDRAW),
        closed_at_ms=max(task.created_at_ms, at_ms),
        closed_by=closed_by,
        version=task.version + 1,
    )
