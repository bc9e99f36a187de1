"""However late and often events arrive, in the end the core knows what the oracle counts from sorted ones.

A replay hears everything in the order in which it happened. Here each event arrives up to 29 days late, some
twice, each topic on its own; the end is compared: scores, orders, warnings and who was told of a referral.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from deploy.history import read
from schemas.events import ChurnCleared, ChurnWarned, Input, ProductListed, ReferralMade
from schemas.times import DAY_MS, to_ms
from schemas.wire import decode_input
from services.scorer.core.advance import advance, settle
from services.scorer.core.draft import Moment, Step
from services.scorer.core.policy import Policy
from services.scorer.core.products import Products, latest, product_of
from services.scorer.core.state import State
from tests.histories.every_kind import KINDS
from tests.oracle.events import Event, read_events
from tests.oracle.products import read_products
from tests.oracle.replay import Outcome, referrals_of, replay
from tests.property.oracle_given import made
from tests.property.oracle_policies import POLICIES

SEEDS: Final = int(os.environ.get("TIERSTREAM_ORACLE_SEEDS", "1"))
LATE_DAYS_MAX: Final = 29  # of 30 that the policies allow
# Their tiers and rules are left out here, and then they are as others are.
SAME_HERE: Final = frozenset(
    {"every rule", "every rule, New York, by weeks", "hard landing", "four tiers, London"}
)
SOON = tuple(kind for kind in KINDS if kind != "late_corrections")
# Without rules for tiers: those are judged once, by the tier at the time, which depends on the cut-offs.
BY_FACTS_ALONE: Final[list[dict[str, Any]]] = [
    {"rule": "silence", "name": "quarter", "days": 90},
    {"rule": "silence", "name": "opened", "days": 60, "opened_counts": True},
    {"rule": "competitor", "name": "competitor"},
    {"rule": "disengaged", "name": "disengaged"},
]
Warned = dict[tuple[str, str, int], tuple[int | None, str]]


@dataclass
class Crowd:
    """Everybody's state, and what was published."""

    policy: Policy
    products: Products
    states: dict[str, State] = field(default_factory=dict)
    warned: Warned = field(default_factory=dict)
    told: dict[tuple[str, str], int] = field(default_factory=dict)

    def take(self, event: Input) -> None:
        """Let an event arrive."""
        moment = Moment(now_ms=0, products=self.products)
        self._keep(advance(self.states.get(event.customer_id), event, moment, self.policy))

    def end(self, now_ms: int) -> None:
        """Let time pass to the end, where everything is in."""
        for state in list(self.states.values()):
            self._keep(settle(state, Moment(now_ms=now_ms, complete=True), self.policy))

    def _keep(self, step: Step) -> None:
        self.states[step.state.customer_id] = step.state
        for one in step.effects:
            if isinstance(one, ChurnWarned):
                self.warned[one.customer_id, one.rule, to_ms(one.occurred_at)] = (None, "")
            elif isinstance(one, ChurnCleared):
                end = to_ms(one.occurred_at), one.cause.value
                self.warned[one.customer_id, one.rule, to_ms(one.started_at)] = end
            elif isinstance(one, ReferralMade):
                pair, at_ms = (one.customer_id, one.referred_customer_id), to_ms(one.occurred_at)
                self.told[pair] = min(at_ms, self.told.get(pair, at_ms))


def unambiguous(path: Path, currencies: Iterable[str]) -> None:
    """Leave one body under each id and each revision: of two the first to come counts, whichever that is."""
    kept: dict[tuple[str, ...], str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        key = (event["type"], event["event_id"], event.get("customer_id", ""))
        if event["type"] == "purchase-corrected.v1":
            key = (event["type"], event["corrects"], str(event["revision"]))
        bodies = event if event["type"] == "purchase-recorded.v1" else event.get("purchase")
        if bodies is None or bodies["currency"] in currencies:
            kept.setdefault(key, line)
    path.write_text("".join(f"{line}\n" for line in kept.values()), encoding="utf-8")


def arrivals(path: Path, seed: int) -> list[Input]:
    """Return the events and the referrals of a file as they arrive: late by chance, every tenth twice."""
    history, rng = read([path], partitions=1), Random(f"arrivals {seed}")
    placed: list[tuple[float, float, Input]] = []
    for line in [*history.lines(), *history.derived()]:
        event = decode_input(line.value)
        if isinstance(event, ProductListed):
            continue
        for _ in range(rng.choice((1,) * 9 + (2,))):
            late = rng.choice((0.0, 0.0, rng.random(), LATE_DAYS_MAX * rng.random()))
            placed.append((line.at_ms + late * DAY_MS, rng.random(), event))
    return [event for _, _, event in sorted(placed, key=lambda one: one[:2])]


@dataclass(frozen=True, kw_only=True)
class Both:
    """One history, as it arrived and as it happened."""

    given: list[Event]
    crowd: Crowd
    found: Outcome


def both(name: str, seed: int, path: Path) -> Both:
    """Let a history arrive at the core, and the oracle count it."""
    policy = Policy.from_json(POLICIES[name] | {"churn": BY_FACTS_ALONE})
    made(path, policy, seed, customers=14, years=1, kinds=SOON)
    unambiguous(path, policy.conversions)
    given = list(read_events([path]))
    listed = latest(read([path], partitions=1).listed).items()
    crowd = Crowd(policy, {sku: product_of(one) for sku, one in listed} if policy.needs_products else {})
    for event in arrivals(path, seed):
        crowd.take(event)
    crowd.end(max(event.at_ms for event in given))
    found = replay(given, policy=policy.to_json(), products=read_products([path]))
    return Both(given=given, crowd=crowd, found=found)


@pytest.mark.parametrize("name", [name for name in POLICIES if name not in SAME_HERE])
@pytest.mark.parametrize("seed", range(SEEDS))
def test_late_and_repeated_events_come_to_what_the_oracle_counts(
    name: str, seed: int, tmp_path: Path
) -> None:
    """Scores, orders, net spend, last sales, and the warnings that stand with their ends."""
    came = both(name, seed, tmp_path / "history.jsonl")

    assert standing_warnings(came.crowd.warned) == warnings_of(came.found)
    assert customers_of(came.crowd) == {
        one.customer_id: (one.score, one.measures.orders, one.measures.net_minor, one.last_sale_ms)
        for one in came.found.customers
    }


@pytest.mark.parametrize("seed", range(3))
def test_every_referrer_is_told_whatever_arrives_first(seed: int, tmp_path: Path) -> None:
    """Of each pair the earliest purchase that shows it, corrected or not."""
    came = both("default", seed, tmp_path / "history.jsonl")

    assert came.crowd.told == told_by(came.given)


def customers_of(crowd: Crowd) -> dict[str, tuple[object, ...]]:
    """Return what does not depend on cut-offs, of everybody with a purchase."""
    return {
        who: (state.score, state.orders, state.net_minor, state.last_purchase_ms)
        for who, state in crowd.states.items()
        if state.ranked is not None
    }


def standing_warnings(warned: Warned) -> Warned:
    """Return the warnings but those that were taken back."""
    return {which: end for which, end in warned.items() if end[1] != "retracted"}


def warnings_of(found: Outcome) -> Warned:
    """Return what the oracle has of them."""
    episodes = [(one.customer_id, each) for one in found.customers for each in one.warnings.episodes]
    return standing_warnings(
        {(who, one.rule, one.start_ms): (one.ended_ms, one.ended_by) for who, one in episodes}
    )


def told_by(given: list[Event]) -> dict[tuple[str, str], int]:
    """Return when each pair of referrer and referred was first shown by a purchase."""
    return {(one.customer_id, one.fields["referred_customer_id"]): one.at_ms for one in referrals_of(given)}
