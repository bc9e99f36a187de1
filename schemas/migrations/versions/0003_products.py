"""Products by version, and the version that each lane of the scorer looks them up in.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go up."""
    op.create_table(
        "products",
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("sku", "version", name=op.f("pk_products")),
    )
    op.create_index(op.f("ix_products_version"), "products", ["version"])
    op.execute("UPDATE lanes SET versions = versions || 0::bigint WHERE service = 'scorer'")


def downgrade() -> None:
    """Go down."""
    op.execute("UPDATE lanes SET versions = versions[1:4] WHERE service = 'scorer'")
    op.drop_index(op.f("ix_products_version"), table_name="products")
    op.drop_table("products")
