"""The purchase and spend models, one customer at a time."""

from __future__ import annotations

from math import inf
from typing import Any

import msgspec
import pytest

from services.scorer.core.models.crossing import age_alive_falls_to, age_no_purchase_reaches
from services.scorer.core.models.expectation import expected_purchases
from services.scorer.core.models.history import History, history_of
from services.scorer.core.models.parameters import Model, PurchaseModel, SpendModel
from services.scorer.core.models.purchases import probability_alive, probability_no_purchase
from services.scorer.core.models.spend import expected_spend_minor, expected_value_minor

MBG = PurchaseModel(kind="mbg_nbd", unit="week", r=0.525, alpha=6.183, a=0.891, b=1.614)
BG = PurchaseModel(kind="bg_nbd", unit="week", r=0.243, alpha=4.414, a=0.793, b=2.426)
DAILY = PurchaseModel(kind="mbg_nbd", unit="day", r=0.64, alpha=51.0, a=0.81, b=1.23)
SPEND = SpendModel(p=6.25, q=3.74, gamma_minor=1_544.0, mean_minor=3_500)


def test_a_one_time_buyer_is_alive_for_ever_only_without_a_first_dropout() -> None:
    """BG/NBD lets nobody drop out at the first purchase; MBG/NBD does."""
    assert probability_alive(BG, 0, 0.0, 1_000.0) == 1.0
    assert probability_alive(MBG, 0, 0.0, 0.0) == pytest.approx(1.614 / (1.614 + 0.891))
    assert probability_alive(MBG, 0, 0.0, 1_000.0) < 0.2


def test_a_silent_loyal_customer_does_not_overflow() -> None:
    """300 purchases in the first weeks and then ten years of silence: gone, and that is all."""
    assert probability_alive(DAILY, 300, 300.0, 3_650.0) < 1e-200
    assert probability_no_purchase(DAILY, 300, 300.0, 3_650.0, 90.0) == 1.0
    assert expected_purchases(DAILY, 300, 300.0, 3_650.0, 365.0) < 1e-200


def test_no_time_no_purchase() -> None:
    """Within no time nothing is bought, whoever it is."""
    assert probability_no_purchase(MBG, 3, 10.0, 20.0, 0.0) == 1.0
    assert expected_purchases(MBG, 3, 10.0, 20.0, 0.0) == 0.0


def test_a_history_counts_whole_local_days() -> None:
    """Two purchases on one day are one; ages are in the model's unit."""
    days = {"first_day": 100, "last_day": 170, "purchase_days": 4, "today": 240}

    assert history_of(DAILY, **days) == History(repeat_days=3, last_age=70.0, age=140.0)
    assert history_of(MBG, **days) == History(repeat_days=3, last_age=10.0, age=20.0)


def test_the_crossing_of_p_alive_is_where_p_alive_is_the_threshold() -> None:
    """The closed form is the inverse, whatever the customer's age is now."""
    for model in (MBG, BG):
        age = age_alive_falls_to(model, 3, 12.0, 0.4)
        assert age > 12.0
        assert probability_alive(model, 3, 12.0, age) == pytest.approx(0.4, rel=1e-12)


def test_a_crossing_never_comes_or_is_there_at_once() -> None:
    """Never is infinite; what holds at the last purchase already is dated there."""
    slow = PurchaseModel(kind="mbg_nbd", r=1e-3, alpha=50.0, a=1e-3, b=100.0)

    assert age_alive_falls_to(BG, 0, 0.0, 0.5) == inf
    assert age_alive_falls_to(slow, 0, 0.0, 0.1) == inf
    assert age_alive_falls_to(MBG, 0, 0.0, 0.9) == 0.0
    assert age_no_purchase_reaches(DAILY, 0, 0.0, horizon=30.0, threshold=0.3, step=1.0, age_max=3_660) == 0.0
    assert age_no_purchase_reaches(BG, 9, 30.0, horizon=52.0, threshold=0.99, step=1 / 7, age_max=40) == inf


@pytest.mark.parametrize("model", [DAILY, msgspec.structs.replace(DAILY, kind="bg_nbd")])
@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.9])
@pytest.mark.parametrize(("repeat_days", "last_age"), [(0, 0.0), (1, 14.0), (5, 200.0), (60, 365.0)])
def test_the_crossing_of_p_no_purchase_is_the_first_day_of_a_scan(
    model: PurchaseModel, threshold: float, repeat_days: int, last_age: float
) -> None:
    """Bisection finds what looking every day would."""
    found = age_no_purchase_reaches(
        model, repeat_days, last_age, horizon=90.0, threshold=threshold, step=1.0, age_max=3_000.0
    )

    ages = (last_age + day for day in range(3_000))
    reached = (
        age for age in ages if probability_no_purchase(model, repeat_days, last_age, age, 90.0) >= threshold
    )
    first = next(reached, inf)
    assert found == (first if first <= 3_000 else inf)


def test_spend_is_drawn_towards_everybodys() -> None:
    """The more purchases, the nearer the customer's own mean; without a mean, the population's."""
    once, often = expected_spend_minor(SPEND, 1, 10_000.0), expected_spend_minor(SPEND, 50, 10_000.0)

    assert 3_500 < once < often < 10_000
    for repeat_days, mean_minor in ((0, None), (0, 9_000.0), (3, 0.0), (3, -100.0), (3, None)):
        assert expected_spend_minor(SPEND, repeat_days, mean_minor) == 3_500.0


def test_value_is_purchases_times_spend() -> None:
    """In whole minor units over 12 months, in the model's unit of time; none without a spend model."""
    history = History(5, 30.0, 38.0)
    value = expected_value_minor(Model(purchases=MBG, spend=SPEND), history, 4_000.0)

    assert value == round(
        expected_purchases(MBG, 5, 30.0, 38.0, 365 / 7) * expected_spend_minor(SPEND, 5, 4_000.0)
    )
    assert expected_value_minor(Model(purchases=MBG), history, 4_000.0) is None


def test_a_model_is_degenerate_when_hardly_anybody_drops_out() -> None:
    """Named from the parameters themselves, so a policy needs no flag."""
    assert not MBG.degenerate
    assert msgspec.structs.replace(MBG, a=0.1947, b=277.7).degenerate


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"r": 0.0}, "`float` > 0"),
        ({"alpha": -1.0}, "`float` > 0"),
        ({"b": 1e7}, "`float` <= 1000000"),
        ({"kind": "pareto"}, "Invalid enum value 'pareto'"),
        ({"unit": "month"}, "Invalid enum value 'month'"),
        ({"beta": 1.0}, "unknown field `beta`"),
    ],
)
def test_impossible_parameters_are_refused(change: dict[str, Any], says: str) -> None:
    """A policy with such a section is refused, and the message names the field."""
    body = {"purchases": {**msgspec.to_builtins(MBG), **change}}

    with pytest.raises(msgspec.ValidationError, match=says):
        msgspec.convert(body, Model)


def test_parameters_survive_json() -> None:
    """A model is stored as JSON in a policy and comes back the same."""
    model = Model(purchases=BG, spend=SPEND)

    assert msgspec.json.decode(msgspec.json.encode(model), type=Model) == model
    with pytest.raises(msgspec.ValidationError, match="`float` > 1"):
        msgspec.convert({**msgspec.to_builtins(SPEND), "q": 1.0}, SpendModel)
