"""Put together: read the rows, read the log, replay, compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import asyncpg
import msgspec

from deploy.explaining import log as kafka
from deploy.explaining import rows
from deploy.explaining.report import Check, Explanation
from deploy.explaining.turns import Turns
from schemas.times import from_ms
from services.scorer.core.advance import settle
from services.scorer.core.draft import Moment
from services.scorer.core.explain import differences, flaws, replay
from services.scorer.core.lift import outlook
from services.scorer.core.standing import standings
from services.scorer.core.story import advice, story

if TYPE_CHECKING:
    from deploy.explaining.rows import Known
    from schemas.events import TierChanged
    from services.scorer.core.explain import Replayed
    from services.scorer.core.state import State

_CONNECT_SECONDS: Final = 10.0
_STATEMENT_SECONDS: Final = 60.0
# Two ways to the same state may differ in how much was forgotten already, and in nothing that counts.
_COMPARED: Final = (
    *("score", "ranked", "ranked_since_ms", "tier", "tier_since_ms"),
    *("net_minor", "orders", "purchase_days", "lifetime_orders", "lifetime_net_minor", "lifetime_days"),
    *("first_purchase_ms", "last_purchase_ms", "last_response_ms", "revision"),
)


async def explain(database_url: str, bootstrap: str, customer_id: str) -> Explanation:
    """Return everything about one customer's tier, recomputed.

    Raises:
        CanNotExplainError: there is nothing to explain, or nothing to explain it by.
        PostgresError, KafkaError, OSError: one of them can't be reached.
    """
    connection = await asyncpg.connect(
        database_url, timeout=_CONNECT_SECONDS, command_timeout=_STATEMENT_SECONDS
    )
    try:
        known = await rows.read(connection, customer_id)
        events = await kafka.read(bootstrap, customer_id, known.lane, known.offsets, known.dead)
        turns = Turns(known, events)
        async for row in rows.log(connection, known.lane, known.seq):
            turns.take(row)
        cut_offs = await rows.cut_offs(connection, known, turns.versions | {known.cut_offs_version})
        products = await rows.products(connection, turns.skus)
    finally:
        await connection.close()
    notes = _notes(turns, missing=turns.versions - cut_offs.keys())
    in_force = cut_offs.get(known.cut_offs_version)
    moment = Moment(
        now_ms=known.clock_ms,
        cuts=None if in_force is None else in_force.cuts,
        cut_offs_version=known.cut_offs_version,
        policy_version=known.policy_version,
        lane=known.lane,
        seq=known.seq,
    )
    can_replay = turns.is_whole and turns.versions <= cut_offs.keys()
    replayed = replay(turns.turns(cut_offs, products), known.policy) if can_replay else None
    return _explanation(known, moment, replayed, notes)


def _explanation(known: Known, moment: Moment, replayed: Replayed | None, notes: list[str]) -> Explanation:
    policy = known.policy(known.policy_version)
    state = settle(known.state, moment, policy).state
    last = known.changes[-1] if known.changes else None
    found = outlook(known.state, moment, policy)
    return Explanation(
        customer_id=known.state.customer_id,
        as_of=from_ms(state.settled_ms),
        score=state.score,
        tier=state.tier,
        ranked_tier=state.ranked,
        policy_version=known.policy_version,
        cut_offs_version=known.cut_offs_version,
        change=last,
        story=() if last is None else tuple(story(last, known.policy(last.proof.policy_version))),
        advice=tuple(advice(found, policy)),
        outlook=found,
        rules=standings(state, policy),
        warnings=known.warnings,
        checks=tuple(_checks(known, replayed)),
        from_log=replayed is not None,
        state_differences=()
        if replayed is None
        else tuple(_state_differences(known, state, replayed, moment)),
        notes=tuple(notes),
    )


def _checks(known: Known, replayed: Replayed | None) -> list[Check]:
    checks = [
        _check(
            change,
            flaws(change, known.changes[:index], known.policy(change.proof.policy_version))
            + ([] if replayed is None else differences(change, replayed.changes.get(change.revision))),
        )
        for index, change in enumerate(known.changes)
    ]
    published = {change.revision for change in known.changes}
    unknown = (
        []
        if replayed is None
        else [one for number, one in replayed.changes.items() if number not in published]
    )
    return checks + [
        _check(one, ["the log yields this change, and it was never published"]) for one in unknown
    ]


def _check(change: TierChanged, found: list[str]) -> Check:
    return Check(
        revision=change.revision,
        occurred_at=change.occurred_at,
        previous=change.previous,
        current=change.current,
        ranked_current=change.ranked_current,
        cause=change.cause,
        differences=tuple(found),
    )


def _state_differences(known: Known, stored: State, replayed: Replayed, moment: Moment) -> list[str]:
    """Return where the stored state and the recomputed one differ, both at the lane's clock."""
    if replayed.state is None or replayed.policy_version != known.policy_version:
        return ["the log leads to no state of this policy"]
    other = settle(replayed.state, moment, known.policy(known.policy_version)).state
    found = [_difference(name, getattr(stored, name), getattr(other, name)) for name in _COMPARED]
    if stored.episodes != other.episodes:
        found.append("the warnings differ")
    return [one for one in found if one]


def _difference(name: str, stored: Any, recomputed: Any) -> str:
    return "" if stored == recomputed else f"{name}: stored {stored}, recomputed {recomputed}"


def _notes(turns: Turns, *, missing: set[int]) -> list[str]:
    """Return what limits the answer."""
    notes = []
    if not turns.first_seq:
        notes.append("The lane has no log: every change was checked by the numbers of its own proof.")
    elif not turns.is_whole:
        notes.append(
            f"The lane's log begins at transaction {turns.first_seq}; what was before was deleted, so every "
            "change was checked by the numbers of its own proof."
        )
    if missing:
        notes.append(
            f"{len(missing)} versions of the cut-offs were deleted, so every change was checked by the numbers "
            "of its own proof."
        )
    notes += [
        f"The topic {topic} begins at offset {offset}: older events were deleted and can't be replayed."
        for topic, offset in sorted(turns.log.deleted_before.items())
    ]
    if turns.skipped and turns.is_whole:
        notes.append(f"{turns.skipped} events of the customer were given up by tierstream lanes skip.")
    return notes


def to_json(found: Explanation) -> bytes:
    """Return the explanation as JSON, with the verdict."""
    body = msgspec.to_builtins(found) | {"right": found.is_right, "verdict": found.verdict()}
    return msgspec.json.format(msgspec.json.encode(body), indent=2)
