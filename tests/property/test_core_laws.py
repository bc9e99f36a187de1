"""Laws of the scorer's core, over generated lives of one customer."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.events import ChurnWarned, Input, ReferralMade, TierChanged
from schemas.tiers import Tier
from schemas.times import DAY_MS, HOUR_MS, to_ms
from services.scorer.core.advance import advance, settle
from services.scorer.core.contacts import contact_ms, silences
from services.scorer.core.cuts import Cuts, count_move, empty_histogram
from services.scorer.core.due import next_due_ms
from services.scorer.core.policy import Policy
from services.scorer.core.state import State, decode_state, encode_state
from services.scorer.core.tiers import wanted_tier
from services.scorer.core.window import recount
from tests.property.laws import LAWS
from tests.unit.core_given import CUTS, POLICY, T0, Life, browse, cuts_at, response, returned, sale

LONDON = Policy.default(time_zone="Europe/London")
EDGES = (0, 1, 30, 89, 90, 91, 179, 180, 181, 269, 270, 364, 365)
# No event, due or clock change of these lives falls on such an instant: looking exactly when two things
# are due together may publish them as two changes instead of one, and that is all it may do.
QUIET_MS = 433_000


def instants(days_max: int) -> st.SearchStrategy[int]:
    """Instants up to ``days_max`` after T0 that like to meet and to lie exactly at the policy's lengths."""
    days = st.one_of(st.sampled_from([day for day in EDGES if day <= days_max]), st.integers(0, days_max))
    offset = st.sampled_from([0, 0, 0, 1, HOUR_MS, 11 * HOUR_MS, 13 * HOUR_MS, 12 * HOUR_MS - 1])
    return st.builds(lambda day, ms: T0 + day * DAY_MS + ms, days, offset)


@st.composite
def events(draw: st.DrawFn, days_max: int, number: int) -> Input:
    """One event of any kind; few orders and amounts, so that they collide."""
    time_ms, name = draw(instants(days_max)), f"e{number}"
    order = draw(st.sampled_from(["o1", "o2", "o3", ""]))
    amount = draw(st.sampled_from([0, 1, 500, 500, 1_000, 250_000]))
    kind = draw(st.sampled_from(["sale", "sale", "sale", "return", "browse", "clicked", "opened"]))
    if kind == "sale":
        return sale(time_ms, amount, order=order, event=name)
    if kind == "return":
        return returned(time_ms, amount or 7, order=order or None, event=name)
    if kind == "browse":
        return browse(time_ms, event=name)
    return response(time_ms, "clicked" if kind == "clicked" else "opened", event=name)


@st.composite
def lives(draw: st.DrawFn, days_max: int = 380, count_max: int = 14) -> list[Input]:
    """The events of a life, in any order."""
    count = draw(st.integers(1, count_max))
    return [draw(events(days_max, number)) for number in range(count)]


def when(event: Input) -> int:
    """Return the event's time in ms."""
    return to_ms(event.occurred_at)


def in_time(life: list[Input]) -> list[Input]:
    """Return the events as a replay delivers them."""
    return sorted(life, key=when)


cuts = st.builds(
    lambda points: cuts_at((points[5], points[4], points[3]), (points[2], points[1], points[0])),
    st.lists(st.integers(0, 10_001), min_size=6, max_size=6).map(sorted),
)
zones = st.sampled_from([POLICY, LONDON])


def facts_of(state: State) -> dict[str, Any]:
    """What must not depend on the order of arrival."""
    fields = (
        "purchases outside net_minor orders purchase_days score recent first_purchase_ms last_purchase_ms "
        "last_response_ms last_opened_ms lifetime_orders lifetime_net_minor lifetime_days settled_ms"
    )
    found = {name: getattr(state, name) for name in fields.split()}
    found["silences"] = [
        gap
        for gap in silences(state.contacts, state.first_purchase_ms)
        if gap[1] is None or contact_ms(gap[1]) - gap[0] > POLICY.shortest_silence_ms
    ]
    found["early silences"] = [
        (one.start_ms, one.end_ms, one.ended_by)
        for one in state.episodes
        if one.rule == "early_silence" and one.ended_by != "retracted"
    ]
    return found


@LAWS
@given(lives(), st.data(), zones)
def test_arrival_order_does_not_show(life: list[Input], data: st.DataObject, policy: Policy) -> None:
    """Any permutation of events within the memory ends in the same facts, score and early silences."""
    end_ms = T0 + 390 * DAY_MS
    shuffled = data.draw(st.permutations(life))

    straight = Life(policy=policy).happens(*in_time(life)).until(end_ms)
    crooked = Life(policy=policy).happens(*shuffled).until(end_ms)

    assert facts_of(crooked.known) == facts_of(straight.known)


@LAWS
@given(lives(days_max=1_500, count_max=20), st.data())
def test_lateness_does_not_show_over_years(life: list[Input], data: st.DataObject) -> None:
    """Each event up to 30 days late: the same facts, though facts are forgotten on the way.

    An order id that comes back after the window is another matter (it is known or not), so each is used
    in one season only.
    """
    season = [rename(event, when(event) // (300 * DAY_MS)) for event in life]
    delays = data.draw(st.lists(st.integers(0, 30 * DAY_MS), min_size=len(life), max_size=len(life)))
    arrival = [
        event for _, event in sorted(zip(delays, season, strict=True), key=lambda p: p[0] + when(p[1]))
    ]
    end_ms = T0 + 1_600 * DAY_MS

    straight = Life().happens(*in_time(season)).until(end_ms)
    crooked = Life().happens(*arrival).until(end_ms)

    assert facts_of(crooked.known) == facts_of(straight.known)


def rename(event: Input, season: int) -> Input:
    """Return the event with order ids of its season."""
    order_id = getattr(event, "order_id", None)
    if order_id is None:
        return event
    named = getattr(event, "returned_order_id", None)
    return replace(
        event,
        order_id=f"{order_id}-{season}",
        returned_order_id=None if named is None else f"{named}-{season}",
    )


@LAWS
@given(lives(), st.data())
def test_repeats_change_nothing(life: list[Input], data: st.DataObject) -> None:
    """A redelivered event is recognised wherever it comes again."""
    once = Life(cuts=CUTS).happens(*life)
    repeats = data.draw(st.lists(st.sampled_from(life), max_size=5))
    recent = {event for event in repeats if not hasattr(event, "campaign_id") or len(life) <= 16}

    for event in recent:
        step = advance(once.known, event, once.moment(0), POLICY)
        assert step.duplicate
        assert step.state == once.known


@LAWS
@given(lives(days_max=1_200, count_max=25), st.booleans(), zones)
def test_the_running_window_is_the_recount(life: list[Input], ordered: bool, policy: Policy) -> None:  # noqa: FBT001
    """After every step, and at every due in between, in every order that is not too late."""
    lived = Life(policy=policy)
    events_ = in_time(life) if ordered else [e for e in life if when(e) < T0 + 380 * DAY_MS]
    for event in events_:
        lived.happens(event)
        check_window(lived.known, policy)
    for _ in range(60 if events_ else 0):
        due = next_due_ms(lived.known, policy, None)
        if due is None:
            break
        check_window(lived.until(due).known, policy)


def check_window(state: State, policy: Policy) -> None:
    """Assert that the running window is what the definition counts."""
    assert recount(state.purchases, state.settled_ms, policy) == (
        state.net_minor,
        state.orders,
        state.purchase_days,
    )


@LAWS
@given(lives(days_max=800), cuts, st.lists(st.integers(0, 400 * 24), max_size=12), zones)
def test_small_steps_are_one_big_step(
    life: list[Input], in_force: Cuts, steps: list[int], policy: Policy
) -> None:
    """How often time is looked at does not show: the same effects, the same state."""
    start = Life(in_force, policy).happens(*in_time(life))
    times = sorted(start.known.settled_ms + step * HOUR_MS + QUIET_MS for step in [*steps, 400 * 24])
    big = Life(in_force, policy, start.known).until(times[-1])
    small = Life(in_force, policy, start.known)
    for time_ms in times:
        small.until(time_ms)

    assert small.effects == big.effects
    assert replace(small.known, oldest_ms=0) == replace(big.known, oldest_ms=0)


@LAWS
@given(lives(days_max=800), cuts, st.integers(0, 10**9))
def test_looking_in_between_does_not_show(life: list[Input], in_force: Cuts, seed: int) -> None:
    """Timers that fire between two events change nothing that the next event would not have."""
    lazy, eager = Life(in_force), Life(in_force)
    for earlier, later in pairwise([*in_time(life), browse(T0 + 900 * DAY_MS, event="end")]):
        lazy.happens(earlier)
        eager.happens(earlier)
        hours = (when(later) - when(earlier)) // HOUR_MS
        if hours > 0:
            eager.until(when(earlier) + seed % hours * HOUR_MS + QUIET_MS)

    assert eager.until(T0 + 900 * DAY_MS).effects == lazy.until(T0 + 900 * DAY_MS).effects


@LAWS
@given(lives(), cuts, st.integers(0, 400), zones)
def test_next_due_is_never_late(life: list[Input], in_force: Cuts, days: int, policy: Policy) -> None:
    """Until the millisecond before it, nothing happens; and time always gets on."""
    lived = Life(in_force, policy).happens(*life).until(T0 + days * DAY_MS)
    for _ in range(40):
        due = next_due_ms(lived.known, policy, in_force)
        if due is None:
            break
        quiet = settle(lived.known, lived.moment(max(due - 1, lived.known.settled_ms)), policy)
        assert quiet.effects == ()
        assert POLICY.bin_of(quiet.state) == POLICY.bin_of(lived.known)
        assert (quiet.state.net_minor, quiet.state.orders) == (lived.known.net_minor, lived.known.orders)
        lived.until(due)
        later = next_due_ms(lived.known, policy, in_force)
        assert later is None or later > due
    else:
        raise AssertionError("the timers of one life never end")


@LAWS
@given(lives(days_max=700), st.lists(cuts, min_size=1, max_size=8))
def test_a_histogram_follows_the_moves(life: list[Input], crowd: list[Cuts]) -> None:
    """Counting the moves of each step is counting all customers' scores."""
    histogram = empty_histogram()
    lived = Life()
    for index, event in enumerate(in_time(life)):
        lived.happens(event)
        lived.crowd(lived.known.settled_ms, crowd[index % len(crowd)])
    lived.until(T0 + 750 * DAY_MS)
    for step in lived.steps:
        count_move(histogram, step.moved)

    assert sum(histogram) == (lived.known.orders > 0)
    assert histogram[lived.known.score] == (lived.known.orders > 0)


@LAWS
@given(lives(), st.data(), cuts)
def test_every_episode_is_raised_once(life: list[Input], data: st.DataObject, in_force: Cuts) -> None:
    """Whatever comes late; and what is open at the end is what was raised and not ended."""
    lived = Life(in_force)
    for event in life:
        lived.happens(event)
        if data.draw(st.booleans()):
            ahead_ms = lived.known.settled_ms + data.draw(st.integers(0, 5)) * DAY_MS
            lived.until(min(ahead_ms, T0 + 389 * DAY_MS))  # later, the oldest events would be refused
    lived.until(T0 + 389 * DAY_MS)

    raised = [(rule, start) for rule, what, start, _ in lived.churn if what == "warned"]
    assert len(raised) == len(set(raised))
    last = {(rule, start): what for rule, what, start, _ in lived.churn}
    still_open = {key for key, what in last.items() if what == "warned"}
    assert still_open == {(one.rule, one.start_ms) for one in lived.known.episodes if one.is_open}
    assert all(one.end_ms == 0 for one in lived.known.episodes if one.is_open)


@LAWS
@given(lives(days_max=700), st.lists(cuts, min_size=1, max_size=8), st.integers(1, 40))
def test_tiers_move_by_the_rules_only(life: list[Input], crowd: list[Cuts], days: int) -> None:
    """No downgrade within the dwell, one tier down at a time, none inside the margins, proofs that agree."""
    lived = Life(crowd[0])
    for index, event in enumerate(in_time(life)):
        lived.happens(event).crowd(lived.known.settled_ms + days * HOUR_MS, crowd[index % len(crowd)])
    lived.until(T0 + 1_200 * DAY_MS)

    rank = {"at_risk": 0, "regular": 1, "high_value": 2}
    since_ms = 0
    for change in lived.tier_changes:
        before, after = change.ranked_previous, change.ranked_current
        assert (change.previous, before) != (change.current, after)
        if before is None:
            assert after != Tier.AT_RISK
        elif before != after:
            assert wanted_tier(before, change.proof.score, change.proof.cut_offs, POLICY.tiers) == after
            if rank[after] < rank[before]:
                assert rank[before] - rank[after] == 1
                assert to_ms(change.occurred_at) - since_ms >= POLICY.tiers.dwell_ms
        if before != after:
            since_ms = to_ms(change.occurred_at)


@LAWS
@given(lives(days_max=700), cuts)
def test_effects_come_in_order_and_chain(life: list[Input], in_force: Cuts) -> None:
    """In a history in order of time: revisions without a gap, instants that never go back, tiers that chain."""
    lived = Life(in_force).happens(*in_time(life)).until(T0 + 1_200 * DAY_MS)

    published = [one for one in lived.effects if not isinstance(one, ReferralMade)]
    assert [one.revision for one in published] == list(range(1, len(lived.effects) + 1))
    assert lived.known.revision == len(lived.effects)
    times = [to_ms(one.occurred_at) for one in lived.effects]
    assert times == sorted(times)
    for one, other in pairwise(one for one in lived.effects if isinstance(one, TierChanged)):
        assert (one.current, one.ranked_current) == (other.previous, other.ranked_previous)
    for warned in (one for one in lived.effects if isinstance(one, ChurnWarned)):
        assert warned.rule != "high_value_silence" or warned.evidence.ranked_tier == Tier.HIGH_VALUE


@LAWS
@given(lives(days_max=700), cuts)
def test_states_survive_their_store(life: list[Input], in_force: Cuts) -> None:
    """Encoding between any two steps does not show, and the bytes of equal states are equal."""
    kept, stored = Life(in_force), Life(in_force)
    for event in in_time(life):
        kept.happens(event)
        stored.happens(event)
        stored.state = decode_state(encode_state(stored.known))

    assert stored.known == kept.known
    assert stored.effects == kept.effects
    assert encode_state(stored.known) == encode_state(kept.known)
