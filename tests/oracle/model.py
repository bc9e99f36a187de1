"""P(no purchase), from the published formulas.

Source: Fader, Hardie, Lee (2005), Marketing Science 24(2), 275-284, and Fader, Hardie (2008),
brucehardie.com/notes/021 (BG/NBD); Batislam, Denizel, Filiztekin (2007), IJRM 24(3), 201-209 (MBG/NBD).
"""

import math

from tests.oracle.policy import Json

DAYS_PER_UNIT = {"day": 1, "week": 7}
EXPONENT_MAX = 700  # of e, short of infinity
DAYS_MAX = 1 << 16  # nobody is followed for longer


def alive(model: Json, repeats: int, last_age: float, age: float) -> float:
    """Return P(alive) of a customer with so many repeat purchase days; ages in the model's unit."""
    r, alpha, a, b = (float(model[name]) for name in ("r", "alpha", "a", "b"))
    gone = (r + repeats) * math.log((alpha + age) / (alpha + last_age))
    if gone > EXPONENT_MAX:
        return 0.0
    if model.get("kind", "mbg_nbd") == "mbg_nbd":
        return 1 / (1 + a / (b + repeats) * math.exp(gone))
    return 1 / (1 + a / (b + repeats - 1) * math.exp(gone)) if repeats else 1.0


def no_purchase(model: Json, repeats: int, last_age: float, age: float, horizon: float) -> float:
    """Return P(no purchase within the horizon) = 1 - P(alive) (1 - ((alpha+T) / (alpha+T+N))^(r+x))."""
    r, alpha = float(model["r"]), float(model["alpha"])
    none_if_alive = math.pow((alpha + age) / (alpha + age + horizon), r + repeats)
    return 1 - alive(model, repeats, last_age, age) * (1 - none_if_alive)


def hopeless_day(model: Json, rule: Json, repeats: int, last_day: int) -> int | None:
    """Return the first day of age at which P(no purchase) reaches the rule's threshold; None: never.

    Days are counted from the first purchase day. P(no purchase) only grows with age, so that halving finds
    the first.
    """
    unit = DAYS_PER_UNIT[model.get("unit", "day")]

    def reached(day: int) -> bool:
        chance = no_purchase(model, repeats, last_day / unit, day / unit, rule["within_days"] / unit)
        return bool(chance >= rule["threshold"])

    low, high = last_day + int(rule["quiet_days"]), last_day + DAYS_MAX
    if not reached(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle + 1, high)
    return low
