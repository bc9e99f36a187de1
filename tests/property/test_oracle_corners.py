"""Corners in which the core once came to something else than the rules say: the smallest history of each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from services.scorer.core.policy import Policy
from tests.oracle.clock import instant_ms
from tests.property.oracle_given import core_tables, oracle_tables
from tests.property.oracle_lines import Line, body, clicked, correction, sale
from tests.property.oracle_policies import RECENCY_AND_REFERRALS, SILENCE

RARER = {
    "rule": "frequency",
    "name": "rarer",
    "guard": "none",
    "orders_min": 2,
    "recent_days": 60,
    "past_days": 200,
    "ratio": 0.7,
}

TEN = [
    "2019-08-05T07:16:02.644Z",
    "2019-09-10T00:05:23.594Z",
    "2019-09-13T01:42:02.465Z",
    "2019-09-23T13:49:02.608Z",
    "2019-09-26T17:44:03.897Z",
    "2019-10-16T06:09:54.877Z",
    "2019-10-17T14:19:26.649Z",
    "2019-11-01T12:34:59.768Z",
    "2019-11-03T15:28:37.645Z",
    "2019-11-04T02:08:08.813Z",
]

CASES: dict[str, tuple[dict[str, Any], list[Line]]] = {
    "recency goes on moving when the only order was returned": (
        {"score": RECENCY_AND_REFERRALS["score"], "churn": []},
        [
            sale("a", "2020-12-01T08:05:26Z", 5000),
            sale("b", "2020-12-02T08:05:26Z", 5000, kind="return", returned_order_id="a"),
            sale("y", "2020-12-02T16:46:40Z", who="bob"),
            sale("z", "2020-12-05T15:54:51Z", who="cem"),
        ],
    ),
    "a referral leaves the window at its own instant": (
        {"bonus": RECENCY_AND_REFERRALS["bonus"], "churn": []},
        [
            sale("z", "2019-01-10T00:00:00Z", who="bob", referred_by="ann"),
            sale("a", "2019-01-20T00:00:00Z"),
            sale("y", "2020-01-10T12:00:00Z", who="bob"),
        ],
    ),
    "a frequency warning of exactly 30 days ago stands": (
        {"churn": [RARER]},
        [
            sale("a", "2020-05-02T17:12:35.303Z"),
            sale("b", "2020-07-30T17:12:35.302Z"),
            clicked("2020-10-28T17:12:35.302Z"),
        ],
    ),
    "a correction does not bring back a silence that a forgotten response had prevented": (
        {"churn": [SILENCE]},
        [
            sale("a", "2019-08-06T02:13:02Z"),
            clicked("2019-08-07T22:28:07Z"),
            correction("2020-12-02T11:26:21Z", "b", body(sale("b", "2020-08-29T11:26:21Z"))),
        ],
    ),
    "a return that converts to nothing is a return": (
        {"rates": {"KWD": "3.25"}, "churn": []},
        [sale("a", "2019-05-23T20:50:58Z", 1, kind="return", currency="KWD")],
    ),
    "the same correction in another event says nothing new": (
        {"churn": []},
        [
            sale("z", "2019-04-01T00:00:00Z"),
            sale("a", "2019-05-01T00:00:00Z"),
            correction("2019-05-02T00:00:00Z", "a", None),
            correction("2019-05-03T00:00:00Z", "a", None, number=2),
        ],
    ),
    "a start that a late void reveals is judged by the tier of now": (
        {"churn": [SILENCE | {"tiers": ["high_value"]}]},
        [
            sale("a", "2019-01-05T00:00:00Z", 5000),
            sale("b", "2019-04-05T00:00:00Z", 5000),
            sale("c", "2019-04-05T00:00:00Z", 5000, who="bob"),
            correction("2019-10-23T00:00:00Z", "b", None),
        ],
    ),
    "a correction of what is no longer remembered is of an unknown purchase, whoever looked in between": (
        {"churn": []},
        [
            sale("a", "2020-01-01T00:00:00Z"),
            sale("b", "2021-01-30T12:00:00Z"),
            correction("2021-01-31T12:00:00Z", "a", body(sale("a", "2020-01-05T00:00:00Z"))),
        ],
    ),
    "and it is also where nobody looked in between": (
        {"churn": []},
        [
            sale("a", "2020-01-01T00:00:00Z"),
            correction("2021-01-31T12:00:00Z", "a", body(sale("a", "2020-01-05T00:00:00Z"))),
        ],
    ),
    "a void after the only purchase leaves a prospect": (
        {"churn": []},
        [sale("a", "2019-05-01T00:00:00Z"), correction("2019-05-02T00:00:00Z", "a", None)],
    ),
    "who became a prospect and buys again gets a first tier": (
        {"churn": [SILENCE]},
        [
            sale("a", "2019-05-01T00:00:00Z"),
            correction("2019-08-20T00:00:00Z", "a", None),
            sale("b", "2019-09-01T00:00:00Z"),
        ],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_core_comes_to_what_the_rules_say(case: str, tmp_path: Path) -> None:
    """Every table agrees with the oracle's."""
    rules, lines = CASES[case]
    path, policy = tmp_path / "history.jsonl", Policy.from_json(rules)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    assert core_tables(path, policy) == oracle_tables(path, policy)


def test_the_end_of_a_warning_does_not_depend_on_when_somebody_looks(tmp_path: Path) -> None:
    """Ended by the sale of 1 May, which was voided; the next sale is of 1 August. Later nothing changes that."""
    lines = [
        sale("a", "2019-01-10T00:00:00Z"),
        sale("b", "2019-05-01T00:00:00Z"),
        correction("2019-05-20T00:00:00Z", "b", None),
        sale("c", "2019-08-01T00:00:00Z"),
    ]
    ends = []
    for last in ("2019-10-29T00:00:00Z", "2019-10-31T00:00:00Z"):
        path = tmp_path / f"{instant_ms(last)}.jsonl"
        history = [*lines, sale("z", last, who="bob")]
        path.write_text("".join(json.dumps(line) + "\n" for line in history))
        found = core_tables(path, Policy.from_json({"churn": [SILENCE]}))
        ends.append(
            next(row[3:] for row in found["warnings"] if row[2] == instant_ms("2019-04-10T00:00:00Z"))
        )

    assert ends[0] == ends[1]


def test_one_rule_has_one_warning_open(tmp_path: Path) -> None:
    """The void of a sale shows an earlier start than the one that was raised."""
    lines = [sale(f"o{number}", at) for number, at in enumerate(TEN)]
    path = tmp_path / "history.jsonl"
    history = [*lines, correction("2019-12-31T12:49:23.768Z", "o7", None)]
    path.write_text("".join(json.dumps(line) + "\n" for line in history))

    found = core_tables(path, Policy.from_json({"churn": [RARER]}))

    assert [row[3] for row in found["warnings"]].count(None) == 1


def test_a_policy_without_dwell_is_read_back() -> None:
    """``dwell_days: 0`` is in the bounds of the ladder."""
    assert Policy.from_json({"tiers": {"dwell_days": 0}}).tiers.dwell_days == 0
