"""Models at the ends of what a policy may hold, and what follows from them for one customer."""

from __future__ import annotations

from importlib import import_module
from math import inf
from typing import Any

import pytest
from msgspec.structs import replace

from services.scorer.core.draft import Moment
from services.scorer.core.models.crossing import age_no_purchase_reaches
from services.scorer.core.models.expectation import expected_purchases
from services.scorer.core.models.parameters import Model, PurchaseModel, SpendModel
from services.scorer.core.models.purchases import probability_no_purchase
from services.scorer.core.models.spend import expected_spend_minor
from services.scorer.core.policy import Policy, SilenceRule
from services.scorer.core.predictions import predictions
from services.scorer.core.rescore import rescore
from tests.unit.core_given import POLICY, Life, at, sale

mp: Any = import_module("mpmath")  # by name, because it ships no types

SPEND = SpendModel(p=6.25, q=3.74, gamma_minor=1_544.0, mean_minor=3_500)
DAILY = PurchaseModel(kind="mbg_nbd", unit="day", r=0.64, alpha=49.0, a=0.81, b=1.23)
WEEKLY = replace(DAILY, unit="week", alpha=7.0)


def exact(a: float, b: float, r: float, stretch: float) -> float:
    """Return what a newcomer of a BG/NBD will buy within ``stretch`` times alpha, to 40 digits.

    (a+b-1)/(a-1) * (1 - 2F1(r, a-1; a+b-1; -stretch)).

    Source: Fader, Hardie, Lee (2005), (9), by the transformation of Pfaff.
    """
    with mp.workdps(40):
        first, both = mp.mpf(a) - 1, mp.mpf(a) + mp.mpf(b) - 1
        return float(both / first * (1 - mp.hyp2f1(mp.mpf(r), first, both, -mp.mpf(stretch))))


@pytest.mark.parametrize(
    ("a", "b", "r", "stretch"),
    [
        pytest.param(0.793, 2.426, 0.243, 9.0, id="as in the paper"),
        pytest.param(1e3, 1e6, 300.0, 1e4, id="everybody drops out alike"),
        pytest.param(30.0, 1e6, 1.0, 1e7, id="seldom, and all alike"),
        pytest.param(1e3, 30.0, 1.0, 1e9, id="nearly at once, and all alike"),
        pytest.param(1e-6, 1e6, 1e-6, 1e9, id="hardly anybody ever"),
        pytest.param(1e-4, 1e-3, 1e-6, 1e4, id="either at once or never"),
        pytest.param(1e-6, 1e-6, 1e6, 1e9, id="who stays buys without end"),
    ],
)
def test_expected_purchases_to_eleven_digits_at_the_ends_of_the_parameters(
    a: float, b: float, r: float, stretch: float
) -> None:
    """Narrow and wide, many and hardly any: a card's figure is right for every fit that a policy may hold."""
    alpha, horizon = 1e-3, 1e-3 * stretch
    model = PurchaseModel(kind="bg_nbd", r=r, alpha=alpha, a=a, b=b)

    assert expected_purchases(model, 0, 0.0, 0.0, horizon) == pytest.approx(
        exact(a, b, r, stretch), rel=2e-12, abs=0
    )


@pytest.mark.parametrize("days", [0, 1, 2, 30])
def test_the_line_itself_is_reached(days: int) -> None:
    """On the day on which the chance is exactly the threshold, also the day after the purchase; up to the last one."""
    threshold = probability_no_purchase(DAILY, 3, 60.0, 60.0 + days, 90.0)

    def reached(age_max: float, line: float = threshold) -> float:
        return age_no_purchase_reaches(
            DAILY, 3, 60.0, horizon=90.0, threshold=line, step=1.0, age_max=age_max
        )

    assert reached(3_660) == 60 + days
    assert reached(60 + days) == 60 + days
    assert reached(3_660, threshold + 1e-9) == 61 + days


def test_a_line_just_below_certainty_is_never_reached_by_who_always_buys() -> None:
    """A million purchases and a chance of all but 1e-12: the answer is never, not a division by zero."""
    model = PurchaseModel(kind="bg_nbd", r=1e6, alpha=1.0, a=1e-6, b=1e6)

    assert (
        age_no_purchase_reaches(model, 0, 0.0, horizon=1.0, threshold=1 - 1e-12, step=1.0, age_max=3_660)
        == inf
    )


def test_a_mean_of_one_cent_is_a_mean() -> None:
    """Only who spent nothing, or got it all back, is expected to spend what everybody does."""
    own = expected_spend_minor(SPEND, 3, 1.0)

    assert own == pytest.approx(6.25 * (1_544 + 3) / (6.25 * 3 + 3.74 - 1))
    assert own < 500
    assert expected_spend_minor(SPEND, 3, 0.0) == 3_500


def test_a_model_by_weeks_says_what_the_same_model_by_days_does() -> None:
    """A year is a year, and the days ahead are days: only the rate's unit differs."""
    found = []
    for purchases in (DAILY, WEEKLY):
        policy = replace(POLICY, model=Model(purchases=purchases, spend=SPEND))
        life = Life(None, policy).happens(sale(at(0)), sale(at(28))).until(at(84))
        found.append(predictions(life.known, policy))
    by_day, by_week = found

    assert by_day is not None
    assert by_week is not None
    assert by_week.expected_purchases == pytest.approx(by_day.expected_purchases, rel=1e-12)
    assert by_week.no_purchase == pytest.approx(by_day.no_purchase, rel=1e-12)
    assert by_week.alive == pytest.approx(by_day.alive, rel=1e-12)
    assert by_week.value_minor == by_day.value_minor
    assert by_day.within_days == by_week.within_days == POLICY.segments.repurchase.within_days


def test_a_policy_with_a_shorter_patience_sees_every_purchase_again() -> None:
    """The index of contacts is as thin as the old rule allowed; the new one gets its own, from the facts."""
    old = Policy(churn=(SilenceRule(name="quiet", days=90),))
    new = Policy(churn=(SilenceRule(name="quiet", days=15),))
    sales = [sale(at(10 * number)) for number in range(6)]
    life = Life(None, old).happens(*sales).until(at(55))

    brought = rescore(life.known, Moment(now_ms=at(55), policy_version=2), new).state

    assert len(life.known.contacts) < len(sales)
    assert brought.contacts == Life(None, new).happens(*sales).until(at(55)).known.contacts
    assert len(brought.contacts) == len(sales)
