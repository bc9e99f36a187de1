"""The people who may sign in, read from their table; what they may do is decided there, not in a token."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import select

from schemas.tables import people

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.ext.asyncio import AsyncEngine

_CACHE_SECONDS: Final = 5.0  # a person who is switched off is out after this long


@dataclass(frozen=True, slots=True)
class Person:
    """One advisor or manager."""

    user_id: str
    name: str
    role: str  # advisor | manager
    team: str


class People:
    """Active people by user id, at most 5 s old."""

    def __init__(self, engine: AsyncEngine, monotonic: Callable[[], float] = time.monotonic) -> None:
        """``monotonic`` is the clock that ages the cache."""
        self._engine = engine
        self._monotonic = monotonic
        self._known: dict[str, Person] = {}
        self._read_at = float("-inf")

    async def active(self) -> list[Person]:
        """Return everybody who may sign in, managers last, each role by name."""
        await self._refresh()
        return sorted(
            self._known.values(), key=lambda person: (person.role == "manager", person.team, person.name)
        )

    async def find(self, user_id: str) -> Person | None:
        """Return the active person of that id."""
        await self._refresh()
        return self._known.get(user_id)

    def name(self, user_id: str | None) -> str | None:
        """Return a name for display, from what was read last; the id itself for somebody unknown."""
        if user_id is None:
            return None
        person = self._known.get(user_id)
        return person.name if person else user_id

    async def _refresh(self) -> None:
        if self._monotonic() - self._read_at < _CACHE_SECONDS:
            return
        columns = people.c
        query = select(columns.user_id, columns.name, columns.role, columns.team).where(columns.active)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        self._known = {row.user_id: Person(row.user_id, row.name, row.role, row.team) for row in rows}
        self._read_at = self._monotonic()
