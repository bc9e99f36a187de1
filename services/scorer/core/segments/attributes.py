"""Segments by attribute (age band, sex, occupation, region) and by behaviour (category, brand, price, channel)."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from datetime import date
from typing import TYPE_CHECKING

import msgspec

from schemas.times import from_ms
from services.scorer.core import months
from services.scorer.core.segments.wording import amount, counted

if TYPE_CHECKING:
    from services.scorer.core.months import Kind
    from services.scorer.core.policy import Policy
    from services.scorer.core.state import State


class Attributes(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a playbook may ask for; None where it is not known."""

    age_band: str | None = None  # such as 25-34, or 65+
    sex: str | None = None
    occupation: str | None = None
    region: str | None = None
    channel: str | None = None  # the one that the customer prefers
    category: str | None = None  # most of the amount bought
    brand: str | None = None
    price_band: str | None = None  # of the average order value, such as 50-200, or 200+
    evidence: tuple[str, ...] = ()


def attributes(state: State, policy: Policy) -> Attributes:
    """Return the segments at the customer's clock."""
    told = {one.name: one.value for one in state.attributes}
    age = age_years(state, policy)
    category, by_category = _main(state, policy, "categories")
    brand, by_brand = _main(state, policy, "brands")
    price, by_price = _price_band(state, policy)
    return Attributes(
        age_band=None if age is None else _band(age, policy.segments.age_from),
        sex=_text(told.get("sex")),
        occupation=_text(told.get("occupation")),
        region=_text(told.get("region")),
        channel=_text(told.get("channel")),
        category=category,
        brand=brand,
        price_band=price,
        evidence=tuple(one for one in (by_category, by_brand, by_price) if one),
    )


def age_years(state: State, policy: Policy) -> int | None:
    """Return the age in whole years at the customer's local day; None where no birthday is known.

    Of a birth year alone the age may be a year too high, until the unknown birthday has come.
    """
    told = {one.name: one.value for one in state.attributes}
    today = from_ms(state.settled_ms).astimezone(policy.zone).date()
    birthday, birth_year = told.get("birthday"), told.get("birth_year")
    if isinstance(birthday, str):
        born = date.fromisoformat(birthday)
        age = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    elif isinstance(birth_year, int):
        age = today.year - birth_year
    else:
        return None
    return age if age >= 0 else None


def _main(state: State, policy: Policy, kind: Kind) -> tuple[str | None, str]:
    """Return the name that most was spent on, in the months of the window; ties go to the alphabet."""
    spent: Counter[str] = Counter()
    for month in months.in_window(state, policy):
        for interest in getattr(month, kind):
            spent[interest.name] += interest.bought_minor
    bought = {name: amount_minor for name, amount_minor in spent.items() if amount_minor > 0}
    if not bought:
        return None, ""
    name = min(bought, key=lambda one: (-bought[one], one))
    percent = 100 * bought[name] / sum(bought.values())
    return name, f"{name}: {percent:.0f} % of what was bought, {amount(bought[name], policy)}."


def _price_band(state: State, policy: Policy) -> tuple[str | None, str]:
    if state.orders == 0:
        return None, ""
    average_minor = max(0, state.net_minor) // state.orders
    band = _band(average_minor / policy.minor_per_major, policy.segments.price_from)
    orders = counted(state.orders, "order")
    return band, f"Average order value {amount(average_minor, policy)}, of {orders}."


def _band(value: float, bounds: tuple[float, ...]) -> str | None:
    """Return the band of a value: ``18-24`` for ages in years, ``50-200`` up to the next one for amounts."""
    if not bounds:
        return None
    at = bisect_right(bounds, value)
    if at == 0:
        return f"<{bounds[0]:g}"
    if at == len(bounds):
        return f"{bounds[-1]:g}+"
    whole = all(isinstance(bound, int) for bound in bounds)
    return f"{bounds[at - 1]:g}-{bounds[at] - 1 if whole else bounds[at]:g}"


def _text(value: str | int | bool | None) -> str | None:  # noqa: FBT001 -- what an attribute may be
    return value if isinstance(value, str) else None
