"""All tables, by who writes them. Migrations are made from this metadata; ``alembic check`` keeps them equal.

Times that lanes write are integer milliseconds UTC (``*_ms``), because lanes compute with them and
arrays of integers are what a chunk's statement carries; times that people read are ``timestamptz``.
"""

from schemas.tables.base import metadata
from schemas.tables.lanes import dead_letters, lane_log, lanes, outbox
from schemas.tables.scorer import (
    customers,
    cut_offs,
    histograms,
    policies,
    products,
    rescored_histograms,
    rfm_counts,
    tier_changes,
    warnings,
)
from schemas.tables.work import feed, people, rotations, task_notes, tasks

__all__ = [
    "customers",
    "cut_offs",
    "dead_letters",
    "feed",
    "histograms",
    "lane_log",
    "lanes",
    "metadata",
    "outbox",
    "people",
    "policies",
    "products",
    "rescored_histograms",
    "rfm_counts",
    "rotations",
    "task_notes",
    "tasks",
    "tier_changes",
    "warnings",
]
