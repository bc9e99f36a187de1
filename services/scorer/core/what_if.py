"""What would happen if: steps of the core on a copy, with a purchase that nobody made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from schemas.events import (
    AMOUNT_MINOR_MAX,
    CampaignResponded,
    PurchaseRecorded,
    ServiceContactRecorded,
    TierChanged,
)
from schemas.times import DAY_MS, from_ms
from schemas.wire import Refused
from services.scorer.core.advance import advance, settle
from services.scorer.core.state import NEVER_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from schemas.events import Input
    from services.scorer.core.draft import Effect, Moment
    from services.scorer.core.policy import Policy
    from services.scorer.core.state import State

EVENT_ID: Final = "tierstream-what-if"  # no publisher uses it: an answer must not look like a repeat
AMOUNT_MIN: Final = 1  # minor units; an order of nothing counts, but nobody is advised to make one


def stand(state: State, moment: Moment, policy: Policy) -> tuple[State, Moment]:
    """Return the state at the moment, and the moment at the customer's clock."""
    moment = msgspec.structs.replace(moment, now_ms=max(moment.now_ms, state.settled_ms))
    return settle(state, moment, policy).state, moment


def level_of(state: State, policy: Policy) -> int:
    """Return the ranked level, 0 for the best."""
    if state.ranked is None:
        raise AssertionError("only who has a ranked tier has a level")
    return policy.tiers.level_of[state.ranked]


def smallest(enough: Callable[[int], bool]) -> int | None:
    """Return the smallest amount that is enough; None if none is. Once enough, more is enough too."""
    if not enough(AMOUNT_MINOR_MAX):
        return None
    low, high = AMOUNT_MIN - 1, AMOUNT_MIN  # from small amounts up: that is where the answers are
    while not enough(high):
        low, high = high, min(AMOUNT_MINOR_MAX, 2 * high)
    while high - low > 1:
        middle = (low + high) // 2
        if enough(middle):
            high = middle
        else:
            low = middle
    return high


def bought(state: State, moment: Moment, policy: Policy, *, amount_minor: int, number: int = 0) -> State:
    """Return the state after a purchase at the moment; unchanged where the purchase would be refused."""
    made = purchase(state, moment.now_ms, policy, amount_minor=amount_minor, number=number)
    try:
        return advance(state, made, moment, policy).state
    except Refused:
        return state


def purchase(
    state: State, at_ms: int, policy: Policy, *, amount_minor: int, number: int = 0
) -> PurchaseRecorded:
    """Return a purchase that the customer might make, as one order; ``number`` tells several apart."""
    return PurchaseRecorded(
        event_id=f"{EVENT_ID}-{number}",
        customer_id=state.customer_id,
        occurred_at=from_ms(at_ms),
        kind="sale",
        order_id=f"{EVENT_ID}-order-{number}",
        amount_minor=amount_minor,
        currency=policy.currency,
        channel=EVENT_ID,
        store_id=EVENT_ID,
    )


def usual_minor(state: State) -> int:
    """Return the average order value of the window, else of the whole life; at least ``AMOUNT_MIN``."""
    net_minor, orders = state.net_minor, state.orders
    if orders == 0:
        net_minor, orders = state.lifetime_net_minor, state.lifetime_orders
    return max(AMOUNT_MIN, net_minor // orders if orders else 0)


def horizon_ms(state: State, policy: Policy) -> int:
    """Return an instant from which on time moves no ranked tier any more.

    All has left the window and the ledger of months by then, and a dwell for every level has passed. Only a
    ``predicted_value`` falls on for years after that, a little every day: under a policy that weighs it, what
    is said to stay is said for this long and no longer, since years of days are too many to try.
    """
    dwells_ms = len(policy.tiers.levels) * (policy.tiers.dwell_ms + DAY_MS)
    return state.settled_ms + policy.window_ms + dwells_ms + 32 * DAY_MS


def first_fall(
    state: State, moment: Moment, policy: Policy, *, level: int, until_ms: int
) -> TierChanged | None:
    """Return the first change that ranks the customer below ``level`` if time passes and nothing else."""
    until = msgspec.structs.replace(moment, now_ms=max(until_ms, state.settled_ms), complete=False)
    return fall_among(settle(state, until, policy).effects, level, policy)


def fall_among(effects: Iterable[Effect], level: int, policy: Policy) -> TierChanged | None:
    """Return the first change that ranks the customer below ``level``."""
    changes = (one for one in effects if isinstance(one, TierChanged))
    return next((one for one in changes if policy.tiers.level_of[one.ranked_current] > level), None)


def remedies(state: State, now_ms: int, policy: Policy) -> list[tuple[str, Input]]:
    """Return what could clear a warning or a lapse: a purchase, an answer, a complaint that is solved."""
    at, customer_id = from_ms(now_ms), state.customer_id
    answer = CampaignResponded(
        event_id=EVENT_ID,
        customer_id=customer_id,
        occurred_at=at,
        campaign_id=EVENT_ID,
        response="clicked",
    )
    solutions = [
        ServiceContactRecorded(
            event_id=f"{EVENT_ID}-{number}",
            customer_id=customer_id,
            occurred_at=at,
            contact_id=case.contact_id,
            kind="complaint",
            channel=EVENT_ID,
            status="solved",
        )
        for number, case in enumerate(state.cases)
        if case.kind == "complaint" and case.solved_ms == NEVER_MS
    ]
    made = purchase(state, now_ms, policy, amount_minor=AMOUNT_MIN)
    return [("purchase", made), ("response", answer), *(("solution", one) for one in solutions)]
