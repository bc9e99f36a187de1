"""Task states and the moves between them, as a table; any move that is not in it is refused."""

from __future__ import annotations

from enum import StrEnum


class TaskState(StrEnum):
    """Where a task is."""

    OPEN = "open"  # waits for somebody
    CLAIMED = "claimed"  # one advisor holds it under a lease
    DONE = "done"  # completed with an outcome
    WITHDRAWN = "withdrawn"  # taken back: the customer bought, answered, or the warning was disproved
    HISTORY = "history"  # was due long before a replay ended; never shown in a queue


class TaskAction(StrEnum):
    """What can happen to a task."""

    CLAIM = "claim"
    RELEASE = "release"
    EXPIRE = "expire"  # the lease ran out
    COMPLETE = "complete"
    WITHDRAW = "withdraw"
    ARCHIVE = "archive"


TRANSITIONS: dict[tuple[TaskState, TaskAction], TaskState] = {
    (TaskState.OPEN, TaskAction.CLAIM): TaskState.CLAIMED,
    (TaskState.OPEN, TaskAction.WITHDRAW): TaskState.WITHDRAWN,
    (TaskState.OPEN, TaskAction.ARCHIVE): TaskState.HISTORY,
    (TaskState.CLAIMED, TaskAction.RELEASE): TaskState.OPEN,
    (TaskState.CLAIMED, TaskAction.EXPIRE): TaskState.OPEN,
    (TaskState.CLAIMED, TaskAction.COMPLETE): TaskState.DONE,
    (TaskState.CLAIMED, TaskAction.WITHDRAW): TaskState.WITHDRAWN,
}

LIVE_STATES = (TaskState.OPEN, TaskState.CLAIMED)


class IllegalMove(ValueError):  # noqa: N818 -- a refusal, named after what was tried
    """The task is in a state that does not allow the action; nothing was changed."""


def after(state: TaskState, action: TaskAction) -> TaskState:
    """Return the state that ``action`` leads to.

    Raises:
        IllegalMove: the table has no such move.
    """
    try:
        return TRANSITIONS[state, action]
    except KeyError:
        raise IllegalMove(f"a task that is {state} can't be moved by {action}") from None
