"""The lane engine's tables: ownership and positions, the log of transactions, outbox, dead letters."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    func,
)

from schemas.tables.base import metadata

lanes = Table(
    "lanes",
    metadata,
    Column("service", Text, primary_key=True),
    Column("lane", Integer, primary_key=True),
    Column("epoch", BigInteger, nullable=False),  # one more at every change of owner: the fence
    Column("seq", BigInteger, nullable=False),  # one more at every transaction
    Column("owner", Text, nullable=False),
    Column("offsets", ARRAY(BigInteger), nullable=False),  # next to read, in the service's order of topics
    Column("numbers", ARRAY(BigInteger), nullable=False),  # highest outbox number taken, same order
    Column("clock_ms", BigInteger, nullable=False),  # never goes back
    Column("clock_mode", Text, nullable=False),  # wall | event | ending (the replay's last instant)
    Column("settled", Boolean, nullable=False),  # false: the clock's instant waits to be dealt with (replays)
    Column("complete", Boolean, nullable=False),  # the clock's own instant is complete (end of a replay)
    Column("versions", ARRAY(BigInteger), nullable=False),  # the service's: cut-offs and policy in force
    Column("outbox_number", BigInteger, nullable=False),  # the last one given
    Column("published", BigInteger, nullable=False),  # the last one that Kafka acknowledged, at least
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    # Rewritten by every chunk: room on the page keeps the updates in place (HOT).
    postgresql_with={"fillfactor": "50"},
)

lane_log = Table(
    "lane_log",
    metadata,
    Column("service", Text, primary_key=True),
    Column("lane", Integer, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),  # own | chunk | time | sweep | settle
    Column("read_from", ARRAY(BigInteger), nullable=False),
    Column("read_to", ARRAY(BigInteger), nullable=False),  # exclusive
    Column("clock_ms", BigInteger, nullable=False),
    Column("versions", ARRAY(BigInteger), nullable=False),
    Column("note", LargeBinary, nullable=False),  # the service's own; the scorer: moves between score bins
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
)

outbox = Table(
    "outbox",
    metadata,
    Column("service", Text, primary_key=True),
    Column("lane", Integer, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("key", LargeBinary),
    Column("value", LargeBinary, nullable=False),
    Column("timestamp_ms", BigInteger, nullable=False),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("service", Text, nullable=False),
    Column("lane", Integer, nullable=False),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    # bytea, not text: a NUL or invalid UTF-8 must not kill the dead-letter store too.
    Column("key", LargeBinary),
    Column("value", LargeBinary),
    Column("headers", LargeBinary, nullable=False),  # msgpack list of [name, bytes]
    Column("timestamp_ms", BigInteger, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    UniqueConstraint("topic", "partition", "offset"),
    Index(None, "reason", "at"),
)
