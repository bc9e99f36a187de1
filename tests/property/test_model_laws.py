"""Laws of the models, over any parameters and any customer."""

from __future__ import annotations

from math import inf, isfinite
from typing import NamedTuple

from hypothesis import assume, given
from hypothesis import strategies as st

from services.scorer.core.models.crossing import age_alive_falls_to, age_no_purchase_reaches
from services.scorer.core.models.expectation import expected_purchases
from services.scorer.core.models.parameters import PurchaseModel, SpendModel
from services.scorer.core.models.purchases import probability_alive, probability_no_purchase
from services.scorer.core.models.spend import expected_spend_minor
from tests.property.laws import LAWS

ROUNDING = 1e-12


class Case(NamedTuple):
    """Parameters and a customer."""

    model: PurchaseModel
    repeat_days: int
    last_age: float
    age: float


def over(decades_from: float, decades_to: float) -> st.SearchStrategy[float]:
    """Positive numbers, every decade as likely."""
    return st.floats(decades_from, decades_to).map(lambda power: float(10**power))


models = st.builds(
    PurchaseModel,
    kind=st.sampled_from(["mbg_nbd", "bg_nbd"]),
    r=over(-2, 2),
    alpha=over(-1, 3),
    a=st.one_of(over(-5, 3), st.just(1.0)),
    b=over(-2, 4),
)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Parameters of any fit, and a customer of up to ten years and 300 purchases."""
    age = draw(st.one_of(st.just(0.0), st.floats(0, 3_650)))
    repeat_days = draw(st.one_of(st.just(0), st.integers(1, 300))) if age else 0
    last_age = age * draw(st.floats(0, 1)) if repeat_days else 0.0
    return Case(draw(models), repeat_days, last_age, age)


horizons = st.floats(0.1, 3_650)


@given(cases(), horizons)
@LAWS
def test_a_probability_is_one(case: Case, horizon: float) -> None:
    """Between 0 and 1, for every customer and every fit; who is gone buys nothing."""
    alive = probability_alive(*case)
    silent = probability_no_purchase(*case, horizon)

    assert 0 <= alive <= 1
    assert 1 - alive - ROUNDING <= silent <= 1


@given(cases(), horizons, st.floats(0, 3_650), st.floats(0, 3_650))
@LAWS
def test_silence_makes_a_purchase_less_likely_and_time_more(
    case: Case, horizon: float, older: float, longer: float
) -> None:
    """P(no purchase) rises with age, so one timer finds its crossing; it falls with the horizon."""
    model, repeat_days, last_age, age = case
    silent = probability_no_purchase(*case, horizon)

    assert probability_no_purchase(model, repeat_days, last_age, age + older, horizon) >= silent - ROUNDING
    assert probability_no_purchase(*case, horizon + longer) <= silent + ROUNDING
    assert probability_alive(model, repeat_days, last_age, age + older) <= probability_alive(*case) + ROUNDING


@given(cases(), horizons, st.floats(0, 3_650))
@LAWS
def test_expected_purchases_lie_between_their_bounds(case: Case, horizon: float, longer: float) -> None:
    """At least the chance of one, at most what a customer who never drops out buys; more time, more of them."""
    model, repeat_days, _, age = case
    expected = expected_purchases(*case, horizon)
    without_dropout = (model.r + repeat_days) * horizon / (model.alpha + age)

    assert expected >= (1 - probability_no_purchase(*case, horizon)) * (1 - 1e-9) - 1e-15
    assert expected <= probability_alive(*case) * without_dropout * (1 + 1e-9)
    assert expected_purchases(*case, horizon + longer) >= expected * (1 - 1e-9)


@given(cases(), st.floats(0.01, 0.99))
@LAWS
def test_p_alive_is_above_its_crossing_before_and_below_after(case: Case, threshold: float) -> None:
    """The closed form splits time in two."""
    model, repeat_days, last_age, _ = case
    crossing = age_alive_falls_to(model, repeat_days, last_age, threshold)

    assert crossing >= last_age
    if crossing > last_age:
        before = last_age + (min(crossing, 1e9) - last_age) * 0.99
        assert probability_alive(model, repeat_days, last_age, before) >= threshold - 1e-9
    if isfinite(crossing) and crossing < 1e12:
        assert probability_alive(model, repeat_days, last_age, crossing * 1.01 + 1) <= threshold + 1e-9


@given(cases(), st.floats(1, 365), st.floats(0.05, 0.99), st.sampled_from([1.0, 1 / 7]))
@LAWS
def test_p_no_purchase_reaches_its_threshold_on_the_step_found_and_not_before(
    case: Case, horizon: float, threshold: float, step: float
) -> None:
    """Bisection finds the first step, or says that there is none."""
    model, repeat_days, last_age, _ = case
    found = age_no_purchase_reaches(
        model, repeat_days, last_age, horizon=horizon, threshold=threshold, step=step, age_max=9_000.0
    )

    def silent(age: float) -> float:
        return probability_no_purchase(model, repeat_days, last_age, age, horizon)

    if found == inf:
        assert silent(9_000.0 - step) < threshold
        return
    assert last_age <= found <= 9_000.0
    assert silent(found) >= threshold
    steps = round((found - last_age) / step)
    if steps:
        assert silent(last_age + (steps - 1) * step) < threshold


@given(over(-2, 2), st.floats(1.01, 100), over(1, 6), st.integers(1, 300), over(0, 8))
@LAWS
def test_expected_spend_is_a_mean_of_ones_own_and_of_the_populations(
    p: float, q: float, gamma_minor: float, repeat_days: int, mean_minor: float
) -> None:
    """It lies between the two, never beyond."""
    population = p * gamma_minor / (q - 1)
    assume(population < 1e11)
    model = SpendModel(p=p, q=q, gamma_minor=gamma_minor, mean_minor=max(1, round(population)))

    expected = expected_spend_minor(model, repeat_days, mean_minor)

    low, high = sorted((population, mean_minor))
    assert low * (1 - 1e-9) <= expected <= high * (1 + 1e-9)
