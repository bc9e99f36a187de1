"""The table of task states: total, drawn as it is, and mirrored by the database's checks."""

import itertools

import pytest

from schemas.generate import diagram
from schemas.tables import tasks
from schemas.tasks import LIVE_STATES, TRANSITIONS, IllegalMove, TaskAction, TaskState, after

EVERY_PAIR = list(itertools.product(TaskState, TaskAction))


@pytest.mark.parametrize(("state", "action"), EVERY_PAIR)
def test_every_state_answers_every_action(state: TaskState, action: TaskAction) -> None:
    """Either the table says where it leads, or the move is refused in words and nothing is guessed."""
    if (state, action) in TRANSITIONS:
        assert after(state, action) is TRANSITIONS[state, action]
    else:
        with pytest.raises(IllegalMove, match=f"a task that is {state} can't be moved by {action}"):
            after(state, action)


def test_no_state_and_no_action_is_idle() -> None:
    """Every state is reached from open, every action does something somewhere."""
    reached, found = {TaskState.OPEN}, {TaskState.OPEN}
    while found:
        found = {TRANSITIONS[pair] for pair in TRANSITIONS if pair[0] in found} - reached
        reached |= found
    assert reached == set(TaskState)
    assert {action for _, action in TRANSITIONS} == set(TaskAction)


def test_only_live_tasks_can_be_moved() -> None:
    """What is done, withdrawn or history stays so."""
    assert {state for state, _ in TRANSITIONS} == set(LIVE_STATES)


def test_the_diagram_draws_each_move_once_and_no_other() -> None:
    """The picture that people read is the table."""
    lines = [line.strip() for line in diagram().splitlines() if " --> " in line]
    moves = [line for line in lines if "[*]" not in line]
    assert sorted(moves) == sorted(f"{a} --> {b}: {action}" for (a, action), b in TRANSITIONS.items())
    assert f"[*] --> {TaskState.OPEN}" in lines


def test_the_checks_and_partial_indexes_name_the_states() -> None:
    """A state that is added to the enum must be allowed by the column, and decided live or not."""
    known = next(str(c.sqltext) for c in tasks.constraints if c.name == "ck_tasks_state_known")  # type: ignore[attr-defined]
    assert known == "state IN ({})".format(", ".join(f"'{state}'" for state in TaskState))
    live = "state IN ({})".format(", ".join(f"'{state}'" for state in LIVE_STATES))
    partial = {
        str(index.name): str(index.dialect_options["postgresql"]["where"])
        for index in tasks.indexes
        if index.dialect_options["postgresql"]["where"] is not None
    }
    assert partial["uq_tasks_live"] == partial["ix_tasks_queue"] == live
