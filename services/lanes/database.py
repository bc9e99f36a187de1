"""A few PostgreSQL connections per worker, and which errors mean "wait for it"."""

from __future__ import annotations

from typing import Any, Final

import asyncpg

CONNECTIONS_MAX: Final = 4  # some four statements at a time saturate a database; lanes take turns
CONNECT_SECONDS_MAX: Final = 5.0
STATEMENT_SECONDS_MAX: Final = 30.0

# Dependency errors: the outcome is unknown, the lane reads its row again and goes on from there.
# InternalClientError too: a server killed in the middle of a prepare raises "cannot switch to state".
DATABASE_ERRORS: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
    EOFError,
)


async def _no_reset(_connection: Any) -> None:
    """Spare a round trip per use: our connections keep no session state."""


async def open_pool(dsn: str) -> asyncpg.Pool[asyncpg.Record]:
    """Return a pool that connects lazily, so that it can be opened while PostgreSQL is away."""
    return await asyncpg.create_pool(
        dsn,
        min_size=0,
        max_size=CONNECTIONS_MAX,
        timeout=CONNECT_SECONDS_MAX,
        command_timeout=STATEMENT_SECONDS_MAX,
        max_inactive_connection_lifetime=0,
        statement_cache_size=256,
        reset=_no_reset,
        # Commits are synchronous: their effects are published, and what is published can't be rolled back.
        server_settings={"application_name": "tierstream-lanes", "synchronous_commit": "on", "jit": "off"},
    )
