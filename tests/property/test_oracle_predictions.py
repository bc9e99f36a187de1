"""The oracle's own predictions, held against the integrals that the papers begin with."""

from __future__ import annotations

from datetime import date
from importlib import import_module
from typing import Any

import pytest

from tests.oracle.prediction import purchases_if_alive, spend_minor, value_minor

mp: Any = import_module("mpmath")  # by name, because it ships no types
CDNOW = (0.243, 4.414, 0.793, 2.426)  # weeks. Fader, Hardie, Lee (2005), table 2
DAYS = (0.5, 20.0, 0.6, 2.0)
LOYAL = (1.4, 9.7, 1.9, 27.0)


def mean_over_who_is_alive(
    kind: str, model: tuple[float, float, float, float], repeats: int, age: float, horizon: float
) -> float:
    """Return the mean of (1 - exp(-rate chance N)) / chance over rate and chance, the latter integrated.

    Who is alive has bought x times in T at a Poisson rate of Gamma(r, alpha) and stayed each time: x times
    (BG/NBD), or x + 1 (MBG/NBD, from the first purchase on), with a chance of Beta(a, b) not to. The mean
    of exp(-rate s) over the rate is ((alpha + T) / (alpha + T + s))^(r + x).
    """
    r, alpha, a, b = map(mp.mpf, model)
    stayed = repeats + (kind == "mbg_nbd")

    def weight(chance: Any) -> Any:
        return chance ** (a - 1) * (1 - chance) ** (b + stayed - 1)

    def buys(chance: Any) -> Any:
        none = ((alpha + age) / (alpha + age + chance * horizon)) ** (r + repeats)
        return weight(chance) * (1 - none) / chance

    between = [0, a / (a + b + stayed), 3 * a / (a + b + stayed), 1]
    return float(mp.quad(buys, between) / mp.quad(weight, between))


@pytest.mark.parametrize("kind", ["bg_nbd", "mbg_nbd"])
@pytest.mark.parametrize(
    ("model", "repeats", "age", "horizon"), [(CDNOW, 2, 38.86, 39.0), (LOYAL, 40, 700.0, 365.0)]
)
def test_the_expected_purchases_are_the_integral(
    kind: str, model: tuple[float, float, float, float], repeats: int, age: float, horizon: float
) -> None:
    """To nine digits: the closed form, at 30 digits, is that integral."""
    found = purchases_if_alive(kind, model, repeats, age, horizon)
    assert found == pytest.approx(mean_over_who_is_alive(kind, model, repeats, age, horizon), rel=1e-9)


def test_the_published_figures() -> None:
    """E[Y(39)] = 1.226 at (2, 30.43, 38.86), Fader, Hardie, Lee (2005); the population's mean for who is new."""
    r, alpha, a, b = CDNOW
    gone = a / (b + 1) * ((alpha + 38.86) / (alpha + 30.43)) ** (r + 2)
    assert purchases_if_alive("bg_nbd", CDNOW, 2, 38.86, 39.0) / (1 + gone) == pytest.approx(1.226, abs=5e-4)
    spend = {"p": 6.25, "q": 3.74, "gamma_minor": 1544.0, "mean_minor": 3500}
    assert spend_minor(spend, 0, 9900.0) == 3500
    assert spend_minor(spend, 2, 0.0) == 3500
    assert spend_minor(spend, 2, 4000.0) == pytest.approx(6.25 * (1544 + 8000) / (12.5 + 2.74))


def test_nothing_is_expected_of_who_never_bought() -> None:
    """And of a day's buyer the population's mean, as often as the model expects."""
    model = dict(zip(("r", "alpha", "a", "b"), DAYS, strict=True)) | {"kind": "mbg_nbd", "unit": "day"}
    spend = {"p": 6.25, "q": 3.74, "gamma_minor": 1544.0, "mean_minor": 3500}
    day = date(2024, 2, 29)
    assert value_minor(model, spend, [], 0, day) == 0
    alive = 1 / (1 + 0.6 / 2.0)
    expected = alive * purchases_if_alive("mbg_nbd", DAYS, 0, 0.0, 365.0) * 3500
    assert value_minor(model, spend, [day], 9900, day) == round(expected)
