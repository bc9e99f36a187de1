"""A real API process on a real PostgreSQL with a small shop in it, and a real browser."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import asyncpg
import pytest
from playwright.sync_api import Browser, Page, Request, sync_playwright

from deploy.local.ports import free_port
from deploy.local.postgres import Postgres
from services.scorer.core.policy import Policy
from tests.e2e.world import POLICY, copy_database, make_database

T = TypeVar("T")
REPOSITORY: Final = Path(__file__).resolve().parents[2]
OUT: Final = REPOSITORY / "out"
_ARGUMENTS: Final = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
]  # fmt: skip
_STOP_SECONDS: Final = 15


@dataclass(frozen=True)
class Site:
    """The running desk."""

    address: str
    database_url: str

    def sql(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """Run a statement and return its rows."""

        async def run() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(self.database_url)
            try:
                return await connection.fetch(statement, *arguments)
            finally:
                await connection.close()

        return run_apart(run)


def run_apart(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine in a thread: Playwright keeps a loop of its own running in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(work())).result(timeout=60)


class Worlds:
    """PostgreSQL with a played year per policy: played once, copied for each test."""

    def __init__(self, postgres: Postgres) -> None:
        """Nothing is played before the first copy."""
        self._postgres = postgres
        self._played: dict[str, str] = {}  # database by policy

    def copy(self, policy: Policy) -> str:
        """Return the address of a new copy."""
        dsn, key = self._postgres.dsn, repr(policy)
        if key not in self._played:
            name = f"world_{len(self._played)}"
            run_apart(lambda: make_database(dsn, name, policy=policy))
            self._played[key] = name
        copy = f"desk_{secrets.token_hex(4)}"
        return run_apart(lambda: copy_database(dsn, copy, self._played[key]))


@pytest.fixture(scope="session")
def worlds() -> Iterator[Worlds]:
    """Start PostgreSQL for the browser tests."""
    folder = Path(tempfile.mkdtemp(prefix="tierstream-e2e-"))
    postgres = Postgres(folder, durable=False)
    try:
        postgres.start()
        yield Worlds(postgres)
    finally:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def policy() -> Policy:
    """Return the policy that the year is played under; a module that needs another one has its own."""
    return POLICY


@pytest.fixture
def site(worlds: Worlds, policy: Policy) -> Iterator[Site]:
    """Start the API as a process of its own, on a new copy of the world."""
    url = worlds.copy(policy)
    environment = {**os.environ, "DATABASE_URL": url, "API_DEV_ISSUER": "true", "API_PORT": str(free_port())}
    process = subprocess.Popen(
        [sys.executable, "-m", "services.api"],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "the API ended at once"
        yield Site(line.split()[-1], url)
    finally:
        process.terminate()
        assert process.wait(_STOP_SECONDS) == 0
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start the system's Chromium; per module, because asyncio tests can't run while Playwright's loop does."""
    path = next(
        (
            found
            for name in ("chromium", "chromium-browser", "google-chrome")
            if (found := shutil.which(name))
        ),
        None,
    )
    if path is None:
        missing = "there is no Chromium here: apt-get install chromium"
        if os.environ.get("CI"):  # there a skip would hide every promise of the desk
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield chromium
        chromium.close()


class Visit:
    """A page that fails the test when a script fails or the content policy is broken."""

    def __init__(self, page: Page, site: Site) -> None:
        """Listen before the first navigation."""
        self.page = page
        self.site = site
        self.troubles: list[str] = []
        self.loaded: list[Request] = []
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on(
            "console", lambda message: self.troubles.append(message.text) if message.type == "error" else None
        )

    def weigh(self) -> None:
        """Begin to note what is loaded."""
        self.loaded.clear()
        self.page.on("requestfinished", lambda request: self.loaded.append(request))  # noqa: PLW0108 -- Playwright marks what it calls

    def bytes(self) -> dict[str, int]:
        """Return what went over the wire since ``weigh``, bodies only, by path."""
        paths = ((one, one.url.removeprefix(self.site.address)) for one in self.loaded)
        return {path: one.sizes()["responseBodySize"] for one, path in paths if path != "/v1/stream"}

    def sign_in(self, user_id: str) -> None:
        """Sign in without opening a page: nothing is cached yet."""
        answer = self.page.context.request.post(
            f"{self.site.address}/v1/dev/login", data={"user_id": user_id}, headers={"X-Tierstream": "desk"}
        )
        assert answer.ok

    def open_desk(self, user_id: str) -> None:
        """Sign in by one click per person and open the desk."""
        self.page.goto(self.site.address)
        self.page.check(f"input[value='{user_id}']")
        self.page.click("button[value=open]")
        self.page.wait_for_selector(".task-title", state="attached")
        self.page.wait_for_selector("#live[data-live=on]")


@pytest.fixture
def visit(browser: Browser, site: Site) -> Iterator[Callable[..., Visit]]:
    """Return what opens a window of a width and a colour scheme."""
    contexts = []
    visits: list[Visit] = []

    def open_window(width: int = 1440, height: int = 900, scheme: Any = "light") -> Visit:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        context.set_default_timeout(8000)
        contexts.append(context)
        visits.append(Visit(context.new_page(), site))
        return visits[-1]

    yield open_window
    for context in contexts:
        context.close()
    assert [trouble for one in visits for trouble in one.troubles] == []
