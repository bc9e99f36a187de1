"""The purchase model gives little hope: P(no purchase in the next days) reaches a threshold.

Looked at by whole local days, as the model was fitted; an episode starts at a local midnight.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from schemas.events import ModelBasis
from schemas.times import from_ms
from services.scorer.core import facts
from services.scorer.core.churn.start import Start
from services.scorer.core.models.crossing import age_no_purchase_reaches
from services.scorer.core.models.history import history_of
from services.scorer.core.models.purchases import probability_alive, probability_no_purchase
from services.scorer.core.state import NEVER_MS

if TYPE_CHECKING:
    from services.scorer.core.models.parameters import PurchaseModel
    from services.scorer.core.policy import ModelRule, Policy
    from services.scorer.core.state import State

AGE_DAYS_MAX: Final = 36_500


class _Anchor(NamedTuple):
    """The last sale of a local day, and what the model needs to know as of then."""

    day: int
    purchase_days: int  # up to then, ever
    next_ms: int  # the first sale of a later day


def starts(state: State, policy: Policy, rule: ModelRule) -> list[Start]:
    """Return the crossings among those that late events can still touch; the one ahead if nothing is bought."""
    since_ms = state.settled_ms - policy.lateness_ms
    found = []
    for anchor in _anchors(state, policy):
        if anchor.next_ms <= since_ms or _is_short(anchor, state, policy, rule):
            continue
        start_ms = _crossing_ms(anchor, state, policy, rule)
        if since_ms <= start_ms < anchor.next_ms:
            found.append(Start(start_ms))
    return found


def next_start_ms(state: State, policy: Policy, rule: ModelRule) -> int:
    """Return the crossing after the latest purchase if it lies ahead, else never."""
    first_ms, last_ms = state.first_purchase_ms, state.last_purchase_ms
    if first_ms is None or last_ms is None:
        return NEVER_MS
    latest = _Anchor(policy.local_day(last_ms), state.lifetime_days, NEVER_MS)
    start_ms = _crossing_ms(latest, state, policy, rule)
    return start_ms if start_ms > state.settled_ms else NEVER_MS


def basis(state: State, policy: Policy, rule: ModelRule, start_ms: int) -> ModelBasis:
    """Return both probabilities at the start."""
    model = _model(policy)
    day = policy.local_day(start_ms)
    anchors = _anchors(state, policy)
    anchor = next((one for one in reversed(anchors) if one.day <= day), anchors[0])
    history = history_of(
        model,
        first_day=_first_day(state, policy),
        last_day=anchor.day,
        purchase_days=anchor.purchase_days,
        today=day,
    )
    horizon = rule.within_days / model.days_per_unit
    return ModelBasis(
        probability_no_purchase=probability_no_purchase(model, *history, horizon),
        within_days=rule.within_days,
        probability_alive=probability_alive(model, *history),
        threshold=rule.threshold,
        last_purchase_day=from_ms(policy.midnight_ms(anchor.day)).astimezone(policy.zone).date(),
    )


def _anchors(state: State, policy: Policy) -> list[_Anchor]:
    """Return the remembered purchase days, ascending, each with the first sale after it."""
    first_sale: dict[int, int] = {}
    for fact in facts.every(state.purchases):
        if fact.is_sale:
            first_sale.setdefault(policy.local_day(fact.time_ms), fact.time_ms)
    if not first_sale and state.forgotten_last_ms is not None:
        first_sale[policy.local_day(state.forgotten_last_ms)] = state.forgotten_last_ms
    before = state.lifetime_days - len(first_sale)
    days = [*first_sale.items(), (0, NEVER_MS)]
    return [
        _Anchor(day, before + number, next_ms)
        for number, ((day, _), (_, next_ms)) in enumerate(pairwise(days), start=1)
    ]


def _is_short(anchor: _Anchor, state: State, policy: Policy, rule: ModelRule) -> bool:
    """Return whether the line was not reached before the next purchase: the usual case, in a microsecond."""
    if anchor.next_ms == NEVER_MS:
        return False
    model = _model(policy)
    history = history_of(
        model,
        first_day=_first_day(state, policy),
        last_day=anchor.day,
        purchase_days=anchor.purchase_days,
        today=policy.local_day(anchor.next_ms),
    )
    horizon = rule.within_days / model.days_per_unit
    return probability_no_purchase(model, *history, horizon) < rule.threshold


def _crossing_ms(anchor: _Anchor, state: State, policy: Policy, rule: ModelRule) -> int:
    """Return the local midnight at which the line is reached, not within the rule's quiet days."""
    model, first_day = _model(policy), _first_day(state, policy)
    age = age_no_purchase_reaches(
        model,
        anchor.purchase_days - 1,
        (anchor.day - first_day) / model.days_per_unit,
        horizon=rule.within_days / model.days_per_unit,
        threshold=rule.threshold,
        step=1 / model.days_per_unit,
        age_max=AGE_DAYS_MAX / model.days_per_unit,
    )
    if age * model.days_per_unit > AGE_DAYS_MAX:
        return NEVER_MS
    day = first_day + round(age * model.days_per_unit)
    return policy.midnight_ms(max(day, anchor.day + rule.quiet_days))


def _first_day(state: State, policy: Policy) -> int:
    return policy.local_day(state.first_purchase_ms or 0)


def _model(policy: Policy) -> PurchaseModel:
    if policy.model is None:
        raise AssertionError("a policy with a model rule has a model")
    return policy.model.purchases
