"""Laws of what keeps or lifts a tier: the answer is exact, and the core itself says so."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.times import DAY_MS
from services.scorer.core import what_if
from services.scorer.core.advance import advance, settle
from services.scorer.core.lift import clearing, keep, keeps, lift
from services.scorer.core.policy import Ladder, Level, Policy
from tests.property.laws import LAWS
from tests.unit.core_given import POLICY, T0, Life, at, cuts_at, response, returned, sale

SPEND = replace(
    POLICY,
    tiers=Ladder(
        by="spend",
        levels=(Level(name="gold", at_least=200.0), Level(name="silver", at_least=100.0), Level(name="base")),
        margin_percent=10,
        dwell_days=30,
    ),
    churn=POLICY.churn[:1],
)
LONDON = replace(POLICY, time_zone="Europe/London")
policies = st.sampled_from([POLICY, LONDON, SPEND])
days = st.one_of(st.sampled_from([0, 1, 89, 90, 180, 364]), st.integers(0, 370))
cuts = st.lists(st.integers(0, 10_001), min_size=6, max_size=6).map(
    lambda six: cuts_at(tuple(sorted(six)[:2:-1]), tuple(sorted(six)[2::-1]))  # type: ignore[arg-type]
)


@dataclass
class Given:
    """A customer at some instant, under cuts that stay."""

    life: Life
    policy: Policy


@st.composite
def customers(draw: st.DrawFn) -> Given:
    """Somebody who bought, sent back and answered, some time ago."""
    policy = draw(policies)
    life = Life(draw(cuts), policy)
    happened = sorted(draw(st.lists(days, min_size=1, max_size=8)))
    for number, day in enumerate(happened):
        amount = draw(st.sampled_from([1, 500, 5_000, 30_000]))
        kind = draw(st.sampled_from(["sale", "sale", "sale", "return", "clicked"]))
        if number == 0 or kind == "sale":
            life.happens(sale(at(day), amount))
        elif kind == "return":
            life.happens(returned(at(day), amount))
        else:
            life.happens(response(at(day)))
    return Given(life.until(at(happened[-1] + draw(st.integers(0, 200)))), policy)


def level_after(given_: Given, amount_minor: int) -> int:
    """Return the ranked level after a purchase now."""
    life, policy = given_.life, given_.policy
    moment = life.moment(life.known.settled_ms)
    made = what_if.purchase(life.known, moment.now_ms, policy, amount_minor=amount_minor)
    return what_if.level_of(advance(life.known, made, moment, policy).state, policy)


@LAWS
@given(customers())
def test_the_smallest_purchase_lifts_and_a_unit_less_does_not(given_: Given) -> None:
    """Exact to the minor unit; where there is none, the largest possible purchase does not lift either."""
    life, policy = given_.life, given_.policy
    found = lift(life.known, life.moment(0), policy)

    assert found is not None
    level = what_if.level_of(life.known, policy)
    if level == 0:
        assert (found.better, found.amount_minor) == (None, None)
    elif found.amount_minor is None:
        assert level_after(given_, 10**12) >= level
    else:
        assert policy.tiers.level_of[found.better or ""] == level_after(given_, found.amount_minor) < level
        assert found.amount_minor == 1 or level_after(given_, found.amount_minor - 1) >= level


@LAWS
@given(customers())
def test_usual_purchases_lift_on_the_day_that_was_said(given_: Given) -> None:
    """As many as it says, one a day, and not one less."""
    life, policy = given_.life, given_.policy
    found = lift(life.known, life.moment(0), policy)
    assume(found is not None and found.purchases is not None)
    assert found is not None
    assert found.purchases is not None
    tier = life.known.ranked
    start_ms = life.known.settled_ms
    for number in range(found.purchases):
        assert (
            life.known.ranked == tier
            or policy.tiers.level_of[life.known.ranked or ""] >= (policy.tiers.level_of[tier or ""])
        )
        life.happens(sale(start_ms + number * DAY_MS, found.usual_minor))

    assert policy.tiers.level_of[life.known.ranked or ""] < policy.tiers.level_of[tier or ""]


@LAWS
@given(customers())
def test_the_tier_falls_when_it_was_said(given_: Given) -> None:
    """Not a millisecond before, if nothing is bought; and never if it was said so."""
    life, policy = given_.life, given_.policy
    found = keep(life.known, life.moment(0), policy)
    assert found is not None
    level = what_if.level_of(life.known, policy)

    if found.falls_ms is None:
        far = life.until(life.known.settled_ms + 2_000 * DAY_MS)
        assert what_if.level_of(far.known, policy) <= level
        return
    before = settle(life.known, life.moment(found.falls_ms - 1), policy).state
    after = settle(life.known, life.moment(found.falls_ms), policy).state
    assert what_if.level_of(before, policy) <= level
    assert after.ranked == found.falls_to
    assert what_if.level_of(after, policy) > level


@LAWS
@given(customers(), st.integers(0, 400))
def test_the_smallest_purchase_keeps_until_the_latest_date(given_: Given, days_before: int) -> None:
    """Bought at the latest instant or on any day before that has no purchase yet; a unit less does not."""
    life, policy = given_.life, given_.policy
    moment = life.moment(life.known.settled_ms)
    found = keep(life.known, moment, policy)
    assume(found is not None and found.amount_minor is not None)
    assert found is not None
    assert found.amount_minor is not None
    assert found.falls_ms is not None
    assert found.latest_ms is not None
    falls_ms, latest_ms = found.falls_ms, found.latest_ms

    def kept(amount_minor: int, at_ms: int) -> bool:
        return keeps(life.known, moment, policy, amount_minor=amount_minor, at_ms=at_ms, falls_ms=falls_ms)

    assert kept(found.amount_minor, latest_ms)
    assert found.amount_minor == 1 or not kept(found.amount_minor - 1, latest_ms)
    earlier_ms = latest_ms - days_before * DAY_MS
    has_gone = earlier_ms <= falls_ms - policy.window_ms
    if policy.local_day(earlier_ms) > policy.local_day(moment.now_ms) and not has_gone:
        assert kept(found.amount_minor, earlier_ms)
    if found.then_falls_ms is not None:
        assert found.then_falls_ms > falls_ms
    if found.amount_now_minor is not None:
        assert kept(found.amount_now_minor, moment.now_ms)


@LAWS
@given(customers())
def test_what_clears_a_shown_tier_clears_it(given_: Given) -> None:
    """Each remedy that is named leads to another shown tier, and none is named where nothing is to clear."""
    life, policy = given_.life, given_.policy
    found = clearing(life.known, life.moment(0), policy)
    state = life.known

    assert (found is None) == (state.tier == state.ranked)
    if found is None:
        return
    assert found.shown == state.tier
    named = {
        name: advance(state, event, life.moment(state.settled_ms), policy).state.tier != state.tier
        for name, event in what_if.remedies(state, state.settled_ms, policy)
    }
    assert set(found.by) == {name for name, clears in named.items() if clears}
    if found.shown == "lapsed":
        assert found.by == ("purchase",)


def test_an_answer_changes_nothing() -> None:
    """Asking leaves the state as it was."""
    life = Life(cuts_at((5_000, 4_800, 4_600), (1_900, 1_700, 1_500))).happens(sale(T0))
    before = replace(life.known)

    lift(life.known, life.moment(at(30)), POLICY)
    keep(life.known, life.moment(at(30)), POLICY)

    assert life.known == before
