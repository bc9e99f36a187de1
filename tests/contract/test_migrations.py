"""Migrations lead from nothing to the very tables of ``schemas.tables``, and back to nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from deploy.migrate import alembic_config, migrate_database, sqlalchemy_url
from schemas.tables import metadata
from schemas.tables.triggers import FEED_TRIGGER
from schemas.tasks import TaskState

# What alembic does not compare: checks, the words of indexes, defaults, storage parameters, triggers.
CATALOGUE = {
    "constraints": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version'",
    "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'",
    "columns": "SELECT table_name, column_name, data_type, udt_name, is_nullable, is_identity, column_default"
    " FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'",
    "storage": "SELECT relname, reloptions::text FROM pg_class"
    " WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'alembic_version'",
    "triggers": "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    "functions": "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
}


def new_database(database_url: str) -> str:
    base, _, _ = database_url.rpartition("/")
    name = f"contract_{uuid4().hex[:8]}"
    asyncio.run(execute(database_url, f"CREATE DATABASE {name}"))
    return f"{base}/{name}"


async def execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def migrated(database_url: str) -> str:
    url = new_database(database_url)
    migrate_database(url)
    return url


@pytest.fixture(scope="module")
def made_from_metadata(database_url: str) -> str:
    url = new_database(database_url)
    asyncio.run(in_engine(url, metadata.create_all))
    asyncio.run(execute(url, *FEED_TRIGGER))
    return url


async def in_engine(url: str, work: Callable[[Connection], Any]) -> Any:
    engine = create_async_engine(sqlalchemy_url(url), poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    return asyncio.run(with_connection(url, lambda connection: connection.fetch(query)))


async def with_connection(url: str, work: Callable[[Any], Awaitable[list[Any]]]) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return sorted((tuple(row) for row in await work(connection)), key=repr)
    finally:
        await connection.close()


# SQLAlchemy knows no 64-bit transaction ids; the catalogue's columns are compared below.
@pytest.mark.filterwarnings("ignore:Did not recognize type 'xid8'")
def test_alembic_finds_nothing_to_do(migrated: str) -> None:
    """No table, column, type, index or foreign key of the code is missing in a migration, or too many."""

    def differences(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))

    assert asyncio.run(in_engine(migrated, differences)) == []


@pytest.mark.parametrize("what", CATALOGUE)
def test_a_migrated_database_is_what_the_metadata_makes(
    what: str, migrated: str, made_from_metadata: str
) -> None:
    """Also in what alembic does not look at."""
    ours = rows(migrated, CATALOGUE[what])
    assert ours == rows(made_from_metadata, CATALOGUE[what])
    assert ours


def test_migrating_again_changes_nothing(migrated: str) -> None:
    """Deploys may run it as often as they like."""
    before = {what: rows(migrated, query) for what, query in CATALOGUE.items()}
    migrate_database(migrated)
    assert {what: rows(migrated, query) for what, query in CATALOGUE.items()} == before


def test_downgrading_leaves_nothing_and_upgrading_brings_it_back(database_url: str, migrated: str) -> None:
    """A migration that can't be taken back is a deploy that can't be."""
    url = new_database(database_url)
    migrate_database(url)
    command.downgrade(alembic_config(url), "base")
    assert {what: rows(url, query) for what, query in CATALOGUE.items()} == {what: [] for what in CATALOGUE}
    migrate_database(url)
    for query in CATALOGUE.values():
        assert rows(url, query) == rows(migrated, query)


async def test_the_database_allows_the_states_of_the_enum_and_no_other(migrated: str) -> None:
    """The check mirrors ``TaskState``: tried by writing each one, and one that is none."""
    connection = await asyncpg.connect(migrated)
    try:
        for state in TaskState:
            await insert_task(connection, state)
        with pytest.raises(asyncpg.CheckViolationError, match="ck_tasks_state_known"):
            await insert_task(connection, "snoozed")
        with pytest.raises(asyncpg.CheckViolationError, match="ck_tasks_lease_when_claimed"):
            await insert_task(connection, TaskState.CLAIMED, held=False)
        kept = await connection.fetch("SELECT state FROM tasks ORDER BY id")
        assert [row[0] for row in kept] == list(TaskState)
    finally:
        await connection.execute("TRUNCATE tasks, feed CASCADE")
        await connection.close()


async def insert_task(connection: Any, state: str, *, held: bool | None = None) -> None:
    lease = uuid4() if (state == TaskState.CLAIMED if held is None else held) else None
    await connection.execute(
        "INSERT INTO tasks (task_key, customer_id, lane, playbook, kind, team, urgency, title, why, advice,"
        " evidence, causes, state, created_at, due_at, lease_token) VALUES"
        " ($1, $1, 0, 'call', 'call', 'senior_advisors', 1, '', '', '', '{}', '[]', $2, now(), now(), $3)",
        *(uuid4().hex, state, lease),
    )
