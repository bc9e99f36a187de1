"""A running API on a database of its own, and hands to work it with."""

from __future__ import annotations

import asyncio
import json
import secrets
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import httpx
import uvicorn
from fastapi import FastAPI

from deploy.local.ports import free_port
from services.api.app import build
from services.api.main import listen
from services.api.settings import ApiSettings
from services.api.tokens import Tokens
from tests.e2e.world import make_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DIEGO: Final = "diego.ferreira"  # customer service
LEILA: Final = "leila.haddad"  # customer service
AMARA: Final = "amara.okafor"  # senior advisors
INGRID: Final = "ingrid.moreau"  # manager
PEOPLE: Final = {
    DIEGO: ("advisor", "customer_service"),
    LEILA: ("advisor", "customer_service"),
    AMARA: ("advisor", "senior_advisors"),
    INGRID: ("manager", "senior_advisors"),
}
_TEMPLATE: Final = "api_template"
WAIT_SECONDS: Final = 8.0


@dataclass
class Rig:
    """One API and its database."""

    app: FastAPI
    address: str
    database: asyncpg.Connection[Any]
    database_url: str
    settings: ApiSettings
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    def token(self, user_id: str, **other: Any) -> str:
        """Return an access token of the development issuer."""
        role, team = PEOPLE[user_id]
        tokens: Tokens = self.app.state.tokens
        claims = {
            "user_id": user_id,
            "role": role,
            "team": team,
            "now": datetime.now(UTC).timestamp(),
            **other,
        }
        return tokens.issue(**claims)[0]

    def visitor(self, **headers: str) -> httpx.AsyncClient:
        """Return a client that has not signed in."""
        client = httpx.AsyncClient(base_url=self.address, headers=headers, timeout=WAIT_SECONDS)
        self.clients.append(client)
        return client

    def as_(self, user_id: str) -> httpx.AsyncClient:
        """Return a client with somebody's token."""
        return self.visitor(Authorization=f"Bearer {self.token(user_id)}")

    async def task(self, **other: Any) -> int:
        """Insert a task and return its id."""
        now = datetime.now(UTC)
        row: dict[str, Any] = {
            "task_key": secrets.token_hex(8),
            "customer_id": f"C-{secrets.token_hex(4)}",
            "lane": 0,
            "playbook": "call_back_silent",
            "kind": "call",
            "team": "customer_service",
            "urgency": 3,
            "tier": "at_risk",
            "title": "Call back",
            "why": "No purchase for 90 days.",
            "advice": "Call.",
            "evidence": "[]",
            "causes": "[]",
            "created_at": now,
            "due_at": now + timedelta(hours=48),
            "assigned_to": None,
            **other,
        }
        marks = ", ".join(f"${number + 1}" for number in range(len(row)))
        # Column names are this file's own.
        statement = f"INSERT INTO tasks ({', '.join(row)}) VALUES ({marks}) RETURNING id"  # noqa: S608
        return int(await self.database.fetchval(statement, *row.values()))

    async def state(self, task_id: int) -> asyncpg.Record:
        """Return a task's row."""
        row = await self.database.fetchrow("SELECT * FROM tasks WHERE id = $1", task_id)
        assert isinstance(row, asyncpg.Record)
        return row

    async def run_out(self, task_id: int) -> None:
        """Let a lease run out."""
        await self.database.execute(
            "UPDATE tasks SET lease_until = clock_timestamp() - interval '1 second' WHERE id = $1", task_id
        )


@asynccontextmanager
async def desk(database_url: str, *, customers: int = 0, **settings: Any) -> AsyncIterator[Rig]:
    """Run the API in this loop, on a new database; ``customers`` fills it with a world of that many."""
    url = await _own_database(database_url, customers)
    options = ApiSettings(
        database_url=url,
        **{"dev_issuer": True, "overview_seconds": 0.1, "stream_polls_per_second": 20, **settings},
    )
    app = build(options)
    server = uvicorn.Server(
        uvicorn.Config(
            app, log_level="error", access_log=False, timeout_graceful_shutdown=3, server_header=False
        )
    )
    listening = listen("127.0.0.1", free_port())
    running = asyncio.create_task(server.serve([listening]))
    connection = await asyncpg.connect(url)
    rig = Rig(app, f"http://127.0.0.1:{listening.getsockname()[1]}", connection, url, options)
    try:
        yield rig
    finally:
        for client in rig.clients:
            await client.aclose()
        app.state.parts.hub.close()
        server.should_exit = True
        await asyncio.wait_for(running, WAIT_SECONDS)
        listening.close()
        await connection.close()


async def _own_database(database_url: str, customers: int) -> str:
    name = f"api_{secrets.token_hex(6)}"
    if customers:
        return await make_database(database_url, name, customers)
    admin = await asyncpg.connect(database_url)
    try:
        if not await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", _TEMPLATE):
            await make_database(database_url, _TEMPLATE, 0)
        await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{_TEMPLATE}"')
    finally:
        await admin.close()
    return f"{database_url.rsplit('/', 1)[0]}/{name}"


@dataclass(frozen=True)
class Event:
    """One server-sent event."""

    name: str
    data: Any
    id: str | None


class Stream:
    """Reads server-sent events, each within a bound."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        """Read from ``lines``."""
        self._lines = lines

    async def next(self, *names: str) -> Event:
        """Return the next event of one of these names."""
        while True:
            event = await asyncio.wait_for(self._one(), WAIT_SECONDS)
            if event.name in names:
                return event

    async def quiet(self, *names: str, seconds: float = 0.6) -> bool:
        """Whether no event of these names comes for a while; the stream can't be read on after that."""
        try:
            await asyncio.wait_for(self.next(*names), seconds)
        except TimeoutError:
            return True
        return False

    async def _one(self) -> Event:
        fields: dict[str, str] = {}
        async for line in self._lines:
            if line.startswith(":"):
                continue
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                return Event(
                    fields.get("event", ""), json.loads(fields.get("data", "null")), fields.get("id")
                )
        raise EOFError


@asynccontextmanager
async def following(client: httpx.AsyncClient, last_event_id: str | None = None) -> AsyncIterator[Stream]:
    """Open the event stream."""
    headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    async with client.stream("GET", "/v1/stream", headers=headers) as answer:
        assert answer.status_code == 200
        yield Stream(answer.aiter_lines())
