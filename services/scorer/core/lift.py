"""What keeps or lifts a tier: found by calling the core itself, so it is exact and never a second opinion.

Assumed throughout: the cut-offs stay as they are, and nothing is bought, sent back or said but what is
asked about. A purchase is one order in the base currency without lines, made at the instant given. The
score never falls with the amount of a purchase, so the smallest amount is found by bisection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from schemas.times import DAY_MS, to_ms
from schemas.wire import Refused
from services.scorer.core import what_if
from services.scorer.core.advance import advance
from services.scorer.core.pins import pin_of

if TYPE_CHECKING:
    from services.scorer.core.draft import Moment
    from services.scorer.core.policy import Policy
    from services.scorer.core.state import State

PURCHASES_MAX: Final = 60  # days of purchases that are tried; more is no advice


class Lift(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach a better ranked tier from now on."""

    tier: str  # ranked now
    better: str | None  # the level reached by ``amount_minor``, else the next one; None: there is none above
    amount_minor: int | None  # of one purchase made now; None: no single purchase does it
    usual_minor: int  # the customer's average order value, at least 1
    purchases: int | None  # of the usual amount, one a day from now on; None: not within PURCHASES_MAX


class Keep(msgspec.Struct, frozen=True, kw_only=True):
    """How to keep the ranked tier."""

    tier: str
    falls_ms: int | None  # when it falls if nothing is bought; None: it does not
    falls_to: str | None = None
    latest_ms: int | None = None  # the last instant at which a purchase prevents it
    amount_minor: int | None = None  # of one purchase at ``latest_ms``; None: none is large enough
    then_falls_ms: int | None = (
        None  # when it falls in spite of that one, if nothing more is bought; None: never
    )
    amount_now_minor: int | None = None  # of one made now; a second purchase of a day counts for less


class Clearing(msgspec.Struct, frozen=True, kw_only=True):
    """What would change the shown tier where it is not the ranked one."""

    shown: str
    ranked: str
    pinned_until_ms: int | None = None  # NEVER_MS: until somebody unpins it; None: no pin
    by: tuple[str, ...] = ()  # of "purchase", "response", "solution": each alone is enough


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, at one instant."""

    as_of_ms: int
    cut_offs_version: int  # assumed to stay
    lift: Lift | None  # None before the first purchase event
    keep: Keep | None
    clearing: Clearing | None  # None where the shown tier is the ranked one


def outlook(state: State, moment: Moment, policy: Policy) -> Outlook:
    """Return what keeps and lifts the customer's tiers at ``moment``."""
    return Outlook(
        as_of_ms=max(moment.now_ms, state.settled_ms),
        cut_offs_version=moment.cut_offs_version,
        lift=lift(state, moment, policy),
        keep=keep(state, moment, policy),
        clearing=clearing(state, moment, policy),
    )


def lift(state: State, moment: Moment, policy: Policy) -> Lift | None:
    """Return the smallest purchase made now that lifts the ranked tier; None before the first purchase."""
    now, moment = what_if.stand(state, moment, policy)
    if now.ranked is None:
        return None
    level, usual_minor = what_if.level_of(now, policy), what_if.usual_minor(now)
    if level == 0:
        return Lift(tier=now.ranked, better=None, amount_minor=None, usual_minor=usual_minor, purchases=None)

    def after(amount_minor: int) -> State:
        return what_if.bought(now, moment, policy, amount_minor=amount_minor)

    amount_minor = what_if.smallest(lambda minor: what_if.level_of(after(minor), policy) < level)
    return Lift(
        tier=now.ranked,
        better=policy.tiers.names[level - 1] if amount_minor is None else after(amount_minor).ranked,
        amount_minor=amount_minor,
        usual_minor=usual_minor,
        purchases=_purchases_to_lift(now, moment, policy, amount_minor=usual_minor),
    )


def keep(state: State, moment: Moment, policy: Policy) -> Keep | None:
    """Return when the ranked tier falls and the purchase that prevents it; None before the first purchase.

    It falls when what holds it up has left the window, or when the dwell of a downgrade that is wanted
    already ends. Until the latest instant any day will do; whether the same amount does it today is said
    apart, for today may have its purchase already, and a purchase may itself leave the window.
    """
    now, moment = what_if.stand(state, moment, policy)
    if now.ranked is None:
        return None
    level = what_if.level_of(now, policy)
    fall = what_if.first_fall(now, moment, policy, level=level, until_ms=what_if.horizon_ms(now, policy))
    if fall is None:
        return Keep(tier=now.ranked, falls_ms=None)
    falls_ms = to_ms(fall.occurred_at)

    def least(at_ms: int) -> int | None:
        return what_if.smallest(
            lambda minor: keeps(now, moment, policy, amount_minor=minor, at_ms=at_ms, falls_ms=falls_ms)
        )

    amount_minor = least(falls_ms - 1)
    return Keep(
        tier=now.ranked,
        falls_ms=falls_ms,
        falls_to=fall.ranked_current,
        latest_ms=falls_ms - 1,
        amount_minor=amount_minor,
        then_falls_ms=None
        if amount_minor is None
        else _falls_after(now, moment, policy, amount_minor=amount_minor, at_ms=falls_ms - 1),
        amount_now_minor=least(moment.now_ms),
    )


def keeps(
    state: State, moment: Moment, policy: Policy, *, amount_minor: int, at_ms: int, falls_ms: int
) -> bool:
    """Return whether a purchase at ``at_ms`` keeps the ranked tier from falling up to ``falls_ms``."""
    level = what_if.level_of(state, policy)
    then = msgspec.structs.replace(moment, now_ms=at_ms, complete=False)
    try:
        step = advance(state, what_if.purchase(state, at_ms, policy, amount_minor=amount_minor), then, policy)
    except Refused:
        return False
    if what_if.fall_among(step.effects, level, policy) is not None:
        return False
    return what_if.first_fall(step.state, then, policy, level=level, until_ms=falls_ms) is None


def clearing(state: State, moment: Moment, policy: Policy) -> Clearing | None:
    """Return what would clear a shown tier that is not the ranked one; None where it is."""
    now, moment = what_if.stand(state, moment, policy)
    if now.ranked is None or now.tier is None or now.tier == now.ranked:
        return None
    pin = pin_of(now, moment.now_ms)
    if pin is not None:
        return Clearing(shown=now.tier, ranked=now.ranked, pinned_until_ms=pin.until_ms)
    by = []
    for name, event in what_if.remedies(now, moment.now_ms, policy):
        try:
            after = advance(now, event, moment, policy).state
        except Refused:
            continue
        if after.tier != now.tier:
            by.append(name)
    return Clearing(shown=now.tier, ranked=now.ranked, by=tuple(dict.fromkeys(by)))


def _falls_after(
    state: State, moment: Moment, policy: Policy, *, amount_minor: int, at_ms: int
) -> int | None:
    """Return when the ranked tier falls below today's in spite of a purchase at ``at_ms``."""
    then = msgspec.structs.replace(moment, now_ms=at_ms, complete=False)
    after = what_if.bought(state, then, policy, amount_minor=amount_minor)
    level, until_ms = what_if.level_of(state, policy), what_if.horizon_ms(after, policy)
    fall = what_if.first_fall(after, then, policy, level=level, until_ms=until_ms)
    return None if fall is None else to_ms(fall.occurred_at)


def _purchases_to_lift(state: State, moment: Moment, policy: Policy, *, amount_minor: int) -> int | None:
    """Return how many purchases of an amount, one a day from now on, lift the ranked tier."""
    level = what_if.level_of(state, policy)
    for number in range(PURCHASES_MAX):
        then = msgspec.structs.replace(moment, now_ms=moment.now_ms + number * DAY_MS)
        state = what_if.bought(state, then, policy, amount_minor=amount_minor, number=number)
        if what_if.level_of(state, policy) < level:
            return number + 1
    return None
