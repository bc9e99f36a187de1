"""The customers and the events that every part of the benchmark works on; the same seed gives the same."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random
from typing import Final, NamedTuple

from schemas.events import CampaignResponded, Input, ProductBrowsed, PurchaseLine, PurchaseRecorded
from schemas.times import DAY_MS, from_ms
from schemas.topics import SCORER_INPUTS
from schemas.wire import encode
from services.scorer.core.advance import adopt, advance, settle
from services.scorer.core.cuts import Cuts, count_move, cuts_of, empty_histogram
from services.scorer.core.draft import Moment
from services.scorer.core.policy import Policy
from services.scorer.core.state import State
from services.scorer.records import partition_of

TOPICS: Final = tuple(topic.name for topic in SCORER_INPUTS)
SHARES: Final = (0.50, 0.39, 0.11)  # purchases, browses, responses: as in the demo's year
LANES: Final = 8
POLICY: Final = Policy.default()
HISTORY_DAYS: Final = 395  # all that a state remembers
LOG_DAYS: Final = 7  # the events are dated within the last week
_LIVES_MAX: Final = 2_000
_PURCHASES_MAX: Final = 80


class Life(NamedTuple):
    """A past that several customers share: each gets its state, under his own id."""

    state: State
    activity: int  # events in it; the busy stay busy


class Message(NamedTuple):
    """One record as published; its offset is its index in its topic-partition."""

    customer: int
    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class World:
    """Who there is when the benchmark begins, and what will happen."""

    lives: list[Life]
    customers: int
    cuts: Cuts | None
    begins_ms: int  # the clock of the seeded states
    lane_of: list[int]
    policy: Policy = POLICY
    log: dict[tuple[str, int], list[Message]] = field(default_factory=dict)

    def state_of(self, customer: int) -> State:
        """Return the state that the customer begins with."""
        state = copy.copy(self.lives[customer % len(self.lives)].state)
        state.customer_id = name_of(customer)
        return state


def name_of(customer: int) -> str:
    """Return the customer's id."""
    return f"customer-{customer:07d}"


def make_world(customers: int, events: int, *, seed: int = 1, policy: Policy = POLICY) -> World:
    """Return a world of ``customers`` with a past each, and ``events`` of the last week; scored by ``policy``."""
    rng, now_ms = Random(seed), int(time.time() * 1000)
    begins_ms = now_ms - LOG_DAYS * DAY_MS
    lives = [_life(rng, number, begins_ms, policy) for number in range(min(customers, _LIVES_MAX))]
    lives, cuts = _ranked(lives, customers, begins_ms, policy)
    lane_of = [partition_of(name_of(customer), LANES) for customer in range(customers)]
    world = World(lives, customers, cuts, begins_ms, lane_of, policy)
    world.log.update({(topic, lane): [] for topic in TOPICS for lane in range(LANES)})
    for customer, topic, event in _events(rng, world, events):
        message = Message(customer, event.customer_id.encode(), encode(event))
        world.log[topic, lane_of[customer]].append(message)
    return world


def _life(rng: Random, number: int, until_ms: int, policy: Policy) -> Life:
    """Live a past through the core: some 11 purchases in 395 days on average, few have many."""
    purchases = min(_PURCHASES_MAX, 1 + int(rng.lognormvariate(2.0, 0.9)))
    return lived(rng, f"life-{number}", purchases, until_ms, policy)


def lived(
    rng: Random, name: str, purchases: int, until_ms: int, policy: Policy, *, alone: bool = False
) -> Life:
    """Return a past with as many purchases, and browses and responses to go with them unless ``alone``."""
    others = [0 if alone else round(purchases * share / SHARES[0]) for share in SHARES[1:]]
    kinds = [0] * purchases + [1] * others[0] + [2] * others[1]
    times = sorted(until_ms - rng.randrange(1, HISTORY_DAYS * DAY_MS) for _ in kinds)
    rng.shuffle(kinds)
    state: State | None = None
    for at, (kind, time_ms) in enumerate(zip(kinds, times, strict=True)):
        event = _event(rng, kind, name, f"past-{name}-{at}", time_ms)
        state = advance(state, event, Moment(now_ms=time_ms), policy).state
    if state is None:
        raise AssertionError("every life has a purchase")
    return Life(settle(state, Moment(now_ms=until_ms), policy).state, len(kinds))


def _ranked(lives: list[Life], customers: int, now_ms: int, policy: Policy) -> tuple[list[Life], Cuts | None]:
    """Bring everybody under the crowd's own cut-offs, so that the run does not begin with a landslide."""
    crowd = empty_histogram()
    for customer in range(customers):
        count_move(crowd, (None, policy.bin_of(lives[customer % len(lives)].state)))
    cuts = cuts_of(crowd, policy)
    moment = Moment(now_ms=now_ms, cuts=cuts, cut_offs_version=1)
    return [Life(adopt(life.state, moment, policy).state, life.activity) for life in lives], cuts


def _events(rng: Random, world: World, events: int) -> Iterator[tuple[int, str, Input]]:
    """Yield events in order of time, each of a customer drawn by how busy he was."""
    lives = world.lives
    weights = list(accumulate(lives[customer % len(lives)].activity for customer in range(world.customers)))
    who = rng.choices(range(world.customers), cum_weights=weights, k=events)
    kinds = rng.choices(range(3), weights=SHARES, k=events)
    step_ms = LOG_DAYS * DAY_MS / max(1, events)
    for number, (customer, kind) in enumerate(zip(who, kinds, strict=True)):
        at_ms = world.begins_ms + int(number * step_ms)
        yield customer, TOPICS[kind], _event(rng, kind, name_of(customer), f"now-{number}", at_ms)


def _event(rng: Random, kind: int, customer_id: str, event_id: str, at_ms: int) -> Input:
    at = from_ms(at_ms)
    if kind == 0:
        amount = int(rng.lognormvariate(8.3, 1.0))
        line = PurchaseLine(
            sku=f"sku-{amount % 997}", category="shoes", brand="Acme", quantity=1, amount_minor=amount
        )
        return PurchaseRecorded(
            event_id=event_id, customer_id=customer_id, occurred_at=at, kind="sale",
            order_id=f"order-{event_id}", amount_minor=amount, currency=POLICY.currency,
            channel="store", store_id=f"store-{amount % 40}", lines=(line,),
        )  # fmt: skip
    if kind == 1:
        sku = f"sku-{rng.randrange(997)}"
        return ProductBrowsed(
            event_id=event_id, customer_id=customer_id, occurred_at=at, sku=sku, category="shoes",
            brand="Acme", action="viewed",
        )  # fmt: skip
    return CampaignResponded(
        event_id=event_id, customer_id=customer_id, occurred_at=at, campaign_id="spring",
        response=rng.choice(("delivered", "opened", "clicked")),
    )  # fmt: skip
