"""A database for the tests of policies: at the schema's head, without any lane."""

from __future__ import annotations

import asyncio
import secrets

import asyncpg

from deploy.migrate import migrate_database

_LANE = """
INSERT INTO lanes (service, lane, epoch, seq, owner, offsets, numbers, clock_ms, clock_mode, settled, complete,
                   versions, outbox_number, published)
VALUES ('scorer', $1, 1, 1, 'nobody', '{}', '{}', 0, 'wall', true, false, $2, 0, 0)
ON CONFLICT (service, lane) DO UPDATE SET versions = excluded.versions"""


def make_policy_database(database_url: str) -> str:
    """Return the address of a new database at the schema's head."""
    name = f"policies_{secrets.token_hex(6)}"
    url = f"{database_url.rsplit('/', 1)[0]}/{name}"
    execute(database_url, f'CREATE DATABASE "{name}"')
    migrate_database(url)
    return url


def execute(url: str, statement: str, *values: object) -> None:
    """Run one statement."""

    async def run() -> None:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(statement, *values)
        finally:
            await connection.close()

    asyncio.run(run())


def put_lane(url: str, lane: int, policy_version: int) -> None:
    """Let a scorer's lane decide by a version."""
    execute(url, _LANE, lane, [3, policy_version, 3, policy_version])
