"""The products that a lane looks up: rows by version, adopted like a policy.

A lane follows one version of the catalogue, which stands in its row and in ``lane_log``, so what a purchase
earned can be recomputed. Live it goes over to the newest version in a turn of its own. A replay's lane
takes the newest one with its first records and keeps it until live time begins: whoever replays loads the
products before.
"""

from __future__ import annotations

import time as clock
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from schemas.events import ProductListed
from services.lanes.work import Turn
from services.scorer import store
from services.scorer.core.products import Product, Products, product_of

ASK_SECONDS: Final = 1.0  # between two looks for a newer version
KNOWN_MAX: Final = 100_000  # skus that one version keeps in memory, known or not
NUL: Final = "\x00"  # PostgreSQL's text has none, so no product does


@dataclass(slots=True)
class Catalogue:
    """Products by version, each looked up once; shared by the lanes of one worker."""

    _known: dict[int, dict[str, Product | None]] = field(default_factory=dict)

    async def look_up(self, connection: Any, skus: Iterable[str], version: int) -> Products:
        """Return the products of a version; those that are not listed are left out."""
        if not version:
            return {}
        known = self._of(version)
        wanted = set(skus)
        found = {sku: known[sku] for sku in wanted if sku in known}
        unknown = [sku for sku in wanted if sku not in known and NUL not in sku]
        if unknown:
            fresh: dict[str, Product | None] = dict.fromkeys(unknown)
            for sku, body in await connection.fetch(store.PRODUCTS_OF, unknown, version):
                fresh[sku] = product_of(msgspec.json.decode(body, type=ProductListed))
            # Not before the answer: another lane must not take what is not known yet for not listed.
            if len(known) + len(fresh) > KNOWN_MAX:
                known.clear()
            known.update(fresh)
            found |= fresh
        return {sku: product for sku, product in found.items() if product is not None}

    def _of(self, version: int) -> dict[str, Product | None]:
        if version not in self._known:
            # Lanes of one worker are at two versions at most, for the moment of an adoption.
            for old in sorted(self._known)[:-1]:
                del self._known[old]
            self._known[version] = {}
        return self._known[version]


@dataclass(slots=True)
class Shelf:
    """The catalogue as one lane sees it."""

    catalogue: Catalogue
    version: int = 0  # in force; 0: no products
    began: bool = True  # the lane's clock runs, so a replay takes no newer version any more
    _asked: float = -ASK_SECONDS

    async def due(self, connection: Any, *, barrier: bool) -> int | None:
        """Return the version to go over to between chunks, None when there is none; asks now and then."""
        if barrier:
            newest = await self.first(connection)
            self.began = newest is None  # a replay may have had no records before its first midnight
            return newest
        now = clock.monotonic()
        if now - self._asked < ASK_SECONDS:
            return None
        self._asked = now
        return await self._newest(connection)

    async def first(self, connection: Any) -> int | None:
        """Return the version that a replay begins with, None when it began, or has it already."""
        return None if self.began else await self._newest(connection)

    async def look_up(self, connection: Any, skus: Iterable[str], adopted: int | None) -> Products:
        """Return the products of the version in force, or of the one that this turn goes over to."""
        return await self.catalogue.look_up(connection, skus, adopted or self.version)

    def adopt(self, turn: Turn, version: int, *, others: tuple[int, ...]) -> Turn:
        """Let a turn go over to another version; ``others`` are those that stand before it in the lane's row."""
        turn.versions = (*others, version)
        committed_too = turn.on_commit

        def committed() -> None:
            if committed_too is not None:
                committed_too()
            self.version = version

        turn.on_commit = committed
        return turn

    async def _newest(self, connection: Any) -> int | None:
        newest = int(await connection.fetchval(store.NEWEST_PRODUCTS) or 0)
        return newest if newest > self.version else None
