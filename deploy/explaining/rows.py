"""What PostgreSQL knows of one customer and of the lane that it belongs to. Nothing here writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from deploy.explaining.errors import CanNotExplainError
from schemas.events import ChurnEvidence, ProductListed, Proof, TierChanged, type_of
from schemas.tiers import Cause
from schemas.times import from_ms
from services.scorer import store
from services.scorer.book import NO_CUT_OFFS
from services.scorer.catalogue import NUL
from services.scorer.core.identity import output_id
from services.scorer.core.policy import Policy
from services.scorer.core.products import Product, product_of
from services.scorer.core.state import State, decode_state

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from services.scorer.store import CutOffs

_CUSTOMER: Final = "SELECT lane, state, policy_version FROM customers WHERE customer_id = $1"
_LANE: Final = """
SELECT seq, offsets, clock_ms, versions FROM lanes WHERE service = 'scorer' AND lane = $1"""
_CHANGES: Final = """
SELECT revision, at_ms, previous, current, ranked_previous, ranked_current, cause, causation_id, proof, seq
FROM tier_changes WHERE customer_id = $1 ORDER BY revision"""
_WARNINGS: Final = """
SELECT rule, kind, severity, started_ms, ended_ms, ended_by, evidence, seq
FROM warnings WHERE customer_id = $1 ORDER BY started_ms, rule"""
_DEAD: Final = """
SELECT topic, "offset" FROM dead_letters WHERE service = 'scorer' AND partition = $1 AND key = $2"""
_POLICIES: Final = "SELECT version, body FROM policies ORDER BY version"
_ENDS: Final = "SELECT at_ms FROM cut_offs WHERE complete"
_CUT_OFFS: Final = """
SELECT version, at_ms, complete, cuts, policy_version FROM cut_offs WHERE version = ANY($1::bigint[])"""
_LOG: Final = """
SELECT seq, kind, clock_ms, versions, read_from, read_to FROM lane_log
WHERE service = 'scorer' AND lane = $1 AND seq <= $2 ORDER BY seq"""
_PRODUCTS: Final = """
SELECT version, sku, body FROM products WHERE sku = ANY($1::text[]) ORDER BY version"""
_PREFETCH: Final = 2_000


class WarningRow(msgspec.Struct, frozen=True, kw_only=True):
    """One warning of the customer."""

    rule: str
    kind: str
    severity: str
    started_at: datetime
    ended_at: datetime | None
    ended_by: str | None
    evidence: ChurnEvidence


class LogRow(NamedTuple):
    """One transaction of the lane."""

    seq: int
    kind: str
    clock_ms: int
    # Cut-offs in force, policy, cut-offs that everybody was brought under, policy counted beforehand,
    # products; an old row may know fewer.
    versions: tuple[int, ...]
    read_from: tuple[int, ...]  # by topic, in the scorer's order; an old row may know fewer topics
    read_to: tuple[int, ...]


class ListedAt(NamedTuple):
    """What a product is from a version on."""

    version: int
    sku: str
    product: Product


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One snapshot."""

    lane: int
    state: State
    policy_version: int  # that the state is of
    seq: int  # of the lane's latest transaction
    offsets: tuple[int, ...]  # up to which the lane has read
    clock_ms: int
    cut_offs_version: int  # in force for him: a lane that goes over to another policy reaches him later
    changes: tuple[TierChanged, ...]
    warnings: tuple[WarningRow, ...]
    published_seqs: frozenset[int]  # transactions that published something of the customer
    dead: frozenset[tuple[str, int]]  # (topic, offset) of his records that became dead letters
    policies: dict[int, Policy]
    replay_ends_ms: frozenset[int] = field(default=frozenset())  # instants that ended a replay, complete

    def policy(self, version: int) -> Policy:
        """Return the policy of a version.

        Raises:
            CanNotExplainError: it was deleted.
        """
        found = self.policies.get(version)
        if found is None:
            raise CanNotExplainError(f"policy version {version} is not in the table policies any more")
        return found


async def read(connection: Any, customer_id: str) -> Known:
    """Return what is known of a customer, from one snapshot.

    Raises:
        CanNotExplainError: there is no such customer.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        row = await connection.fetchrow(_CUSTOMER, customer_id)
        if row is None:
            raise CanNotExplainError(
                f"there is no customer {customer_id}: check the id, capitals count; who was never seen, or "
                "stands for many people in the policy, is not kept"
            )
        lane = await connection.fetchrow(_LANE, row["lane"])
        if lane is None:
            raise CanNotExplainError(f"lane {row['lane']} has no row: run tierstream doctor")
        policies = {
            one["version"]: Policy.from_json(msgspec.json.decode(one["body"]))
            for one in await connection.fetch(_POLICIES)
        }
        changes = await connection.fetch(_CHANGES, customer_id)
        warned = await connection.fetch(_WARNINGS, customer_id)
        dead = await connection.fetch(_DEAD, row["lane"], customer_id.encode())
        ends = await connection.fetch(_ENDS)
    return Known(
        lane=row["lane"],
        state=decode_state(row["state"]),
        policy_version=row["policy_version"],
        seq=lane["seq"],
        offsets=tuple(lane["offsets"]),
        clock_ms=lane["clock_ms"],
        cut_offs_version=lane["versions"][0 if row["policy_version"] == lane["versions"][1] else 2],
        changes=tuple(_change(one, customer_id, policies) for one in changes),
        warnings=tuple(_warning(one) for one in warned),
        published_seqs=frozenset(one["seq"] for one in (*changes, *warned)),
        dead=frozenset((one["topic"], one["offset"]) for one in dead),
        policies=policies,
        replay_ends_ms=frozenset(one["at_ms"] for one in ends),
    )


async def log(connection: Any, lane: int, seq: int) -> AsyncIterator[LogRow]:
    """Yield the lane's transactions up to ``seq``, in order; the first one may not be number 1."""
    async with connection.transaction(readonly=True):
        async for row in connection.cursor(_LOG, lane, seq, prefetch=_PREFETCH):
            yield LogRow(
                row["seq"],
                row["kind"],
                row["clock_ms"],
                tuple(row["versions"]),
                tuple(row["read_from"]),
                tuple(row["read_to"]),
            )


async def cut_offs(connection: Any, known: Known, versions: set[int]) -> dict[int, CutOffs]:
    """Return cut-offs by version; those that were deleted are left out."""
    rows = await connection.fetch(_CUT_OFFS, sorted(versions))
    return {0: NO_CUT_OFFS} | {row[0]: store.cut_offs_of(row, known.policy(row[4])) for row in rows}


async def products(connection: Any, skus: set[str]) -> list[ListedAt]:
    """Return every version of some products, in order."""
    rows = await connection.fetch(_PRODUCTS, sorted(sku for sku in skus if NUL not in sku))
    return [
        ListedAt(row[0], row[1], product_of(msgspec.json.decode(row[2], type=ProductListed))) for row in rows
    ]


def _change(row: Any, customer_id: str, policies: dict[int, Policy]) -> TierChanged:
    """Return a row as the event that was published; its id and level are derived as they were then."""
    proof = msgspec.json.decode(row["proof"], type=Proof)
    policy = policies.get(proof.policy_version)
    levels = {} if policy is None else policy.tiers.level_of
    return TierChanged(
        event_id=output_id(type_of(TierChanged), customer_id, row["revision"]),
        customer_id=customer_id,
        occurred_at=from_ms(row["at_ms"]),
        revision=row["revision"],
        previous=row["previous"],
        current=row["current"],
        ranked_previous=row["ranked_previous"],
        ranked_current=row["ranked_current"],
        ranked_level=levels.get(row["ranked_current"], -1),
        cause=Cause(row["cause"]),
        causation_id=row["causation_id"],
        proof=proof,
    )


def _warning(row: Any) -> WarningRow:
    ended_ms = row["ended_ms"]
    return WarningRow(
        rule=row["rule"],
        kind=row["kind"],
        severity=row["severity"],
        started_at=from_ms(row["started_ms"]),
        ended_at=None if ended_ms is None else from_ms(ended_ms),
        ended_by=row["ended_by"],
        evidence=msgspec.json.decode(row["evidence"], type=ChurnEvidence),
    )
