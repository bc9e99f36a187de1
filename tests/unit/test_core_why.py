"""Why a customer is in his tier, and what keeps or lifts it: examples in plain words."""

from __future__ import annotations

from msgspec.structs import replace

from schemas.events import ServiceContactRecorded, TierPinned
from schemas.times import DAY_MS, from_ms
from services.scorer.core.lift import clearing, keep, lift, outlook
from services.scorer.core.policy import Bonus, DisengagedRule
from services.scorer.core.story import advice, story
from tests.unit.core_given import CUTS, GOLD, POLICY, Life, at, browse, sale, spent


class TestLift:
    """The smallest purchase that leads to a better tier."""

    def test_what_is_missing_to_the_threshold(self) -> None:
        """USD 150 of 200 spent: 50 are missing."""
        life = spent(15_000)
        found = lift(life.known, life.moment(at(1)), GOLD)

        assert found is not None
        assert (found.tier, found.better, found.amount_minor) == ("silver", "gold", 5_000)
        assert (found.usual_minor, found.purchases) == (15_000, 1)

    def test_a_large_purchase_may_not_be_needed_for_the_next_level(self) -> None:
        """The smallest purchase that lifts leads to the next level, not to the best."""
        life = spent(1_000)
        found = lift(life.known, life.moment(at(1)), GOLD)

        assert found is not None
        assert (found.tier, found.better, found.amount_minor) == ("base", "silver", 9_000)
        assert found.purchases == 9

    def test_at_the_top_there_is_nothing_above(self) -> None:
        """It is said so, without an amount."""
        life = spent(25_000)
        found = lift(life.known, life.moment(at(1)), GOLD)

        assert found is not None
        assert found.better is None
        assert advice(outlook(life.known, life.moment(at(1)), GOLD), GOLD)[0] == (
            "Ranked gold: there is no better tier."
        )

    def test_when_money_alone_does_not_do_it(self) -> None:
        """One purchase earns 40 % of the score at most; several days earn the rest."""
        life = spent(10_000, policy=POLICY)
        moment = life.moment(at(1))
        strict = replace(
            moment, cuts=replace(CUTS, points=(replace(CUTS.points[0], enter=6_500), CUTS.points[1]))
        )
        found = lift(life.known, strict, POLICY)

        assert found is not None
        assert found.amount_minor is None
        assert found.purchases is not None
        assert "no single purchase does it; " in advice(outlook(life.known, strict, POLICY), POLICY)[0]

    def test_a_prospect_has_no_tier_to_lift(self) -> None:
        """There is none before the first purchase event."""
        life = Life(CUTS).happens(browse(at(0)))

        assert lift(life.known, life.moment(at(1)), POLICY) is None
        assert advice(outlook(life.known, life.moment(at(1)), POLICY), POLICY) == []


class TestKeep:
    """The date on which the tier falls, and the purchase that prevents it."""

    def test_a_purchase_leaves_the_window(self) -> None:
        """Gold at 200, left below 180: when the purchase is a year old, 180 must have come in its place."""
        life = spent(20_000)
        found = keep(life.known, life.moment(at(10)), GOLD)

        assert found is not None
        assert (found.falls_ms, found.falls_to) == (at(365), "silver")
        assert (found.latest_ms, found.amount_minor) == (at(365) - 1, 18_000)
        assert found.then_falls_ms == at(730) - 1
        assert found.amount_now_minor == 18_000

    def test_a_downgrade_that_waits_for_its_dwell(self) -> None:
        """He fell to silver; base is due thirty days later, unless he buys."""
        life = spent(20_000).until(at(365))
        found = keep(life.known, life.moment(at(365)), GOLD)

        assert found is not None
        assert (found.tier, found.falls_ms, found.falls_to) == ("silver", at(395), "base")
        assert found.amount_minor == 9_000

    def test_at_the_bottom_nothing_falls(self) -> None:
        """It is said so."""
        life = spent(1_000)
        found = keep(life.known, life.moment(at(1)), GOLD)

        assert found is not None
        assert found.falls_ms is None
        assert advice(outlook(life.known, life.moment(at(1)), GOLD), GOLD)[1] == (
            "Ranked base: it does not fall by time alone."
        )

    def test_in_words(self) -> None:
        """Amount, date and assumption."""
        life = spent(20_000)

        _, kept, assumed = advice(outlook(life.known, life.moment(at(10)), GOLD), GOLD)

        assert kept == (
            "Ranked gold until 2024-12-31, then silver; a purchase of USD 180.00 or more, at the latest on "
            "2024-12-31, prevents it until 2025-12-31."
        )
        assert assumed == "Assumed: cut-offs stay at version 1, and nothing else happens."


class TestClearing:
    """What changes a shown tier that is not the ranked one."""

    def test_a_silence_is_cleared_by_either(self) -> None:
        """A purchase or an answer takes the warning back."""
        life = spent(20_000).until(at(91))
        found = clearing(life.known, life.moment(at(91)), GOLD)

        assert found is not None
        assert (found.shown, found.ranked, found.by) == ("at_risk", "gold", ("purchase", "response"))

    def test_a_lapse_is_cleared_by_a_purchase_only(self) -> None:
        """Who bought nothing in the window is not brought back by a click."""
        life = spent(20_000).until(at(366))
        found = clearing(life.known, life.moment(at(366)), GOLD)

        assert found is not None
        assert (found.shown, found.by) == ("lapsed", ("purchase",))

    def test_an_unsolved_complaint_is_cleared_by_its_solution(self) -> None:
        """As well as by whatever else shows that he is still there."""
        policy = replace(GOLD, churn=(DisengagedRule(name="left_alone"),))
        complaint = ServiceContactRecorded(
            event_id="k1", customer_id="c", occurred_at=from_ms(at(1)), contact_id="k", kind="complaint",
            channel="phone",
        )  # fmt: skip
        life = spent(20_000, policy=policy).happens(complaint).until(at(9))
        found = clearing(life.known, life.moment(at(9)), policy)

        assert found is not None
        assert found.by == ("purchase", "response", "solution")

    def test_a_pin_is_cleared_by_its_end(self) -> None:
        """What the customer does changes nothing."""
        pin = TierPinned(
            event_id="p", customer_id="c", occurred_at=from_ms(at(1)), tier="gold", cause="founder's guest",
            decided_by="ann", until=from_ms(at(31)),
        )  # fmt: skip
        life = spent(1_000).happens(pin)
        found = clearing(life.known, life.moment(at(2)), GOLD)

        assert found is not None
        assert (found.pinned_until_ms, found.by) == (at(31), ())
        assert story(life.tier_changes[-1], GOLD)[-1] == (
            "Shown is gold, pinned by ann until 2024-02-01: founder's guest"
        )

    def test_nothing_to_clear(self) -> None:
        """Shown as ranked."""
        life = spent(20_000)

        assert clearing(life.known, life.moment(at(1)), GOLD) is None


class TestStory:
    """A change in sentences that one can follow with a calculator."""

    def test_the_default_score(self) -> None:
        """A first purchase of USD 512.40."""
        life = Life(CUTS).happens(sale(at(0), 51_240, event="e-1"))

        assert story(life.tier_changes[0], POLICY) == [
            "First tier on 2024-01-01: regular, ranked regular.",
            "spend, 512.4 (USD): ln(1 + 512.4/10) / ln(1 + 20,000/10) = 0.5204; x 0.4 x 10,000 = 2,081.6 points.",
            "orders, 1 (orders): ln(1 + 1/1) / ln(1 + 100/1) = 0.1502; x 0.3 x 10,000 = 450.6 points.",
            "repurchase_rate, 0 (0 to 1): 0/1 = 0.0000; x 0.3 x 10,000 = 0.0 points.",
            "Sum 2,532.2, rounded: score 2,532.",
            "Ranked by 2,532 against cut-offs version 1 of the crowd:",
            "high_value: up into it from 5,000, down out of it below 4,600, newcomers from 4,800; below.",
            "regular: up into it from 1,900, down out of it below 1,500, newcomers from 1,700; above.",
            "A downgrade waits until 90 days after the last change, and goes one level at a time.",
            "The customer's own event moved it: e-1.",
        ]

    def test_time_and_a_fixed_ladder(self) -> None:
        """Amounts in place of points, and what time did."""
        life = spent(20_000).until(at(365))
        lines = story(life.tier_changes[-1], GOLD)

        assert (
            lines[0] == "On 2024-12-31: shown tier from at_risk to lapsed, ranked tier from gold to silver."
        )
        assert "Ranked by USD 0.00 against cut-offs of the policy:" in lines
        assert lines[-2].startswith("Time moved it")
        assert lines[-1] == "Shown is lapsed: nothing bought in the window."

    def test_bonus_points(self) -> None:
        """For whole units, up to a most."""
        policy = replace(GOLD, bonus=(Bonus(metric="orders", points=300, points_max=500),))
        life = spent(20_000, 100, policy=policy)
        change = life.tier_changes[0]

        assert "Bonus for orders: 1 x 300, at most 500 = 300 points." in story(change, policy)

    def test_the_crowd(self) -> None:
        """He did nothing."""
        life = Life(CUTS).happens(sale(at(0), 2_000_000))
        top = replace(
            CUTS, points=(replace(CUTS.points[0], enter=2_000, plain=1_900, leave=1_800), CUTS.points[1])
        )
        life.crowd(at(1), top)

        assert story(life.tier_changes[-1], POLICY)[-1] == (
            "The crowd moved it: the cut-offs changed, the customer did nothing."
        )
        assert life.known.settled_ms == at(0) + DAY_MS
