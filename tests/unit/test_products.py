"""Files of products, and what a history makes of the products that it lists."""

from __future__ import annotations

import json
from dataclasses import replace as with_fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from deploy.backtesting.stretches import Dealer
from deploy.explaining.rows import ListedAt, LogRow
from deploy.explaining.turns import Turns
from deploy.history import History, MalformedError, read
from deploy.products.checks import loadable
from deploy.products.files import read_products
from deploy.replay import Mark, Plan, in_order
from schemas.events import PurchaseLine
from schemas.times import to_ms
from schemas.wire import decode_input
from services.scorer.book import NO_CUT_OFFS
from services.scorer.core.policy import Bonus, Policy
from services.scorer.core.products import Product, product_of
from services.scorer.offline.replay import Runner, replay
from tests.unit.core_given import Life, sale
from tests.unit.core_given import at as day
from tests.unit.test_explaining import known_of, log_of, row
from tests.unit.test_replay import UTC_ZONE, at

NOW = datetime(2026, 5, 1, tzinfo=UTC)
LISTED = {
    "type": "product-listed.v1", "event_id": "p1", "occurred_at": "2026-01-15T06:00:00Z", "sku": "seat",
    "brand": "Maximo", "category": "child seats", "grade": "high", "margin_percent": 31.5,
}  # fmt: skip


def file_of(folder: Path, *events: dict[str, Any], name: str = "products.jsonl") -> Path:
    """Write events as JSON Lines."""
    path = folder / name
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return path


def csv_of(folder: Path, text: str) -> Path:
    """Write a CSV file."""
    path = folder / "products.csv"
    path.write_text(text, encoding="utf-8-sig")
    return path


class TestFiles:
    """JSON Lines and CSV."""

    def test_lines_in_the_wire_form_are_read(self, tmp_path: Path) -> None:
        """Each is what it would be on the topic."""
        found = read_products([file_of(tmp_path, LISTED, LISTED | {"sku": "toy"})], now=NOW)
        assert [(one.sku, one.grade, one.margin_percent) for one in found] == [
            ("seat", "high", 31.5),
            ("toy", "high", 31.5),
        ]

    def test_a_table_needs_no_more_than_its_four_columns(self, tmp_path: Path) -> None:
        """It is dated now; an empty cell is not given."""
        text = "sku,brand,category,grade,margin_percent,price_minor,currency\nseat,Maximo,seats,high,31.5,34900,EUR\ntoy,Acme,toys,entry,,,\n"
        seat, toy = read_products([csv_of(tmp_path, text)], now=NOW)
        assert (seat.occurred_at, seat.margin_percent, seat.price_minor) == (NOW, 31.5, 34_900)
        assert (toy.grade, toy.margin_percent, toy.price_minor) == ("entry", None, None)
        assert seat.event_id != toy.event_id

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("sku,brand,category\n", "grade is missing"),
            ("sku,brand,category,grade,colour\n", "there is no column colour"),
            ("sku,brand,category,grade\nseat,Maximo\n", ":2: the line has not as many columns"),
            ("sku,brand,category,grade\nseat,Maximo,seats,best\n", ":2: TYPE"),
            ("sku,brand,category,grade,margin_percent\nseat,M,s,high,much\n", ":2: TYPE"),
            ("sku,brand,category,grade\n", "no products in"),
        ],
    )
    def test_a_table_that_can_not_be_read_says_where_and_why(
        self, tmp_path: Path, text: str, said: str
    ) -> None:
        """Nothing is loaded of it."""
        with pytest.raises(MalformedError) as caught:
            read_products([csv_of(tmp_path, text)], now=NOW)
        assert said in str(caught.value)

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"margin_percent": 101}, "RANGE"),
            ({"sku": "se\x00at"}, "a text holds a NUL character"),
            ({"occurred_at": "2027-01-01T00:00:00Z"}, "dated more than 10 minutes after the wall clock"),
            ({"type": "feedback-given.v1", "customer_id": "c", "kind": "nps", "score": 9}, "VERSION"),
        ],
    )
    def test_a_line_that_is_no_product_is_named(
        self, tmp_path: Path, changes: dict[str, Any], said: str
    ) -> None:
        """With its line and what to do."""
        event = LISTED | changes
        if "score" in changes:
            event = {key: event[key] for key in ("type", "event_id", "occurred_at", *changes)}
        path = file_of(tmp_path, LISTED, event)
        with pytest.raises(MalformedError) as caught:
            read_products([path], now=NOW)
        assert f"{path}:2:" in str(caught.value)
        assert said in str(caught.value)


def sold(event_id: str, day: str, sku: str = "seat") -> dict[str, Any]:
    """Return a sale of one product at noon."""
    line = {"sku": sku, "category": "c", "brand": "b", "quantity": 1, "amount_minor": 1000}
    return {
        "type": "purchase-recorded.v1", "event_id": event_id, "customer_id": "c1",
        "occurred_at": f"{day}T12:00:00Z", "kind": "sale", "order_id": event_id, "amount_minor": 1000,
        "currency": "USD", "channel": "store", "store_id": "s", "lines": [line],
    }  # fmt: skip


def history_of(folder: Path, *events: dict[str, Any]) -> History:
    """Return the history of these events."""
    return read([file_of(folder, *events, name="history.jsonl")], partitions=1)


class TestHistories:
    """Listings among the events of a history."""

    def test_they_are_kept_for_loading_and_published_too(self, tmp_path: Path) -> None:
        """Of each product the latest word counts."""
        later = LISTED | {"event_id": "p2", "occurred_at": "2026-03-01T00:00:00Z", "grade": "entry"}
        found = history_of(tmp_path, later, LISTED, sold("e1", "2026-01-20"))
        products = loadable(found.listed, wall_ms=to_ms(NOW))
        assert {sku: product_of(one).grade for sku, one in products.items()} == {"seat": "entry"}
        assert [line.topic for line in found.lines()] == ["products", "purchases", "products"]

    def test_one_of_the_future_is_left_out(self, tmp_path: Path) -> None:
        """It would hide every later word."""
        ahead = LISTED | {"event_id": "p2", "occurred_at": "2030-01-01T00:00:00Z", "grade": "entry"}
        found = history_of(tmp_path, ahead, LISTED, sold("e1", "2026-01-20"))
        assert loadable(found.listed, wall_ms=to_ms(NOW))["seat"].grade == "high"

    def test_they_make_no_midnights(self, tmp_path: Path) -> None:
        """A product that was listed years ago asks for no cut-offs."""
        old = LISTED | {"occurred_at": "2001-01-01T00:00:00Z"}
        new = LISTED | {"event_id": "p2", "occurred_at": "2026-04-01T00:00:00Z"}
        found = history_of(tmp_path, old, sold("e1", "2026-01-20"), sold("e2", "2026-01-22"), new)
        marks = [one for one in in_order(found, Plan(UTC_ZONE), wall_ms=to_ms(NOW)) if isinstance(one, Mark)]
        assert [mark.through_ms for mark in marks] == [
            at("2026-01-21T00:00:00Z"), at("2026-01-22T00:00:00Z"), at("2026-01-22T12:00:00Z"),
        ]  # fmt: skip

    def test_an_offline_replay_scores_by_them(self, tmp_path: Path) -> None:
        """Also by one that is listed after the purchase, and at the same instant as one."""
        same = LISTED | {"event_id": "p2", "occurred_at": "2026-01-20T12:00:00Z"}
        found = history_of(tmp_path, sold("e1", "2026-01-20"), sold("e2", "2026-01-21"), same)
        policy = Policy(bonus=(Bonus(metric="high_grade", points=1_000),))
        products = {sku: product_of(one) for sku, one in loadable(found.listed, wall_ms=to_ms(NOW)).items()}
        plain, rich = (scores(found, policy, known) for known in ({}, products))
        assert rich == [score + 2_000 for score in plain]


def scores(history: History, policy: Policy, products: Any) -> list[int]:
    """Return everybody's score after a replay."""
    watcher = Scores()
    dealer = Dealer(history, Plan(policy.zone), to_ms(NOW))
    return list(replay(dealer.stretches(), [policy], watcher, products=products).watched[0])


class Scores:
    """Looks at the scores at the end."""

    def __init__(self) -> None:
        """See nothing yet."""
        self.seen: list[int] = []

    def stepped(self, variant: int, who: int, step: Any, now_ms: int) -> None:
        """Look away."""

    def reached(self, _at_ms: int, *, complete: bool, shares: Any) -> None:
        """Look at everybody at the end."""
        if complete:
            self.seen = [state.score for state in shares[0].states]

    def result(self) -> list[int]:
        """Return what was seen."""
        return self.seen


def test_a_policy_that_asks_for_no_products_is_given_none() -> None:
    """Offline too."""
    runner = Runner([Policy.default()], Scores(), {"seat": product_of(_listed())})
    assert dict(runner.shares[0].products) == {}


def _listed() -> Any:
    return decode_input(json.dumps(LISTED).encode())


def test_a_turn_is_explained_by_the_products_of_its_version() -> None:
    """A row from before there were products names none, and other people's products are not looked up."""
    bought = replace(sale(day(0), 1_000, event="e1"), lines=(LINE,))
    again = replace(sale(day(1), 1_000, event="e2"), lines=(LINE,))
    life = Life(policy=ASKING).happens(bought, again)
    known = with_fields(known_of(life, seqs=frozenset(), day=2), policies={1: ASKING})
    turns = Turns(known, log_of([bought, again], []))
    turns.take(row(1, "chunk", 0, (0, 1, 0, 1), (1, 0)))
    turns.take(replaced_reads(row(2, "chunk", 1, (0, 1, 0, 1, 2), (3, 0)), (1, 0)))
    every = [
        ListedAt(1, "seat", Product("entry")),
        ListedAt(2, "seat", Product("high")),
        ListedAt(3, "seat", Product("standard")),
        ListedAt(1, "toy", Product("high")),
    ]
    assert turns.skus == {"seat"}
    assert [dict(turn.moment.products) for turn in turns.turns({0: NO_CUT_OFFS}, every)] == [
        {},
        {"seat": Product("high")},
    ]


ASKING = Policy(bonus=(Bonus(metric="high_grade", points=1_000),))
LINE = PurchaseLine(sku="seat", category="c", brand="b", quantity=1, amount_minor=1_000)


def replaced_reads(of: LogRow, begin: tuple[int, int]) -> LogRow:
    """Return a row that began to read later."""
    return of._replace(read_from=(*begin, *of.read_from[2:]))
