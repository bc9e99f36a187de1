"""Any ladder of tiers, kinds of warnings, policies with their source, rescoring beside the one in force.

Revision ID: 0002
Revises: 0001
"""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go up."""
    op.add_column("cut_offs", sa.Column("tied", postgresql.ARRAY(sa.Integer())))
    # high 18, 20, 22, low 18, 20, 22 become enter, plain and leave of each edge.
    op.execute(
        "UPDATE cut_offs SET tied = CASE WHEN active > 0 THEN ARRAY[tied_high, tied_low] ELSE '{}' END, "
        "cuts = ARRAY[cuts[1], cuts[2], cuts[3], cuts[6], cuts[5], cuts[4]] WHERE cuts IS NOT NULL"
    )
    op.execute("UPDATE cut_offs SET tied = '{}' WHERE tied IS NULL")
    op.alter_column("cut_offs", "tied", nullable=False)
    op.drop_column("cut_offs", "tied_high")
    op.drop_column("cut_offs", "tied_low")
    op.add_column("warnings", sa.Column("kind", sa.Text(), server_default="silence", nullable=False))
    op.alter_column("warnings", "kind", server_default=None)
    for table in ("customers", "histograms"):
        op.add_column(table, sa.Column("policy_version", sa.Integer(), server_default="1", nullable=False))
    op.add_column("policies", sa.Column("source", sa.Text()))
    op.add_column("policies", sa.Column("note", sa.Text(), server_default="", nullable=False))
    op.create_table(
        "rescored_histograms",
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("active", sa.Integer(), nullable=False),
        sa.Column("counts", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("lane", "policy_version", name=op.f("pk_rescored_histograms")),
    )
    op.create_table(
        "rfm_counts",
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("counted_ms", sa.BigInteger(), nullable=False),
        sa.Column("counts", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("lane", name=op.f("pk_rfm_counts")),
    )
    _rewrite_policies()
    op.execute("UPDATE lanes SET versions = versions || versions[2] WHERE service = 'scorer'")


def _rewrite_policies() -> None:
    """Bring the flat policies of 0001 to sections; all of them were the default one with another base."""
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT version, body FROM policies")).fetchall()
    for version, body in rows:
        flat: dict[str, Any] = body if isinstance(body, dict) else json.loads(body)
        kept = {name: flat[name] for name in ("currency", "time_zone") if name in flat}
        connection.execute(
            sa.text("UPDATE policies SET body = CAST(:body AS jsonb) WHERE version = :version"),
            {"body": json.dumps(kept), "version": version},
        )


def downgrade() -> None:
    """Go down."""
    op.execute("UPDATE lanes SET versions = versions[1:3] WHERE service = 'scorer'")
    op.drop_table("rfm_counts")
    op.drop_table("rescored_histograms")
    op.drop_column("policies", "note")
    op.drop_column("policies", "source")
    for table in ("histograms", "customers"):
        op.drop_column(table, "policy_version")
    op.drop_column("warnings", "kind")
    op.add_column("cut_offs", sa.Column("tied_high", sa.Integer(), server_default="0", nullable=False))
    op.add_column("cut_offs", sa.Column("tied_low", sa.Integer(), server_default="0", nullable=False))
    op.execute("UPDATE cut_offs SET tied_high = tied[1], tied_low = tied[2] WHERE cuts IS NOT NULL")
    op.execute("UPDATE cut_offs SET cuts = ARRAY[cuts[1], cuts[2], cuts[3], cuts[6], cuts[5], cuts[4]]")
    op.drop_column("cut_offs", "tied")
