"""the first whole path."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from alembic import op

from schemas.tables.triggers import FEED_TRIGGER
from schemas.tables.work import Xid8

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.create_table(
        "customers",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.Column("score", sa.SmallInteger(), nullable=False),
        sa.Column("band", sa.SmallInteger(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("ranked_tier", sa.Text(), nullable=True),
        sa.Column("ranked_since_ms", sa.BigInteger(), nullable=True),
        sa.Column("tier", sa.Text(), nullable=True),
        sa.Column("tier_since_ms", sa.BigInteger(), nullable=True),
        sa.Column("next_due_ms", sa.BigInteger(), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_customers")),
        postgresql_with={"fillfactor": "70", "toast_tuple_target": "8160"},
    )
    op.create_index("ix_customers_band", "customers", ["lane", "band"], unique=False)
    op.create_index("ix_customers_due", "customers", ["lane", "next_due_ms"], unique=False)
    op.create_table(
        "cut_offs",
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Integer(), nullable=False),
        sa.Column("cuts", sa.ARRAY(sa.Integer()), nullable=True),
        sa.Column("tied_high", sa.Integer(), nullable=False),
        sa.Column("tied_low", sa.Integer(), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_cut_offs")),
    )
    op.create_table(
        "dead_letters",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=True),
        sa.Column("value", sa.LargeBinary(), nullable=True),
        sa.Column("headers", sa.LargeBinary(), nullable=False),
        sa.Column("timestamp_ms", sa.BigInteger(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_letters")),
        sa.UniqueConstraint(
            "topic", "partition", "offset", name=op.f("uq_dead_letters_topic_partition_offset")
        ),
    )
    op.create_index(op.f("ix_dead_letters_reason_at"), "dead_letters", ["reason", "at"], unique=False)
    op.create_table(
        "feed",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("xid", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("task_id", sa.BigInteger(), nullable=True),
        sa.Column("assigned_to", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed")),
    )
    op.create_index("ix_feed_xid_id", "feed", ["xid", "id"], unique=False)
    op.create_table(
        "histograms",
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Integer(), nullable=False),
        sa.Column("counts", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("lane", name=op.f("pk_histograms")),
    )
    op.create_table(
        "lane_log",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("read_from", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("read_to", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("clock_ms", sa.BigInteger(), nullable=False),
        sa.Column("versions", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("service", "lane", "seq", name=op.f("pk_lane_log")),
    )
    op.create_table(
        "lanes",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("offsets", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("numbers", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("clock_ms", sa.BigInteger(), nullable=False),
        sa.Column("clock_mode", sa.Text(), nullable=False),
        sa.Column("settled", sa.Boolean(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("versions", sa.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("outbox_number", sa.BigInteger(), nullable=False),
        sa.Column("published", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("service", "lane", name=op.f("pk_lanes")),
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "outbox",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=True),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("timestamp_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("service", "lane", "number", name=op.f("pk_outbox")),
    )
    op.create_table(
        "people",
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("team", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.CheckConstraint("role IN ('advisor', 'manager')", name=op.f("ck_people_role_known")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_people")),
    )
    op.create_table(
        "policies",
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "activated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_policies")),
    )
    op.create_table(
        "rotations",
        sa.Column("team", sa.Text(), nullable=False),
        sa.Column("last_user_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("team", name=op.f("pk_rotations")),
    )
    op.create_table(
        "tier_changes",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("previous", sa.Text(), nullable=True),
        sa.Column("current", sa.Text(), nullable=False),
        sa.Column("ranked_previous", sa.Text(), nullable=True),
        sa.Column("ranked_current", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("causation_id", sa.Text(), nullable=True),
        sa.Column("proof", sa.LargeBinary(), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "revision", name=op.f("pk_tier_changes")),
    )
    op.create_table(
        "warnings",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("started_ms", sa.BigInteger(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("evidence", sa.LargeBinary(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", "rule", "started_ms", name=op.f("pk_warnings")),
    )
    op.create_index(
        "ix_warnings_open", "warnings", ["started_ms"], unique=False, postgresql_where="ended_ms IS NULL"
    )
    op.create_table(
        "tasks",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("task_key", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("playbook", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("team", sa.Text(), nullable=False),
        sa.Column("urgency", sa.SmallInteger(), nullable=False),
        sa.Column("tier", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("advice", sa.Text(), nullable=False),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("causes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("episode", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("assigned_to", sa.Text(), nullable=True),
        sa.Column("assigned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "(state = 'claimed') = (lease_token IS NOT NULL)", name=op.f("ck_tasks_lease_when_claimed")
        ),
        sa.CheckConstraint(
            "state IN ('open', 'claimed', 'done', 'withdrawn', 'history')", name=op.f("ck_tasks_state_known")
        ),
        sa.ForeignKeyConstraint(["assigned_to"], ["people.user_id"], name=op.f("fk_tasks_assigned_to")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
        sa.UniqueConstraint("task_key", name=op.f("uq_tasks_task_key")),
    )
    op.create_index("ix_tasks_customer", "tasks", ["customer_id"], unique=False)
    op.create_index(
        "ix_tasks_queue",
        "tasks",
        ["assigned_to", "due_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('open', 'claimed')"),
    )
    op.create_index(
        "ix_tasks_unassigned",
        "tasks",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("assigned_to IS NULL"),
    )
    op.create_index(
        "uq_tasks_live",
        "tasks",
        ["customer_id", "playbook"],
        unique=True,
        postgresql_where=sa.text("state IN ('open', 'claimed')"),
    )
    op.create_table(
        "task_notes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_task_notes_task_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_notes")),
    )
    op.create_index(op.f("ix_task_notes_task_id"), "task_notes", ["task_id"], unique=False)
    for statement in FEED_TRIGGER:
        op.execute(statement)


def downgrade() -> None:
    """Take it back."""
    op.execute("DROP TRIGGER feed_of_tasks ON tasks")
    op.execute("DROP FUNCTION feed_of_tasks")
    op.drop_index(op.f("ix_task_notes_task_id"), table_name="task_notes")
    op.drop_table("task_notes")
    op.drop_index(
        "uq_tasks_live", table_name="tasks", postgresql_where=sa.text("state IN ('open', 'claimed')")
    )
    op.drop_index("ix_tasks_unassigned", table_name="tasks", postgresql_where=sa.text("assigned_to IS NULL"))
    op.drop_index(
        "ix_tasks_queue", table_name="tasks", postgresql_where=sa.text("state IN ('open', 'claimed')")
    )
    op.drop_index("ix_tasks_customer", table_name="tasks")
    op.drop_table("tasks")
    op.drop_index("ix_warnings_open", table_name="warnings", postgresql_where="ended_ms IS NULL")
    op.drop_table("warnings")
    op.drop_table("tier_changes")
    op.drop_table("rotations")
    op.drop_table("policies")
    op.drop_table("people")
    op.drop_table("outbox")
    op.drop_table("lanes")
    op.drop_table("lane_log")
    op.drop_table("histograms")
    op.drop_index("ix_feed_xid_id", table_name="feed")
    op.drop_table("feed")
    op.drop_index(op.f("ix_dead_letters_reason_at"), table_name="dead_letters")
    op.drop_table("dead_letters")
    op.drop_table("cut_offs")
    op.drop_index("ix_customers_due", table_name="customers")
    op.drop_index("ix_customers_band", table_name="customers")
    op.drop_table("customers")
