"""What holds between the parts of a policy: each check names the parts that it looks at.

So the reader of a file can run those whose parts are sound while others are not, and name several faults at
once; a policy that is made runs them all and raises the first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Final, NamedTuple, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.scorer.core.currencies import exponent_of
from services.scorer.core.models.parameters import Model
from services.scorer.core.policy.churn import ChurnRules, FrequencyRule, ModelRule, SilenceRule, shortest_days
from services.scorer.core.policy.fault import Fault
from services.scorer.core.policy.ladder import Ladder
from services.scorer.core.policy.scoring import BY_MONTH, Bonus, Weight

RATE_MIN, RATE_MAX = Decimal("1e-9"), Decimal("1e9")
RATE_DIGITS_MAX: Final = 28
# The ledger by month keeps 14 of them (``months.MONTHS_KEPT``; a test holds the two together).
BY_MONTH_DAYS_MAX: Final = 425


class Parts(Protocol):
    """A policy, or those of its parts that could be read."""

    @property
    def currency(self) -> str: ...  # noqa: D102
    @property
    def accepts(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def rates(self) -> Mapping[str, Decimal]: ...  # noqa: D102
    @property
    def time_zone(self) -> str: ...  # noqa: D102
    @property
    def window_days(self) -> int: ...  # noqa: D102
    @property
    def lateness_days(self) -> int: ...  # noqa: D102
    @property
    def score(self) -> tuple[Weight, ...]: ...  # noqa: D102
    @property
    def bonus(self) -> tuple[Bonus, ...]: ...  # noqa: D102
    @property
    def tiers(self) -> Ladder: ...  # noqa: D102
    @property
    def churn(self) -> tuple[ChurnRules, ...]: ...  # noqa: D102
    @property
    def model(self) -> Model | None: ...  # noqa: D102


class Check(NamedTuple):
    """A check and the parts that it needs."""

    parts: frozenset[str]
    faults: Callable[[Parts], Iterator[Fault]]


def minor_per_major(currency: str) -> int:
    """Return the minor units in a major one: 100 for USD.

    Raises:
        ValueError: no such currency.
    """
    return int(10 ** exponent_of(currency))


def zone_of(name: str) -> ZoneInfo:
    """Return an IANA time zone.

    Raises:
        Fault: there is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Fault(
            f"{name!r} is not an IANA time zone",
            remedy="give one such as UTC or Europe/London",
            at=("time_zone",),
        ) from None


def _unknown(code: str, at: tuple[str | int, ...]) -> Fault | None:
    try:
        exponent_of(code)
    except ValueError as error:
        what, _, remedy = str(error).partition("; ")
        return Fault(what, remedy=remedy, at=at)
    return None


def _currency(policy: Parts) -> Iterator[Fault]:
    fault = _unknown(policy.currency, ("currency",))
    if fault is not None:
        yield fault


def _zone(policy: Parts) -> Iterator[Fault]:
    try:
        zone_of(policy.time_zone)
    except Fault as fault:
        yield fault


def _rates(policy: Parts) -> Iterator[Fault]:
    for code, rate in policy.rates.items():
        fault = _unknown(code, ("rates", code))
        if fault is not None:
            yield fault
        elif code == policy.currency:
            yield Fault(
                f"{code} is the base currency and needs no rate",
                remedy="take it out of rates, or change currency",
                at=("rates", code),
            )
        elif len(rate.as_tuple().digits) > RATE_DIGITS_MAX:
            yield Fault(
                f"the rate of {code} has more than {RATE_DIGITS_MAX} digits",
                remedy="round it",
                at=("rates", code),
            )
        elif not (rate.is_finite() and RATE_MIN <= rate <= RATE_MAX):
            yield Fault(
                f"the rate of {code} is {rate}",
                remedy=f"give the {policy.currency} that one {code} is worth, from 1e-9 to 1e9",
                at=("rates", code),
            )


def _accepts(policy: Parts) -> Iterator[Fault]:
    for index, code in enumerate(policy.accepts):
        fault = _unknown(code, ("accepts", index))
        if fault is not None:
            yield fault
        elif code != policy.currency and code not in policy.rates:
            yield Fault(
                f"the currency {code} has no rate",
                remedy=f"add {code} to rates with the {policy.currency} that one {code} is worth, "
                "or take it out of accepts",
                at=("accepts", index),
            )


def _weights(policy: Parts) -> Iterator[Fault]:
    total = sum(weight.weight for weight in policy.score)
    if not math.isclose(total, 1.0, abs_tol=1e-9):
        yield Fault(
            f"the weights add up to {total:.6g}, not 1",
            remedy="change them so that they add up to 1",
            at=("score",),
        )
    seen: set[tuple[str, tuple[str, ...]]] = set()
    for index, weight in enumerate(policy.score):
        if (weight.metric, weight.of) in seen:
            yield Fault(
                f"the metric {weight.metric} is weighed twice",
                remedy="weigh it once",
                at=("score", index, "metric"),
            )
        seen.add((weight.metric, weight.of))


def _measured(policy: Parts) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    sections: dict[str, tuple[Weight | Bonus, ...]] = {"score": policy.score, "bonus": policy.bonus}
    for section, entries in sections.items():
        for index, entry in enumerate(entries):
            yield entry.metric, (section, index, "metric")


def _months(policy: Parts) -> Iterator[Fault]:
    if policy.window_days <= BY_MONTH_DAYS_MAX:
        return
    for metric, at in _measured(policy):
        if metric in BY_MONTH:
            yield Fault(
                f"the metric {metric} is kept for 14 months, and the window has {policy.window_days} days",
                remedy=f"leave it out, or set window_days to {BY_MONTH_DAYS_MAX} or less",
                at=at,
            )


def _predicted(policy: Parts) -> Iterator[Fault]:
    if policy.model is not None and policy.model.spend is not None:
        return
    for metric, at in _measured(policy):
        if metric == "predicted_value":
            yield Fault(
                "the metric predicted_value needs a purchase and a spend model",
                remedy="fit both with tierstream fit and put them into the section model, or leave it out",
                at=at,
            )


def _thresholds(policy: Parts) -> Iterator[Fault]:
    """Thresholds that are apart in the file may be one when they are whole points or minor units."""
    if not policy.tiers.is_fixed or _unknown(policy.currency, ()) is not None:
        return
    cuts = policy.tiers.fixed_cuts(minor_per_major(policy.currency))
    above: int | None = None
    for index, point in enumerate(cuts.points if cuts else ()):
        if point.enter < 1 or (above is not None and point.enter >= above):
            name = policy.tiers.names[index]
            yield Fault(
                f"the tiers overlap: rounded to whole units, {name} begins where another level does",
                remedy="set the at_least of neighbours further apart",
                at=("tiers", "levels", index, "at_least"),
            )
        above = point.enter


def _names(policy: Parts) -> Iterator[Fault]:
    seen: set[str] = set()
    for index, rule in enumerate(policy.churn):
        if rule.name in seen:
            yield Fault(
                f"two churn rules are named {rule.name}",
                remedy="give each its own name",
                at=("churn", index, "name"),
            )
        seen.add(rule.name)


def _rule_tiers(policy: Parts) -> Iterator[Fault]:
    for index, rule in enumerate(policy.churn):
        for place, tier in enumerate(rule.tiers):
            if tier not in policy.tiers.level_of:
                yield Fault(
                    f"the rule {rule.name} is for {tier}, and no level has that name",
                    remedy="name one of " + ", ".join(policy.tiers.names),
                    at=("churn", index, "tiers", place),
                )


def _lengths(policy: Parts) -> Iterator[Fault]:
    remembered = policy.window_days + policy.lateness_days
    for index, rule in enumerate(policy.churn):
        if isinstance(rule, FrequencyRule) and rule.recent_days + rule.past_days > policy.window_days:
            yield Fault(
                f"the rule {rule.name} compares {rule.recent_days} with {rule.past_days} days, "
                f"more than the window's {policy.window_days}",
                remedy="shorten past_days or recent_days",
                at=("churn", index, "past_days"),
            )
        if isinstance(rule, SilenceRule) and shortest_days(rule) > remembered:
            yield Fault(
                f"the rule {rule.name} looks further back than anything is remembered",
                remedy=f"keep it within {remembered} days",
                at=("churn", index, "days" if rule.days is not None else "months"),
            )


def _model_rules(policy: Parts) -> Iterator[Fault]:
    for index, rule in enumerate(policy.churn):
        if not isinstance(rule, ModelRule):
            continue
        if policy.model is None:
            yield Fault(
                f"the rule {rule.name} needs a model",
                remedy="fit one with tierstream fit and put it into the section model",
                at=("churn", index),
            )
        elif policy.model.purchases.degenerate and not rule.accept_degenerate:
            share = policy.model.purchases.dropout_share
            yield Fault(
                f"the model is degenerate: by it {share:.2g} of the customers drop out at a purchase, so "
                f"nobody is ever gone, and the rule {rule.name} can't warn by it",
                remedy="leave the rule out and warn by silence, or set accept_degenerate: true to warn by "
                "P(no purchase) alone",
                at=("churn", index),
            )


def _check(faults: Callable[[Parts], Iterator[Fault]], *parts: str) -> Check:
    return Check(frozenset(parts), faults)


CHECKS: Final[tuple[Check, ...]] = (
    _check(_currency, "currency"),
    _check(_zone, "time_zone"),
    _check(_rates, "currency", "rates"),
    _check(_accepts, "currency", "accepts", "rates"),
    _check(_weights, "score"),
    _check(_months, "score", "bonus", "window_days"),
    _check(_predicted, "score", "bonus", "model"),
    _check(_thresholds, "tiers", "currency"),
    _check(_names, "churn"),
    _check(_rule_tiers, "churn", "tiers"),
    _check(_lengths, "churn", "window_days", "lateness_days"),
    _check(_model_rules, "churn", "model"),
)
