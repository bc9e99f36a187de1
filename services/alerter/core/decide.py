"""What one event changes among the tasks of its customer.

Every decision is idempotent: an event that is delivered again, at any later time, changes nothing.
That rests on ``causes``, so a caller must show the live tasks of the customer and those that are
closed but hold one of the events.
"""

from collections.abc import Iterable

import msgspec

from schemas.events import ChurnCleared, ChurnWarned, TierChanged
from schemas.times import to_ms
from services.alerter.core.playbooks import (
    CALL_BACK_SILENT,
    WELCOME_HIGH_VALUE,
    call_back,
    enters_top_tier,
    episode_of,
    welcome,
)
from services.alerter.core.task import CauseLine, Task, live_task, merged, withdrawn
from services.alerter.core.wording import Wording

Event = TierChanged | ChurnWarned | ChurnCleared

TIER_MOVED_ON = "tier moved on"


def decide(tasks: tuple[Task, ...], event: Event, wording: Wording) -> tuple[Task, ...]:
    """Return the tasks that the event makes or changes, as they are after it; the others stay.

    Args:
        tasks: Of the event's customer: at least the live ones, and every one with this event among
            its causes.
        event: The next one of the customer.
        wording: How amounts and dates are written.
    """
    if isinstance(event, ChurnCleared):
        return _end_episode(tasks, event)
    if isinstance(event, ChurnWarned):
        return _ask_for(tasks, call_back(event, wording))
    if enters_top_tier(event):
        return _ask_for(tasks, welcome(event, wording))
    if event.ranked_level != 0:
        return _take_welcome_back(tasks, event)
    return ()


def fold(tasks: tuple[Task, ...], events: Iterable[Event], wording: Wording) -> tuple[Task, ...]:
    """Return all tasks of one customer after the events, in the order in which they were made."""
    by_key = {task.task_key: task for task in tasks}
    for event in events:
        for task in decide(tuple(by_key.values()), event, wording):
            by_key[task.task_key] = task
    return tuple(by_key.values())


def _ask_for(tasks: tuple[Task, ...], task: Task) -> tuple[Task, ...]:
    """Make the task, or merge it into the live one; nothing when its cause was dealt with before.

    A closed task is never opened again: a new cause makes a new one.
    """
    (cause,) = task.causes
    if any(known.playbook == task.playbook and known.rests_on(cause.event_id) for known in tasks):
        return ()
    live = live_task(tasks, task.playbook)
    return (task if live is None else merged(live, task),)


def _end_episode(tasks: tuple[Task, ...], event: ChurnCleared) -> tuple[Task, ...]:
    """End the episode in the live task; take the task back when none is left open in it."""
    live = live_task(tasks, CALL_BACK_SILENT.name)
    episode, at_ms = episode_of(event), to_ms(event.occurred_at)
    if live is None or not any(_is_open(line) and line.episode == episode for line in live.causes):
        return ()
    causes = tuple(
        msgspec.structs.replace(line, ended_at_ms=at_ms, ended_by=str(event.cause))
        if _is_open(line) and line.episode == episode
        else line
        for line in live.causes
    )
    ended = msgspec.structs.replace(live, causes=causes)
    if any(_is_open(line) for line in causes):
        return (msgspec.structs.replace(ended, version=live.version + 1),)
    return (withdrawn(ended, at_ms=at_ms, closed_by=str(event.cause)),)


def _take_welcome_back(tasks: tuple[Task, ...], event: TierChanged) -> tuple[Task, ...]:
    """Withdraw a welcome that nobody gave before the customer left the top tier again.

    The revision tells a redelivered departure from one after the latest arrival.
    """
    live = live_task(tasks, WELCOME_HIGH_VALUE.name)
    if live is None or event.revision <= max(line.revision for line in live.causes):
        return ()
    return (withdrawn(live, at_ms=to_ms(event.occurred_at), closed_by=TIER_MOVED_ON),)


def _is_open(line: CauseLine) -> bool:
    return line.ended_at_ms is None
