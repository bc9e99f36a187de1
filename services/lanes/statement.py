"""The one statement of a turn: the fence, and everything that stands or falls with it.

Every part reads ``FROM fence``. When another worker has the lane, or this one does not know how the
last turn ended, the fence returns no row and nothing at all is written.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from services.lanes.work import DeadLetter, LaneRow, Message, Write

_FENCE: Final = """
WITH fence AS (
  UPDATE lanes SET seq = seq + 1, offsets = $5, numbers = $6, clock_ms = $7, clock_mode = $8,
    settled = $9, complete = $10, versions = $11, outbox_number = $12, published = $13,
    updated_at = clock_timestamp()
  WHERE service = $1 AND lane = $2 AND epoch = $3 AND seq = $4
  RETURNING seq
), log AS (
  INSERT INTO lane_log (service, lane, seq, epoch, kind, read_from, read_to, clock_ms, versions, note)
  SELECT $1, $2, seq, $3, $14, $15, $5, $7, $11, $16 FROM fence
), published AS (
  DELETE FROM outbox USING fence
  WHERE outbox.service = $1 AND outbox.lane = $2 AND outbox.number <= $13
)"""
_ANSWER: Final = """
SELECT count(*), (extract(epoch FROM clock_timestamp()) * 1000)::bigint FROM fence"""
_FIRST_FREE: Final = 17

_OUTBOX: Final = """INSERT INTO outbox (service, lane, number, topic, partition, key, value, timestamp_ms)
  SELECT $1, $2, v.number, v.topic, v.partition, v.key, v.value, v.timestamp_ms FROM fence,
  unnest({}::bigint[], {}::text[], {}::int[], {}::bytea[], {}::bytea[], {}::bigint[])
  AS v(number, topic, partition, key, value, timestamp_ms)"""
_DEAD_LETTERS: Final = """INSERT INTO dead_letters
  (service, lane, topic, partition, "offset", reason, detail, key, value, headers, timestamp_ms)
  SELECT $1, $2, v.topic, v.partition, v.o, v.reason, v.detail, v.key, v.value, v.headers, v.timestamp_ms
  FROM fence, unnest({}::text[], {}::int[], {}::bigint[], {}::text[], {}::text[], {}::bytea[], {}::bytea[],
  {}::bytea[], {}::bigint[]) AS v(topic, partition, o, reason, detail, key, value, headers, timestamp_ms)"""

# A lane from before a topic was added stands at the beginning of that topic: offset 0, no number taken.
TAKE_OVER: Final = """
WITH mine AS (SELECT lane FROM lanes WHERE service = $1 AND lane = ANY($2::int[]) ORDER BY lane FOR UPDATE),
taken AS (
  UPDATE lanes SET epoch = epoch + 1, seq = seq + 1, owner = $3, updated_at = clock_timestamp(),
    offsets = offsets || array_fill(0::bigint, ARRAY[greatest(0, $4::int - cardinality(offsets))]),
    numbers = numbers || array_fill(0::bigint, ARRAY[greatest(0, $4::int - cardinality(numbers))])
  FROM mine WHERE lanes.service = $1 AND lanes.lane = mine.lane RETURNING lanes.*
), log AS (
  INSERT INTO lane_log (service, lane, seq, epoch, kind, read_from, read_to, clock_ms, versions, note)
  SELECT service, lane, seq, epoch, 'own', offsets, offsets, clock_ms, versions, '' FROM taken
)
SELECT * FROM taken ORDER BY lane"""
CREATE: Final = """
INSERT INTO lanes (service, lane, epoch, seq, owner, offsets, numbers, clock_ms, clock_mode, settled,
                   complete, versions, outbox_number, published)
SELECT $1, lane, 0, 0, '', $3::bigint[], $3::bigint[], 0, $4, true, false, $5::bigint[], 0, 0
FROM unnest($2::int[]) AS lane
ON CONFLICT DO NOTHING"""
READ: Final = "SELECT * FROM lanes WHERE service = $1 AND lane = $2"
NOW_MS: Final = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"
UNPUBLISHED: Final = """
SELECT number, topic, partition, key, value, timestamp_ms FROM outbox
WHERE service = $1 AND lane = $2 AND number > $3 ORDER BY number"""


class Statement(NamedTuple):
    """SQL with its arguments; the SQL text is one of few, so that it stays prepared."""

    sql: str
    arguments: list[Any]


def row_of(record: Any, lanes: int) -> LaneRow:
    """Return a row of the table ``lanes`` as the engine holds it."""
    return LaneRow(
        service=record["service"],
        lane=record["lane"],
        lanes=lanes,
        epoch=record["epoch"],
        seq=record["seq"],
        offsets=tuple(record["offsets"]),
        numbers=tuple(record["numbers"]),
        clock_ms=record["clock_ms"],
        clock_mode=record["clock_mode"],
        settled=record["settled"],
        complete=record["complete"],
        versions=tuple(record["versions"]),
        outbox_number=record["outbox_number"],
        published=record["published"],
    )


def turn_statement(
    before: LaneRow,
    after: LaneRow,
    *,
    kind: str,
    note: bytes,
    writes: list[Write],
    outbox: list[Message],
    dead_letters: list[DeadLetter],
) -> Statement:
    """Compose the turn that leads from ``before`` to ``after``."""
    arguments: list[Any] = [
        *(before.service, before.lane, before.epoch, before.seq),
        *(list(after.offsets), list(after.numbers), after.clock_ms, after.clock_mode),
        *(after.settled, after.complete, list(after.versions), after.outbox_number, after.published),
        *(kind, list(before.offsets), note),
    ]
    parts = list(writes)
    if outbox:
        first = after.outbox_number - len(outbox) + 1
        numbers = list(range(first, after.outbox_number + 1))
        parts.append(Write(_OUTBOX, (numbers, *_columns(outbox))))
    if dead_letters:
        parts.append(Write(_DEAD_LETTERS, _dead_letter_columns(dead_letters)))
    for part in parts:
        arguments.extend(part.arrays)
    return Statement(_sql(tuple(part.sql for part in parts)), arguments)


def _columns(rows: list[Message]) -> tuple[list[Any], ...]:
    return tuple(list(column) for column in zip(*rows, strict=True))


def _dead_letter_columns(letters: list[DeadLetter]) -> tuple[list[Any], ...]:
    rows = [
        (
            *(letter.record.topic, letter.record.partition, letter.record.offset),
            *(letter.reason, letter.detail, letter.record.key, letter.record.value),
            *(msgspec.msgpack.encode(list(letter.record.headers)), letter.record.timestamp_ms),
        )
        for letter in letters
    ]
    return tuple(list(column) for column in zip(*rows, strict=True))


@lru_cache(maxsize=256)
def _sql(parts: tuple[str, ...]) -> str:
    number = _FIRST_FREE
    ctes = []
    for index, part in enumerate(parts):
        count = part.count("{}")
        ctes.append(f", w{index} AS (" + part.format(*(f"${number + k}" for k in range(count))) + ")")
        number += count
    return _FENCE + "".join(ctes) + _ANSWER
