"""The alerter's rules, one promise per test: which tasks an event makes, merges and takes back."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from schemas.events import (
    ChurnBasis,
    ChurnWarned,
    CompetitorBasis,
    DisengagedBasis,
    FrequencyBasis,
    Pin,
    ScoreParts,
    TimeReached,
)
from schemas.tasks import TRANSITIONS, IllegalMove, TaskAction, TaskState, after
from schemas.tiers import Cause, EpisodeEnd, Tier, WinBackReason
from schemas.times import HOUR_MS, from_ms, to_ms
from schemas.wire import Reason, Refused, encode
from services.alerter.core.assignment import Unassigned, assign
from services.alerter.core.decide import Event, decide, fold
from services.alerter.core.playbooks import PLAYBOOKS, call_back, welcome
from services.alerter.core.records import read
from services.alerter.core.task import Task, live_task, withdrawn
from services.alerter.core.wording import SUBJECT_CHARACTERS_MAX, Wording
from services.alerter.people import DEMO_PEOPLE
from tests.alerter_events import HIGH_SILENCE, NOON, PROOF, RULES, cleared, moved, warned

WORDS = Wording()
LATER = NOON + timedelta(days=90)


def after_all(*events: Event) -> tuple[Task, ...]:
    return fold((), events, WORDS)


def in_state(task: Task, state: TaskState) -> Task:
    return msgspec.structs.replace(task, state=state, id=1)


# -- playbooks and words ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "playbook", "team", "urgency", "due_hours"),
    [
        (moved(Tier.REGULAR, Tier.HIGH_VALUE), "welcome_high_value", "senior_advisors", 2, 24),
        (moved(None, Tier.HIGH_VALUE), "welcome_high_value", "senior_advisors", 2, 24),
        (warned(HIGH_SILENCE), "call_back_silent", "customer_service", 1, 48),
        (warned(ranked_tier=Tier.HIGH_VALUE), "call_back_silent", "customer_service", 2, 48),
        (warned(), "call_back_silent", "customer_service", 3, 48),
    ],
)
def test_playbook_table(event: Event, playbook: str, team: str, urgency: int, due_hours: int) -> None:
    """Each cause asks one team for a call, by a deadline that counts from the cause."""
    (task,) = after_all(event)

    assert (task.playbook, task.team, task.kind, task.urgency) == (playbook, team, "call", urgency)
    assert from_ms(task.created_at_ms) == NOON
    assert task.due_at_ms - task.created_at_ms == due_hours * HOUR_MS
    assert task.state is TaskState.OPEN
    assert task.task_key == f"{playbook}/c1/{event.event_id}"


@pytest.mark.parametrize(
    ("previous", "current"),
    [
        (None, Tier.REGULAR),
        (Tier.REGULAR, Tier.AT_RISK),
        (Tier.AT_RISK, Tier.REGULAR),
        (Tier.HIGH_VALUE, Tier.HIGH_VALUE),  # only the shown tier moved
    ],
)
def test_other_moves_ask_for_nothing(previous: Tier | None, current: Tier) -> None:
    """Only a move into the top tier is a reason to call."""
    assert after_all(moved(previous, current)) == ()


METALS = ("gold", "silver", "bronze", "tin")


def test_the_top_tier_may_have_any_name() -> None:
    """The best level of any ladder is welcomed, another is not, and leaving it takes the welcome back."""
    arrived = moved("bronze", "gold", ladder=METALS)
    left = moved("gold", "silver", revision=2, ladder=METALS)

    (task,) = after_all(arrived)
    assert (task.playbook, task.tier) == ("welcome_high_value", "gold")
    assert "Moved up from bronze" in task.why
    assert after_all(moved("bronze", "silver", ladder=METALS)) == ()
    assert [one.state for one in after_all(arrived, left)] == [TaskState.WITHDRAWN]
    assert call_back(warned(ranked_tier="gold", ladder=METALS), WORDS).urgency == 2
    assert call_back(warned(ranked_tier="silver", ladder=METALS), WORDS).urgency == 3


def test_a_pin_is_said() -> None:
    """Who is welcomed, though a manager shows them elsewhere, is known to be an exception."""
    pin = Pin(tier="at_risk", until=None, cause="fraud check", decided_by="ingrid.moreau")
    task = welcome(moved(Tier.REGULAR, Tier.HIGH_VALUE, pin=pin), WORDS)

    assert task.why.endswith("Shown as at risk, as ingrid.moreau decided: fraud check.")
    assert task.evidence[0]["pin"]["tier"] == "at_risk"


@pytest.mark.parametrize(("days", "words"), [(365, "12 months"), (730, "730 days")])
def test_the_window_is_the_policy_s(days: int, words: str) -> None:
    """What was bought is said of the time in which it was counted."""
    task = welcome(moved(None, Tier.HIGH_VALUE), Wording(window_days=days))

    assert f"in the last {words}." in task.why


@pytest.mark.parametrize(
    ("previous", "cause", "ending"),
    [
        (Tier.REGULAR, Cause.EVENT, "Moved up from regular because of what they did."),
        (Tier.AT_RISK, Cause.CROWD, "Moved up from at risk because the crowd moved the cut-offs."),
        (Tier.REGULAR, Cause.TIME, "Moved up from regular because time passed."),
        (Tier.REGULAR, Cause.POLICY, "Moved up from regular because the policy changed."),
        (None, Cause.EVENT, "Entered at the top because of what they did."),
    ],
)
def test_welcome_says_why(previous: Tier | None, cause: Cause, ending: str) -> None:
    """The advisor reads how good the customer is and what moved them."""
    task = welcome(moved(previous, Tier.HIGH_VALUE, cause=cause), WORDS)

    assert task.why == (
        f"Score 8,412 of 10,000: spent 12,340.00 in 45 orders on 38 days in the last 12 months. {ending}"
    )
    assert task.title == "Welcome to the top tier"
    assert task.evidence[0]["score"] == 8412


@pytest.mark.parametrize(
    ("event", "why"),
    [
        pytest.param(
            warned(last_browse="viewed garden hose", competitor="Acme"),
            "No purchase or answer for 90 days (usual gap 21 days). Last purchase 4 March 2026. "
            "Last viewed garden hose. Looked at competitor Acme.",
            id="all of it",
        ),
        pytest.param(
            warned(usual_gap_days=None, competitor="Acme"),
            "No purchase or answer for 90 days. Last purchase 4 March 2026. Looked at competitor Acme.",
            id="one purchase, a competitor",
        ),
        pytest.param(
            warned(HIGH_SILENCE, usual_gap_days=1.0, last_browse="viewed tea"),
            "No purchase or answer for 180 days (usual gap 1 day). Last purchase 4 December 2025. "
            "Last viewed tea.",
            id="daily buyer",
        ),
        pytest.param(
            warned(last_response_at=datetime(2026, 3, 9, tzinfo=UTC)),
            "No purchase or answer for 90 days (usual gap 21 days). Last purchase 4 March 2026. "
            "Last answer 9 March 2026.",
            id="answered after the purchase",
        ),
        pytest.param(
            warned(last_response_at=datetime(2026, 1, 9, tzinfo=UTC), last_browse="\x00"),
            "No purchase or answer for 90 days (usual gap 21 days). Last purchase 4 March 2026.",
            id="an older answer and an empty look are left out",
        ),
    ],
)
def test_silence_says_why(event: ChurnWarned, why: str) -> None:
    """The warning's evidence reads as sentences; what is not known is not said."""
    assert call_back(event, WORDS).why == f"{why} Call back within 48 h."


def few_orders(recent: int, ratio: float, probability: float, *, significant: bool = True) -> FrequencyBasis:
    return FrequencyBasis(
        recent_orders=recent, recent_days=90, past_orders=20, past_days=270,
        ratio=ratio, probability=probability, significant=significant,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "basis", "why"),
    [
        pytest.param(
            "fewer_orders",
            few_orders(1, 0.15, 0.0196),
            "1 order in the last 90 days, 20 in the 270 before: about a seventh as often. By chance alone "
            "that happens once in 51 times.",
            id="fewer orders",
        ),
        pytest.param(
            "fewer_orders",
            few_orders(0, 0.0, 0.0003),
            "No order in the last 90 days, 20 in the 270 before. By chance alone that happens less than once "
            "in a thousand times.",
            id="no order",
        ),
        pytest.param(
            "fewer_orders",
            few_orders(3, 0.45, 0.2, significant=False),
            "3 orders in the last 90 days, 20 in the 270 before: about half as often. It may be chance: alone "
            "it does that once in 5 times.",
            id="the plain rule",
        ),
        pytest.param(
            "competitor_seen", None, "Looked at or asked about Acme on 2 June 2026.", id="competitor"
        ),
        pytest.param(
            "little_hope",
            None,
            "Repurchase probability 24 % in the next 180 days (usual gap 21 days). No purchase since "
            "4 March 2026.",
            id="model",
        ),
        pytest.param(
            "disengaged",
            None,
            "A complaint of 26 May 2026 (case T-17) is not solved after 7 days.",
            id="complaint",
        ),
        pytest.param(
            "disengaged",
            DisengagedBasis(what="unsubscribed", at=NOON),
            "Unsubscribed from campaigns on 2 June 2026.",
            id="unsubscribed",
        ),
    ],
)
def test_every_kind_of_warning_says_why(rule: str, basis: ChurnBasis | None, why: str) -> None:
    """Counts, odds, names and days, each kind in its own words, and by when to call."""
    task = call_back(warned(rule, basis=basis), WORDS)

    bought = "" if rule == "little_hope" else " Last purchase 4 March 2026."
    assert task.why == f"{why}{bought} Call back within 48 h."


@pytest.mark.parametrize(
    ("rule", "title"),
    [
        ("early_silence", "Call back: silent for 90 days"),
        ("high_value_silence", "Call back: high value customer silent for 180 days"),
        ("fewer_orders", "Call back: buying less often than before"),
        ("competitor_seen", "Call back: looking at Acme"),
        ("little_hope", "Call back: 24 % likely to buy again"),
        ("disengaged", "Call back: left with an unsolved complaint"),
    ],
)
def test_the_title_names_the_matter(rule: str, title: str) -> None:
    """A line of the queue says what it is about; the best customers of a high severity are named so."""
    assert call_back(warned(rule, ranked_tier=Tier.HIGH_VALUE), WORDS).title == title


def test_a_competitor_is_dated_where_the_reason_tells_the_day() -> None:
    """The advisor hears when it was, not only that it was."""
    event = warned(competitor="Acme", reason_evidence=("Looked at or asked about Acme on 2026-05-03.",))

    assert "Looked at or asked about Acme on 2026-05-03. Call back" in call_back(event, WORDS).why


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (WinBackReason.PRICE, ("the price", "extra 10 %")),
        (WinBackReason.SERVICE, ("the service", "one to one", "fast channel", "free service")),
        (WinBackReason.COMPETITOR, ("a competitor", "comparison", "Acme")),
        (WinBackReason.QUALITY, ("the product", "replacement")),
    ],
)
def test_the_advice_follows_the_reason(reason: WinBackReason, words: tuple[str, ...]) -> None:
    """What to offer stands beside the signs that it rests on, and nothing that fits another reason."""
    event = warned(competitor="Acme", reason=reason, reason_evidence=("A complaint on 2026-05-01.",))
    task = call_back(event, WORDS)

    assert all(word in task.advice for word in words)
    assert "A complaint on 2026-05-01." in task.advice
    assert "Ask why" not in task.advice
    assert task.evidence[0]["reason"] == reason


def test_an_unknown_reason_is_asked_for() -> None:
    """Nobody guesses: the advisor asks, and knows what to offer for each answer."""
    advice = call_back(warned(), WORDS).advice

    assert advice.startswith("Ask why.")
    assert all(word in advice for word in ("extra 10 %", "fast channel", "comparison", "replacement"))


@pytest.mark.parametrize(("hours", "words"), [(4, "4 h"), (48, "48 h"), (168, "7 days"), (100, "100 h")])
def test_the_deadline_is_the_rule_s(hours: int, words: str) -> None:
    """The policy says how soon; the task is due then, and says so."""
    task = call_back(warned(contact_within_hours=hours), WORDS)

    assert task.due_at_ms - task.created_at_ms == hours * HOUR_MS
    assert task.why.endswith(f"Call back within {words}.")


@pytest.mark.parametrize(
    ("exponent", "minor", "words"),
    [(2, 124_050, "1,240.50"), (0, 124_050, "124,050"), (3, 1_240_005, "1,240.005"), (2, 5, "0.05")],
)
def test_amounts_follow_the_currency(exponent: int, minor: int, words: str) -> None:
    """Amounts are exact, in major units of the policy's currency."""
    assert Wording(currency_exponent=exponent).amount(minor) == words


def test_dates_are_local() -> None:
    """A purchase late in the evening belongs to the store's day."""
    late = datetime(2026, 6, 2, 22, 30, tzinfo=UTC)

    assert Wording(time_zone=ZoneInfo("Asia/Shanghai")).date(late) == "3 June 2026"


def test_free_text_is_made_safe() -> None:
    """A product's name can neither stop PostgreSQL (NUL) nor turn a sentence around (U+202E)."""
    task = call_back(
        warned(
            last_browse="viewed a\x00b\u202ec",
            competitor="x" * 500,
            basis=CompetitorBasis(competitor="\x00y", at=NOON),
            reason=WinBackReason.COMPETITOR,
            reason_evidence=("Saw\x00it.",),
        ),
        WORDS,
    )

    assert "Last viewed a b c" in task.why
    assert f"competitor {'x' * (SUBJECT_CHARACTERS_MAX - 1)}…." in task.why
    assert task.evidence[0]["last_browse"] == "viewed a b c"
    assert task.evidence[0]["basis"]["competitor"] == "y"
    assert task.evidence[0]["reason_evidence"] == ["Saw it."]
    assert "Saw it." in task.advice


@pytest.mark.parametrize(("orders", "tier"), [(1, Tier.AT_RISK), (0, Tier.LAPSED)])
def test_a_warned_customer_is_shown_at_risk_or_lapsed(orders: int, tier: Tier) -> None:
    """The task shows the tier that the desk shows while the warning is open."""
    assert call_back(warned(orders=orders), WORDS).tier == tier


# -- merge and withdraw -----------------------------------------------------------------------------


def test_the_second_warning_of_a_silence_is_merged() -> None:
    """One silence is one call: more urgent, due by the earlier deadline, with both causes in it."""
    early, high = warned(), warned(HIGH_SILENCE, revision=2, at=LATER)

    (task,) = after_all(early, high)

    assert task.urgency == 1
    assert task.due_at_ms == to_ms(NOON) + 48 * HOUR_MS
    assert [line.event_id for line in task.causes] == [early.event_id, high.event_id]
    assert [line["rule"] for line in task.evidence] == ["early_silence", "high_value_silence"]
    assert task.episode == f"early_silence/{to_ms(NOON)}"
    assert task.version == 2


def test_an_earlier_deadline_wins_whatever_the_order() -> None:
    """Warnings that come late still count from their own start."""
    (task,) = after_all(warned(HIGH_SILENCE, at=LATER), warned(revision=2))

    assert task.due_at_ms == to_ms(NOON) + 48 * HOUR_MS
    assert task.urgency == 1


@pytest.mark.parametrize("end", EpisodeEnd)
@pytest.mark.parametrize("state", [TaskState.OPEN, TaskState.CLAIMED])
def test_the_end_of_the_last_episode_takes_the_task_back(end: EpisodeEnd, state: TaskState) -> None:
    """Open or claimed: nobody calls a customer who bought or answered, and the task says why."""
    warning = warned()
    (task,) = after_all(warning)

    (closed,) = decide((in_state(task, state),), cleared(warning, cause=end), WORDS)

    assert (closed.state, closed.closed_by) == (TaskState.WITHDRAWN, str(end))
    assert closed.closed_at_ms == to_ms(NOON + timedelta(days=1))
    assert closed.causes[0].ended_by == str(end)


def test_a_merged_task_stays_until_every_episode_is_over() -> None:
    """A retracted warning does not take back a call that another one still asks for."""
    early, high = warned(), warned(HIGH_SILENCE, revision=2, at=LATER)
    first_end = cleared(early, revision=3, cause=EpisodeEnd.RETRACTED)

    (one_left,) = after_all(early, high, first_end)
    (none_left,) = fold((one_left,), [cleared(high, revision=4)], WORDS)

    assert one_left.is_live
    assert (none_left.state, none_left.closed_by) == (TaskState.WITHDRAWN, "purchase")


def test_a_task_is_never_closed_before_it_was_made() -> None:
    """The fact that disproves a warning is older than the warning."""
    warning = warned()

    (task,) = after_all(warning, cleared(warning, at=NOON - timedelta(days=3), cause=EpisodeEnd.RETRACTED))

    assert task.closed_at_ms == task.created_at_ms


def test_the_end_of_an_unknown_episode_changes_nothing() -> None:
    """Another start is another episode."""
    assert len(after_all(warned(), cleared(warned(at=LATER)))) == 1
    assert after_all(warned(), cleared(warned(at=LATER)))[0].is_live
    assert after_all(cleared(warned())) == ()


def test_a_new_episode_makes_a_new_task() -> None:
    """What was closed stays closed; the next silence is a call of its own."""
    first, second = warned(), warned(revision=3, at=LATER)

    closed, fresh = after_all(first, cleared(first, revision=2), second)

    assert (closed.state, fresh.state) == (TaskState.WITHDRAWN, TaskState.OPEN)
    assert closed.task_key != fresh.task_key


@pytest.mark.parametrize("state", [TaskState.DONE, TaskState.WITHDRAWN, TaskState.HISTORY])
def test_a_closed_task_is_never_touched(state: TaskState) -> None:
    """Neither its own cause again nor the end of its episode moves it."""
    warning = warned()
    (task,) = after_all(warning)
    closed = (in_state(task, state),)

    assert decide(closed, warning, WORDS) == ()
    assert decide(closed, cleared(warning), WORDS) == ()


def test_leaving_the_top_tier_takes_the_welcome_back() -> None:
    """Nobody is welcomed to a tier that they have left."""
    (task,) = after_all(
        moved(Tier.REGULAR, Tier.HIGH_VALUE), moved(Tier.HIGH_VALUE, Tier.REGULAR, revision=2, at=LATER)
    )

    assert (task.state, task.closed_by) == (TaskState.WITHDRAWN, "tier moved on")
    assert task.closed_at_ms == to_ms(LATER)


def test_a_repeated_departure_leaves_the_next_welcome_alone() -> None:
    """The revision tells an old departure, delivered again, from a new one."""
    left = moved(Tier.HIGH_VALUE, Tier.REGULAR, revision=2)
    back = moved(Tier.REGULAR, Tier.HIGH_VALUE, revision=3, at=LATER)

    tasks = after_all(moved(Tier.REGULAR, Tier.HIGH_VALUE), left, back, left)

    assert live_task(tasks, "welcome_high_value") is not None


def test_warnings_and_welcomes_do_not_touch_each_other() -> None:
    """A purchase takes back the call-back, never the welcome."""
    warning = warned(revision=2)

    tasks = after_all(moved(Tier.REGULAR, Tier.HIGH_VALUE), warning, cleared(warning))

    assert {task.playbook: task.is_live for task in tasks} == {
        "welcome_high_value": True,
        "call_back_silent": False,
    }


def test_moves_follow_the_table() -> None:
    """Withdrawing is allowed from live states only, and archiving from open only."""
    (task,) = after_all(warned())
    for state in (TaskState.DONE, TaskState.WITHDRAWN, TaskState.HISTORY):
        with pytest.raises(IllegalMove):
            withdrawn(in_state(task, state), at_ms=0, closed_by="purchase")
    assert [state for state, action in TRANSITIONS if action is TaskAction.ARCHIVE] == [TaskState.OPEN]
    assert after(TaskState.OPEN, TaskAction.ARCHIVE) is TaskState.HISTORY


# -- records ----------------------------------------------------------------------------------------


def test_a_record_is_read_as_it_was_written() -> None:
    """The event that comes out is the one that went in."""
    change = moved(None, Tier.REGULAR)
    assert read("tier-changes", b"c1", encode(change)) == change
    for rule in RULES:
        warning = warned(rule)
        assert read("churn-warnings", b"c1", encode(warning)) == warning


FAR = datetime(9999, 12, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("topic", "key", "value", "reason"),
    [
        ("tier-changes", b"c1", None, Reason.EMPTY),
        ("tier-changes", b"c1", b"{", Reason.NOT_JSON),
        ("tier-changes", b"c2", encode(moved(None, Tier.REGULAR)), Reason.KEY),
        ("tier-changes", None, encode(moved(None, Tier.REGULAR)), Reason.KEY),
        ("tier-changes", b"c1", encode(warned()), Reason.VERSION),
        ("churn-warnings", b"c1", encode(moved(None, Tier.REGULAR)), Reason.VERSION),
        ("churn-warnings", b"c1", encode(TimeReached(event_id="t", through=NOON)), Reason.VERSION),
        ("churn-warnings", b"c1", encode(warned(at=FAR)), Reason.TIME),
        ("churn-warnings", b"c1", encode(warned(last_response_at=FAR)), Reason.TIME),
        (
            "churn-warnings",
            b"c1",
            encode(warned("competitor_seen", basis=CompetitorBasis(competitor="Acme", at=FAR))),
            Reason.TIME,
        ),
        ("churn-warnings", b"c1", encode(warned(contact_within_hours=10**15)), Reason.RANGE),
        ("churn-warnings", b"c1", encode(warned(contact_within_hours=0)), Reason.RANGE),
        (
            "churn-warnings",
            b"c1",
            encode(warned()).replace(b"2026-03-04T12:00:00Z", b"0001-01-01T00:00:00+14:00"),
            Reason.TIME,
        ),
        ("churn-warnings", b"c1", encode(cleared(warned(), at=FAR)), Reason.TIME),
    ],
)
def test_what_is_no_event_is_refused(
    topic: str, key: bytes | None, value: bytes | None, reason: Reason
) -> None:
    """A bad record has a reason; it never raises anything else."""
    with pytest.raises(Refused) as refused:
        read(topic, key, value)

    assert refused.value.reason is reason


# -- assignment -------------------------------------------------------------------------------------

TEAMS = {"t": ["cleo", "ann", "bob"], "other": ["zoe"]}


def given(tasks: list[Unassigned], **changes: Any) -> tuple[list[str], dict[str, str]]:
    arguments: dict[str, Any] = {"teams": TEAMS, "last": {}, "owners": {}, **changes}
    result = assign(tasks, **arguments)
    return [user_id for _, user_id in result.given], dict(result.last)


def waiting(*customers: str, team: str = "t") -> list[Unassigned]:
    return [Unassigned(number, customer, team) for number, customer in enumerate(customers)]


def test_people_take_turns() -> None:
    """By user id, after whoever was last, and round again."""
    assert given(waiting("a", "b", "c", "d")) == (["ann", "bob", "cleo", "ann"], {"t": "ann"})
    assert given(waiting("a", "b"), last={"t": "bob"}) == (["cleo", "ann"], {"t": "ann"})


def test_who_left_does_not_stop_the_rotation() -> None:
    """The next user id after a person who is gone is next."""
    assert given(waiting("a"), last={"t": "basil"}) == (["bob"], {"t": "bob"})


def test_a_customer_keeps_their_advisor() -> None:
    """The own advisor comes first and does not use up anybody's turn."""
    owners = {("a", "t"): "cleo"}

    assert given(waiting("a", "b", "a"), owners=owners) == (["cleo", "ann", "cleo"], {"t": "ann"})
    assert given(waiting("a"), owners=owners) == (["cleo"], {})
    assert given(waiting("x", "y", "x"))[0] == ["ann", "bob", "ann"]


def test_an_owner_who_is_away_or_of_another_team_is_passed_over() -> None:
    """Tasks go to people who can do them."""
    assert given(waiting("a"), owners={("a", "t"): "gone"})[0] == ["ann"]
    assert given(waiting("a"), owners={("a", "other"): "zoe"})[0] == ["ann"]


def test_a_team_without_people_waits() -> None:
    """Its tasks stay unassigned; others are not held up."""
    assert given(waiting("a", team="empty")) == ([], {})
    assert given([*waiting("a", team="empty"), Unassigned(9, "b", "other")]) == (["zoe"], {"other": "zoe"})


def test_demo_people_can_do_every_playbook() -> None:
    """Each team has three advisors, and there is one manager."""
    for playbook in PLAYBOOKS:
        team = [person for person in DEMO_PEOPLE if person.team == playbook.team and person.role == "advisor"]
        assert len(team) == 3
    assert [person.role for person in DEMO_PEOPLE].count("manager") == 1


def test_evidence_is_complete() -> None:
    """Whatever the event proves is kept with the task, ready to be shown."""
    task = welcome(moved(Tier.REGULAR, Tier.HIGH_VALUE), WORDS)

    assert msgspec.convert(task.evidence[0]["parts"], ScoreParts) == PROOF.parts
    assert task.evidence[0]["cause"] == "event"
