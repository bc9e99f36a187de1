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
from services.scorer.policies import write_policy

_SQLALCHEMY: Final = "postgresql+asyncpg://"
# Only where there is none: two that begin at once both write version 1, and one of them wins.
_ACTIVATE: Final = """
INSERT INTO policies (version, body, source) SELECT 1, $1::jsonb, $2
WHERE NOT EXISTS (SELECT FROM policies) ON CONFLICT DO NOTHING"""
_NEWEST: Final = "SELECT version, body FROM policies ORDER BY version DESC LIMIT 1"


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


async def activate_first(database_url: str, policy: Policy, source: str | None = None) -> None:
    """Put the first policy in force, unless there is one; ``source`` is the YAML that it was read from.

    Raises:
        PolicyDiffersError: there is another one. Nothing was changed.
    """
    body = msgspec.json.encode(policy.to_json()).decode()
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(_ACTIVATE, body, source or write_policy(policy))
        newest = await connection.fetchrow(_NEWEST)
    finally:
        await connection.close()
    assert newest is not None  # noqa: S101 -- written above
    in_force = Policy.from_json(msgspec.json.decode(newest["body"]))
    if in_force == policy:
        return
    raise PolicyDiffersError(
        f"version {newest['version']} of the policy is another one: {in_force.name} with currency "
        f"{in_force.currency} and time zone {in_force.time_zone}; " + _remedy(in_force, policy)
    )


def _remedy(in_force: Policy, policy: Policy) -> str:
    alike = msgspec.structs.replace(
        policy, currency=in_force.currency, time_zone=in_force.time_zone, rates=in_force.rates
    )
    if alike == in_force:
        given = f"--currency {in_force.currency} --time-zone {in_force.time_zone}"
        return f"give {given}, or begin with empty data"
    return (
        "give that one with --policy (where the database runs, tierstream policy show prints it) and put "
        "yours in force with tierstream policy activate FILE, or begin with empty data"
    )
