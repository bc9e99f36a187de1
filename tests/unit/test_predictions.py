"""What the model expects of one customer: the parts agree with the models they come from."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from services.scorer.core.models.parameters import Model, PurchaseModel, SpendModel
from services.scorer.core.models.purchases import probability_alive, probability_no_purchase
from services.scorer.core.policy import Policy
from services.scorer.core.predictions import predictions
from tests.unit.core_given import CUTS, POLICY, Life, at, browse, sale

DAILY = PurchaseModel(kind="mbg_nbd", unit="day", r=0.64, alpha=51.0, a=0.81, b=1.23)
WEEKLY = PurchaseModel(kind="bg_nbd", unit="week", r=0.243, alpha=4.414, a=0.793, b=2.426)
SPEND = SpendModel(p=6.25, q=3.74, gamma_minor=1_544.0, mean_minor=3_500)


def with_model(purchases: PurchaseModel, spend: SpendModel | None = SPEND) -> Policy:
    """Return the default policy with a model."""
    return replace(POLICY, model=Model(purchases=purchases, spend=spend))


def regular(policy: Policy) -> Life:
    """Return somebody who bought on days 0, 28 and 56, and is looked at on day 84."""
    life = Life(CUTS, policy)
    return life.happens(sale(at(0)), sale(at(28)), sale(at(56)), browse(at(84)))


def test_each_figure_is_the_model_s() -> None:
    """Days of the history, horizons in the model's unit: 2 repeat days, the last at 56, now 84."""
    policy = with_model(DAILY)
    found = predictions(regular(policy).known, policy)

    assert found is not None
    within = policy.segments.repurchase.within_days
    assert (found.model, found.fit, found.within_days) == ("mbg_nbd", "usable", within)
    assert found.alive == probability_alive(DAILY, 2, 56.0, 84.0)
    assert found.no_purchase == probability_no_purchase(DAILY, 2, 56.0, 84.0, within)
    assert found.value_minor is not None
    each_minor = 6.25 * (1_544 + 2 * 5_000) / (6.25 * 2 + 3.74 - 1)
    assert found.value_minor == round(found.expected_purchases * each_minor)


def test_weeks_are_weeks() -> None:
    """A model by weeks is asked in weeks."""
    policy = with_model(WEEKLY)
    found = predictions(regular(policy).known, policy)

    assert found is not None
    assert found.alive == probability_alive(WEEKLY, 2, 8.0, 12.0)
    assert found.no_purchase == probability_no_purchase(WEEKLY, 2, 8.0, 12.0, found.within_days / 7)
    assert 0 < found.expected_purchases < 365 / 7


def test_a_degenerate_fit_is_named() -> None:
    """Nobody ever drops out by it: the chance to buy still says something, being alive does not."""
    policy = with_model(replace(DAILY, a=0.001, b=10.0))
    found = predictions(regular(policy).known, policy)

    assert found is not None
    assert found.fit == "degenerate"
    assert found.alive == pytest.approx(1, abs=0.001)
    assert 0 < found.no_purchase < 1


def test_without_a_spend_model_there_is_no_value() -> None:
    """How often, but not for how much."""
    policy = with_model(DAILY, spend=None)
    found = predictions(regular(policy).known, policy)

    assert found is not None
    assert found.value_minor is None


def test_nothing_is_expected_of_who_never_bought_or_without_a_model() -> None:
    """None rather than a guess."""
    policy = with_model(DAILY)

    assert predictions(Life(CUTS, policy).happens(browse(at(0))).known, policy) is None
    assert predictions(regular(POLICY).known, POLICY) is None
