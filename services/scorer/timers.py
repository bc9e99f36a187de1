"""Silence has no event: what falls due is found in the lane's own index, a batch a turn."""

from __future__ import annotations

from typing import Any

from services.lanes.work import LaneTime, Turn
from services.scorer import store
from services.scorer.changes import Changes, told
from services.scorer.core.advance import settle
from services.scorer.memory import LaneMemory
from services.scorer.store import Held
from services.scorer.sweep import Olds, bring_under, catch_up, others


async def fire(memory: LaneMemory, connection: Any, time: LaneTime, seq: int) -> Turn | None:
    """Let time pass for the customers whose due instant has come; None when there is none.

    Whom a bug keeps from it is put off by an hour; then what time did meanwhile is done, each at its own
    instant, and so is what a sweep had to pass over.
    """
    moment = memory.moment(time, seq, memory.in_force)
    due = await connection.fetch(store.DUE, memory.lane, moment.known_until_ms, store.BATCH)
    if not due:
        return None
    olds = await others(memory.policies, connection, due, memory.policy_version)
    changes = memory.changes(moment)
    for row in due:
        changes.change_or_put_off(
            Held.of(row), "timer", lambda trial, customer: _let_pass(memory, trial, customer, olds)
        )
    turn = memory.turn("time", changes)
    if time.barrier and len(due) < store.BATCH:  # nothing else is due: spare the lane a turn
        memory.save_in(turn, time, changes.moves)
    return turn


def _let_pass(memory: LaneMemory, changes: Changes, customer: Held, olds: Olds) -> None:
    if customer.policy_version != memory.policy_version:
        bring_under(memory, changes, customer, olds)
        return
    changes.take(customer, [told(settle(customer.known, changes.moment, memory.policy))])
    catch_up(memory, changes, customer)
