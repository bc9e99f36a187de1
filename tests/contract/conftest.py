"""A real PostgreSQL for the contracts that concern tables."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.postgres import Postgres


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """Return the address of a database on a real server; tests make databases of their own beside it."""
    # Not pytest's folder: run as root, PostgreSQL runs as another account that must be able to get there.
    folder = Path(tempfile.mkdtemp(prefix="tierstream-contract-"))
    postgres = Postgres(folder, durable=False)
    try:
        postgres.start()
        yield postgres.dsn
    finally:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)
