"""Each churn rule: when it warns, on what evidence, what ends it, and what it leaves alone."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from schemas.events import (
    ChurnCleared,
    ChurnWarned,
    CompetitorBasis,
    DisengagedBasis,
    FrequencyBasis,
    Input,
    ModelBasis,
    SilenceBasis,
)
from schemas.tiers import ChurnKind, WinBackReason
from schemas.times import DAY_MS, HOUR_MS, to_ms
from services.scorer.core.churn import frequency
from services.scorer.core.churn.frequency import Comparison
from services.scorer.core.models.parameters import Model, PurchaseModel
from services.scorer.core.policy import (
    ChurnRules,
    CompetitorRule,
    DisengagedRule,
    FrequencyRule,
    ModelRule,
    Policy,
    SilenceRule,
)
from tests.unit.core_given import CUTS, Life, at, browse, contact, corrected, response, returned, sale


def life(*rules: ChurnRules, model: Model | None = None, time_zone: str = "UTC") -> Life:
    """Return a life under a policy with these churn rules alone."""
    return Life(CUTS, Policy(churn=rules, model=model, time_zone=time_zone))


def warnings(lived: Life) -> list[ChurnWarned]:
    """Return what was warned of, in order."""
    return [one for one in lived.effects if isinstance(one, ChurnWarned)]


# -- silence ----------------------------------------------------------------------------------------

SIX_MONTHS = SilenceRule(name="silence", months=6, opened_counts=True)


@pytest.mark.parametrize(
    ("bought", "starts"),
    [
        pytest.param("2024-08-31T10:00", "2025-02-28T10:00", id="the month's last day where it is too short"),
        pytest.param("2023-08-31T10:00", "2024-02-29T10:00", id="a leap year"),
        pytest.param("2024-01-15T23:59", "2024-07-15T23:59", id="the same time of day"),
    ],
)
def test_calendar_months(bought: str, starts: str) -> None:
    """Six months are six calendar months, not 180 days."""
    lived = life(SIX_MONTHS).happens(sale(to_ms(datetime.fromisoformat(bought + "+00:00"))))
    lived.until(lived.known.settled_ms + 200 * DAY_MS)

    (warned,) = warnings(lived)
    assert warned.occurred_at == datetime.fromisoformat(starts).replace(tzinfo=UTC)


def test_calendar_months_keep_the_local_time_of_day() -> None:
    """Over a clock change the instant moves by the hour that the clocks do."""
    winter = to_ms(datetime(2024, 1, 15, 12, 0, tzinfo=UTC))
    lived = life(SIX_MONTHS, time_zone="Europe/London").happens(sale(winter)).until(winter + 200 * DAY_MS)

    assert warnings(lived)[0].occurred_at == datetime(2024, 7, 15, 11, 0, tzinfo=UTC)


def test_an_opened_campaign_breaks_the_silence_where_the_policy_says_so() -> None:
    """No purchase for six months and no campaign opened: both must be missing."""
    strict = SilenceRule(name="strict", days=180)
    lived = life(SIX_MONTHS, strict).happens(sale(at(0)), response(at(100), "opened")).until(at(250))

    assert [one.rule for one in warnings(lived)] == ["strict"]
    lived.until(at(300))
    silent = warnings(lived)[1]
    assert silent.rule == "silence"
    assert isinstance(silent.evidence.basis, SilenceBasis)
    assert to_ms(silent.evidence.basis.silent_since) == at(100)
    lived.happens(response(at(310), "opened"))
    assert [(rule, what) for rule, what, _, _ in lived.churn[-1:]] == [("silence", "response")]


# -- frequency --------------------------------------------------------------------------------------

HALF = FrequencyRule(name="frequency")


@pytest.mark.parametrize(("recent", "past"), [(0, 9), (1, 14), (2, 18), (3, 22), (4, 26)])
def test_how_many_past_purchases_it_takes(recent: int, past: int) -> None:
    """90 days against 270: at least 9, 14, 18, 22, 26 past purchases for 0, 1, 2, 3, 4 recent ones."""
    seen = Comparison(recent, past, 270 * DAY_MS)

    assert frequency.is_down(seen, HALF)
    assert not frequency.is_down(seen._replace(past=past - 1), HALF)


def monthly(count: int, *, every_days: int = 20) -> list[int]:
    """Return the instants of regular purchases."""
    return [at(every_days * number) for number in range(count)]


def test_frequency_down_by_half() -> None:
    """Fourteen purchases at an even pace, then none: the warning shows the counts and the test."""
    lived = life(HALF).happens(*[sale(time_ms) for time_ms in monthly(14)]).until(at(400))

    (warned,) = warnings(lived)
    basis = warned.evidence.basis
    assert isinstance(basis, FrequencyBasis)
    assert (warned.kind, warned.severity) == (ChurnKind.FREQUENCY, "medium")
    assert basis.significant
    assert basis.probability < 0.1
    assert basis.ratio <= 0.5
    assert basis.past_orders >= 9


def test_a_young_customer_is_measured_by_what_there_is() -> None:
    """The past is as long as the customer has one: six purchases in 60 days, then silence."""
    lived = life(HALF).happens(*[sale(at(10 * number)) for number in range(7)]).until(at(170))

    (warned,) = warnings(lived)
    assert isinstance(warned.evidence.basis, FrequencyBasis)
    assert warned.evidence.basis.past_days < 90


def test_too_little_history_is_no_risk() -> None:
    """Three purchases a year apart say nothing, with the guard."""
    lived = life(HALF).happens(*[sale(at(120 * number)) for number in range(3)]).until(at(500))

    assert warnings(lived) == []
    assert frequency.is_insufficient(Comparison(0, 3, 270 * DAY_MS), HALF)
    assert frequency.is_insufficient(Comparison(0, 8, 270 * DAY_MS), HALF)
    assert not frequency.is_insufficient(Comparison(0, 9, 270 * DAY_MS), HALF)


def test_without_the_guard_the_plain_ratio_is_enough() -> None:
    """The naive rule flags most people; a policy may want it, and the evidence says that it proves nothing."""
    plain = FrequencyRule(name="plain", guard="none")
    lived = life(plain).happens(*[sale(at(40 * number)) for number in range(6)]).until(at(300))

    (warned,) = warnings(lived)
    assert isinstance(warned.evidence.basis, FrequencyBasis)
    assert not warned.evidence.basis.significant


def test_a_purchase_clears_it_and_it_pauses() -> None:
    """Once cleared it does not begin again within its recent days."""
    lived = life(HALF).happens(*[sale(time_ms) for time_ms in monthly(14)]).until(at(340))
    (warned,) = warnings(lived)
    lived.happens(sale(at(341))).until(to_ms(warned.occurred_at) + 89 * DAY_MS)

    assert len(warnings(lived)) == 1
    assert lived.churn[-1][1] == "purchase"


# -- competitor -------------------------------------------------------------------------------------

RIVAL = CompetitorRule(name="competitor")


def test_browsing_a_competitor_warns_at_once() -> None:
    """The warning is of the browse's own instant, names the rival, and moves the shown tier."""
    seen = browse(at(5) + HOUR_MS, competitor="Rival")
    lived = life(RIVAL).happens(sale(at(0)), seen)

    (warned,) = warnings(lived)
    assert warned.evidence.basis == CompetitorBasis(competitor="Rival", at=seen.occurred_at)
    assert warned.evidence.reason is WinBackReason.COMPETITOR
    assert lived.known.tier == "at_risk"
    assert lived.tier_changes[-1].causation_id == seen.event_id


def test_a_second_look_is_the_same_episode_until_a_contact() -> None:
    """Not a warning for each click; the next purchase ends it, and another look begins anew."""
    lived = life(RIVAL).happens(
        sale(at(0)),
        browse(at(5), competitor="Rival"),
        browse(at(6), competitor="Other"),
        sale(at(7)),
        browse(at(8), competitor="Rival"),
    )
    assert [to_ms(one.occurred_at) for one in warnings(lived)] == [at(5), at(8)]


def test_a_late_purchase_between_makes_two_of_one() -> None:
    """Whatever the order of arrival: the second look was after a contact."""
    looks = browse(at(5), competitor="Rival"), browse(at(8), competitor="Rival")
    lived = life(RIVAL).happens(sale(at(0)), *looks, sale(at(7)))

    assert [to_ms(one.occurred_at) for one in warnings(lived)] == [at(5), at(8)]


def test_a_prospect_cannot_churn() -> None:
    """Who never bought is not lost to a rival."""
    lived = life(RIVAL).happens(browse(at(5), competitor="Rival"), contact(at(6), competitor="Rival"))

    assert warnings(lived) == []


def test_asking_service_about_a_competitor_counts() -> None:
    """Browsed or asked about."""
    lived = life(RIVAL).happens(sale(at(0)), contact(at(3), kind="inquiry", competitor="Rival"))

    assert [one.rule for one in warnings(lived)] == ["competitor"]


# -- model ------------------------------------------------------------------------------------------

# As fitted on CDNOW by weeks (Batislam et al. 2007).
CDNOW = Model(purchases=PurchaseModel(unit="week", r=0.525, alpha=6.183, a=0.891, b=1.614))
HOPELESS = ModelRule(name="model", threshold=0.70, within_days=180)


def test_the_model_warns_at_a_local_midnight() -> None:
    """At the first midnight at which P(no purchase in 180 days) reaches 70 %."""
    lived = life(HOPELESS, model=CDNOW).happens(*[sale(at(7 * week)) for week in range(8)]).until(at(400))

    (warned,) = warnings(lived)
    basis = warned.evidence.basis
    assert isinstance(basis, ModelBasis)
    assert basis.probability_no_purchase >= 0.70
    assert basis.last_purchase_day == date(2024, 2, 19)
    assert warned.occurred_at.time().isoformat() == "00:00:00"


def test_the_model_leaves_somebody_alone_who_just_bought() -> None:
    """Whatever it thinks of one-time buyers, nobody is called back within 30 days of a purchase."""
    lived = life(HOPELESS, model=CDNOW).happens(sale(at(0))).until(at(100))

    (warned,) = warnings(lived)
    assert to_ms(warned.occurred_at) >= at(0) + 29 * DAY_MS


# -- disengaged -------------------------------------------------------------------------------------

GONE = DisengagedRule(name="disengaged", complaint_days=7)


def test_unsubscribing_warns_at_once() -> None:
    """It is a word, not an absence."""
    said = response(at(9), "unsubscribed")
    (warned,) = warnings(life(GONE).happens(sale(at(0)), said))

    assert warned.evidence.basis == DisengagedBasis(what="unsubscribed", at=said.occurred_at)


def test_the_reason_names_days_of_the_policys_time_zone() -> None:
    """At noon in London it is the next day already on Kiritimati, 14 hours ahead."""
    lived = life(GONE, time_zone="Pacific/Kiritimati")
    lived.happens(sale(at(0)), contact(at(10), topics=("waiting_time",))).until(at(20))

    (warned,) = warnings(lived)
    assert warned.evidence.reason_evidence == ("A complaint about waiting time on 2024-01-12, not solved.",)


def test_a_complaint_left_unsolved_warns_after_a_week() -> None:
    """Its solution ends the episode, and says so."""
    lived = life(GONE).happens(sale(at(0)), contact(at(10), topics=("waiting_time",))).until(at(20))

    (warned,) = warnings(lived)
    assert to_ms(warned.occurred_at) == at(17)
    assert warned.evidence.reason is WinBackReason.SERVICE
    assert warned.evidence.reason_evidence == ("A complaint about waiting time on 2024-01-11, not solved.",)
    lived.happens(contact(at(21), status="solved"))
    ended = [one for one in lived.effects if isinstance(one, ChurnCleared)]
    assert [(one.cause, to_ms(one.occurred_at)) for one in ended] == [("resolved", at(21))]


@pytest.mark.parametrize("solved", [12, 17])
def test_a_complaint_solved_in_time_warns_nobody(solved: int) -> None:
    """In time is up to and at the last instant, in whatever order the two events come."""
    opened, closed = contact(at(10)), contact(at(solved), status="solved")
    assert warnings(life(GONE).happens(sale(at(0)), opened, closed).until(at(30))) == []
    late = life(GONE).happens(sale(at(0)), closed, opened).until(at(30))
    assert warnings(late) == []


# -- corrections, reasons ---------------------------------------------------------------------------


def test_a_voided_purchase_brings_the_silence_back() -> None:
    """A purchase that never was broke no silence: its own start counts again."""
    early = SilenceRule(name="early_silence", days=90)
    wrong = sale(at(80))
    lived = life(early).happens(sale(at(0)), wrong).until(at(100))
    assert warnings(lived) == []

    lived.happens(corrected(wrong, 1, at_ms=at(100)))
    assert [to_ms(one.occurred_at) for one in warnings(lived)] == [at(90)]


def test_the_highest_revision_counts_whichever_comes_first() -> None:
    """And the original that arrives last changes nothing."""
    first = sale(at(10), 5_000)
    second, third = corrected(first, 2, amount_minor=700), corrected(first, 3, amount_minor=900)

    orders: list[list[Input]] = [[first, second, third], [third, second, first], [second, first, third]]
    for order in orders:
        lived = life().happens(*order)
        assert lived.facts == (900, 1, 1)
        assert lived.known.lifetime_net_minor == 900


def test_a_returned_article_hints_at_quality() -> None:
    """Twice sent back within half a year, and nothing said: suspect the product."""
    early = SilenceRule(name="early_silence", days=90)
    lived = life(early).happens(
        sale(at(0), order="a"),
        returned(at(5), 5_000, order="a"),
        sale(at(6), order="b"),
        returned(at(9), 5_000, order="b"),
    )
    (warned,) = warnings(lived.until(at(100)))
    assert warned.evidence.reason is WinBackReason.QUALITY


def test_nothing_known_is_said_so() -> None:
    """Then advice is to ask."""
    early = SilenceRule(name="early_silence", days=90)
    (warned,) = warnings(life(early).happens(sale(at(0))).until(at(100)))

    assert (warned.evidence.reason, warned.evidence.reason_evidence) == (WinBackReason.UNKNOWN, ())
