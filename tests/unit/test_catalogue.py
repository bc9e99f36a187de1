"""What the lanes of one worker look up in the catalogue, at the same time and from memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from schemas.events import ProductListed
from schemas.times import from_ms
from schemas.wire import encode
from services.scorer import catalogue as module
from services.scorer.catalogue import Catalogue
from services.scorer.core.products import Product


class Table:
    """Stands for the table: every sku is listed in version 1, and answers come when they are let."""

    def __init__(self) -> None:
        """Answer at once, until told otherwise."""
        self.open = asyncio.Event()
        self.open.set()
        self.asked: list[list[str]] = []
        self.fails = False

    async def fetch(self, _sql: str, skus: Sequence[str], _version: int) -> list[tuple[str, Any]]:
        """Answer what is listed."""
        self.asked.append(sorted(skus))
        await self.open.wait()
        if self.fails:
            raise OSError("the database is away")
        return [(sku, encode(listed(sku))) for sku in skus if not sku.startswith("unheard")]


def listed(sku: str) -> ProductListed:
    """Return a listing."""
    return ProductListed(event_id="p", occurred_at=from_ms(0), sku=sku, brand="b", category="c", grade="high")


HIGH = Product("high")


async def test_each_product_is_asked_for_once() -> None:
    """Also one that is not listed; another version is another question."""
    table, found = Table(), Catalogue()
    for _ in range(2):
        assert await found.look_up(table, ["a", "a", "unheard-of"], 1) == {"a": HIGH}
    assert await found.look_up(table, ["a", "b"], 1) == {"a": HIGH, "b": HIGH}
    assert await found.look_up(table, ["a"], 2) == {"a": HIGH}
    assert table.asked == [["a", "unheard-of"], ["b"], ["a"]]


async def test_what_another_lane_is_asking_for_is_not_taken_for_unlisted() -> None:
    """Two lanes ask for one product at once; both get it."""
    table, found = Table(), Catalogue()
    table.open.clear()
    both = [asyncio.create_task(found.look_up(table, ["a"], 1)) for _ in range(2)]
    await asyncio.sleep(0)
    table.open.set()
    assert await asyncio.gather(*both) == [{"a": HIGH}, {"a": HIGH}]


async def test_a_database_that_is_away_teaches_nothing() -> None:
    """The turn is tried again, and finds the product."""
    table, found = Table(), Catalogue()
    table.fails = True
    with pytest.raises(OSError, match="away"):
        await found.look_up(table, ["a"], 1)
    table.fails = False
    assert await found.look_up(table, ["a"], 1) == {"a": HIGH}


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too much is asked for again, and nothing of an answer is lost on the way."""
    monkeypatch.setattr(module, "KNOWN_MAX", 2)
    table, found = Table(), Catalogue()
    assert await found.look_up(table, ["a", "b"], 1) == {"a": HIGH, "b": HIGH}
    assert await found.look_up(table, ["a", "c"], 1) == {"a": HIGH, "c": HIGH}
    assert await found.look_up(table, ["b"], 1) == {"b": HIGH}
    assert table.asked == [["a", "b"], ["c"], ["b"]]


async def test_without_a_version_nothing_is_asked() -> None:
    """No product was ever loaded."""
    table = Table()
    assert await Catalogue().look_up(table, ["a"], 0) == {}
    assert table.asked == []
