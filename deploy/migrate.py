"""``tierstream migrate``: the schema at its head, and every topic as the table of topics says."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import asyncpg
import msgspec
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from alembic import command
from alembic.config import Config

import schemas.migrations
from schemas.times import DAY_MS
from schemas.topics import ALL_TOPICS, Topic
from services.scorer.core.policy import Policy

_SQLALCHEMY: Final = "postgresql+asyncpg://"
_ACTIVATE: Final = "INSERT INTO policies (version, body) VALUES (1, $1) ON CONFLICT DO NOTHING"


class PartitionsDifferError(RuntimeError):
    """A topic has another partition count than the lanes; partition counts are for life."""


class PolicyDiffersError(RuntimeError):
    """Another policy is in force already; this one was not put in its place."""


def alembic_config(database_url: str) -> Config:
    """Return alembic's configuration for a PostgreSQL address; no ini file is needed."""
    config = Config()
    config.set_main_option("script_location", str(Path(schemas.migrations.__file__).parent))
    config.set_main_option("sqlalchemy.url", sqlalchemy_url(database_url).replace("%", "%%"))
    return config


def sqlalchemy_url(database_url: str) -> str:
    """Return the address as SQLAlchemy wants it."""
    return _SQLALCHEMY + database_url.rpartition("://")[2]


def migrate_database(database_url: str) -> None:
    """Bring the schema to its head; does nothing when it is there."""
    command.upgrade(alembic_config(database_url), "head")


async def migrate_topics(
    bootstrap: str, *, lanes: int, replication: int = 1, replays: bool = False
) -> list[str]:
    """Create the topics that are missing; return their names.

    ``replays`` keeps everything for ever: a replay of old events would else be deleted before it is read.

    Raises:
        PartitionsDifferError: a topic exists with another partition count. Nothing was changed.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        found = {item["topic"]: len(item["partitions"]) for item in await admin.describe_topics()}
        for topic in ALL_TOPICS:
            wanted = lanes if topic.per_lane else 1
            if found.get(topic.name, wanted) != wanted:
                raise PartitionsDifferError(
                    f"topic {topic.name} has {found[topic.name]} partitions and LANES_COUNT is {lanes}: "
                    "set LANES_COUNT to what the topics have, or begin with new topics"
                )
        missing = [topic for topic in ALL_TOPICS if topic.name not in found]
        await admin.create_topics([_new(topic, lanes, replication, replays=replays) for topic in missing])
        return [topic.name for topic in missing]
    finally:
        await admin.close()


def _new(topic: Topic, lanes: int, replication: int, *, replays: bool) -> NewTopic:
    retention_ms = -1 if replays or topic.retention_days is None else topic.retention_days * DAY_MS
    return NewTopic(
        topic.name,
        lanes if topic.per_lane else 1,
        replication,
        # A replay stamps records with event time, which orders a lane; live producers stamp the present.
        topic_configs={"retention.ms": str(retention_ms), "message.timestamp.type": "CreateTime"},
    )


async def activate_first(database_url: str, policy: Policy) -> None:
    """Put the first policy in force, unless it is.

    Raises:
        PolicyDiffersError: another one is. Nothing was changed.
    """
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(_ACTIVATE, msgspec.json.encode(policy.to_json()).decode())
        stored = await connection.fetchval("SELECT body FROM policies WHERE version = 1")
    finally:
        await connection.close()
    in_force = Policy.from_json(msgspec.json.decode(stored))
    if in_force != policy:
        raise PolicyDiffersError(
            f"the policy in force has currency {in_force.currency} and time zone {in_force.time_zone}: "
            f"give --currency {in_force.currency} --time-zone {in_force.time_zone}, or begin with empty data"
        )
