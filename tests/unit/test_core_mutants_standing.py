"""Each rule's word on a customer, with the sentence behind it: it names the days, the tiers and the counts."""

from __future__ import annotations

from msgspec.structs import replace

from services.scorer.core.policy import CompetitorRule, FrequencyRule, Policy, SilenceRule
from services.scorer.core.standing import Standing, standings
from tests.unit.core_given import CUTS, Life, at, browse, cuts_at, sale

POLICY = Policy(
    churn=(
        SilenceRule(name="silence", days=90),
        SilenceRule(name="best_silence", days=180, tiers=("high_value", "at_risk")),
        FrequencyRule(name="frequency"),
        CompetitorRule(name="competitor"),
    )
)


def test_every_word_with_its_sentence() -> None:
    """In the policy's order: the tiers that a rule is for, the orders that were counted, nothing known."""
    steep = cuts_at((9_900, 9_800, 9_700), (1_900, 1_700, 1_500))
    lived = Life(steep, POLICY).happens(*(sale(at(20 * number), 1_000) for number in range(14)))

    assert standings(lived.known, POLICY) == (
        Standing(rule="silence", word="clear", why="Nothing of the kind is known."),
        Standing(rule="best_silence", word="not for this tier", why="For high_value, at_risk only."),
        Standing(
            rule="frequency",
            word="clear",
            why="5 orders in the last 90 days, 9 in the up to 270 days before.",
        ),
        Standing(rule="competitor", word="clear", why="Nothing of the kind is known."),
    )


def test_of_a_prospect_every_rule_says_so_by_its_name() -> None:
    """A playbook that asks one rule gets that rule's word."""
    lived = Life(CUTS, POLICY).happens(browse(at(0)))

    assert standings(lived.known, POLICY) == tuple(
        Standing(rule=rule.name, word="never bought", why="Who never bought can't be lost.")
        for rule in POLICY.churn
    )


def test_a_warning_stands_since_a_day_of_the_business() -> None:
    """Ninety days after noon of 1 January in UTC it is 31 March there, and April in Auckland."""
    days = []
    for policy in (POLICY, replace(POLICY, time_zone="Pacific/Auckland")):
        lived = Life(CUTS, policy).happens(sale(at(0))).until(at(100))
        days.append(standings(lived.known, policy)[0].why)

    assert days == ["A warning stands since 2024-03-31.", "A warning stands since 2024-04-01."]
