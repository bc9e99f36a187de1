"""Tasks and the people who do them: shared rows, changed by lanes and by people, so only conditionally."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import UserDefinedType

from schemas.tables.base import metadata
from schemas.tasks import LIVE_STATES, TaskState


class Xid8(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id."""

    cache_ok = True

    def get_col_spec(self, **_kw: object) -> str:
        """Return the column type as DDL names it."""
        return "xid8"


_live = "state IN ({})".format(", ".join(f"'{state}'" for state in LIVE_STATES))
_known = "state IN ({})".format(", ".join(f"'{state}'" for state in TaskState))

people = Table(
    "people",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),  # what they may do: advisor | manager
    Column("team", Text, nullable=False),  # whose tasks they take: senior_advisors | customer_service
    Column("active", Boolean, nullable=False, server_default=text("true")),
    CheckConstraint("role IN ('advisor', 'manager')", name="role_known"),
)

rotations = Table(
    "rotations",
    metadata,
    Column("team", Text, primary_key=True),
    Column("last_user_id", Text, nullable=False),  # the next one after it, by user id, is next
)

tasks = Table(
    "tasks",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("task_key", Text, nullable=False, unique=True),  # unique for ever: however often delivered
    Column("customer_id", Text, nullable=False),
    Column("lane", Integer, nullable=False),  # of the alerter
    Column("playbook", Text, nullable=False),
    Column("kind", Text, nullable=False),  # call | visit | message
    Column("team", Text, nullable=False),
    Column("urgency", SmallInteger, nullable=False),  # 1 first .. 5 last
    Column("tier", Text),  # shown tier when it was raised
    Column("title", Text, nullable=False),
    Column("why", Text, nullable=False),  # one sentence with the evidence
    Column("advice", Text, nullable=False),
    Column("evidence", JSONB, nullable=False),
    Column("causes", JSONB, nullable=False),  # event ids and sentences, one per cause merged into it
    Column("episode", Text),  # "{rule}/{start ms}" of the warning behind it
    Column("state", Text, nullable=False, server_default="open"),
    Column("created_at", DateTime(timezone=True), nullable=False),  # event time of the cause
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("assigned_to", Text, ForeignKey("people.user_id")),
    Column("assigned_at", DateTime(timezone=True)),
    Column("lease_token", Uuid),
    Column("lease_until", DateTime(timezone=True)),
    Column("outcome", Text),
    Column("closed_at", DateTime(timezone=True)),
    Column("closed_by", Text),  # a user id, or why the system took it back
    Column("version", Integer, nullable=False, server_default="1"),
    CheckConstraint(_known, name="state_known"),
    CheckConstraint("(state = 'claimed') = (lease_token IS NOT NULL)", name="lease_when_claimed"),
    # One open task per customer and playbook: the next cause becomes a line in it.
    Index("uq_tasks_live", "customer_id", "playbook", unique=True, postgresql_where=text(_live)),
    Index("ix_tasks_queue", "assigned_to", "due_at", postgresql_where=text(_live)),
    Index("ix_tasks_unassigned", "created_at", postgresql_where=text("assigned_to IS NULL")),
    Index("ix_tasks_customer", "customer_id"),
)

task_notes = Table(
    "task_notes",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("task_id", BigInteger, ForeignKey("tasks.id"), nullable=False, index=True),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("author", Text, nullable=False),
    Column("body", Text, nullable=False),
)

feed = Table(
    "feed",
    metadata,
    # Written by a trigger on tasks (migrations), so that lanes and people can't forget it. Read up to
    # pg_snapshot_xmin: ids alone lose transactions that commit late.
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("xid", Xid8, nullable=False, server_default=func.pg_current_xact_id()),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("kind", Text, nullable=False),  # task-opened | task-changed
    Column("customer_id", Text, nullable=False),
    Column("task_id", BigInteger),
    Column("assigned_to", Text),
    Index("ix_feed_xid_id", "xid", "id"),  # the order that readers follow
)
