"""Edges of tiers, cuts, pins and amounts that a sloppier core would still get right most of the time."""

from __future__ import annotations

from decimal import Decimal

import pytest

from schemas.events import CutPoint, TierUnpinned
from schemas.tiers import Tier
from schemas.times import DAY_MS, from_ms
from services.scorer.core import pins
from services.scorer.core.cuts import (
    Cuts,
    band_of,
    bands_moved,
    count_move,
    cuts_of,
    empty_histogram,
    ties_of,
)
from services.scorer.core.due import next_due_ms
from services.scorer.core.money import in_base
from services.scorer.core.policy import Ladder, Level, Policy
from services.scorer.core.score import parts_of
from services.scorer.core.state import NEVER_MS, Decision, State
from services.scorer.core.tiers import first_tier, is_downgrade, next_tier, shown_tier, value_of, wanted_tier
from tests.unit.core_given import POLICY, Life, at, cuts_at, pinned, returned, sale

METALS = Policy(
    churn=(),
    tiers=Ladder(
        levels=(
            Level(name="gold", percent=5),
            Level(name="silver", percent=15),
            Level(name="tin"),
            Level(name="dust", percent=10),
            Level(name="ash", percent=10),
        )
    ),
)
METAL_CUTS = Cuts(
    points=tuple(
        CutPoint(above=name, enter=plain + 10, plain=plain, leave=plain - 10)
        for name, plain in (("gold", 800), ("silver", 600), ("tin", 400), ("dust", 200))
    )
)
BY_SPEND = Policy(
    currency="JPY",
    churn=(),
    tiers=Ladder(by="spend", levels=(Level(name="some", at_least=1), Level(name="none")), margin_percent=0),
)


class TestLadder:
    """From the value and the cuts to a level."""

    def test_who_spent_nothing_is_below_the_first_yen(self) -> None:
        """A ladder by spend counts from 0, also when more came back than was bought."""
        assert value_of(State(customer_id="c", settled_ms=0), BY_SPEND) == 0
        assert value_of(State(customer_id="c", settled_ms=0, net_minor=-5), BY_SPEND) == 0
        assert value_of(State(customer_id="c", settled_ms=0, net_minor=5, score=9), BY_SPEND) == 5
        assert value_of(State(customer_id="c", settled_ms=0, net_minor=5, score=9), POLICY) == 9

    def test_a_newcomer_is_never_in_the_bottom_level(self) -> None:
        """He is placed one level above it, and stays where the plain cuts place him otherwise."""
        names = [first_tier(value, METAL_CUTS, METALS.tiers) for value in (800, 799, 599, 399, 199)]

        assert names == ["gold", "silver", "tin", "dust", "dust"]
        assert first_tier(0, None, METALS.tiers) == "tin"
        assert first_tier(0, BY_SPEND.fixed_cuts, BY_SPEND.tiers) == "none"

    def test_up_at_once_down_by_one(self) -> None:
        """An edge is entered at its upper line and left below its lower one."""
        ladder = METALS.tiers

        assert wanted_tier("ash", 810, METAL_CUTS, ladder) == "gold"
        assert wanted_tier("ash", 809, METAL_CUTS, ladder) == "silver"
        assert wanted_tier("gold", 790, METAL_CUTS, ladder) == "gold"
        assert wanted_tier("gold", 0, METAL_CUTS, ladder) == "silver"
        assert wanted_tier("ash", 0, METAL_CUTS, ladder) == "ash"

    def test_a_hard_landing_goes_all_the_way(self) -> None:
        """Without soft landing one falls to the level that the lower lines ask for."""
        ladder = Ladder(levels=METALS.tiers.levels, soft_landing=False)

        assert wanted_tier("gold", 0, METAL_CUTS, ladder) == "ash"
        assert wanted_tier("gold", 390, METAL_CUTS, ladder) == "tin"
        assert wanted_tier("gold", 389, METAL_CUTS, ladder) == "dust"

    def test_the_dwell_ends_at_its_instant(self) -> None:
        """Down not a millisecond before 90 days, and then at once; up at any time."""
        dwell_ms = 90 * DAY_MS

        def ranked(now_ms: int, value: int) -> str:
            return next_tier(
                "silver", value, METAL_CUTS, ranked_since_ms=1_000, now_ms=1_000 + now_ms, ladder=METALS.tiers
            )

        assert [ranked(dwell_ms - 1, 0), ranked(dwell_ms, 0)] == ["silver", "tin"]
        assert ranked(0, 900) == "gold"
        assert is_downgrade("gold", "silver", METALS.tiers)
        assert not is_downgrade("silver", "gold", METALS.tiers)

    def test_the_shown_tier_has_an_order(self) -> None:
        """The pin, else lapsed, else at risk, else the ranked one."""
        assert shown_tier("gold", orders=0, in_episode=True, pinned="tin") == "tin"
        assert shown_tier("gold", orders=0, in_episode=True) == Tier.LAPSED
        assert shown_tier("gold", orders=1, in_episode=True) == Tier.AT_RISK
        assert shown_tier("gold", orders=1, in_episode=False) == "gold"


class TestCuts:
    """Cut-offs and whom they may move."""

    def test_the_last_bin_counts(self) -> None:
        """A crowd at 10,000 points alone is a crowd."""
        histogram = empty_histogram()
        for _ in range(10):
            count_move(histogram, (None, 10_000))
        cuts = cuts_of(histogram, POLICY)

        assert cuts is not None
        assert [point.plain for point in cuts.points] == [10_001, 10_000]

    def test_ties_are_beside_the_cut_from_the_top_and_at_it_from_the_bottom(self) -> None:
        """Ten customers: three tie below the upper cut, four at the lower one."""
        histogram = empty_histogram()
        for score in (10, 50, 50, 50, 50, 70, 80, 80, 80, 90):
            count_move(histogram, (None, score))
        cuts = cuts_of(histogram, POLICY)

        assert cuts is not None
        assert [point.plain for point in cuts.points] == [81, 50]
        assert ties_of(histogram, cuts, POLICY) == (10, (3, 4))

    def test_a_fixed_ladder_has_its_own_cuts_and_no_ties(self) -> None:
        """Whatever the crowd does."""
        histogram = empty_histogram()
        count_move(histogram, (None, 1))

        assert cuts_of(histogram, BY_SPEND) == BY_SPEND.fixed_cuts
        assert ties_of(histogram, BY_SPEND.fixed_cuts, BY_SPEND) == (1, ())

    def test_bands_between_two_lines(self) -> None:
        """A line that moves from 100 to 200 concerns the scores 100 to 199: two bands of 50."""
        old = cuts_at((5_000, 4_800, 4_600), (1_900, 1_700, 100))
        new = cuts_at((5_000, 4_000, 4_600), (1_900, 1_000, 200))

        assert bands_moved(old, new) == bands_moved(new, old) == [2, 3]
        assert bands_moved(old, old) == []
        assert bands_moved(old, None) == []
        assert bands_moved(None, new) == list(range(201))
        assert (band_of(49), band_of(50), band_of(10_000)) == (0, 1, 200)


class TestDue:
    """When time next moves a tier."""

    def test_a_dwell_is_due_only_for_who_stands_too_low(self) -> None:
        """At the lower line nothing is due before the window; just below it the end of the dwell is."""
        state = Life(policy=METALS).happens(sale(at(0))).known

        def due_ms(leave: int) -> int | None:
            lines = [
                CutPoint(above=one.above, enter=9_999, plain=9_999, leave=leave) for one in METAL_CUTS.points
            ]
            return next_due_ms(state, METALS, Cuts(points=tuple(lines)))

        assert state.ranked == "tin"
        assert [due_ms(state.score), due_ms(state.score + 1)] == [at(365), at(90)]
        assert next_due_ms(state, METALS, None) == at(365)

    def test_the_end_of_a_pin_is_due(self) -> None:
        """It is the earliest thing that time does, until it has passed."""
        life = Life(policy=METALS).happens(sale(at(0)), pinned(at(1), "gold", until_ms=at(10)))

        assert life.known.tier == "gold"
        assert next_due_ms(life.known, METALS, None) == at(10)
        assert life.until(at(10) - 1).known.tier == "gold"
        assert life.until(at(10)).known.tier == "tin"
        assert next_due_ms(life.known, METALS, None) == at(365)

    def test_nobody_waits_for_nothing(self) -> None:
        """When the window is empty and nothing else is open, nothing is due."""
        life = Life(policy=METALS).happens(sale(at(0))).until(at(365))

        assert life.known.tier == Tier.LAPSED
        assert next_due_ms(life.known, METALS, None) is None


class TestPins:
    """The latest decision counts."""

    def test_a_pin_ends_at_its_end(self) -> None:
        """Not a millisecond later; one without an end stays."""
        state = State(customer_id="c", settled_ms=5, decision=Decision(1, 1, "gold", 10, "x", "y"))

        assert pins.pin_of(state, 9) == state.decision
        assert pins.pin_of(state, 10) is None
        assert pins.end_ms(state) == 10
        state.settled_ms = 10
        assert pins.end_ms(state) == NEVER_MS
        state.decision = None
        assert pins.pin_of(state, 0) is None

    def test_of_two_at_one_instant_one_wins_whichever_came_first(self) -> None:
        """The one with the higher hash; a later one in any case."""
        one, other = Decision(1, 7, "gold", 10, "x", "y"), Decision(1, 8, "tin", 10, "x", "y")
        later = Decision(2, 1, "dust", 10, "x", "y")
        for order in ((one, other), (other, one), (other, other)):
            state = State(customer_id="c", settled_ms=5)
            for decision in order:
                pins.decide(state, decision)
            assert state.decision == other
            pins.decide(state, later)
            assert state.decision == later

    def test_unpinning_gives_the_ranked_tier_back(self) -> None:
        """From the instant of the decision on."""
        life = Life(policy=METALS).happens(sale(at(0)), pinned(at(1), "gold"))
        assert next_due_ms(life.known, METALS, None) == at(365)
        word = TierUnpinned(
            event_id="u", customer_id="c", occurred_at=from_ms(at(2)), cause="over", decided_by="m"
        )

        assert life.happens(word).known.tier == "tin"
        assert life.known.decision == Decision(at(2), life.known.decision.event, "", 0, "over", "m")  # type: ignore[union-attr]


class TestMoney:
    """Amounts in the base currency."""

    POLICY = Policy(
        currency="USD", accepts=("USD", "EUR", "JPY"), rates={"EUR": Decimal("1.5"), "JPY": Decimal("0.01")}
    )

    @pytest.mark.parametrize(
        ("amount", "currency", "minor"),
        [
            pytest.param(7, "USD", 7, id="the base currency as it is"),
            pytest.param(3, "EUR", 4, id="4.5 to the even 4"),
            pytest.param(1, "EUR", 2, id="1.5 to the even 2"),
            pytest.param(5, "JPY", 5, id="no decimals on the other side"),
            pytest.param(5, "CHF", 0, id="no rate"),
            pytest.param(5, None, 0, id="no currency"),
        ],
    )
    def test_conversion(self, amount: int, currency: str | None, minor: int) -> None:
        """Exact, rounded once."""
        assert in_base(amount, currency, self.POLICY) == minor

    def test_parts_say_what_was_bought(self) -> None:
        """Net spend never below zero, orders, days."""
        life = Life().happens(sale(at(0), 5_000), sale(at(0.1), 1_000), sale(at(3), 500))
        parts = parts_of(life.known, POLICY)
        assert (parts.spend_minor, parts.orders, parts.purchase_days) == (6_500, 3, 2)
        life.happens(returned(at(4), 90_000))
        assert parts_of(life.known, POLICY).spend_minor == 0
