"""Tasks, people and rotations in PostgreSQL: rows in, rows out, no rule.

Tasks are shared with advisors, so every row that a turn changes was read ``FOR UPDATE`` in the same
transaction, in the order of its id: two transactions that lock several tasks never wait in a circle.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from schemas.tasks import LIVE_STATES, TaskState
from schemas.times import from_ms, to_ms
from services.alerter.core.assignment import Unassigned
from services.alerter.core.task import CauseLine, Task
from services.lanes.work import Write

SERVICE_NAME: Final = "alerter"
REPLAY_CLOSED_BY: Final = "replay"

_COLUMNS: Final = """id, task_key, customer_id, playbook, kind, team, urgency, tier, title, why, advice,
  evidence, causes, episode, state, created_at, due_at, closed_at, closed_by, version"""
# The second half finds closed tasks that already dealt with an event of the chunk.
_CONCERNED: Final = f"""
SELECT {_COLUMNS} FROM tasks AS t
WHERE customer_id = ANY($1::text[]) AND (
  state = ANY($2::text[])
  OR EXISTS (SELECT FROM jsonb_array_elements(t.causes) AS c WHERE c->>'event_id' = ANY($3::text[]))
)
ORDER BY id FOR UPDATE"""  # noqa: S608 -- the columns are a constant of ours
_INSERT: Final = """
INSERT INTO tasks (task_key, customer_id, lane, playbook, kind, team, urgency, tier, title, why, advice,
  evidence, causes, episode, state, created_at, due_at, closed_at, closed_by, version)
SELECT v.task_key, v.customer_id, v.lane, v.playbook, v.kind, v.team, v.urgency, v.tier, v.title, v.why,
  v.advice, v.evidence::jsonb, v.causes::jsonb, v.episode, v.state, v.created_at, v.due_at, v.closed_at,
  v.closed_by, v.version
FROM fence, unnest({}::text[], {}::text[], {}::int[], {}::text[], {}::text[], {}::text[], {}::smallint[],
  {}::text[], {}::text[], {}::text[], {}::text[], {}::text[], {}::text[], {}::text[], {}::text[],
  {}::timestamptz[], {}::timestamptz[], {}::timestamptz[], {}::text[], {}::int[])
  AS v(task_key, customer_id, lane, playbook, kind, team, urgency, tier, title, why, advice, evidence,
  causes, episode, state, created_at, due_at, closed_at, closed_by, version)
ON CONFLICT (task_key) DO NOTHING"""
# The lease stays with a task that stays claimed, and ends with any other state.
_UPDATE: Final = """
UPDATE tasks AS t SET urgency = v.urgency, due_at = v.due_at, evidence = v.evidence::jsonb,
  causes = v.causes::jsonb, state = v.state, closed_at = v.closed_at, closed_by = v.closed_by,
  version = v.version,
  lease_token = CASE WHEN v.state = 'claimed' THEN t.lease_token END,
  lease_until = CASE WHEN v.state = 'claimed' THEN t.lease_until END
FROM fence, unnest({}::bigint[], {}::smallint[], {}::timestamptz[], {}::text[], {}::text[], {}::text[],
  {}::timestamptz[], {}::text[], {}::int[])
  AS v(id, urgency, due_at, evidence, causes, state, closed_at, closed_by, version)
WHERE t.id = v.id"""

# Whatever became of a task in the meantime, it is assigned: who is next must not depend on whether a
# customer bought before or after the assignment. Only history is nobody's.
_UNASSIGNED: Final = """
WITH chosen AS (
  SELECT id FROM tasks
  WHERE assigned_to IS NULL AND state <> 'history' AND team = ANY($1::text[])
    AND ($2::timestamptz IS NULL OR created_at < $2 OR ($3 AND created_at = $2))
  ORDER BY created_at, task_key COLLATE "C" LIMIT $4
)
SELECT id, customer_id, team, created_at, task_key FROM tasks
WHERE id IN (SELECT id FROM chosen) AND assigned_to IS NULL
ORDER BY id FOR UPDATE"""
_ACTIVE_PEOPLE: Final = "SELECT team, user_id FROM people WHERE role = 'advisor' AND active"
_ROTATIONS: Final = "SELECT team, last_user_id FROM rotations"
_OWNERS: Final = """
SELECT DISTINCT ON (t.customer_id, t.team) t.customer_id, t.team, t.assigned_to
FROM tasks AS t JOIN people AS p
  ON p.user_id = t.assigned_to AND p.team = t.team AND p.role = 'advisor' AND p.active
WHERE t.customer_id = ANY($1::text[])
ORDER BY t.customer_id, t.team, t.created_at DESC, t.task_key COLLATE "C" DESC"""
_ASSIGN: Final = """
UPDATE tasks AS t SET assigned_to = v.user_id, assigned_at = v.at, version = t.version + 1
FROM fence, unnest({}::bigint[], {}::text[], {}::timestamptz[]) AS v(id, user_id, at)
WHERE t.id = v.id AND t.assigned_to IS NULL"""
_ROTATE: Final = """
INSERT INTO rotations (team, last_user_id)
SELECT v.team, v.user_id FROM fence, unnest({}::text[], {}::text[]) AS v(team, user_id)
ON CONFLICT (team) DO UPDATE SET last_user_id = excluded.last_user_id"""

_OVERDUE: Final = """
SELECT id FROM tasks WHERE lane = $1 AND state = 'open' AND due_at < $2
ORDER BY id LIMIT $3 FOR UPDATE"""
_ARCHIVE: Final = """
UPDATE tasks AS t SET state = v.state, closed_at = v.closed_at, closed_by = v.closed_by,
  version = t.version + 1
FROM fence, unnest({}::bigint[], {}::text[], {}::timestamptz[], {}::text[])
  AS v(id, state, closed_at, closed_by)
WHERE t.id = v.id AND t.state = 'open'"""

# A lane has reached an instant when its row says so, and a complete one only when that is in as well.
_REACHED: Final = "(clock_ms > $3 OR (clock_ms = $3 AND (complete OR NOT $4)))"
_OTHERS_THERE: Final = f"""
SELECT count(*) FROM lanes WHERE service = $1 AND lane <> $2 AND {_REACHED}"""  # noqa: S608 -- a constant
_LANE_NOT_DONE: Final = f"""
SELECT EXISTS (SELECT FROM lanes WHERE service = $1 AND lane = $2
  AND NOT ({_REACHED} AND (settled OR clock_ms > $3)))"""  # noqa: S608 -- a constant

_causes = msgspec.json.Decoder(tuple[CauseLine, ...])
_evidence = msgspec.json.Decoder(tuple[dict[str, Any], ...])


async def load_concerned(connection: Any, customers: Iterable[str], event_ids: Iterable[str]) -> list[Task]:
    """Return, and lock, the customers' live tasks and those that rest on one of the events."""
    live = [str(state) for state in LIVE_STATES]
    rows = await connection.fetch(_CONCERNED, list(customers), live, list(event_ids))
    return [_task_of(row) for row in rows]


def insert_tasks(tasks: Sequence[Task], lane: int) -> Write:
    """Return the write of new tasks, unassigned."""
    return Write(_INSERT, _columns([_inserted(task, lane) for task in tasks]))


def update_tasks(tasks: Sequence[Task]) -> Write:
    """Return the write of changed tasks, which must be locked."""
    return Write(_UPDATE, _columns([_updated(task) for task in tasks]))


async def load_people(connection: Any) -> dict[str, list[str]]:
    """Return the active advisors' user ids by team; a team without any is missing."""
    teams: dict[str, list[str]] = {}
    for team, user_id in await connection.fetch(_ACTIVE_PEOPLE):
        teams.setdefault(team, []).append(user_id)
    return teams


async def load_rotations(connection: Any) -> dict[str, str]:
    """Return who got each team's latest task by rotation."""
    return dict(await connection.fetch(_ROTATIONS))


async def load_unassigned(
    connection: Any, teams: Iterable[str], *, until_ms: int | None, inclusive: bool, limit: int
) -> list[Unassigned]:
    """Return, and lock, the teams' first unassigned tasks by event time, then by key.

    Args:
        connection: In a transaction.
        teams: Those with people; a task of another team must not hold up theirs.
        until_ms: Only tasks created before it; None: all.
        inclusive: Those created exactly then as well.
        limit: How many at most.
    """
    until = None if until_ms is None else from_ms(until_ms)
    rows = await connection.fetch(_UNASSIGNED, list(teams), until, inclusive, limit)
    rows.sort(key=lambda row: (row["created_at"], row["task_key"]))
    return [Unassigned(row["id"], row["customer_id"], row["team"]) for row in rows]


async def load_owners(connection: Any, customers: Iterable[str]) -> dict[tuple[str, str], str]:
    """Return (customer id, team) -> the active advisor of the team who got the customer's latest task."""
    rows = await connection.fetch(_OWNERS, list(customers))
    return {(customer_id, team): user_id for customer_id, team, user_id in rows}


def assign_tasks(given: Sequence[tuple[int, str]], at_ms: int) -> Write:
    """Return the write that gives tasks (by id) to people."""
    at = from_ms(at_ms)
    return Write(_ASSIGN, _columns([(task_id, user_id, at) for task_id, user_id in given]))


def rotate(last: dict[str, str]) -> Write:
    """Return the write of rotations that moved."""
    return Write(_ROTATE, (list(last.keys()), list(last.values())))


async def load_overdue(connection: Any, lane: int, *, due_before_ms: int, limit: int) -> list[int]:
    """Return, and lock, the ids of the lane's open tasks that were due before the instant."""
    rows = await connection.fetch(_OVERDUE, lane, from_ms(due_before_ms), limit)
    return [row["id"] for row in rows]


def archive_tasks(ids: Sequence[int], state: TaskState, at_ms: int) -> Write:
    """Return the write that closes tasks which a replay left behind."""
    at = from_ms(at_ms)
    return Write(_ARCHIVE, _columns([(task_id, str(state), at, REPLAY_CLOSED_BY) for task_id in ids]))


async def count_others_there(connection: Any, lane: int, *, now_ms: int, complete: bool) -> int:
    """Return how many other lanes have reached the instant, so that all their earlier tasks are in."""
    return int(await connection.fetchval(_OTHERS_THERE, SERVICE_NAME, lane, now_ms, complete))


async def is_lane_behind(connection: Any, lane: int, *, now_ms: int, complete: bool) -> bool:
    """Return whether the other lane has yet to settle the instant; False when there is no such lane."""
    return bool(await connection.fetchval(_LANE_NOT_DONE, SERVICE_NAME, lane, now_ms, complete))


def _task_of(row: Any) -> Task:
    return Task(
        id=row["id"],
        task_key=row["task_key"],
        customer_id=row["customer_id"],
        playbook=row["playbook"],
        kind=row["kind"],
        team=row["team"],
        urgency=row["urgency"],
        tier=row["tier"],
        title=row["title"],
        why=row["why"],
        advice=row["advice"],
        evidence=_evidence.decode(row["evidence"]),
        causes=_causes.decode(row["causes"]),
        episode=row["episode"],
        state=TaskState(row["state"]),
        created_at_ms=to_ms(row["created_at"]),
        due_at_ms=to_ms(row["due_at"]),
        closed_at_ms=None if row["closed_at"] is None else to_ms(row["closed_at"]),
        closed_by=row["closed_by"],
        version=row["version"],
    )


def _inserted(task: Task, lane: int) -> tuple[Any, ...]:
    return (
        *(task.task_key, task.customer_id, lane, task.playbook, task.kind, task.team, task.urgency),
        *(task.tier, task.title, task.why, task.advice, _json(task.evidence), _json(task.causes)),
        *(task.episode, str(task.state), from_ms(task.created_at_ms), from_ms(task.due_at_ms)),
        *(_closed_at(task), task.closed_by, task.version),
    )


def _updated(task: Task) -> tuple[Any, ...]:
    return (
        *(task.id, task.urgency, from_ms(task.due_at_ms), _json(task.evidence), _json(task.causes)),
        *(str(task.state), _closed_at(task), task.closed_by, task.version),
    )


def _closed_at(task: Task) -> Any:
    return None if task.closed_at_ms is None else from_ms(task.closed_at_ms)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _columns(rows: Sequence[tuple[Any, ...]]) -> tuple[list[Any], ...]:
    return tuple(list(column) for column in zip(*rows, strict=True))
