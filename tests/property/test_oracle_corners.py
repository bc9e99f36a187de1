"""Corners in which the core once came to something else than the rules say: the smallest history of each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from services.scorer.core.policy import Policy
from tests.oracle.clock import instant_ms
from tests.property.oracle_given import PREDICTED, RECENCY_AND_REFERRALS, core_tables, oracle_tables

Line = dict[str, Any]
SILENCE = {"rule": "silence", "name": "early_silence", "days": 90}
RARER = {
    "rule": "frequency",
    "name": "rarer",
    "guard": "none",
    "orders_min": 2,
    "recent_days": 60,
    "past_days": 200,
    "ratio": 0.7,
}


def sale(order: str, at: str, amount: int = 1000, *, who: str = "ann", **other: Any) -> Line:
    """Return a sale whose event and order share an id."""
    return {
        "type": "purchase-recorded.v1",
        "event_id": order,
        "customer_id": who,
        "occurred_at": at,
        "kind": "sale",
        "order_id": order,
        "amount_minor": amount,
        "currency": "USD",
        "channel": "web",
        "store_id": "s1",
    } | other


def clicked(at: str) -> Line:
    """Return a response."""
    head = {"type": "campaign-responded.v1", "event_id": f"r-{at}", "customer_id": "ann", "occurred_at": at}
    return head | {"campaign_id": "c1", "response": "clicked"}


def correction(at: str, of: str, body: Line | None, *, number: int = 1) -> Line:
    """Return revision 1; without a body a void."""
    head = {"type": "purchase-corrected.v1", "event_id": f"k{number}", "customer_id": "ann"}
    return head | {"occurred_at": at, "corrects": of, "revision": 1, "purchase": body}


def body(purchase: Line) -> Line:
    """Return what a correction says of a purchase."""
    return {key: value for key, value in purchase.items() if key not in ("type", "event_id", "customer_id")}


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


def basket(*lines: tuple[str, int]) -> Line:
    """Return lines of so much in each category, which is the brand too and the sku."""
    return {
        "lines": [
            {"sku": name, "category": name, "brand": name, "quantity": 1, "amount_minor": amount}
            for name, amount in lines
        ]
    }


def browsed(at: str, number: int = 0, category: str = "a") -> Line:
    """Return a browse."""
    head = {"type": "product-browsed.v1", "event_id": f"b-{number}-{at}", "customer_id": "ann"}
    return head | {
        "occurred_at": at,
        "sku": "x",
        "category": category,
        "brand": category,
        "action": "viewed",
    }


def listed(sku: str, at: str, *, number: int = 0, margin: float | None = None, grade: str = "high") -> Line:
    """Return what a product is."""
    head = {"type": "product-listed.v1", "event_id": f"p{number}", "occurred_at": at, "sku": sku}
    product = head | {"brand": "b", "category": "c", "grade": grade}
    return product if margin is None else product | {"margin_percent": margin}


def measuring(metric: str, reference: float = 1.0, *of: str, **other: Any) -> dict[str, Any]:
    """Return a policy of one metric."""
    term = {"metric": metric, "weight": 1.0, "normaliser": "linear", "reference": reference, "of": of}
    return {"score": [term], "churn": []} | other


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
}

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
}
# The core is being mended, or the founder decides: see the reasons.
OPEN_CASES: dict[str, tuple[str, dict[str, Any], list[Line]]] = {
    "a corrected basket's lines replace the purchase's own": (
        "the core's ledger of names knows nothing of corrections",
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
        "the core's ledger of names knows nothing of corrections",
        measuring("category_share", 1, "b"),
        [
            correction(
                "2020-01-09T00:00:00Z", "o1", body(sale("o1", "2020-01-09T00:00:00Z")) | basket(("b", 700))
            ),
            sale("o1", "2020-01-10T00:00:00Z", **basket(("a", 1000))),
        ],
    ),
    "twenty browses of one instant, each told twice, are twenty": (
        "the core knows the repeats of the newest sixteen",
        measuring("browse_interest", 100, "a"),
        [
            sale("o1", "2020-01-10T00:00:00Z"),
            *([browsed("2020-01-10T00:00:00Z", number) for number in range(20)] * 2),
            sale("o2", "2020-01-11T00:00:00Z"),
        ],
    ),
    "a void after the only purchase leaves a prospect": (
        "the core leaves a lapsed customer",
        {"churn": []},
        [sale("a", "2019-05-01T00:00:00Z"), correction("2019-05-02T00:00:00Z", "a", None)],
    ),
    "who became a prospect and buys again gets a first tier": (
        "the core leaves a lapsed customer",
        {"churn": [SILENCE]},
        [
            sale("a", "2019-05-01T00:00:00Z"),
            correction("2019-08-20T00:00:00Z", "a", None),
            sale("b", "2019-09-01T00:00:00Z"),
        ],
    ),
    "a browse that pushes a name out of a month moves the share at its own instant": (
        "the core measures it at the next midnight",
        measuring("category_share", 1, "n63", "n64"),
        [
            sale("o1", "2020-01-10T00:00:00Z", **basket(*((f"n{n}", 100) for n in range(10, 99)))),
            browsed("2020-01-12T00:00:00Z", category="n00"),
        ],
    ),
    "a correction of what is no longer remembered is late, whoever looked in between": (
        "the core takes it for a new purchase once it has forgotten the old one",
        {"churn": []},
        [
            sale("a", "2020-01-01T00:00:00Z"),
            sale("b", "2021-01-30T12:00:00Z"),
            correction("2021-01-31T12:00:00Z", "a", body(sale("a", "2020-01-05T00:00:00Z"))),
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
    assert 0 < next(row[1] for row in found["customers"] if row[0] == "ann") < 10_000


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(one, marks=pytest.mark.xfail(strict=False, reason=why))
        for one, (why, *_) in OPEN_CASES.items()
    ],
)
def test_where_the_core_comes_to_something_else(case: str, tmp_path: Path) -> None:
    """What the oracle says by the rules, and the core does not say yet."""
    _, rules, lines = OPEN_CASES[case]
    path, policy = tmp_path / "history.jsonl", Policy.from_json(rules)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    assert core_tables(path, policy) == oracle_tables(path, policy)


@pytest.mark.xfail(
    strict=False, reason="the mean of all purchase days is taken, the model was fitted without the first"
)
def test_the_expected_spend_rests_on_the_mean_that_the_model_was_fitted_to(tmp_path: Path) -> None:
    """Of repeat purchase days: 100.00 on the first day must not count beside 10.00 on the two others.

    Source: Fader, Hardie (2013), brucehardie.com/notes/025: the mean of the x transactions; ``tierstream fit``
    leaves the first day out as well.
    """
    policy = Policy.from_json(measuring("predicted_value", 500, model=PREDICTED))
    scores = []
    for first in (10_000, 1000):
        lines = [
            sale("a", "2020-01-10T00:00:00Z", first),
            *(sale(order, f"2020-0{month}-10T00:00:00Z") for order, month in (("b", 2), ("c", 3))),
        ]
        path = tmp_path / f"{first}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        scores.append(core_tables(path, policy)["customers"][0][1])
    assert scores[0] == scores[1]


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
