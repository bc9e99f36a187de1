"""Churn rules at the edge of each number they name, and the episodes that they make."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

import pytest

from schemas.events import ChurnCleared, ChurnWarned, Input, TierChanged
from schemas.tiers import Cause, EpisodeEnd
from schemas.times import DAY_MS, from_ms, to_ms
from services.scorer.core.churn import competitor, disengaged, frequency, model, passed, rules, silence
from services.scorer.core.churn.frequency import Comparison
from services.scorer.core.churn.start import Start
from services.scorer.core.cuts import Cuts
from services.scorer.core.draft import Moment, Step
from services.scorer.core.models.parameters import Model, PurchaseModel
from services.scorer.core.policy import (
    CompetitorRule,
    DisengagedRule,
    FrequencyRule,
    ModelRule,
    Policy,
    SilenceRule,
)
from services.scorer.core.rescore import rescore
from services.scorer.core.state import NEVER_MS, Case, Mention, State
from tests.unit.core_given import (
    POLICY,
    Life,
    at,
    browse,
    contact,
    corrected,
    cuts_at,
    pinned,
    response,
    sale,
)

FREQUENCY = FrequencyRule(name="seldom", recent_days=90, past_days=270, guard="none")
GUARDED = FrequencyRule(name="seldom", recent_days=90, past_days=270)
NAMED = CompetitorRule(name="elsewhere")
AWAY = DisengagedRule(name="away", complaint_days=7)
HOPE = ModelRule(name="hope", within_days=90, threshold=0.7, quiet_days=30)
MODEL = Model(purchases=PurchaseModel(r=0.5, alpha=20.0, a=0.8, b=2.4))
SEVERAL = Policy(churn=(FREQUENCY, NAMED, AWAY))
WITH_MODEL = Policy(churn=(HOPE,), model=MODEL)


def state(**known: object) -> State:
    return State(customer_id="c", settled_ms=at(400), **known)  # type: ignore[arg-type]


class TestFrequency:
    """Recent orders against the past."""

    def test_both_counts_are_open_at_their_old_end(self) -> None:
        """(at - 90 d, at] and the 270 days before, or as much of them as there is."""
        times = [at(day) for day in (0, 40, 310, 400)]

        seen = frequency.compare(times, at(400), at(0), FREQUENCY)
        assert seen == Comparison(recent=1, past=1, past_ms=270 * DAY_MS)
        seen = frequency.compare(times, at(400) - 1, at(0), FREQUENCY)
        assert (seen.recent, seen.past) == (1, 1)
        seen = frequency.compare(times, at(399), at(20), FREQUENCY)
        assert seen == Comparison(recent=1, past=1, past_ms=270 * DAY_MS)
        seen = frequency.compare(times, at(130), at(0), FREQUENCY)
        assert seen == Comparison(recent=0, past=2, past_ms=40 * DAY_MS + 1)

    def test_the_ratio_is_of_rates(self) -> None:
        """One order in 90 days against six in 270 is half as often; without a past nothing is said."""
        assert Comparison(1, 6, 270 * DAY_MS).ratio(FREQUENCY) == pytest.approx(0.5)
        assert Comparison(1, 0, 270 * DAY_MS).ratio(FREQUENCY) == 1.0
        assert Comparison(1, 6, 0).ratio(FREQUENCY) == 1.0
        assert Comparison(1, 1, 1).ratio(FREQUENCY) < 1e-6

    @pytest.mark.parametrize(("recent", "past"), list(enumerate((9, 14, 18, 22, 26))))
    def test_the_guard(self, recent: int, past: int) -> None:
        """At least 9, 14, 18, 22, 26 past orders for 0 to 4 recent ones."""
        enough, short = Comparison(recent, past, 270 * DAY_MS), Comparison(recent, past - 1, 270 * DAY_MS)

        assert frequency.is_down(enough, GUARDED)
        assert not frequency.is_down(short, GUARDED)
        assert frequency.chance(enough, GUARDED) < 0.1 <= frequency.chance(short, GUARDED)

    def test_without_the_guard_the_ratio_is_enough(self) -> None:
        """At the ratio, and with four past orders at least."""
        assert frequency.is_down(Comparison(1, 6, 270 * DAY_MS), FREQUENCY)
        assert not frequency.is_down(Comparison(1, 5, 270 * DAY_MS), FREQUENCY)
        assert frequency.is_down(Comparison(0, 4, 270 * DAY_MS), FREQUENCY)
        assert not frequency.is_down(Comparison(0, 3, 270 * DAY_MS), FREQUENCY)

    def test_too_little_history_is_said(self) -> None:
        """Nothing recent would prove nothing with 8 past orders, and something with 9."""
        assert frequency.is_insufficient(Comparison(5, 8, 270 * DAY_MS), GUARDED)
        assert not frequency.is_insufficient(Comparison(5, 9, 270 * DAY_MS), GUARDED)
        assert not frequency.is_insufficient(Comparison(5, 4, 270 * DAY_MS), FREQUENCY)
        assert frequency.is_insufficient(Comparison(5, 3, 270 * DAY_MS), FREQUENCY)

    def test_starts_are_where_an_order_turns_old(self) -> None:
        """The sixth order turns 90 days old on day 140: of six orders none is recent then."""
        life = Life(policy=Policy(churn=(FREQUENCY,))).happens(*(sale(at(10 * day)) for day in range(6)))
        life.happens(sale(at(50.5), order="o"), sale(at(50.6), order="o"))

        assert frequency.order_times(life.known) == [*(at(10 * day) for day in range(6)), at(50.5)]
        starts = frequency.starts(life.known, POLICY, FREQUENCY)
        assert [one.at_ms for one in starts] == [at(day + 90) for day in (30, 40, 50, 50.5)]
        assert not any(one.sure for one in starts)
        assert frequency.starts(state(), POLICY, FREQUENCY) == []

    def test_as_many_orders_as_the_rule_asks_for_are_enough(self) -> None:
        """Four, and none of them recent; with three nothing is said."""

        def starts(orders: int) -> list[int]:
            life = Life(policy=Policy(churn=(FREQUENCY,))).happens(
                *(sale(at(10 * day)) for day in range(orders))
            )
            return [one.at_ms for one in frequency.starts(life.known, POLICY, FREQUENCY)]

        assert (starts(3), starts(4)) == ([], [at(120)])

    def test_the_evidence_shows_both_counts_and_the_test(self) -> None:
        """Whatever the guard says."""
        life = Life(policy=Policy(churn=(FREQUENCY,))).happens(*(sale(at(10 * day)) for day in range(5)))
        basis = frequency.basis(life.known, POLICY, FREQUENCY, at(130))

        assert (basis.recent_orders, basis.recent_days, basis.past_orders, basis.past_days) == (0, 90, 5, 40)
        assert (basis.ratio, basis.significant) == (0.0, True)
        assert basis.probability == pytest.approx((40 / 130) ** 5)

    def test_it_begins_again_after_its_pause_only(self) -> None:
        """One warning in any 90 days."""
        life = Life(policy=Policy(churn=(FREQUENCY,))).happens(*(sale(at(5 * day)) for day in range(12)))
        life.happens(sale(at(147))).until(at(300))
        starts = [start_ms for _, what, start_ms, _ in life.churn if what == "warned"]

        assert starts
        assert all(later - earlier >= 90 * DAY_MS for earlier, later in pairwise(starts))


class TestSilence:
    """Lengths in days and in calendar months."""

    @pytest.mark.parametrize(
        ("since", "months", "until"),
        [
            pytest.param("2023-08-31T10:00:00+00:00", 6, "2024-02-29T10:00:00+00:00", id="a short month"),
            pytest.param("2024-06-15T00:00:00+00:00", 6, "2024-12-15T00:00:00+00:00", id="December"),
            pytest.param("2024-06-30T00:00:00+00:00", 7, "2025-01-30T00:00:00+00:00", id="January"),
            pytest.param("2024-01-31T23:59:59+00:00", 1, "2024-02-29T23:59:59+00:00", id="leap February"),
        ],
    )
    def test_months(self, since: str, months: int, until: str) -> None:
        """The same time of day, on the last day where a month is too short."""
        rule = SilenceRule(name="s", months=months)
        assert silence.after(to_ms(datetime.fromisoformat(since)), POLICY, rule) == to_ms(
            datetime.fromisoformat(until)
        )

    def test_a_contact_at_the_end_prevents_it(self) -> None:
        """Up to and including the instant; a millisecond later it has begun."""
        rule = SilenceRule(name="early_silence", days=90)

        def starts(gap_ms: int) -> list[int]:
            life = Life(policy=Policy(churn=(rule,))).happens(sale(at(0)), sale(at(0) + gap_ms))
            return [one.at_ms for one in silence.starts(life.known, life.policy, rule)]

        gap_ms = 90 * DAY_MS
        assert starts(gap_ms) == [at(180)]
        assert starts(gap_ms + 1) == [at(90), at(180) + 1]
        assert silence.next_start_ms(state(), POLICY, rule) is None
        assert silence.next_start_ms(state(first_purchase_ms=1, contacts=(2,)), POLICY, rule) == 1 + gap_ms
        assert silence.next_start_ms(state(contacts=(2,)), POLICY, rule) is None

    def test_the_evidence_names_the_anchor(self) -> None:
        """The latest contact that the silence counts from."""
        rule = SilenceRule(name="early_silence", days=90)
        known = state(first_purchase_ms=at(0), contacts=(2 * at(0), 2 * at(100) + 1, 2 * at(200)))
        basis = silence.basis(known, POLICY, rule, at(190))

        assert (basis.silent_since, basis.silent_days) == (from_ms(at(100)), 90)
        assert silence.basis(known, POLICY, rule, at(191)).silent_days == 0

    def test_openings_count_where_the_rule_says_so(self) -> None:
        """The same history, two rules."""
        opened = SilenceRule(name="a", days=90, opened_counts=True)
        plain = SilenceRule(name="b", days=90)
        life = (
            Life(policy=Policy(churn=(opened, plain)))
            .happens(sale(at(0)), response(at(50), "opened"))
            .until(at(200))
        )

        assert life.churn == [("b", "warned", at(90), at(90)), ("a", "warned", at(140), at(140))]
        assert silence.basis(life.known, life.policy, opened, at(140)).silent_since == from_ms(at(50))
        life.happens(response(at(201), "opened"))
        assert life.churn[2:] == [("a", "response", at(140), at(201))]


class TestCompetitor:
    """A competitor was named."""

    def test_mentions_count_from_the_first_purchase_on(self) -> None:
        """Who never bought can't churn."""
        mentions = (Mention(1, "X"), Mention(2, "Y"), Mention(3, "Z"))

        assert competitor.starts(state(mentions=mentions), POLICY, NAMED) == []
        known = state(mentions=mentions, first_purchase_ms=2)
        assert competitor.starts(known, POLICY, NAMED) == [Start(2, sure=True), Start(3, sure=True)]
        basis = competitor.basis(known, POLICY, NAMED, 3)
        assert (basis.competitor, basis.at) == ("Z", from_ms(3))
        assert competitor.basis(known, POLICY, NAMED, 4).competitor == "a competitor"

    def test_it_is_warned_of_at_once_and_once(self) -> None:
        """Until a contact ends it; a mention at the same instant as a purchase counts."""
        life = Life(policy=SEVERAL).happens(
            sale(at(0)), browse(at(1), competitor="X"), browse(at(2), competitor="Y")
        )

        assert life.churn == [("elsewhere", "warned", at(1), at(1))]
        life.happens(sale(at(3)))
        assert life.churn[1:] == [("elsewhere", "purchase", at(1), at(3))]
        life.happens(browse(at(4), competitor="Z"))
        assert life.churn[2:] == [("elsewhere", "warned", at(4), at(4))]


class TestDisengaged:
    """Unsubscribed, or a complaint without a solution."""

    def test_a_complaint_has_its_days(self) -> None:
        """Solved at the last instant is solved in time; other kinds of contact and open ends don't count."""
        cases = (
            Case("in time", "complaint", at(1), at(8)),
            Case("late", "complaint", at(1), at(8) + 1),
            Case("never", "complaint", at(2), NEVER_MS),
            Case("only solved", "complaint", NEVER_MS, at(5)),
            Case("ticket", "ticket", at(1), NEVER_MS),
        )
        known = state(cases=cases, first_purchase_ms=at(0), unsubscribed=(at(-1), at(0), at(3)))

        assert disengaged.starts(known, POLICY, AWAY) == [
            Start(at(0), sure=True),
            Start(at(3), sure=True),
            Start(at(8)),
            Start(at(9)),
        ]
        assert disengaged.starts(state(cases=cases, unsubscribed=(at(3),)), POLICY, AWAY) == []
        assert disengaged.starts(state(cases=cases, first_purchase_ms=at(9)), POLICY, AWAY) == [Start(at(9))]

    def test_the_evidence_says_which(self) -> None:
        """A complaint by its contact id; a sign-off by its time."""
        cases = (Case("a", "complaint", at(1), NEVER_MS), Case("b", "complaint", at(2), at(20)))
        known = state(cases=cases, first_purchase_ms=at(0), unsubscribed=(at(3),))

        basis = disengaged.basis(known, POLICY, AWAY, at(9))
        assert (basis.what, basis.at, basis.contact_id) == ("complaint", from_ms(at(2)), "b")
        basis = disengaged.basis(known, POLICY, AWAY, at(3))
        assert (basis.what, basis.at, basis.contact_id) == ("unsubscribed", from_ms(at(3)), None)
        assert disengaged.resolved_ms(known, AWAY, at(9)) == at(20)
        assert disengaged.resolved_ms(known, AWAY, at(8)) is None
        assert disengaged.resolved_ms(known, AWAY, at(3)) is None

    def test_a_solution_ends_it(self) -> None:
        """A complaint left for a week warns; its solution resolves, a contact before that clears."""
        life = Life(policy=SEVERAL).happens(sale(at(0)), contact(at(1))).until(at(10))
        assert life.churn == [("away", "warned", at(8), at(8))]
        life.happens(contact(at(11), status="solved"))
        assert life.churn[1:] == [("away", "resolved", at(8), at(11))]
        life.happens(contact(at(20), "t2")).until(at(30)).happens(
            sale(at(31)), contact(at(32), "t2", status="solved")
        )
        assert life.churn[2:] == [("away", "warned", at(27), at(27)), ("away", "purchase", at(27), at(31))]

    @pytest.mark.parametrize("reverse", [False, True])
    def test_of_a_purchase_and_a_solution_at_one_instant_the_purchase_counts(self, *, reverse: bool) -> None:
        """In whatever order they come."""
        both: list[Input] = [sale(at(10)), contact(at(10), status="solved")]
        life = Life(policy=SEVERAL).happens(sale(at(0)), contact(at(1))).until(at(9))
        life.happens(*(both[::-1] if reverse else both))

        assert life.churn[-1] == ("away", "purchase", at(8), at(10))

    def test_unsubscribing_warns_at_once(self) -> None:
        """At its own instant."""
        life = Life(policy=SEVERAL).happens(sale(at(0)), response(at(5), "unsubscribed"))

        assert life.churn == [("away", "warned", at(5), at(5))]


class TestModelRule:
    """P(no purchase) reaches a line at a local midnight."""

    def test_it_fires_at_the_first_midnight_over_the_line(self) -> None:
        """Not one day earlier, and not within the quiet days."""
        life = Life(policy=WITH_MODEL).happens(*(sale(at(7 * week)) for week in range(8)))
        (start,) = model.starts(life.known, WITH_MODEL, HOPE)

        assert start.at_ms % DAY_MS == 0
        assert not start.sure
        assert start.at_ms == model.next_start_ms(life.known, WITH_MODEL, HOPE)
        basis = model.basis(life.known, WITH_MODEL, HOPE, start.at_ms)
        before = model.basis(life.known, WITH_MODEL, HOPE, start.at_ms - DAY_MS)
        assert before.probability_no_purchase < 0.7 <= basis.probability_no_purchase
        assert (basis.within_days, basis.threshold) == (90, 0.7)
        assert basis.last_purchase_day == from_ms(at(49)).date()
        assert before.probability_alive > basis.probability_alive
        life.until(start.at_ms + DAY_MS)
        assert life.churn == [("hope", "warned", start.at_ms, start.at_ms)]
        assert life.happens(sale(start.at_ms + 2 * DAY_MS)).churn[1][1] == "purchase"

    def test_quiet_days_come_first(self) -> None:
        """A line that is crossed at once waits for them."""
        rule = ModelRule(name="hope", within_days=1, threshold=0.1, quiet_days=30)
        policy = Policy(churn=(rule,), model=MODEL)
        life = Life(policy=policy).happens(sale(at(0)))

        assert model.next_start_ms(life.known, policy, rule) == at(30) // DAY_MS * DAY_MS
        assert model.next_start_ms(state(), policy, rule) == NEVER_MS

    def test_weeks_are_as_good_as_days(self) -> None:
        """The same parameters in weeks give the same midnight."""
        weekly = Model(purchases=PurchaseModel(unit="week", r=0.5, alpha=20.0 / 7, a=0.8, b=2.4))
        policy = Policy(churn=(HOPE,), model=weekly)
        events = [sale(at(7 * week)) for week in range(8)]
        days, weeks = Life(policy=WITH_MODEL).happens(*events), Life(policy=policy).happens(*events)

        assert model.next_start_ms(days.known, WITH_MODEL, HOPE) == model.next_start_ms(
            weeks.known, policy, HOPE
        )

    def test_a_purchase_before_the_line_prevents_it(self) -> None:
        """Only silences that reached the line are starts."""
        life = Life(policy=WITH_MODEL).happens(sale(at(0)), sale(at(7)), sale(at(14)))
        line_ms = model.next_start_ms(life.known, WITH_MODEL, HOPE)
        life.happens(sale(line_ms - 1), sale(line_ms))

        assert line_ms not in [one.at_ms for one in model.starts(life.known, WITH_MODEL, HOPE)]
        other = Life(policy=WITH_MODEL).happens(sale(at(0)), sale(at(7)), sale(at(14)), sale(line_ms + 1))
        assert line_ms in [one.at_ms for one in model.starts(other.known, WITH_MODEL, HOPE)]


class TestRules:
    """What the kinds of rule have in common, and what not."""

    def test_how_far_back_decisions_stand(self) -> None:
        """Frequency and model by the lateness, the others by the memory."""
        known = state()

        assert [rules.frozen_ms(known, POLICY, one) for one in (FREQUENCY, HOPE)] == [at(370), at(370)]
        assert [rules.frozen_ms(known, POLICY, one) for one in (NAMED, AWAY)] == [at(5), at(5)]
        assert [rules.pause_ms(one) for one in (FREQUENCY, HOPE, NAMED)] == [90 * DAY_MS, 0, 0]
        assert [rules.is_noted(one) for one in (NAMED, AWAY, HOPE, FREQUENCY)] == [True, True, False, False]
        assert rules.first_look_ms(state(last_purchase_ms=at(1)), FREQUENCY) == at(91)
        assert rules.first_look_ms(state(), FREQUENCY) == NEVER_MS
        assert rules.first_look_ms(state(last_purchase_ms=at(1)), NAMED) == NEVER_MS


class TestEpisodes:
    """Raised once; cleared, retracted or standing again as the facts have it."""

    def test_a_late_sale_takes_a_warning_back_or_clears_it(self) -> None:
        """Dated before the start it retracts, after it it clears."""
        late = Life().happens(sale(at(0))).until(at(91)).happens(sale(at(90) - 1))
        assert late.churn[1:] == [("early_silence", "retracted", at(90), at(91))]
        after = Life().happens(sale(at(0))).until(at(92)).happens(sale(at(90) + 1))
        assert after.churn[1:] == [("early_silence", "purchase", at(90), at(90) + 1)]

    def test_a_late_sale_at_the_very_start_takes_it_back(self) -> None:
        """An episode starts where nothing was heard up to and including its start."""
        late = Life().happens(sale(at(0))).until(at(91)).happens(sale(at(90)))

        assert late.churn[1:] == [("early_silence", "retracted", at(90), at(91))]

    def test_a_warning_stands_again_when_its_end_never_was(self) -> None:
        """The purchase that cleared it was a mistake."""
        wrong = sale(at(100))
        life = Life().happens(sale(at(0)), wrong).until(at(101)).happens(corrected(wrong, 1, at_ms=at(101)))

        assert [(rule, what, start_ms) for rule, what, start_ms, _ in life.churn] == [
            ("early_silence", "warned", at(90)),
            ("early_silence", "purchase", at(90)),
            ("early_silence", "warned", at(90)),
        ]
        assert life.known.tier == "at_risk"
        assert [one.again for one in life.effects if isinstance(one, ChurnWarned)] == [False, True]

    def test_nothing_begins_before_its_end_is_known(self) -> None:
        """Late news at the very instant of a start raises nothing yet: a contact of that instant may still come."""
        life = Life().happens(sale(at(0))).happens(sale(at(-10)), clock_ms=at(90))

        assert life.churn == []
        assert life.until(at(90) + 1).churn == [("early_silence", "warned", at(90), at(90))]

    def test_a_rule_for_some_tiers_passes_over_the_others(self) -> None:
        """Not warned of, not shown, and not looked at again until something is heard."""
        rule = SilenceRule(name="best", days=30, tiers=("high_value",))
        policy = Policy(churn=(rule,))
        life = Life(policy=policy).happens(sale(at(0))).until(at(100))

        assert life.churn == []
        assert life.known.tier == "regular"
        assert passed.starts_of(life.known.passed, "best") == {at(30)}
        assert life.happens(sale(at(101))).churn == []
        assert life.known.episodes == ()
        assert passed.starts_of(life.known.passed, "best") == {at(30)}

    def test_a_warning_says_until_when_to_call(self) -> None:
        """Each rule its hours and its severity."""
        rule = SilenceRule(name="s", days=30, severity="high", contact_within_hours=24)
        life = Life(policy=Policy(churn=(rule,))).happens(sale(at(0))).until(at(31))
        (warned,) = (one for one in life.effects if isinstance(one, ChurnWarned))

        assert (warned.severity, warned.contact_within_hours) == ("high", 24)


class TestAnotherPolicy:
    """A customer is brought under another policy: everything derived is derived anew."""

    SHORT = SilenceRule(name="short", days=30)
    LONG = SilenceRule(name="long", days=60)

    def brought(self, life: Life, policy: Policy, day: float, *, cuts: Cuts | None = None) -> Step:
        """Settle under the old policy, then rescore under the other."""
        life.until(at(day))
        return rescore(life.known, Moment(now_ms=at(day), cuts=cuts, policy_version=2), policy)

    def test_warnings_of_rules_that_are_gone_are_taken_back(self) -> None:
        """Those that stand are retracted now; those of rules that stay, and what was over, are left as they are."""
        life = Life(policy=Policy(churn=(self.SHORT, self.LONG)))
        life.happens(sale(at(0))).until(at(61)).happens(sale(at(62)))
        life.until(at(125))
        step = self.brought(life, Policy(churn=(self.LONG,)), 125)

        found = [(one.rule, one.cause, one.started_at, one.occurred_at) for one in _cleared(step)]
        assert found == [("short", EpisodeEnd.RETRACTED, from_ms(at(92)), from_ms(at(125)))]
        assert [(one.rule, one.start_ms, one.is_open) for one in step.state.episodes] == [
            ("long", at(60), False),
            ("long", at(122), True),
        ]
        assert step.state.tier == "at_risk"
        assert not [one for one in step.effects if isinstance(one, TierChanged | ChurnWarned)]

    def test_new_rules_count_as_if_they_had_always_been_there(self) -> None:
        """What they would have warned of stands, and is shown."""
        life = Life(policy=Policy(churn=())).happens(sale(at(0)))
        step = self.brought(life, Policy(churn=(self.SHORT,)), 40)

        assert [(one.rule, one.start_ms, one.is_open) for one in step.state.episodes] == [
            ("short", at(30), True)
        ]
        assert len(step.state.starts) == 1
        assert (step.state.tier, step.state.tier_since_ms) == ("at_risk", at(40))
        (change,) = (one for one in step.effects if isinstance(one, TierChanged))
        assert (change.previous, change.current, change.cause) == ("regular", "at_risk", Cause.POLICY)
        assert (change.ranked_previous, change.ranked_current, change.causation_id) == (
            "regular",
            "regular",
            None,
        )
        assert (change.occurred_at, change.proof.policy_version) == (from_ms(at(40)), 2)

    def test_the_plain_cuts_place_him(self) -> None:
        """No dwell, no hysteresis, no soft landing; the histogram gets him as somebody new."""
        life = Life(policy=Policy(churn=())).happens(sale(at(0)))
        step = self.brought(
            life, Policy(churn=()), 1, cuts=cuts_at((9_000, 9_000, 9_000), (8_000, 8_000, 8_000))
        )

        assert (step.state.ranked, step.state.ranked_since_ms) == ("at_risk", at(1))
        assert step.moved == (None, step.state.score)
        same = self.brought(life, Policy(churn=()), 2)
        assert (same.state.ranked, same.state.ranked_since_ms, same.effects) == ("regular", at(0), ())
        assert same.state.settled_ms == at(2)

    def test_a_shorter_window_and_a_pin(self) -> None:
        """Who bought nothing in it has lapsed, but for a pin, which stands."""
        old = Life(policy=Policy(churn=())).happens(sale(at(0)))
        month = Policy(churn=(), window_days=30)
        assert self.brought(old, month, 40).state.tier == "lapsed"
        assert self.brought(old, month, 40).moved == (None, None)
        old.happens(pinned(at(41), "high_value"))
        step = self.brought(old, month, 42)
        assert (step.state.tier, step.state.score, step.state.orders) == ("high_value", 0, 0)

    def test_a_prospect_stays_one(self) -> None:
        """No tier, no change."""
        life = Life(policy=Policy(churn=())).happens(response(at(0)))
        step = self.brought(life, Policy(), 1)

        assert (step.state.ranked, step.state.tier, step.effects, step.moved) == (
            None,
            None,
            (),
            (None, None),
        )


def _cleared(step: Step) -> list[ChurnCleared]:
    return [one for one in step.effects if isinstance(one, ChurnCleared)]
