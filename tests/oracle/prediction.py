"""What a customer is expected to spend in a year, from the published formulas at 30 digits.

Source: Fader, Hardie, Lee (2005), Marketing Science 24(2), 275-284, (10) (BG/NBD); Batislam, Denizel,
Filiztekin (2007), IJRM 24(3), 201-209 (MBG/NBD): both as a mean over who is alive, see
``purchases_if_alive``. Fader, Hardie (2013), brucehardie.com/notes/025, (5) (Gamma-Gamma).
"""

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from importlib import import_module
from typing import Any

from tests.oracle.model import DAYS_PER_UNIT, alive
from tests.oracle.policy import Json

mp: Any = import_module("mpmath")  # by name, because it ships no types

YEAR_DAYS = 365
DIGITS = 30


def value_minor(purchases: Json, spend: Json, bought: Sequence[date], net_minor: int, today: date) -> int:
    """Return the expected spend of the next 365 days, to the minor unit, half to even; 0 before a sale.

    Args:
        purchases: the model of when: kind, unit, r, alpha, a, b.
        spend: the model of how much: p, q, gamma_minor, mean_minor.
        bought: the local days with a sale, ascending, since ever.
        net_minor: what was spent since ever, less what came back.
        today: the local day.
    """
    if not bought:
        return 0
    unit = DAYS_PER_UNIT[purchases.get("unit", "day")]
    kind = purchases.get("kind", "mbg_nbd")
    r, alpha, a, b = (float(purchases[name]) for name in ("r", "alpha", "a", "b"))
    repeats = len(bought) - 1
    last_age, age = (bought[-1] - bought[0]).days / unit, (today - bought[0]).days / unit
    expected = purchases_if_alive(kind, (r, alpha, a, b), repeats, age, YEAR_DAYS / unit)
    expected *= alive(purchases, repeats, last_age, age)
    return round(expected * spend_minor(spend, repeats, net_minor / len(bought)))


@lru_cache(maxsize=1 << 16)
def purchases_if_alive(
    kind: str, model: tuple[float, float, float, float], repeats: int, age: float, horizon: float
) -> float:
    """Return the purchase days to expect within the horizon of somebody who is alive at an age.

    Who is alive buys at a rate of Gamma(r + x, alpha + T) and drops out at a purchase with a chance of
    Beta(a, B), where B = b + x (BG/NBD) or b + x + 1 (MBG/NBD, which has one more chance to drop out behind
    it). Of the mean of (1 - exp(-rate chance N)) / chance over both the integral is known:
    (a + B - 1) / (a - 1) [1 - (1-z)^(a-1) 2F1(a + B - r - x - 1, a - 1; a + B - 1; z)], z = N / (alpha + T + N).
    """
    r, alpha, a, b = model
    stays = b + repeats + (1 if kind == "mbg_nbd" else 0)
    with mp.workdps(DIGITS):
        a, top = mp.mpf(a), mp.mpf(a) + stays - 1
        z = mp.mpf(horizon) / (mp.mpf(alpha) + age + horizon)
        series = mp.hyp2f1(top - r - repeats, a - 1, top, z)
        return float(top / (a - 1) * (1 - (1 - z) ** (a - 1) * series))


def spend_minor(model: Json, repeats: int, mean_minor: float) -> float:
    """Return the expected spend of a purchase day: p (gamma + x m) / (p x + q - 1).

    Who did not come back, or has no mean above 0, is expected to spend what everybody does on average. The
    mean is that of all purchase days. (The source has that of the x repeat ones, see
    ``tests/property/test_oracle_open.py``.)
    """
    if repeats < 1 or mean_minor <= 0:
        return float(model["mean_minor"])
    p, q, gamma = (float(model[name]) for name in ("p", "q", "gamma_minor"))
    return p * (gamma + repeats * mean_minor) / (p * repeats + q - 1)
