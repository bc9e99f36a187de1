"""One PostgreSQL for all tests that need one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    """Return the address of an empty database on a real server; a test makes databases of its own beside it."""
    from deploy.local.postgres import Postgres  # noqa: PLC0415 -- tests of the core alone run without deploy

    # Not pytest's folder: run as root, PostgreSQL runs as another account that must be able to get there.
    folder = Path(tempfile.mkdtemp(prefix="tierstream-test-"))
    postgres = Postgres(folder, durable=False)
    try:
        postgres.start()
        yield postgres.dsn
    finally:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)
