"""The models against what was published, against ``lifetimes``, and against 40-digit arithmetic."""

from __future__ import annotations

import csv
import warnings
from importlib import import_module
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.fitting.likelihood import log_likelihood, spend_log_likelihood
from deploy.fitting.optimum import Optimum, maximize
from deploy.fitting.sample import Floats, Groups
from services.scorer.core.models.expectation import expected_purchases
from services.scorer.core.models.parameters import Kind, PurchaseModel, SpendModel
from services.scorer.core.models.purchases import probability_alive, probability_no_purchase
from services.scorer.core.models.spend import expected_spend_minor

mp: Any = import_module("mpmath")  # by name, because it ships no types
# Fader, Hardie, Lee (2005), table 2, weeks.
PUBLISHED = PurchaseModel(kind="bg_nbd", unit="week", r=0.243, alpha=4.414, a=0.793, b=2.426)
# Complete Journey, days: hardly any dropout.
DEGENERATE = PurchaseModel(kind="mbg_nbd", r=1.414, alpha=9.67, a=0.1947, b=277.7)
NEAR_ONE = PurchaseModel(kind="mbg_nbd", r=0.64, alpha=51.0, a=1.0 + 1e-13, b=1.23)


def cdnow() -> Floats:
    """Return the 1/10 sample of CDNOW: id, x, t_x, T in weeks, and mean spend of a repeat purchase."""
    spec = find_spec("lifetimes")
    assert spec is not None
    assert spec.origin is not None
    name = "cdnow_customers_summary_with_transactions.csv"
    with (Path(spec.origin).parent / "datasets" / name).open() as file:
        return np.array([[float(cell) for cell in row] for row in list(csv.reader(file))[1:]])


def lifetimes() -> Any:
    """Return the package. It sets an option that pandas has given up, which says so while it is imported."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The 'mode.chained_assignment' option is deprecated")
        return import_module("lifetimes")


def fitted(kind: Kind) -> Optimum:
    """Return the fit of a purchase model to CDNOW."""
    rows = cdnow()
    count = len(rows)
    groups = Groups(rows[:, 1], rows[:, 2], rows[:, 3], np.ones(count), np.zeros(count))
    start = (1.0, float(rows[:, 3].mean()), 1.0, 1.0)
    return maximize(lambda logs: log_likelihood(logs, groups, kind), [start], weight=count)


def test_bg_nbd_on_cdnow_to_the_published_digits() -> None:
    """Fader, Hardie, Lee (2005), table 2: r, alpha, a, b and the log-likelihood, of 2,357 customers."""
    optimum = fitted("bg_nbd")

    assert len(cdnow()) == 2_357
    assert [round(value, 3) for value in optimum.values] == [0.243, 4.414, 0.793, 2.426]
    assert round(optimum.log_likelihood, 1) == -9_582.4
    assert optimum.standard_errors is not None
    assert all(
        0 < error < value for error, value in zip(optimum.standard_errors, optimum.values, strict=True)
    )


def test_expected_purchases_of_the_papers_customer() -> None:
    """E[Y(39)] of (x = 2, t_x = 30.43, T = 38.86) is 1.226. Source: brucehardie.com/notes/004."""
    assert round(expected_purchases(PUBLISHED, 2, 30.43, 38.86, 39.0), 3) == 1.226


def test_gamma_gamma_on_the_946_repeat_buyers() -> None:
    """Fader, Hardie (2013): p 6.25, q 3.74, gamma 15.44 dollars. Their solver stopped .05 % from the peak."""
    rows = cdnow()
    rows = rows[rows[:, 4] > 0]
    optimum = maximize(
        lambda logs: spend_log_likelihood(logs, rows[:, 1], rows[:, 4]), [(1.0, 2.0, 35.0)], weight=len(rows)
    )

    assert len(rows) == 946
    assert optimum.values == pytest.approx((6.25, 3.74, 15.44), rel=2e-3)
    published = spend_log_likelihood(np.log([6.25, 3.74, 15.44]), rows[:, 1], rows[:, 4])[0]
    assert published <= optimum.log_likelihood <= published + 0.01


def test_gradients_are_those_of_the_likelihoods() -> None:
    """Analytic against central differences, away from the peak."""
    rows = cdnow()[:200]
    groups = Groups(rows[:, 1], rows[:, 2], rows[:, 3], np.arange(1.0, 201.0), np.zeros(200))
    spenders = rows[rows[:, 4] > 0]
    functions: list[tuple[Any, list[float]]] = [
        (lambda logs: log_likelihood(logs, groups, "bg_nbd"), [0.5, 9.0, 1.3, 2.0]),
        (lambda logs: log_likelihood(logs, groups, "mbg_nbd"), [0.5, 9.0, 1.3, 2.0]),
        (lambda logs: spend_log_likelihood(logs, spenders[:, 1], spenders[:, 4]), [2.0, 3.0, 20.0]),
    ]
    for function, at in functions:
        logs = np.log(at)
        shifts = np.eye(len(at)) * 1e-5
        numeric = [(function(logs + shift)[0] - function(logs - shift)[0]) / 2e-5 for shift in shifts]
        assert function(logs)[1] == pytest.approx(numeric, rel=1e-6)


def test_agrees_with_lifetimes() -> None:
    """P(alive) and expected purchases to 1e-6 over a grid, both models, and Gamma-Gamma's conditional mean."""
    package = lifetimes()
    parameters = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
    other = {"bg_nbd": package.BetaGeoFitter(), "mbg_nbd": package.ModifiedBetaGeoFitter()}
    compared = 0
    for kind, fitter in other.items():
        fitter.params_ = import_module("pandas").Series(parameters)
        model = PurchaseModel(kind=kind, unit="week", **parameters)  # type: ignore[arg-type]  # a Kind
        for x, age, share, horizon in product(
            (0, 1, 2, 5, 12, 40), (1.0, 8.0, 38.86, 104.0), (0.3, 0.9, 1.0), (1.0, 39.0, 104.0)
        ):
            last_age = age * share if x else 0.0
            alive = float(np.squeeze(fitter.conditional_probability_alive(x, last_age, age)))
            method = fitter.conditional_expected_number_of_purchases_up_to_time
            expected = float(np.squeeze(method(horizon, x, last_age, age)))
            assert probability_alive(model, x, last_age, age) == pytest.approx(alive, rel=1e-6)
            if np.isfinite(expected):
                ours = expected_purchases(model, x, last_age, age, horizon)
                assert ours == pytest.approx(expected, rel=1e-6, abs=1e-12)
                compared += 1
    assert compared > 400

    gamma = package.GammaGammaFitter()
    gamma.params_ = import_module("pandas").Series({"p": 6.25, "q": 3.74, "v": 15.44})
    spend = SpendModel(p=6.25, q=3.74, gamma_minor=15.44, mean_minor=35)
    for x, mean in product((1, 2, 9, 100), (5.0, 35.0, 900.0)):
        expected = float(gamma.conditional_expected_average_profit(np.array([x]), np.array([mean]))[0])
        assert expected_spend_minor(spend, x, mean) == pytest.approx(expected, rel=1e-9)


def exact(model: PurchaseModel, x: int, last_age: float, age: float, horizon: float) -> tuple[Any, Any]:
    """Return P(alive), and expected purchases by the closed form of the literature, to 40 digits."""
    r, alpha, a, b = (mp.mpf(value) for value in (model.r, model.alpha, model.a, model.b))
    modified = model.kind == "mbg_nbd"
    odds = a / (b + x - (not modified)) * ((alpha + age) / (alpha + mp.mpf(last_age))) ** (r + x)
    alive = mp.mpf(1) if x == 0 and not modified else 1 / (1 + odds)
    total, z = a + b + x - (not modified), horizon / (alpha + age + horizon)
    hyper = mp.hyp2f1(total - r - x, a - 1, total, z, maxterms=10**6)
    return alive, alive * total / (a - 1) * (1 - (1 - z) ** (a - 1) * hyper)


@pytest.mark.parametrize("kind", ["bg_nbd", "mbg_nbd"])
@pytest.mark.parametrize("base", [PUBLISHED, DEGENERATE, NEAR_ONE], ids=["cdnow", "degenerate", "a near 1"])
def test_agrees_with_forty_digits_where_others_overflow(kind: Kind, base: PurchaseModel) -> None:
    """Up to x = 300 and T = ten years in days, in a degenerate fit and beside the pole of the closed form."""
    model = PurchaseModel(kind=kind, r=base.r, alpha=base.alpha, a=base.a, b=base.b)
    cases = product((0, 1, 30, 300), (30.0, 3_650.0), (0.5, 0.98), (1.0, 90.0, 365.0))
    with mp.workdps(40):
        for x, age, share, horizon in cases:
            last_age = age * share if x else 0.0
            alive, expected = exact(model, x, last_age, age, horizon)
            silent = 1 - alive * (
                1 - ((model.alpha + age) / (mp.mpf(model.alpha) + age + horizon)) ** (model.r + x)
            )
            assert probability_alive(model, x, last_age, age) == pytest.approx(float(alive), rel=1e-9)
            ours = probability_no_purchase(model, x, last_age, age, horizon)
            assert ours == pytest.approx(float(silent), rel=1e-12)
            ours = expected_purchases(model, x, last_age, age, horizon)
            assert ours == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize(
    ("x", "last_age", "age"), [(0, 0.0, 200.0), (4, 150.0, 200.0), (60, 3_600.0, 3_650.0)]
)
def test_mbg_nbd_is_what_its_story_says(x: int, last_age: float, age: float) -> None:
    """By integrating over rate and dropout of a customer, without any formula of the literature.

    Given both, a customer is alive with likelihood (1-p)^(x+1) rate^x e^(-rate T) and gone with
    p (1-p)^x rate^x e^(-rate t_x); who is alive buys (1 - e^(-rate p N)) / p times in N.
    """
    model = PurchaseModel(kind="mbg_nbd", r=0.64, alpha=51.0, a=0.81, b=1.23)
    horizon, r, alpha, a, b = 90.0, 0.64, 51.0, 0.81, 1.23

    def prior_by(p: Any, survived: float, dropped: float) -> Any:
        return p ** (a - 1 + dropped) * (1 - p) ** (b - 1 + survived)

    def over_rates(power: Any, time: Any) -> Any:  # of rate^power e^(-rate time), over its gamma
        return mp.gamma(r + power) / (alpha + time) ** (r + power)

    with mp.workdps(30):
        split = [0, mp.mpf("0.001"), mp.mpf("0.1"), 0.5, 1]
        alive = over_rates(x, age) * mp.quad(lambda p: prior_by(p, x + 1, 0), split)
        gone = over_rates(x, last_age) * mp.quad(lambda p: prior_by(p, x, 1), split)
        bought = mp.quad(
            lambda p: prior_by(p, x + 1, 0)
            * (over_rates(x, age) - over_rates(x, age + p * horizon)) / p,
            split,
        )  # fmt: skip

        assert probability_alive(model, x, last_age, age) == pytest.approx(
            float(alive / (alive + gone)), rel=1e-6
        )
        expected = float(bought / (alive + gone))
        assert expected_purchases(model, x, last_age, age, horizon) == pytest.approx(expected, rel=1e-6)
