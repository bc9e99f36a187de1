"""Metrics in the corners of their rules: the smallest history of each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from services.scorer.core.policy import Policy
from tests.property.oracle_given import core_tables, oracle_tables
from tests.property.oracle_lines import Line, basket, body, browsed, clicked, correction, listed, sale
from tests.property.oracle_policies import PREDICTED, measuring

# One metric each, by rules that a history seldom touches.
METRIC_CASES: dict[str, tuple[dict[str, Any], list[Line]]] = {
    "what is below 0 in a month counts as 0 there, and not in another": (
        measuring("category_share", 1, "a"),
        [
            sale("o1", "2020-01-10T00:00:00Z", **basket(("a", 600), ("b", 900))),
            sale("o2", "2020-02-10T00:00:00Z", 900, kind="return", **basket(("b", 700))),
            sale("o3", "2020-02-11T00:00:00Z", **basket(("a", 100), ("b", 50))),
        ],
    ),
    "a discount line takes from its brand": (
        measuring("brand_share", 1, "a"),
        [sale("o1", "2020-01-10T00:00:00Z", **basket(("a", 600), ("b", 900), ("b", -500), ("c", -50)))],
    ),
    "a month keeps the first 64 names in the alphabet": (
        measuring("category_share", 1, "n63", "n64"),
        [
            sale("o1", "2020-01-10T00:00:00Z", **basket(*((f"n{n}", 100) for n in range(99, 62, -1)))),
            sale("o2", "2020-01-11T00:00:00Z", **basket(*((f"n{n}", 100) for n in range(10, 63)))),
            browsed("2020-01-09T00:00:00Z", category="n00"),
        ],
    ),
    "the months of the window begin at local midnights, the clocks changed or not": (
        measuring("browse_interest", 10, "a", time_zone="America/St_Johns", window_days=92),
        [
            sale("o1", "2020-03-01T00:00:00Z"),
            *(browsed(f"2020-03-0{day}T03:{minute}:00.000Z") for day in (1, 2) for minute in (29, 30)),
            *(browsed(f"2020-04-01T02:{minute}:00Z") for minute in (29, 30, 31)),
            sale("z", "2020-07-05T00:00:00Z", who="bob"),
        ],
    ),
    "opened and unsubscribed are interactions, delivered is none": (
        measuring("interactions", 10),
        [
            sale("o1", "2020-01-10T00:00:00Z"),
            *(
                clicked(f"2020-01-1{n}T00:00:00Z") | {"response": response}
                for n, response in enumerate(("delivered", "opened", "unsubscribed", "liked"))
            ),
        ],
    ),
    "margin is rounded by line, of a foreign amount but once": (
        measuring("margin", 1, rates={"EUR": "1.0837"}),
        [
            listed("a", "2020-01-01T00:00:00Z", margin=12.5),
            sale("o1", "2020-01-10T00:00:00Z", currency="EUR", **basket(("a", 4), ("a", 12), ("a", 37))),
        ],
    ),
    "of two listings of one instant the higher event id counts": (
        measuring("high_grade", 4),
        [
            listed("a", "2020-01-01T00:00:00Z", number=2),
            listed("a", "2020-01-01T00:00:00Z", number=10, grade="entry"),
            listed("b", "2021-01-01T00:00:00Z", number=3),
            listed("b", "2020-01-01T00:00:00Z", number=4, grade="entry"),
            sale("o1", "2020-01-10T00:00:00Z", **basket(("a", 100), ("b", 100), ("b", -1), ("c", 9))),
        ],
    ),
    "a correction puts what its body earns in the place of what the purchase earned": (
        measuring("margin", 20),
        [
            listed("a", "2020-01-01T00:00:00Z", margin=50),
            listed("b", "2020-01-01T00:00:00Z", number=1, margin=10),
            sale("o1", "2020-01-10T00:00:00Z", **basket(("a", 1000))),
            correction(
                "2020-02-01T00:00:00Z", "o1", body(sale("o1", "2019-12-10T00:00:00Z")) | basket(("b", 700))
            ),
            sale("o2", "2020-02-10T00:00:00Z"),
        ],
    ),
    "of assets told twice at one instant the higher hash counts": (
        measuring("assets", 1000),
        [
            sale("o1", "2020-01-10T00:00:00Z"),
            *(
                {
                    "type": "customer-described.v1",
                    "event_id": f"d{n}",
                    "customer_id": "ann",
                    "occurred_at": "2020-01-11T00:00:00Z",
                    "assets_minor": 1000 * n,
                    "assets_currency": "USD",
                }
                for n in (3, 1, 9, 2)
            ),
        ],
    ),
    "what was all returned is expected to be bought again as everybody does": (
        measuring("predicted_value", 500, model=PREDICTED),
        [
            sale("a", "2020-01-10T00:00:00Z", 5000),
            sale("b", "2020-02-10T00:00:00Z", 5000),
            sale("c", "2020-03-10T00:00:00Z", 10_000, kind="return"),
            sale("z", "2020-06-10T00:00:00Z", who="bob"),
        ],
    ),
    "a corrected basket's lines replace the purchase's own": (
        measuring("category_share", 1, "a"),
        [
            sale("o1", "2020-01-10T00:00:00Z", **basket(("a", 1000))),
            correction(
                "2020-01-11T00:00:00Z", "o1", body(sale("o1", "2020-01-10T00:00:00Z")) | basket(("b", 700))
            ),
            sale("o2", "2020-01-12T00:00:00Z", **basket(("b", 700), ("a", 700))),
        ],
    ),
    "a corrected basket that comes before its purchase": (
        measuring("category_share", 1, "b"),
        [
            correction(
                "2020-01-09T00:00:00Z",
                "o1",
                body(sale("o1", "2020-01-09T00:00:00Z")) | basket(("b", 700), ("a", 100)),
            ),
            sale("o1", "2020-01-10T00:00:00Z", **basket(("a", 1000))),
        ],
    ),
    "twenty browses of one instant, each told twice, are twenty": (
        measuring("browse_interest", 100, "a"),
        [
            sale("o1", "2020-01-10T00:00:00Z"),
            *([browsed("2020-01-10T00:00:00Z", number) for number in range(20)] * 2),
            sale("o2", "2020-01-11T00:00:00Z"),
        ],
    ),
}


@pytest.mark.parametrize("case", METRIC_CASES)
def test_a_metric_comes_to_what_the_rules_say(case: str, tmp_path: Path) -> None:
    """Every table agrees with the oracle's, and the score is not 0 or full for all."""
    rules, lines = METRIC_CASES[case]
    path, policy = tmp_path / "history.jsonl", Policy.from_json(rules)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    found = oracle_tables(path, policy)

    assert core_tables(path, policy) == found
    assert next(row[1] for row in found["customers"] if row[0] == "ann") not in {0, 10_000}
