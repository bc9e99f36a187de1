"""A change, and what keeps, lifts or clears a tier, in sentences: each says its numbers, days and remedies."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from schemas.events import TierChanged
from services.scorer.core.lift import Clearing, Keep, Lift, Outlook, outlook
from services.scorer.core.policy import Bonus, DisengagedRule, Policy, Weight
from services.scorer.core.story import advice, story
from tests.unit.core_given import GOLD, POLICY, Life, at, contact, pinned, sale, spent


def scored(*weights: Weight, bonus: tuple[Bonus, ...] = ()) -> Policy:
    """Return the default policy with another score."""
    return replace(POLICY, score=weights, bonus=bonus)


def said(policy: Policy, *amounts_minor: int) -> list[str]:
    """Return the story of the first tier of somebody who spent these amounts."""
    return story(spent(*amounts_minor, policy=policy).tier_changes[0], policy)


def told(
    *, lift: Lift | None = None, keep: Keep | None = None, clearing: Clearing | None = None
) -> list[str]:
    """Return the sentences of an outlook."""
    return advice(Outlook(as_of_ms=at(0), cut_offs_version=7, lift=lift, keep=keep, clearing=clearing), GOLD)


class TestHeadline:
    """What was shown and ranked before and after."""

    def test_a_shown_tier_that_stays(self) -> None:
        """Under a pin a purchase moves the ranked tier alone."""
        life = spent(1_000).happens(pinned(at(1), "gold"), sale(at(2), 12_000))

        assert story(life.tier_changes[-1], GOLD)[0] == (
            "On 2024-01-03: shown tier unchanged, ranked tier from base to silver."
        )

    def test_a_ranked_tier_that_stays(self) -> None:
        """A silence shows at_risk, and says why at the end."""
        life = spent(20_000).until(at(91))
        lines = story(life.tier_changes[-1], GOLD)

        assert lines[0] == "On 2024-03-31: shown tier from gold to at_risk, ranked tier still gold."
        assert lines[-1] == "Shown is at_risk: a warning is open."

    def test_a_pin_without_an_end(self) -> None:
        """It holds until somebody takes it back."""
        life = spent(1_000).happens(pinned(at(1), "gold"))

        assert story(life.tier_changes[-1], GOLD)[-1] == (
            "Shown is gold, pinned by manager until it is taken back: a promise"
        )


class TestArithmetic:
    """Shares of the score at their bounds, and the sum at its own."""

    LINEAR = Weight(metric="spend", weight=1.0, normaliser="linear", reference=100.0)

    @pytest.mark.parametrize(
        ("amount_minor", "line", "total"),
        [
            pytest.param(
                10_000, "spend, 100 (USD): 100/100 = 1.0000; x 1 x 10,000 = 10,000.0 points.",
                "Sum 10,000.0, rounded: score 10,000.", id="exactly the reference",
            ),
            pytest.param(
                20_000,
                "spend, 200 (USD): 200/100 = 1.0000, kept within 0 and 1; x 1 x 10,000 = 10,000.0 points.",
                "Sum 10,000.0, rounded: score 10,000.", id="beyond the reference",
            ),
        ],
    )  # fmt: skip
    def test_a_share_is_at_most_one(self, amount_minor: int, line: str, total: str) -> None:
        """What the calculator shows beyond it is said to be cut; exactly one is not."""
        lines = said(scored(self.LINEAR), amount_minor)

        assert lines[1] == line
        assert lines[2] == total

    def test_a_share_is_at_least_nothing(self) -> None:
        """What is better when it is small can be too large to count."""
        dear = Weight(metric="spend", weight=1.0, normaliser="inverse", reference=100.0)

        assert said(scored(dear), 20_000)[1] == (
            "spend, 200 (USD): 1 - 200/100 = 0.0000, kept within 0 and 1; x 1 x 10,000 = 0.0 points."
        )

    def test_points_beyond_the_most_are_said_to_be_cut(self) -> None:
        """A bonus on top of a full score changes nothing."""
        bonus = (Bonus(metric="orders", points=300),)

        assert said(scored(self.LINEAR, bonus=bonus), 10_000)[2:4] == [
            "Bonus for orders: 1 x 300, at most 10,000 = 300 points.",
            "Sum 10,300.0, rounded, at most 10,000: score 10,000.",
        ]

    def test_names_that_count_are_named(self) -> None:
        """Of a metric that is measured for some brands only."""
        brands = ("acme", "zeta")
        share = Weight(metric="brand_share", weight=1.0, normaliser="linear", of=brands)
        policy = scored(share, bonus=(Bonus(metric="brand_share", points=300, of=brands),))

        lines = said(policy, 10_000)

        assert lines[1].startswith("brand_share (acme, zeta), 0 (")
        assert lines[2].startswith("Bonus for brand_share (acme, zeta): 0 x 300")


def against(value_minor: int, **changes: object) -> list[str]:
    """Return the lines on cut-offs and what comes after them for a spend, the ladder changed."""
    policy = replace(GOLD, tiers=replace(GOLD.tiers, **changes))
    return said(policy, value_minor)[5:]


class TestCuts:
    """On which side of each cut-off the value is."""

    @pytest.mark.parametrize(
        ("value_minor", "side"),
        [
            pytest.param(20_000, "above", id="where one comes up"),
            pytest.param(
                19_999, "between: whoever is in it stays, whoever is not stays out", id="below that"
            ),
            pytest.param(
                18_000, "between: whoever is in it stays, whoever is not stays out", id="where one stays"
            ),
            pytest.param(17_999, "below", id="where one falls"),
        ],
    )
    def test_the_lines_belong_to_the_better_side(self, value_minor: int, side: str) -> None:
        """Exactly on a line is on or above it, as the tier is decided."""
        assert against(value_minor)[1].endswith(f"; {side}.")

    def test_a_ladder_that_falls_at_once(self) -> None:
        """Without soft landing nothing is said of levels."""
        assert (
            against(1_000, soft_landing=False)[3] == "A downgrade waits until 30 days after the last change."
        )
        assert against(1_000)[3] == (
            "A downgrade waits until 30 days after the last change, and goes one level at a time."
        )

    def test_a_crowd_of_nobody_has_no_cut_offs(self) -> None:
        """It is said why."""
        first: TierChanged = spent(1_000, policy=POLICY).tier_changes[0]
        without = replace(first, proof=replace(first.proof, cut_offs=None))

        assert "There were no cut-offs yet: nobody was active." in story(without, POLICY)


class TestAdvice:
    """What lifts, keeps and clears."""

    ASSUMED = "Assumed: cut-offs stay at version 7, and nothing else happens."

    @pytest.mark.parametrize(
        ("purchases", "sentence"),
        [
            (
                3,
                "Up to gold: no single purchase does it; 3 purchases of the usual USD 150.00, one a day, do.",
            ),
            (
                None,
                "Up to gold: no single purchase does it, nor do daily ones of the usual USD 150.00.",
            ),
        ],
    )
    def test_when_no_single_purchase_lifts(self, purchases: int | None, sentence: str) -> None:
        """How many of the usual amount do, or that none does."""
        found = Lift(tier="silver", better="gold", amount_minor=None, usual_minor=15_000, purchases=purchases)

        assert told(lift=found) == [sentence, self.ASSUMED]

    @pytest.mark.parametrize(
        ("now_minor", "last"),
        [
            (18_000, ", prevents it until 2024-02-20."),
            (18_001, ", prevents it until 2024-02-20; made today it takes USD 180.01."),
            (None, ", prevents it until 2024-02-20; made today it would not last as long."),
        ],
    )
    def test_what_keeps_it_today(self, now_minor: int | None, last: str) -> None:
        """Only where today's amount is another one is it said."""
        found = Keep(
            tier="gold", falls_ms=at(30), falls_to="silver", latest_ms=at(29), amount_minor=18_000,
            then_falls_ms=at(50), amount_now_minor=now_minor,
        )  # fmt: skip

        assert told(keep=found) == [
            (
                "Ranked gold until 2024-01-31, then silver; a purchase of USD 180.00 or more, at the latest on "
                f"2024-01-30{last}"
            ),
            self.ASSUMED,
        ]

    def test_nothing_to_say(self) -> None:
        """Then nothing is assumed either."""
        assert told() == []


class TestClearing:
    """What changes a shown tier that is not the ranked one, as the customer page says it."""

    def last(self, life: Life, day: float, policy: Policy = GOLD) -> str:
        """Return the sentence on the shown tier, which comes before what is assumed."""
        return advice(outlook(life.known, life.moment(at(day)), policy), policy)[-2]

    def test_a_silence(self) -> None:
        """Either of two acts is enough."""
        assert self.last(spent(20_000).until(at(91)), 91) == (
            "Shown at_risk; cleared by any purchase or an answer to a campaign."
        )

    def test_an_unsolved_complaint(self) -> None:
        """Its solution is a third."""
        policy = replace(GOLD, churn=(DisengagedRule(name="left_alone"),))
        life = spent(20_000, policy=policy).happens(contact(at(1))).until(at(9))

        assert self.last(life, 9, policy) == (
            "Shown at_risk; cleared by any purchase or an answer to a campaign or the solution of the complaint."
        )

    def test_when_no_single_act_is_enough(self) -> None:
        """It is said so, with the tier beneath."""
        assert told(clearing=Clearing(shown="at_risk", ranked="gold"))[0] == (
            "Shown at_risk: no single act clears it; ranked gold."
        )

    def test_a_pin_with_an_end(self) -> None:
        """The day on which it ends, in the policy's zone."""
        life = spent(1_000).happens(pinned(at(1), "gold", until_ms=at(31)))

        assert self.last(life, 2) == "Shown gold by a pin, until 2024-02-01; ranked base."

    def test_a_pin_without_an_end(self) -> None:
        """Only who set it ends it."""
        life = spent(1_000).happens(pinned(at(1), "gold"))

        assert self.last(life, 2) == "Shown gold by a pin, until it is taken back; ranked base."
