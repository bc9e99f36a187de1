"""``tierstream doctor``: is everything that must be there, there and as it must be?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from alembic.script import ScriptDirectory

from deploy.migrate import alembic_config
from schemas.topics import ALL_TOPICS

_WRONG_PARTITION: Final = """
SELECT topic, count(*) FROM dead_letters WHERE reason = 'PARTITION' GROUP BY topic ORDER BY 2 DESC"""
_BUGS: Final = """
SELECT service, detail, count(*) FROM dead_letters WHERE reason = 'INTERNAL'
GROUP BY service, detail ORDER BY 3 DESC LIMIT 5"""
# An idle lane writes its clock about once a minute: a lane is late at twice that.
_LATE_LANES: Final = """
SELECT service, count(*) FROM lanes WHERE clock_mode = 'wall'
AND clock_ms < extract(epoch FROM clock_timestamp()) * 1000 - 120000 GROUP BY service"""


class Finding(NamedTuple):
    """One thing that was looked at. ``remedy`` is empty when it is well."""

    what: str
    found: str
    remedy: str = ""


async def examine(database_url: str, bootstrap: str) -> list[Finding]:
    """Look at everything; a part that can't be reached is a finding, never an exception."""
    checks: list[Callable[[], Awaitable[list[Finding]]]] = [
        lambda: _topics(bootstrap),
        lambda: _database(database_url),
    ]
    findings: list[Finding] = []
    for check in checks:
        findings += await check()
    return findings


async def _topics(bootstrap: str) -> list[Finding]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        found = {item["topic"]: len(item["partitions"]) for item in await admin.describe_topics()}
    except (KafkaError, OSError) as error:
        return [Finding("Kafka", f"{bootstrap}: {type(error).__name__}", "start it, or set KAFKA_BOOTSTRAP")]
    finally:
        await admin.close()
    missing = [topic.name for topic in ALL_TOPICS if topic.name not in found]
    if missing:
        return [Finding("topics", "missing: " + ", ".join(missing), "tierstream migrate")]
    counts = {found[topic.name] for topic in ALL_TOPICS if topic.per_lane}
    if len(counts) != 1:
        return [
            Finding(
                "topics",
                f"partition counts differ: {sorted(counts)}",
                "begin with new topics, partitioned alike",
            )
        ]
    return [Finding("topics", f"{len(ALL_TOPICS)} topics, {counts.pop()} lanes")]


async def _database(database_url: str) -> list[Finding]:
    try:
        connection = await asyncpg.connect(database_url, timeout=5)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return [Finding("PostgreSQL", type(error).__name__, "start it, or set DATABASE_URL")]
    try:
        head = ScriptDirectory.from_config(alembic_config(database_url)).get_current_head()
        has_table = await connection.fetchval("SELECT to_regclass('alembic_version') IS NOT NULL")
        at = await connection.fetchval("SELECT version_num FROM alembic_version") if has_table else None
        if at != head:
            return [Finding("schema", f"at {at or 'nothing'}, not at {head}", "tierstream migrate")]
        return [Finding("schema", f"at {at}"), *await _lanes(connection)]
    finally:
        await connection.close()


async def _lanes(connection: asyncpg.Connection[asyncpg.Record]) -> list[Finding]:
    findings = [
        Finding("partitions", f"{count} records on {topic} were on the wrong one",
                "publish with murmur2 of the key (librdkafka: partitioner=murmur2_random)")
        for topic, count in await connection.fetch(_WRONG_PARTITION)
    ]  # fmt: skip
    findings += [
        Finding("bugs", f"{count} records met a bug of {service}: {detail}",
                "report it with the traceback in the worker's log; they are kept in dead_letters")
        for service, detail, count in await connection.fetch(_BUGS)
    ]  # fmt: skip
    findings += [
        Finding("clocks", f"{count} lanes of {service} are more than two minutes behind",
                "is a worker running, and is Kafka reachable? See its /metrics")
        for service, count in await connection.fetch(_LATE_LANES)
    ]  # fmt: skip
    return findings or [Finding("lanes", "clocks and partitions are as they must be, and no bug was met")]
