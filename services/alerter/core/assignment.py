"""Who gets which task: the customer's own advisor first, then the team in turn."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Unassigned(NamedTuple):
    """A task that waits for somebody."""

    task_id: int
    customer_id: str
    team: str


@dataclass(frozen=True, slots=True)
class Assignments:
    """Who got what, and where the rotations stand after it."""

    given: tuple[tuple[int, str], ...]  # task id, user id
    last: Mapping[str, str]  # team -> user id, of the teams whose rotation moved


def assign(
    tasks: Sequence[Unassigned],
    *,
    teams: Mapping[str, Sequence[str]],
    last: Mapping[str, str],
    owners: Mapping[tuple[str, str], str],
) -> Assignments:
    """Give every task to one person of its team; a task of a team without people is left out.

    A customer's own advisor gets it without moving the rotation, so that everybody else's turn comes
    as before. The result is the same in one call or in several, as long as the order is kept.

    Args:
        tasks: In the order in which they are to be given.
        teams: Active people of each team, by user id.
        last: Who got the team's latest task by rotation. They need not be there any more: the next
            user id after theirs is next.
        owners: (customer id, team) -> who got the customer's latest task in that team.
    """
    order = {team: sorted(people) for team, people in teams.items()}
    owner_of, turn = dict(owners), dict(last)
    given: list[tuple[int, str]] = []
    for task in tasks:
        people = order.get(task.team, ())
        if not people:
            continue
        user_id = owner_of.get((task.customer_id, task.team))
        if user_id not in people:
            user_id = _next_after(turn.get(task.team), people)
            turn[task.team] = user_id
        owner_of[task.customer_id, task.team] = user_id
        given.append((task.task_id, user_id))
    return Assignments(tuple(given), {team: who for team, who in turn.items() if last.get(team) != who})


def _next_after(user_id: str | None, people: Sequence[str]) -> str:
    if user_id is None:
        return people[0]
    return people[bisect_right(people, user_id) % len(people)]
