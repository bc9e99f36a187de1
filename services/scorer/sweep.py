"""Cut-offs moved, or the policy: every customer whom it concerns is brought under them, a batch a turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from schemas.events import ChurnCleared
from services.lanes.work import LaneTime, Turn
from services.scorer import crowd, store
from services.scorer.changes import Changes, Told, told
from services.scorer.core.advance import adopt, settle
from services.scorer.core.cuts import bands_moved, empty_histogram
from services.scorer.core.draft import Moment
from services.scorer.core.policy import Policy
from services.scorer.core.rescore import rescore
from services.scorer.core.tiers import is_downgrade, value_of, wanted_tier
from services.scorer.memory import LaneMemory
from services.scorer.outputs import time_marks
from services.scorer.store import CutOffs, Held
from services.scorer.switch import Policies

Olds = Mapping[int, Policy]  # the other policies that customers are still under, by version


async def others(policies: Policies, connection: Any, rows: Iterable[Any], in_force: int) -> Olds:
    """Return the policies that customers' rows are under, but for the one in force."""
    versions = {row[4] for row in rows} - {in_force}
    return {version: await policies.get(connection, version) for version in versions}


async def sweep(memory: LaneMemory, connection: Any, time: LaneTime, seq: int, target: CutOffs) -> Turn:
    """Bring a batch of the customers concerned under ``target``; the last one ends it.

    Whom a bug keeps from it is put off and passed over: the sweep ends without him, and he is brought under
    when he is next due, or with his next event.
    """
    moment = memory.moment(time, seq, target)
    concerned = await _concerned(memory, connection, moment)
    olds = await others(memory.policies, connection, concerned, memory.policy_version)
    changes, passed_over = memory.changes(moment), set[str]()
    for row in concerned:
        customer = Held.of(row)
        if not changes.change_or_put_off(
            customer, "sweep", lambda trial, held: bring_under(memory, trial, held, olds)
        ):
            passed_over.add(customer.customer_id)
    finished = len(concerned) < store.BATCH
    if finished and time.barrier:
        changes.outputs += time_marks(memory.lane, time)
    turn = memory.turn("sweep", changes)
    turn.versions = memory.versions(target, swept=target if finished else memory.swept)
    turn.settled = finished and time.barrier
    counted = turn.on_commit

    def committed() -> None:
        if counted is not None:
            counted()
        memory.in_force = target
        memory.passed_over |= passed_over
        if finished:
            memory.swept = target
            memory.passed_over.clear()

    turn.on_commit = committed
    return turn


async def switch(memory: LaneMemory, connection: Any, time: LaneTime, latest: CutOffs) -> Turn:
    """Begin to live under another policy: from here on an empty histogram fills as customers are rescored."""
    policy = await memory.policies.get(connection, latest.policy_version)
    version, empty = latest.policy_version, empty_histogram()
    save = crowd.save_histogram(empty, at_ms=time.now_ms, complete=time.complete, policy_version=version)

    def committed() -> None:
        memory.policy, memory.policy_version, memory.in_force = policy, version, latest
        memory.histogram, memory.book.switched = empty, latest.version

    counted = max(version, memory.rescoring.through)
    versions = latest.version, version, memory.swept.version, counted, memory.shelf.version
    return Turn(kind="switch", writes=[save], versions=versions, on_commit=committed)


def is_behind(memory: LaneMemory, customer: Held) -> bool:
    """Return whether a sweep has not come to the customer yet, or had to pass him over."""
    if customer.state is None:
        return False
    swept = memory.swept.version >= memory.in_force.version
    return not swept or customer.policy_version != memory.policy_version


def bring_under(memory: LaneMemory, changes: Changes, customer: Held, olds: Olds) -> None:
    """Let time pass under what the customer knows, then bring him under the cuts of the turn's moment.

    Somebody whom another policy scored is rescored, and nobody is alerted for where he was already:
    only warnings that are over are told.
    """
    changes.take(customer, list(_steps(memory, changes.moment, customer, olds)))


def catch_up(memory: LaneMemory, changes: Changes, customer: Held) -> None:
    """Rank anew whom a sweep had to pass over: nobody else still waits for an upgrade that the cuts give."""
    state, ladder = customer.known, memory.policy.tiers
    if state.ranked is None or ladder.is_fixed:
        return
    wanted = wanted_tier(state.ranked, value_of(state, memory.policy), changes.moment.cuts, ladder)
    if wanted != state.ranked and not is_downgrade(state.ranked, wanted, ladder):
        changes.take(customer, [told(adopt(state, changes.moment, memory.policy))])


def _steps(memory: LaneMemory, moment: Moment, customer: Held, olds: Olds) -> Iterator[Told]:
    swept, version = memory.swept, customer.policy_version
    if swept.policy_version != memory.policy_version == version:
        return  # rescored under these cuts already, and those before are another ladder's
    is_known = swept.policy_version == version  # else a sweep passed him over: his cuts are long gone
    known = msgspec.structs.replace(
        moment,
        cuts=swept.cuts if is_known else None,
        cut_offs_version=swept.version if is_known else 0,
        policy_version=version,
    )
    policy = memory.policy if version == memory.policy_version else olds[version]
    first = settle(customer.known, known, policy)
    yield told(first)
    if version == memory.policy_version:
        yield told(adopt(first.state, moment, policy))
        return
    then = rescore(first.state, moment, memory.policy)
    over = [effect for effect in then.effects if isinstance(effect, ChurnCleared)]
    yield Told(then, over, rescored=True)


async def _concerned(memory: LaneMemory, connection: Any, moment: Moment) -> list[Any]:
    passed_over = list(memory.passed_over)
    if memory.swept.policy_version != memory.policy_version:
        unscored: list[Any] = await connection.fetch(
            store.UNSCORED, memory.lane, memory.policy_version, passed_over, store.BATCH
        )
        return unscored
    cuts, bands = moment.cuts, bands_moved(memory.swept.cuts, moment.cuts)
    if cuts is None or not bands or memory.policy.tiers.is_fixed:
        return []
    above = [store.SMALLINT_MAX, *(point.enter for point in cuts.points)]
    below = [*(point.leave for point in cuts.points), 0]
    found: list[Any] = await connection.fetch(
        store.CONCERNED,
        *(memory.lane, bands, list(memory.policy.tiers.names), above, below),
        *(memory.policy.tiers.dwell_ms, moment.now_ms, passed_over, store.BATCH),
    )
    return found
