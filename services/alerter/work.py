"""The alerter's side of a lane: events into tasks, tasks to people, old ones to history."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from schemas.tasks import TaskAction, TaskState, after
from schemas.times import DAY_MS
from schemas.topics import ALERTER_INPUTS
from schemas.wire import Refused
from services.alerter import store
from services.alerter.core.assignment import assign
from services.alerter.core.decide import Event, fold
from services.alerter.core.records import read
from services.alerter.core.task import Task
from services.alerter.core.wording import Wording
from services.lanes import faults
from services.lanes.work import DeadLetter, LaneRow, LaneTime, LaneWork, Record, Turn, Write

ASSIGNING_LANE: Final = 0
ASSIGNED_PER_TURN_MAX: Final = 500
ARCHIVED_PER_TURN_MAX: Final = 1_000
HISTORY_AFTER_MS: Final = 7 * DAY_MS  # overdue for longer when a replay ends: nobody needs to do it

_Events = defaultdict[str, list[tuple[Record, Event]]]  # by customer, in order


class AlerterService:
    """What the engine runs."""

    name: str = store.SERVICE_NAME
    topics: tuple[str, ...] = tuple(topic.name for topic in ALERTER_INPUTS)
    first_versions: tuple[int, ...] = ()
    numbered_inputs: bool = True  # both topics are written from the scorer's outbox
    locks_rows: bool = True  # advisors change tasks too

    def __init__(self, wording: Wording | None = None) -> None:
        """Take how amounts and dates are written, which follows the scorer's policy."""
        self._wording = wording or Wording()

    async def open(self, connection: Any, row: LaneRow) -> LaneWork:  # noqa: ARG002 -- nothing to load
        """Return the lane's work; it holds no memory, so a takeover has nothing to load."""
        return AlerterWork(self._wording, lane=row.lane, lanes=row.lanes)


class AlerterWork:
    """One lane of the alerter. Tasks are the lane's own by customer; lane 0 assigns those of all lanes."""

    def __init__(self, wording: Wording, *, lane: int, lanes: int) -> None:
        """Take the lane's number and how many there are."""
        self._wording = wording
        self._lane = lane
        self._lanes = lanes

    async def chunk(
        self,
        connection: Any,
        records: Sequence[Record],
        time: LaneTime,  # noqa: ARG002 -- tasks are dated by their events
        seq: int,  # noqa: ARG002 -- and carry no proof of their own
    ) -> Turn:
        """Turn the records' events into new, merged and withdrawn tasks. Locks the tasks concerned.

        A record that meets a bug becomes a dead letter with reason INTERNAL: its customer's tasks stay as
        they were before it, and all other records count.
        """
        turn = Turn()
        events: _Events = defaultdict(list)
        for record in records:
            try:
                event = read(record.topic, record.key, record.value)
            except Refused as refusal:
                turn.dead_letters.append(DeadLetter(record, str(refusal.reason), refusal.detail))
            except faults.NEVER_CAUGHT:
                raise
            except Exception as error:  # noqa: BLE001 -- logged there; see faults
                turn.dead_letters.append(faults.dead_letter(record, error, self._lane))
            else:
                events[event.customer_id].append((record, event))
        if events:
            turn.writes = await self._changes(connection, events, turn.dead_letters)
        turn.applied = len(records) - len(turn.dead_letters)
        return turn

    async def tend(self, connection: Any, time: LaneTime, seq: int) -> Turn | None:  # noqa: ARG002
        """Assign what waits (lane 0); at a barrier also end the replay's leftovers, then settle."""
        if not time.barrier:
            return await self._assign(connection, time) if self._lane == ASSIGNING_LANE else None
        ends = time.ends_replay or time.complete
        if self._lane == ASSIGNING_LANE:
            if not await self._are_others_there(connection, time):
                return None
            assigned = await self._assign(connection, time)
            if assigned is not None:
                return assigned
        elif ends and await self._is_assigning(connection, time):
            return None
        archived = await self._archive(connection, time) if ends else None
        return archived or Turn(kind="settle", settled=True)

    async def _changes(self, connection: Any, events: _Events, dead_letters: list[DeadLetter]) -> list[Write]:
        """Return the writes that the events of each customer, in order, ask for."""
        event_ids = [event.event_id for of_customer in events.values() for _, event in of_customer]
        loaded: defaultdict[str, list[Task]] = defaultdict(list)
        for task in await store.load_concerned(connection, events, event_ids):
            loaded[task.customer_id].append(task)
        new: list[Task] = []
        changed: list[Task] = []
        for customer_id, of_customer in events.items():
            before = tuple(loaded[customer_id])
            after_all = self._fold(before, of_customer, dead_letters)
            new += [task for task in after_all if task.id is None]
            changed += [task for task in after_all if task.id is not None and task not in before]
        await self._make_room(connection, new, changed)
        return _writes(new, changed, self._lane)

    def _fold(
        self, tasks: tuple[Task, ...], events: list[tuple[Record, Event]], dead_letters: list[DeadLetter]
    ) -> tuple[Task, ...]:
        """Return the customer's tasks after the events; one that meets a bug leaves them as they are."""
        for record, event in events:
            try:
                after_it = fold(tasks, (event,), self._wording)
                _writes([task for task in after_it if task not in tasks], [], self._lane)  # is it storable?
            except faults.NEVER_CAUGHT:
                raise
            except Exception as error:  # noqa: BLE001 -- logged there; see faults
                dead_letters.append(faults.dead_letter(record, error, self._lane))
            else:
                tasks = after_it
        return tasks

    async def _make_room(self, connection: Any, new: list[Task], changed: list[Task]) -> None:
        """Close at once, and take out of ``changed``, tasks whose place a new one takes in the same turn.

        The parts of one statement run in no defined order, and the index on live tasks looks at each
        row when it comes. The transaction is the turn's: if its fence refuses, this is undone too.
        """
        taken = {(task.customer_id, task.playbook) for task in new if task.is_live}
        closed = [task for task in changed if (task.customer_id, task.playbook) in taken]
        if not closed:
            return
        changed[:] = [task for task in changed if (task.customer_id, task.playbook) not in taken]
        write = store.update_tasks(closed)
        parameters = (f"${number}" for number in range(1, len(write.arrays) + 1))
        statement = "WITH fence AS (SELECT 1)" + write.sql.format(*parameters)
        await connection.execute(statement, *write.arrays)

    async def _assign(self, connection: Any, time: LaneTime) -> Turn | None:
        """Give waiting tasks to people; None when none waits that somebody could take."""
        teams = await store.load_people(connection)
        waiting = await store.load_unassigned(
            connection,
            teams,
            until_ms=time.now_ms if time.barrier else None,
            inclusive=time.complete,
            limit=ASSIGNED_PER_TURN_MAX,
        )
        if not waiting:
            return None
        assignments = assign(
            waiting,
            teams=teams,
            last=await store.load_rotations(connection),
            owners=await store.load_owners(connection, {task.customer_id for task in waiting}),
        )
        writes = [store.assign_tasks(assignments.given, time.now_ms)]
        if assignments.last:
            writes.append(store.rotate(dict(assignments.last)))
        return Turn(writes=writes, kind="assign")

    async def _are_others_there(self, connection: Any, time: LaneTime) -> bool:
        """Return whether every other lane has made all its tasks from before the barrier."""
        there = await store.count_others_there(
            connection, self._lane, now_ms=time.now_ms, complete=time.complete
        )
        return there == self._lanes - 1

    async def _is_assigning(self, connection: Any, time: LaneTime) -> bool:
        """Return whether lane 0 may still assign at this barrier.

        Nothing becomes history before that: who is next in a rotation must not depend on which lane
        was quicker.
        """
        return await store.is_lane_behind(
            connection, ASSIGNING_LANE, now_ms=time.now_ms, complete=time.complete
        )

    async def _archive(self, connection: Any, time: LaneTime) -> Turn | None:
        """Close the lane's open tasks that were due long ago; None when there is none left."""
        ids = await store.load_overdue(
            connection,
            self._lane,
            due_before_ms=time.now_ms - HISTORY_AFTER_MS,
            limit=ARCHIVED_PER_TURN_MAX,
        )
        if not ids:
            return None
        state = after(TaskState.OPEN, TaskAction.ARCHIVE)
        return Turn(writes=[store.archive_tasks(ids, state, time.now_ms)], kind="archive")


def _writes(new: list[Task], changed: list[Task], lane: int) -> list[Write]:
    writes = [store.update_tasks(changed)] if changed else []
    if new:
        writes.append(store.insert_tasks(new, lane))
    return writes
