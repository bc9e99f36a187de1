"""Each rule's word on a customer: too little history is said so, not called a risk."""

from __future__ import annotations

from services.scorer.core.policy import CompetitorRule, FrequencyRule, Policy, SilenceRule
from services.scorer.core.standing import Standing, TooLittle, standings
from tests.unit.core_given import CUTS, Life, at, browse, sale

POLICY = Policy(
    churn=(
        SilenceRule(name="silence", days=90),
        SilenceRule(name="best_silence", days=180, tiers=("high_value",)),
        FrequencyRule(name="frequency"),
        CompetitorRule(name="competitor"),
    )
)


def words(lived: Life) -> dict[str, str]:
    """Return each rule's word."""
    return {one.rule: one.word for one in standings(lived.known, POLICY)}


def test_too_little_history_is_said_so() -> None:
    """Three purchases prove nothing, whatever comes; fourteen at an even pace do."""
    few = Life(CUTS, POLICY).happens(*[sale(at(20 * number)) for number in range(3)])
    many = Life(CUTS, POLICY).happens(*[sale(at(20 * number)) for number in range(14)])

    assert words(few)["frequency"] == "insufficient history"
    assert words(many)["frequency"] == "clear"
    assert standings(few.known, POLICY)[2] == Standing(
        rule="frequency",
        word="insufficient history",
        why=(
            "3 orders in the last 90 days, 0 in the up to 270 days before: "
            "even no order at all would say nothing."
        ),
        too_little=TooLittle(recent_orders=3, recent_days=90, past_orders=0, past_days=0, needed_orders=4),
    )
    assert standings(many.known, POLICY)[2].too_little is None


def test_what_it_would_take_is_told_to_the_order() -> None:
    """Four at least; more where chance alone could empty the recent days: the longer the past, the more."""
    week = Life(CUTS, POLICY).happens(*[sale(at(day)) for day in (0, 2, 4, 97)])
    year = Life(CUTS, POLICY).happens(*[sale(at(day)) for day in (0, 50, 300, 360)])
    few = standings(week.known, POLICY)[2].too_little
    seldom = standings(year.known, POLICY)[2].too_little

    assert few == TooLittle(recent_orders=1, recent_days=90, past_orders=3, past_days=7, needed_orders=4)
    # The past is behind the first instant, so the order there is none of it. (270 / 360) ** n < .10 from 9 on.
    assert seldom == TooLittle(recent_orders=2, recent_days=90, past_orders=1, past_days=270, needed_orders=9)


def test_what_stands_and_what_does_not_apply() -> None:
    """An open warning with its day; a rule for other tiers; nothing known."""
    lived = Life(CUTS, POLICY).happens(sale(at(0))).until(at(100))

    assert words(lived) == {
        "silence": "warned",
        "best_silence": "not for this tier",
        "frequency": "insufficient history",
        "competitor": "clear",
    }
    assert standings(lived.known, POLICY)[0].why == "A warning stands since 2024-03-31."


def test_a_prospect_is_no_risk() -> None:
    """Who never bought can't be lost."""
    assert set(words(Life(CUTS, POLICY).happens(browse(at(0)))).values()) == {"never bought"}
