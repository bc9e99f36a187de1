"""``tierstream lanes skip``: move a lane past records that can't be read any more, and say so for good."""

from __future__ import annotations

from typing import Final

import asyncpg

from schemas.topics import ALERTER_INPUTS, SCORER_INPUTS

TOPICS: Final = {
    "scorer": tuple(topic.name for topic in SCORER_INPUTS),
    "alerter": tuple(topic.name for topic in ALERTER_INPUTS),
}

# One more seq: a worker that holds the lane finds its next turn refused, reads the row again, and goes on
# from the new position. The range stands as a dead letter, so nobody can believe that nothing was lost.
_SKIP: Final = """
WITH moved AS (
  UPDATE lanes SET offsets[$3::int] = $4::bigint, seq = seq + 1, updated_at = clock_timestamp()
  WHERE service = $1 AND lane = $2 AND offsets[$3::int] < $4::bigint RETURNING lane, seq, epoch, clock_ms,
  offsets, versions
), log AS (
  INSERT INTO lane_log (service, lane, seq, epoch, kind, read_from, read_to, clock_ms, versions, note)
  SELECT $1, lane, seq, epoch, 'skip', offsets, offsets, clock_ms, versions, '' FROM moved
)
INSERT INTO dead_letters (service, lane, topic, partition, "offset", reason, detail, headers, timestamp_ms)
SELECT $1, $2, $5, $2, $6, 'SKIPPED', $7, '\\x90', 0 FROM moved RETURNING id"""


class CanNotSkipError(RuntimeError):
    """There is no such lane, or it stands there or beyond already. Nothing was changed."""


async def skip(database_url: str, service: str, lane: int, topic: str, to: int) -> str:
    """Move one topic of a lane to offset ``to``; return what was given up, in words.

    Raises:
        CanNotSkipError: nothing was changed.
    """
    names = TOPICS.get(service, ())
    if topic not in names:
        raise CanNotSkipError(f"{service} does not read {topic}; it reads {', '.join(names) or 'nothing'}")
    index = names.index(topic) + 1
    connection = await asyncpg.connect(database_url)
    try:
        at = await connection.fetchval(
            "SELECT offsets[$3::int] FROM lanes WHERE service = $1 AND lane = $2", service, lane, index
        )
        if at is None:
            raise CanNotSkipError(f"there is no lane {lane} of {service}")
        given_up = (
            f"offsets {at} to {to - 1} of {topic} partition {lane} were given up by tierstream lanes skip"
        )
        if await connection.fetchval(_SKIP, service, lane, index, to, topic, at, given_up) is None:
            raise CanNotSkipError(f"lane {lane} stands at {at} already, not before {to}")
    finally:
        await connection.close()
    return given_up
