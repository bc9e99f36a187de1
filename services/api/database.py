"""The API's connections. Every change is one statement, so each commits by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import create_async_engine

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from services.api.settings import ApiSettings


def open_engine(settings: ApiSettings) -> AsyncEngine:
    """Return an engine that connects when first asked, so that the API can start while PostgreSQL is away."""
    url = make_url(settings.database_url).set(drivername="postgresql+asyncpg")
    return create_async_engine(
        url,
        isolation_level="AUTOCOMMIT",  # one statement per change: no BEGIN and COMMIT around it
        pool_size=settings.connections_max,
        max_overflow=0,
        pool_timeout=settings.statement_seconds_max,
        pool_pre_ping=True,
        hide_parameters=True,  # an error's text goes to the log, and values name customers
        connect_args={
            "timeout": settings.statement_seconds_max,
            "command_timeout": settings.statement_seconds_max,
            "server_settings": {
                "application_name": "tierstream-api",
                "statement_timeout": str(settings.statement_seconds_max * 1000),
                "lock_timeout": "2000",
                "jit": "off",
            },
        },
    )
