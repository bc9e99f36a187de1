"""The scorer's tables. Customers, tier changes and warnings are written by their lane alone."""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

from schemas.tables.base import metadata

customers = Table(
    "customers",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("lane", Integer, nullable=False),
    Column("state", LargeBinary, nullable=False),  # services.scorer.core.state, msgpack
    Column("score", SmallInteger, nullable=False),  # 0..10,000
    Column("band", SmallInteger, nullable=False),  # coarse score: seldom changes, so updates stay HOT
    Column("active", Boolean, nullable=False),  # bought in the window: counted in the percentiles
    Column("ranked_tier", Text),  # null before the first purchase event
    Column("ranked_since_ms", BigInteger),
    Column("tier", Text),
    Column("tier_since_ms", BigInteger),
    Column("next_due_ms", BigInteger),  # never too late; may be early (it then fires and re-arms)
    Column("revision", BigInteger, nullable=False),
    Column("policy_version", Integer, nullable=False, server_default="1"),  # that score and tiers are of
    Index("ix_customers_due", "lane", "next_due_ms"),
    Index("ix_customers_band", "lane", "band"),
    postgresql_with={"fillfactor": "70", "toast_tuple_target": "8160"},
)

tier_changes = Table(
    "tier_changes",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("revision", BigInteger, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("previous", Text),
    Column("current", Text, nullable=False),
    Column("ranked_previous", Text),
    Column("ranked_current", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("causation_id", Text),
    Column("proof", LargeBinary, nullable=False),  # schemas.events.Proof as JSON
    Column("lane", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
)

warnings = Table(
    "warnings",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("rule", Text, primary_key=True),
    Column("started_ms", BigInteger, primary_key=True),
    Column("kind", Text, nullable=False),  # schemas.tiers.ChurnKind
    Column("severity", Text, nullable=False),
    Column("evidence", LargeBinary, nullable=False),  # schemas.events.ChurnEvidence as JSON
    Column("ended_ms", BigInteger),  # null while open
    Column("ended_by", Text),
    Column("lane", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Index("ix_warnings_open", "started_ms", postgresql_where="ended_ms IS NULL"),
)

cut_offs = Table(
    "cut_offs",
    metadata,
    Column("version", BigInteger, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("complete", Boolean, nullable=False),  # the end of a replay: its instant is complete
    Column("active", Integer, nullable=False),
    # For each edge of the ladder, the best first: enter, plain, leave; null when nobody is active.
    Column("cuts", ARRAY(Integer)),
    Column("tied", ARRAY(Integer), nullable=False),  # per edge: customers who stand exactly at it
    Column("policy_version", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),  # of the lane-0 transaction that wrote it
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
)

histograms = Table(
    "histograms",
    metadata,
    Column("lane", Integer, primary_key=True),
    Column("seq", BigInteger, nullable=False),  # lane_log notes after it are not in yet
    Column("at_ms", BigInteger, nullable=False),  # the lane's clock then, all due by it fired
    Column("complete", Boolean, nullable=False),
    Column("active", Integer, nullable=False),
    Column("counts", LargeBinary, nullable=False),  # 10,001 little-endian uint32
    Column("policy_version", Integer, nullable=False, server_default="1"),  # never two scales in one
)

# A lane's customers as another policy would score them, before the lanes switch to it together.
rescored_histograms = Table(
    "rescored_histograms",
    metadata,
    Column("lane", Integer, primary_key=True),
    Column("policy_version", Integer, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),  # the lane's clock
    Column("active", Integer, nullable=False),
    Column("counts", LargeBinary, nullable=False),
)

# A lane's customers by recency, frequency and monetary value, as counted at one instant.
rfm_counts = Table(
    "rfm_counts",
    metadata,
    Column("lane", Integer, primary_key=True),
    Column("counted_ms", BigInteger, nullable=False),  # the lane's clock
    Column("counts", LargeBinary, nullable=False),  # services.scorer.core.segments.rfm_counts
)

policies = Table(
    "policies",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("body", JSONB, nullable=False),
    Column("source", Text),  # the YAML as it was given
    Column("note", Text, nullable=False, server_default=""),
    Column("activated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

# The catalogue: in version v a product is what the row with the highest version up to v says.
products = Table(
    "products",
    metadata,
    Column("sku", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True),  # each load of listings that say something new
    Column("body", LargeBinary, nullable=False),  # schemas.events.ProductListed as JSON
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Index(None, "version"),
)
