"""The scorer's SQL: what a turn reads, and the rows that it writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import msgspec

from schemas.events import ChurnCleared, ChurnWarned, CutPoint, TierChanged
from schemas.times import to_ms
from services.lanes.work import Write
from services.scorer.core.cuts import Cuts, band_of
from services.scorer.core.draft import Effect, Step
from services.scorer.core.policy import Policy
from services.scorer.core.state import State, decode_state, encode_state

SMALLINT_MAX: Final = 32_767  # above every score
BATCH: Final = 2000  # customers a timer pass or a sweep takes in one turn

TOUCHED: Final = """
SELECT customer_id, lane, state, next_due_ms, policy_version FROM customers
WHERE customer_id = ANY($1::text[])"""
DUE: Final = """
SELECT customer_id, lane, state, next_due_ms, policy_version FROM customers
WHERE lane = $1 AND next_due_ms <= $2 ORDER BY next_due_ms LIMIT $3"""
# Who would move, or must be told when a dwell ends, under new cut-offs: above the edge over his level or
# below the one under it. The band finds them by index; a wanted downgrade that is held back by the dwell
# counts only until its timer is set.
CONCERNED: Final = """
SELECT c.customer_id, c.lane, c.state, c.next_due_ms, c.policy_version FROM customers c
JOIN unnest($3::text[], $4::int[], $5::int[]) AS level(name, enter, leave) ON c.ranked_tier = level.name
WHERE c.lane = $1 AND c.band = ANY($2::smallint[]) AND (c.score >= level.enter
  OR (c.score < level.leave AND (c.ranked_since_ms + $6 <= $7
      OR c.next_due_ms IS NULL OR c.next_due_ms > c.ranked_since_ms + $6)))
  AND c.customer_id <> ALL($8::text[])
LIMIT $9"""
# Who is still as another policy left him. Each of them is written, so the same question ends; who was put
# off is not asked for again.
UNSCORED: Final = """
SELECT customer_id, lane, state, next_due_ms, policy_version FROM customers
WHERE lane = $1 AND policy_version <> $2 AND customer_id <> ALL($3::text[]) LIMIT $4"""
EVERYBODY: Final = """
SELECT customer_id, state FROM customers WHERE lane = $1 AND customer_id > $2 ORDER BY customer_id LIMIT $3"""
NEWEST_POLICY: Final = "SELECT max(version) FROM policies"
RESCORED: Final = "SELECT lane, counts FROM rescored_histograms WHERE policy_version = $1"
ALL_SWITCHED: Final = """
SELECT bool_and(versions[3] >= $1) AND count(*) = $2 FROM lanes WHERE service = 'scorer'"""
POLICY: Final = "SELECT body FROM policies WHERE version = $1"
NEWEST_PRODUCTS: Final = "SELECT max(version) FROM products"
PRODUCTS_OF: Final = """
SELECT DISTINCT ON (sku) sku, body FROM products WHERE sku = ANY($1::text[]) AND version <= $2
ORDER BY sku, version DESC"""
HISTOGRAM: Final = "SELECT seq, at_ms, complete, counts FROM histograms WHERE lane = $1"
MOVES_AFTER: Final = """
SELECT note FROM lane_log WHERE service = 'scorer' AND lane = $1 AND seq > $2 ORDER BY seq"""
ALL_HISTOGRAMS: Final = "SELECT lane, counts FROM histograms ORDER BY lane"
HISTOGRAMS_AT: Final = "SELECT count(*) FROM histograms WHERE at_ms = $1 AND complete = $2"
CUT_OFFS_AFTER: Final = """
SELECT version, at_ms, complete, cuts, policy_version FROM cut_offs WHERE version > $1 ORDER BY version DESC LIMIT 1"""
CUT_OFFS_OF: Final = "SELECT version, at_ms, complete, cuts, policy_version FROM cut_offs WHERE version = $1"

_CUSTOMER_COLUMNS: Final = (
    ("customer_id", "text"),
    ("state", "bytea"),
    ("score", "smallint"),
    ("band", "smallint"),
    ("active", "boolean"),
    ("ranked_tier", "text"),
    ("ranked_since_ms", "bigint"),
    ("tier", "text"),
    ("tier_since_ms", "bigint"),
    ("next_due_ms", "bigint"),
    ("revision", "bigint"),
    ("policy_version", "int"),
)
_names = ", ".join(name for name, _ in _CUSTOMER_COLUMNS)
_values = ", ".join(f"v.{name}" for name, _ in _CUSTOMER_COLUMNS)
_unnest = f"unnest({', '.join('{}::' + kind + '[]' for _, kind in _CUSTOMER_COLUMNS)}) AS v({_names})"
_sets = ", ".join(f"{name} = v.{name}" for name, _ in _CUSTOMER_COLUMNS[1:])
# $2 is the lane, in every turn's statement. A plain INSERT: a customer whom another lane made meanwhile
# must fail the turn, not be overwritten.
INSERT_CUSTOMERS: Final = f"INSERT INTO customers (lane, {_names}) SELECT $2, {_values} FROM fence, {_unnest}"  # noqa: S608
UPDATE_CUSTOMERS: Final = (
    f"UPDATE customers c SET {_sets} FROM fence, {_unnest} WHERE c.customer_id = v.customer_id"  # noqa: S608
)
PUT_OFF_CUSTOMERS: Final = """UPDATE customers c SET next_due_ms = v.due_ms
  FROM fence, unnest({}::text[], {}::bigint[]) AS v(customer_id, due_ms) WHERE c.customer_id = v.customer_id"""
INSERT_TIER_CHANGES: Final = """INSERT INTO tier_changes (lane, seq, customer_id, revision, at_ms, previous,
  current, ranked_previous, ranked_current, cause, causation_id, proof)
  SELECT $2, fence.seq, v.* FROM fence, unnest({}::text[], {}::bigint[], {}::bigint[], {}::text[], {}::text[],
  {}::text[], {}::text[], {}::text[], {}::text[], {}::bytea[]) AS v"""
INSERT_WARNINGS: Final = """INSERT INTO warnings (lane, seq, customer_id, rule, started_ms, kind, severity,
  evidence, ended_ms, ended_by)
  SELECT $2, fence.seq, v.* FROM fence, unnest({}::text[], {}::text[], {}::bigint[], {}::text[], {}::text[],
  {}::bytea[], {}::bigint[], {}::text[]) AS v"""
END_WARNINGS: Final = """UPDATE warnings w SET ended_ms = v.ended_ms, ended_by = v.ended_by
  FROM fence, unnest({}::text[], {}::text[], {}::bigint[], {}::bigint[], {}::text[])
  AS v(customer_id, rule, started_ms, ended_ms, ended_by)
  WHERE w.customer_id = v.customer_id AND w.rule = v.rule AND w.started_ms = v.started_ms"""
SAVE_HISTOGRAM: Final = """INSERT INTO histograms (lane, seq, at_ms, complete, active, counts,
  policy_version) SELECT $2, fence.seq, v.* FROM fence,
  unnest({}::bigint[], {}::boolean[], {}::int[], {}::bytea[], {}::int[]) AS v
  ON CONFLICT (lane) DO UPDATE SET seq = excluded.seq, at_ms = excluded.at_ms,
  complete = excluded.complete, active = excluded.active, counts = excluded.counts,
  policy_version = excluded.policy_version"""
SAVE_RESCORED: Final = """INSERT INTO rescored_histograms (lane, policy_version, at_ms, active, counts)
  SELECT $2, v.* FROM fence, unnest({}::int[], {}::bigint[], {}::int[], {}::bytea[]) AS v
  ON CONFLICT (lane, policy_version) DO UPDATE SET at_ms = excluded.at_ms, active = excluded.active,
  counts = excluded.counts"""
SAVE_CENSUS: Final = """INSERT INTO rfm_counts (lane, counted_ms, counts)
  SELECT $2, v.* FROM fence, unnest({}::bigint[], {}::bytea[]) AS v
  ON CONFLICT (lane) DO UPDATE SET counted_ms = excluded.counted_ms, counts = excluded.counts"""
INSERT_CUT_OFFS: Final = """INSERT INTO cut_offs (seq, version, at_ms, complete, active, tied, policy_version,
  cuts) SELECT fence.seq, v.version, v.at_ms, v.complete, v.active, v.tied::int[], v.policy, v.cuts::int[]
  FROM fence, unnest({}::bigint[], {}::bigint[], {}::boolean[], {}::int[], {}::text[], {}::int[], {}::text[])
  AS v(version, at_ms, complete, active, tied, policy, cuts)"""


class CutOffs(NamedTuple):
    """One row of ``cut_offs``."""

    version: int
    at_ms: int
    complete: bool
    cuts: Cuts | None
    policy_version: int = 1


def cut_offs_of(row: Any, policy: Policy) -> CutOffs:
    """Return a row of ``cut_offs`` as the core takes it.

    Args:
        row: version, at_ms, complete, cuts, policy_version.
        policy: the one that the cuts were computed under; its levels name the edges.
    """
    cuts = None if row[3] is None else Cuts(points=tuple(_points(row[3], policy)))
    return CutOffs(row[0], row[1], row[2], cuts, row[4])


def _points(flat: Sequence[int], policy: Policy) -> Iterator[CutPoint]:
    """Yield the edges, the best first: three numbers each."""
    for index in range(len(flat) // 3):
        enter, plain, leave = flat[3 * index : 3 * index + 3]
        yield CutPoint(above=policy.tiers.names[index], enter=enter, plain=plain, leave=leave)


def numbers_of(cuts: Cuts) -> list[int]:
    """Return the cuts as the column ``cuts`` holds them."""
    return [number for point in cuts.points for number in (point.enter, point.plain, point.leave)]


def array_literal(numbers: Iterable[int]) -> str:
    """Return an ``int[]`` as text: arrays of different lengths can't travel in one array."""
    return "{" + ",".join(map(str, numbers)) + "}"


@dataclass(slots=True)
class Held:
    """A customer as a turn holds it: the stored row, and the state that the turn leads to."""

    customer_id: str
    lane: int
    state: State | None
    stored: bool = False
    stored_due_ms: int | None = None
    policy_version: int = 1  # that the state was brought to
    changed: bool = False
    moved: tuple[int | None, int | None] = (None, None)  # histogram bins before the turn and after it
    row: tuple[Any, ...] | None = None  # to be stored, when it was made already

    @property
    def known(self) -> State:
        """The state of somebody who has one."""
        if self.state is None:
            raise ValueError("a newcomer has no state before his first event")
        return self.state

    @classmethod
    def of(cls, row: Any) -> Held:
        """Return a stored customer: id, lane, state, due instant, policy version.

        Raises:
            ValueError: the state is of a later version, or broken. No guard may catch it: going on would
                give up every record of such customers.
        """
        return cls(
            row[0], row[1], decode_state(row[2]), stored=True, stored_due_ms=row[3], policy_version=row[4]
        )

    def advance(self, step: Step) -> None:
        """Take over what a step of the core returned."""
        before = self.moved[0] if self.changed else step.moved[0]
        self.state, self.moved, self.changed = step.state, (before, step.moved[1]), True
        self.row = None


@dataclass(slots=True)
class Rows:
    """Collects what a turn writes, column by column."""

    customers: list[Held] = field(default_factory=list)
    put_off: list[tuple[str, int]] = field(default_factory=list)  # customer id and new due instant
    tier_changes: list[TierChanged] = field(default_factory=list)
    warned: dict[tuple[str, str, int], ChurnWarned] = field(default_factory=dict)
    ended: dict[tuple[str, str, int], ChurnCleared | None] = field(default_factory=dict)  # None: open again

    def add(self, effects: Iterable[Effect]) -> None:
        """Note the effects of one step, in order."""
        for effect in effects:
            if isinstance(effect, TierChanged):
                self.tier_changes.append(effect)
            elif isinstance(effect, ChurnWarned) and effect.again:
                self.ended[effect.customer_id, effect.rule, to_ms(effect.occurred_at)] = None
            elif isinstance(effect, ChurnWarned):
                self.warned[effect.customer_id, effect.rule, to_ms(effect.occurred_at)] = effect
            elif isinstance(effect, ChurnCleared):
                self.ended[effect.customer_id, effect.rule, to_ms(effect.started_at)] = effect

    def absorb(self, other: Rows) -> None:
        """Note what came after, of another collection."""
        self.tier_changes += other.tier_changes
        self.warned |= other.warned
        self.ended |= other.ended

    def writes(self, due_of: Callable[[Held], int | None]) -> list[Write]:
        """Return the turn's writes; ``due_of`` gives the due instant to store."""
        new = [_row_of(held, due_of) for held in self.customers if not held.stored]
        old = [_row_of(held, due_of) for held in self.customers if held.stored]
        tiers = [_tier_row(change) for change in self.tier_changes]
        raised = [_warning_row(key, warned, self.ended.get(key)) for key, warned in self.warned.items()]
        closed = [(*key, *_end(ended)) for key, ended in self.ended.items() if key not in self.warned]
        return [
            Write(sql, columns(rows))
            for sql, rows in (
                (INSERT_CUSTOMERS, new),
                (UPDATE_CUSTOMERS, old),
                (PUT_OFF_CUSTOMERS, self.put_off),
                (INSERT_TIER_CHANGES, tiers),
                (INSERT_WARNINGS, raised),
                (END_WARNINGS, closed),
            )
            if rows
        ]


def columns(rows: Sequence[tuple[Any, ...]]) -> tuple[list[Any], ...]:
    """Turn rows into the arrays that ``unnest`` takes."""
    return tuple(list(column) for column in zip(*rows, strict=True))


def _row_of(held: Held, due_of: Callable[[Held], int | None]) -> tuple[Any, ...]:
    return customer_row(held, due_of(held)) if held.row is None else held.row


def customer_row(held: Held, due_ms: int | None) -> tuple[Any, ...]:
    """Return a customer's row, in the order of the columns."""
    state = held.known
    return (
        *(held.customer_id, encode_state(state), state.score, band_of(state.score), state.orders > 0),
        *(state.ranked, state.ranked_since_ms, state.tier, state.tier_since_ms),
        *(due_ms, state.revision, held.policy_version),
    )


def _tier_row(change: TierChanged) -> tuple[Any, ...]:
    return (
        *(change.customer_id, change.revision, to_ms(change.occurred_at), change.previous, change.current),
        *(change.ranked_previous, change.ranked_current, change.cause, change.causation_id),
        msgspec.json.encode(change.proof),
    )


def _warning_row(
    key: tuple[str, str, int], warned: ChurnWarned, ended: ChurnCleared | None
) -> tuple[Any, ...]:
    return (*key, warned.kind, warned.severity, msgspec.json.encode(warned.evidence), *_end(ended))


def _end(ended: ChurnCleared | None) -> tuple[int | None, str | None]:
    return (None, None) if ended is None else (to_ms(ended.occurred_at), ended.cause.value)
