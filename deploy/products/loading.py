"""Listings into the table of products: what says something new makes the next version."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import asyncpg
import msgspec

from schemas.events import ProductListed
from schemas.wire import encode
from services.scorer.core.products import is_later, latest

# Two loads at once would take the same version number; the lanes, who only read, go on meanwhile.
_ALONE: Final = "LOCK TABLE products IN SHARE ROW EXCLUSIVE MODE"
_KNOWN: Final = """
SELECT DISTINCT ON (sku) sku, body FROM products WHERE sku = ANY($1::text[]) ORDER BY sku, version DESC"""
_NEWEST: Final = "SELECT coalesce(max(version), 0) FROM products"
_INSERT: Final = """
INSERT INTO products (version, sku, body) SELECT $1, * FROM unnest($2::text[], $3::bytea[])"""

_CONNECT_SECONDS: Final = 10.0
_STATEMENT_SECONDS: Final = 60.0


class Loaded(NamedTuple):
    """What a load came to."""

    version: int  # the newest one, now
    products: int  # that it says something new about; 0: no version was made


async def load_products(connection: Any, listed: Iterable[ProductListed]) -> Loaded:
    """Store what is newer than what is known of each product, as one version; a repeat changes nothing.

    Args:
        connection: to PostgreSQL, in no transaction.
        listed: in any order; of each sku the latest one counts.
    """
    told = latest(listed)
    async with connection.transaction():
        await connection.execute(_ALONE)
        rows = await connection.fetch(_KNOWN, list(told))
        known = {row[0]: msgspec.json.decode(row[1], type=ProductListed) for row in rows}
        new = [one for sku, one in told.items() if sku not in known or is_later(one, known[sku])]
        version = int(await connection.fetchval(_NEWEST))
        if not new:
            return Loaded(version, 0)
        bodies = [encode(one) for one in new]
        await connection.execute(_INSERT, version + 1, [one.sku for one in new], bodies)
        return Loaded(version + 1, len(new))


async def connect(database_url: str) -> asyncpg.Connection[asyncpg.Record]:
    """Return a connection that waits for nothing without a bound."""
    return await asyncpg.connect(database_url, timeout=_CONNECT_SECONDS, command_timeout=_STATEMENT_SECONDS)


async def load_into(database_url: str, listed: Iterable[ProductListed]) -> Loaded:
    """Do the same over a connection of its own.

    Raises:
        PostgresError, OSError: PostgreSQL can't be reached, or has no such table: run tierstream migrate.
    """
    connection = await connect(database_url)
    try:
        return await load_products(connection, listed)
    finally:
        await connection.close()
