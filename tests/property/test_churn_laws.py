"""Laws of every churn rule together, of corrections and of people's decisions, over generated lives."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import ChurnWarned, Input, PurchaseRecorded
from schemas.times import DAY_MS, HOUR_MS, to_ms
from services.scorer.core.advance import advance
from services.scorer.core.due import next_due_ms
from services.scorer.core.models.parameters import Model, PurchaseModel
from services.scorer.core.policy import (
    Bonus,
    CompetitorRule,
    DisengagedRule,
    FrequencyRule,
    ModelRule,
    Policy,
    SilenceRule,
    Weight,
)
from services.scorer.core.state import State, decode_state, encode_state
from services.scorer.core.window import recount
from tests.property.laws import LAWS
from tests.unit.core_given import (
    CUTS,
    T0,
    Life,
    browse,
    contact,
    corrected,
    pinned,
    referral,
    response,
    returned,
    sale,
)

MODEL = Model(purchases=PurchaseModel(unit="week", r=0.52, alpha=6.2, a=0.89, b=1.62))
EVERY_RULE = Policy(
    churn=(
        SilenceRule(name="early_silence", days=90),
        SilenceRule(name="silence", months=6, opened_counts=True),
        SilenceRule(name="high_value_silence", days=180, tiers=("high_value",), severity="high"),
        FrequencyRule(name="frequency"),
        FrequencyRule(name="plain_frequency", guard="none", recent_days=30, past_days=60),
        CompetitorRule(name="competitor"),
        ModelRule(name="model", threshold=0.7),
        DisengagedRule(name="disengaged"),
    ),
    score=(
        Weight(metric="spend", weight=0.5, reference=20_000, unit=10),
        Weight(metric="orders", weight=0.2, reference=100),
        Weight(metric="recency", weight=0.2, normaliser="inverse", reference=365),
        Weight(metric="purchase_cycle", weight=0.1, normaliser="inverse", reference=365),
    ),
    bonus=(Bonus(metric="referrals", points=200, points_max=1000),),
    model=MODEL,
)
LONDON = msgspec.structs.replace(EVERY_RULE, time_zone="Europe/London")
LATE_MS = 29 * DAY_MS


@st.composite
def happenings(draw: st.DrawFn, day: int, number: int) -> Input:  # noqa: PLR0911 -- one for each kind
    """One event of any kind on a day after T0."""
    offset = draw(st.sampled_from([0, 0, 1, HOUR_MS, 11 * HOUR_MS, 12 * HOUR_MS]))
    time_ms, name = T0 + day * DAY_MS + offset, f"e{number}"
    kind = draw(st.sampled_from(["sale"] * 12 + ["return", "clicked", "opened", "unsubscribed", *_RARE]))
    match kind:
        case "sale":
            return sale(time_ms, draw(st.sampled_from([0, 500, 4_000, 90_000])), event=name)
        case "return":
            return returned(time_ms, 700, order=f"order-of-e{max(0, number - 1)}", event=name)
        case "browse":
            return browse(time_ms, competitor=draw(st.sampled_from([None, "Rival", "Other"])), event=name)
        case "pin":
            until_ms = draw(st.sampled_from([None, time_ms + 20 * DAY_MS]))
            return pinned(
                time_ms, draw(st.sampled_from(["high_value", "regular"])), until_ms=until_ms, event=name
            )
        case "refer":
            return referral(time_ms, draw(st.sampled_from(["a", "b"])), event=name)
        case "opened" | "clicked" | "liked" | "unsubscribed":
            return response(time_ms, kind, event=name)
        case _:
            ticket = draw(st.sampled_from(["t1", "t2"]))
            told = contact(time_ms, ticket, status="solved" if kind == "solved" else "opened")
            return msgspec.structs.replace(told, event_id=name)


_RARE = ("browse", "browse", "pin", "refer", "complaint", "solved", "liked")


@st.composite
def lives(draw: st.DrawFn, days_max: int = 900) -> list[Input]:
    """A life of bursts and gaps, in order of time; some purchases are corrected within a month."""
    day, life = 0, []
    for number in range(draw(st.integers(1, 40))):
        day += draw(st.sampled_from([0, 1, 2, 3, 5, 8, 13, 30, 60, 91, 181]))
        if day > days_max:
            break
        life.append(draw(happenings(day, number)))
    sales = [event for event in life if isinstance(event, PurchaseRecorded)]
    for original in draw(st.lists(st.sampled_from(sales), max_size=3, unique=True)) if sales else []:
        for revision in range(1, draw(st.integers(1, 2)) + 1):
            changes: dict[str, Any] = draw(
                st.sampled_from([{}, {"amount_minor": 123}, {"amount_minor": 50_000, "order_id": "moved"}])
            )
            when_ms = when(original) + revision * draw(st.integers(0, 14)) * DAY_MS
            life.append(corrected(original, revision, at_ms=when_ms, **changes))
    return sorted(life, key=when)


def when(event: Input) -> int:
    """Return the event's time in ms."""
    return to_ms(event.occurred_at)


def kept(life: Life) -> dict[str, Any]:
    """Return what must not depend on the order of arrival."""
    state = life.known
    fields = (
        "purchases outside net_minor orders purchase_days score responses openings mentions unsubscribed "
        "cases revisions referrals decision attributes first_purchase_ms last_purchase_ms lifetime_orders "
        "lifetime_net_minor lifetime_days tier settled_ms"
    )
    found = {name: getattr(state, name) for name in fields.split()}
    found["episodes"] = [
        (one.rule, one.start_ms, one.end_ms, one.ended_by)
        for one in state.episodes
        if one.ended_by != "retracted" and one.rule != "high_value_silence"
    ]
    return found


policies = st.sampled_from([EVERY_RULE, LONDON])


@LAWS
@given(lives(), policies, st.data())
def test_lateness_does_not_show(life: list[Input], policy: Policy, data: st.DataObject) -> None:
    """Each event up to 29 days late: the same facts, score, episodes and, without a crowd, the same tier."""
    delays = data.draw(st.lists(st.integers(0, LATE_MS), min_size=len(life), max_size=len(life)))
    arrival = [event for _, event in sorted(zip(delays, life, strict=True), key=lambda p: p[0] + when(p[1]))]
    end_ms = T0 + 1_000 * DAY_MS

    straight = Life(policy=policy).happens(*life).until(end_ms)
    crooked = Life(policy=policy)
    for event in arrival:
        crooked.happens(event)
    crooked.until(end_ms)

    assert kept(crooked) == kept(straight)


@LAWS
@given(lives(), policies, st.data())
def test_repeats_change_nothing(life: list[Input], policy: Policy, data: st.DataObject) -> None:
    """Whatever is delivered again at once is recognised, corrections and decisions included."""
    lived = Life(policy=policy)
    for event in life:
        lived.happens(event)
        step = advance(lived.known, event, lived.moment(0), policy)
        assert step.duplicate
        assert step.state == lived.known
    again = data.draw(st.sampled_from(life))
    if when(again) > lived.known.settled_ms - 300 * DAY_MS:
        assert advance(lived.known, again, lived.moment(0), policy).duplicate


@LAWS
@given(lives(), policies)
def test_every_episode_is_raised_once_and_ended_once(life: list[Input], policy: Policy) -> None:
    """Of every rule at most one episode is open, and each is raised before it ends."""
    lived = Life(CUTS, policy)
    for event in life:
        lived.happens(event)
        for rule in policy.churn:
            assert sum(one.is_open for one in lived.known.episodes if one.rule == rule.name) <= 1
    lived.until(T0 + 1_500 * DAY_MS)
    warned = [one for one in lived.effects if isinstance(one, ChurnWarned)]
    raised = [(one.rule, to_ms(one.occurred_at)) for one in warned if not one.again]
    assert len(raised) == len(set(raised))
    assert {(one.rule, to_ms(one.occurred_at)) for one in warned if one.again} <= set(raised)
    assert {(rule, start) for rule, what, start, _ in lived.churn if what != "warned"} <= set(raised)


@LAWS
@given(lives(), policies, st.lists(st.integers(0, 400 * 24), max_size=12))
def test_small_steps_are_one_big_step(life: list[Input], policy: Policy, steps: list[int]) -> None:
    """How often time is looked at does not show."""
    start = Life(CUTS, policy).happens(*life)
    end_ms = start.known.settled_ms + 410 * DAY_MS + 433_000
    big = Life(CUTS, policy, start.known).until(end_ms)
    small = Life(CUTS, policy, start.known)
    for hours in sorted(steps):
        small.until(start.known.settled_ms + hours * HOUR_MS + 433_000)
    small.until(end_ms)

    assert small.effects == big.effects
    assert kept(small) == kept(big)


@LAWS
@given(lives(), policies)
def test_time_gets_on_and_fires_nothing_early(life: list[Input], policy: Policy) -> None:
    """Timers come to an end, and until the millisecond before one nothing is published."""
    lived = Life(CUTS, policy).happens(*life)
    for _ in range(2_500):  # a midnight each for 1,600 days, and what falls due between
        due = next_due_ms(lived.known, policy, CUTS)
        if due is None or due > T0 + 1_300 * DAY_MS:
            break
        if due - 1 > lived.known.settled_ms:
            before = len(lived.effects)
            assert Life(CUTS, policy, lived.known).until(due - 1).effects == []
            assert len(lived.effects) == before
        lived.until(due)
        later = next_due_ms(lived.known, policy, CUTS)
        assert later is None or later > due
    else:
        raise AssertionError("the timers of one life never end")


@LAWS
@given(lives(), policies)
def test_the_running_window_is_the_recount_under_corrections(life: list[Input], policy: Policy) -> None:
    """After every step, corrections included."""
    lived = Life(policy=policy)
    for event in life:
        lived.happens(event)
        state: State = lived.known
        assert recount(state.purchases, state.settled_ms, policy) == (
            state.net_minor,
            state.orders,
            state.purchase_days,
        )
        assert decode_state(encode_state(state)) == state
