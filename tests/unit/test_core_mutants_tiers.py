"""Edges of tiers, cuts, pins and amounts that a sloppier core would still get right most of the time."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from schemas.events import CutPoint, Pin, TierUnpinned
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
from services.scorer.core.policy import (
    Bonus,
    Fault,
    FrequencyRule,
    Ladder,
    Level,
    ModelRule,
    Policy,
    SilenceRule,
    Weight,
)
from services.scorer.core.policy.segments import (
    LoyaltyRules,
    RelationshipRules,
    RepurchaseRules,
    RfmRules,
    Segments,
    StageRules,
)
from services.scorer.core.score import parts_of
from services.scorer.core.state import NEVER_MS, Decision, State
from services.scorer.core.tiers import first_tier, is_downgrade, next_tier, shown_tier, value_of, wanted_tier
from services.scorer.core.view import summary
from tests.unit.core_given import POLICY, Life, at, cuts_at, pinned, response, returned, sale

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


class TestView:
    """What people are shown of a state."""

    def test_every_fact_is_the_state_s(self) -> None:
        """Tiers with their dates, the window, the pin with its end, what was heard."""
        life = Life(policy=METALS).happens(
            sale(at(0), 1_000), sale(at(4), 500), response(at(5)), response(at(6), "opened")
        )
        state = life.happens(pinned(at(7), "gold", until_ms=at(90))).until(at(8)).known
        shown = summary(state, METALS)

        assert (shown.customer_id, shown.settled_ms, shown.score) == ("c", at(8), state.score)
        assert shown.parts == parts_of(state, METALS)
        assert (shown.ranked_tier, shown.ranked_since_ms) == ("tin", at(0))
        assert (shown.tier, shown.tier_since_ms) == ("gold", at(7))
        assert shown.pin == Pin(tier="gold", until=from_ms(at(90)), cause="a promise", decided_by="manager")
        assert (shown.spend_minor, shown.orders, shown.purchase_days) == (1_500, 2, 2)
        assert (shown.first_purchase_ms, shown.last_purchase_ms) == (at(0), at(4))
        assert (shown.last_response_ms, shown.last_opened_ms, shown.usual_gap_days) == (at(5), at(6), 4)
        assert shown.purchases == ((at(0), 1_000), (at(4), 500))
        assert [one.kind for one in shown.recent] == ["clicked", "opened"]
        assert shown.contacts[-1] == (at(5), "response")
        assert shown.contacts[0] == (at(0), "purchase")
        assert shown.episodes == ()

    def test_a_pin_without_an_end_has_none(self) -> None:
        """And more that came back than was bought is no spend."""
        life = Life(policy=METALS).happens(sale(at(0), 5), returned(at(1), 50), pinned(at(2), "gold"))
        shown = summary(life.known, METALS)

        assert shown.pin == Pin(tier="gold", until=None, cause="a promise", decided_by="manager")
        assert shown.spend_minor == 0
        assert summary(Life(policy=METALS).happens(sale(at(0))).known, METALS).pin is None


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


LEVELS = (Level(name="a", percent=20), Level(name="b"), Level(name="c", percent=20))
FIXED = (Level(name="a", at_least=200), Level(name="b", at_least=100), Level(name="c"))


class TestFaults:
    """What contradicts itself is refused with the place, the contradiction and what to write instead."""

    @pytest.mark.parametrize(
        ("make", "at_", "what", "remedy"),
        [
            pytest.param(
                lambda: Ladder(levels=LEVELS[1:2]),
                ("levels",), "there are 1 levels", "name 2 to 12, the best first", id="one level",
            ),
            pytest.param(
                lambda: Ladder(levels=(*LEVELS, LEVELS[0])),
                ("levels", 3, "name"), "the name a is taken",
                "give every level a name of its own; lapsed is shown for who bought nothing", id="a name twice",
            ),
            pytest.param(
                lambda: Ladder(levels=(LEVELS[1], FIXED[0])),
                ("levels", 1, "at_least"), "at_least is for ladders by score or spend",
                "give percent, or set by: score or by: spend", id="a threshold by percentile",
            ),
            pytest.param(
                lambda: Ladder(levels=LEVELS[::2]),
                ("levels",), "0 levels have no percent",
                "leave percent out of exactly one level: it holds the rest", id="no rest",
            ),
            pytest.param(
                lambda: Ladder(levels=(Level(name="a", percent=48), *LEVELS[1:]), margin_percent=16),
                ("levels",), "the tiers overlap: shares of 68 % and margins of 2 x 16 leave no rest",
                "lower a percent or margin_percent, so that shares and both margins stay below 100",
                id="shares of a hundred",
            ),
            pytest.param(
                lambda: Ladder(levels=LEVELS, margin_percent=21),
                ("levels", 0, "percent"), "a has 20 %, less than the margin of 21",
                "raise its percent or lower margin_percent", id="a share within the margin",
            ),
            pytest.param(
                lambda: Ladder(levels=(LEVELS[1], Level(name="c", percent=0)), margin_percent=0),
                ("levels", 1, "percent"), "c has 0 %, less than the margin of 0",
                "raise its percent or lower margin_percent", id="no share",
            ),
            pytest.param(
                lambda: Ladder(by="score", levels=(FIXED[0], LEVELS[2], Level(name="d"))),
                ("levels", 1, "percent"), "percent is for ladders by percentile",
                "give at_least, or set by: percentile", id="a share by score",
            ),
            pytest.param(
                lambda: Ladder(by="score", levels=FIXED[:2]),
                ("levels", 1, "at_least"), "the last level, b, has a threshold",
                "leave at_least out of it: it takes everybody else", id="a threshold at the bottom",
            ),
            pytest.param(
                lambda: Ladder(by="spend", levels=(FIXED[0], Level(name="x"), FIXED[2])),
                ("levels", 1), "x has no threshold", "give it at_least", id="no threshold above",
            ),
            pytest.param(
                lambda: Ladder(by="score", levels=(Level(name="a", at_least=10_001), FIXED[2])),
                ("levels", 0, "at_least"), "a begins at 10001, and a score ends at 10000",
                "give points from 1 to 10000", id="above any score",
            ),
            pytest.param(
                lambda: Ladder(by="spend", levels=(FIXED[1], Level(name="x", at_least=100), FIXED[2])),
                ("levels", 1, "at_least"), "the tiers overlap: b does not begin above x",
                "list the levels from the best down, each with a lower at_least", id="thresholds alike",
            ),
            pytest.param(
                lambda: RfmRules(recency_weight=0.5),
                ("recency_weight",), "the three weights add up to 1.2, not 1",
                "change them so that they add up to 1", id="points",
            ),
            pytest.param(
                lambda: RfmRules(orders=(1, 2, 2, 3)),
                ("orders", 2), "orders does not rise: 2 stands after 2",
                "list the boundaries from the smallest up", id="boundaries",
            ),
            pytest.param(
                lambda: Segments(age_from=(30, 20)),
                ("age_from", 1), "age_from does not rise: 20 stands after 30",
                "list the boundaries from the smallest up", id="ages",
            ),
            pytest.param(
                lambda: Segments(price_from=(30.5, 20)),
                ("price_from", 1), "price_from does not rise: 20 stands after 30.5",
                "list the boundaries from the smallest up", id="prices",
            ),
            pytest.param(
                lambda: StageRules(dormant_days_max=365),
                ("lost_days",), "the stages dormant and lost overlap",
                "keep dormant_days_min <= dormant_days_max < lost_days", id="lost at once",
            ),
            pytest.param(
                lambda: StageRules(dormant_days_min=181),
                ("lost_days",), "the stages dormant and lost overlap",
                "keep dormant_days_min <= dormant_days_max < lost_days", id="no patience",
            ),
            pytest.param(
                lambda: StageRules(dormant_days=365),
                ("dormant_days",), "the stages dormant and lost overlap",
                "lower dormant_days, or raise lost_days", id="lost before dormant",
            ),
            pytest.param(
                lambda: RepurchaseRules(low_percent=70),
                ("low_percent",), "the repurchase bands overlap", "lower low_percent", id="bands",
            ),
            pytest.param(
                lambda: LoyaltyRules(dissatisfied_below=8),
                ("dissatisfied_below",), "one mean would be satisfied and dissatisfied at once",
                "lower dissatisfied_below to satisfied_from or less", id="a mean that is both",
            ),
            pytest.param(
                lambda: RelationshipRules(few_up_to=1_000),
                ("few_up_to",), "few would be many", "lower few_up_to", id="few and many",
            ),
            pytest.param(
                lambda: RelationshipRules(medium_margin_percent=40),
                ("medium_margin_percent",), "a medium margin would be high",
                "lower medium_margin_percent", id="margins",
            ),
            pytest.param(
                lambda: Policy(currency="XYZ"),
                ("currency",), "'XYZ' is not an ISO 4217 code in use", "give one such as USD, EUR or JPY", id="no currency",
            ),
            pytest.param(
                lambda: Policy(time_zone="Mars/Base"),
                ("time_zone",), "'Mars/Base' is not an IANA time zone",
                "give one such as UTC or Europe/London", id="no zone",
            ),
            pytest.param(
                lambda: Policy(rates={"EUR": Decimal(1), "XYZ": Decimal(1)}),
                ("rates", "XYZ"), "'XYZ' is not an ISO 4217 code in use",
                "give one such as USD, EUR or JPY", id="a rate of nothing",
            ),
            pytest.param(
                lambda: Policy(rates={"USD": Decimal(1)}),
                ("rates", "USD"), "USD is the base currency and needs no rate",
                "take it out of rates, or change currency", id="a rate of the base",
            ),
            pytest.param(
                lambda: Policy(rates={"EUR": Decimal("1." + "1" * 28)}),
                ("rates", "EUR"), "the rate of EUR has more than 28 digits", "round it", id="digits",
            ),
            pytest.param(
                lambda: Policy(rates={"EUR": Decimal(1_000_000_001)}),
                ("rates", "EUR"), "the rate of EUR is 1000000001",
                "give the USD that one EUR is worth, from 1e-9 to 1e9", id="a rate out of bounds",
            ),
            pytest.param(
                lambda: Policy(accepts=("USD", "EUR")),
                ("accepts", 1), "the currency EUR has no rate",
                "add EUR to rates with the USD that one EUR is worth, or take it out of accepts", id="no rate",
            ),
            pytest.param(
                lambda: Policy(score=(Weight(metric="orders", weight=0.9),)),
                ("score",), "the weights add up to 0.9, not 1", "change them so that they add up to 1", id="weights",
            ),
            pytest.param(
                lambda: Policy(score=(Weight(metric="orders", weight=0.5), Weight(metric="orders", weight=0.5))),
                ("score", 1, "metric"), "the metric orders is weighed twice", "weigh it once", id="twice",
            ),
            pytest.param(
                lambda: Policy(window_days=426, bonus=(Bonus(metric="interactions", points=1),)),
                ("bonus", 0, "metric"), "the metric interactions is kept for 14 months, and the window has 426 days",
                "leave it out, or set window_days to 425 or less", id="months",
            ),
            pytest.param(
                lambda: Policy(score=(Weight(metric="predicted_value", weight=1),)),
                ("score", 0, "metric"), "the metric predicted_value needs a purchase and a spend model",
                "fit both with tierstream fit and put them into the section model, or leave it out", id="no model",
            ),
            pytest.param(
                lambda: Policy(churn=(SilenceRule(name="s", days=30), SilenceRule(name="s", days=60))),
                ("churn", 1, "name"), "two churn rules are named s", "give each its own name", id="rules alike",
            ),
            pytest.param(
                lambda: Policy(churn=(SilenceRule(name="s", days=30, tiers=("regular", "best")),)),
                ("churn", 0, "tiers", 1), "the rule s is for best, and no level has that name",
                "name one of high_value, regular, at_risk", id="no such level",
            ),
            pytest.param(
                lambda: Policy(churn=(FrequencyRule(name="f", recent_days=100, past_days=266),)),
                ("churn", 0, "past_days"), "the rule f compares 100 with 266 days, more than the window's 365",
                "shorten past_days or recent_days", id="too far back",
            ),
            pytest.param(
                lambda: Policy(churn=(SilenceRule(name="s", days=396),)),
                ("churn", 0, "days"), "the rule s looks further back than anything is remembered",
                "keep it within 395 days", id="too long, in days",
            ),
            pytest.param(
                lambda: Policy(churn=(SilenceRule(name="s", months=15),)),
                ("churn", 0, "months"), "the rule s looks further back than anything is remembered",
                "keep it within 395 days", id="too long, in months",
            ),
            pytest.param(
                lambda: Policy(churn=(ModelRule(name="m"),)),
                ("churn", 0), "the rule m needs a model",
                "fit one with tierstream fit and put it into the section model", id="a rule without its model",
            ),
            pytest.param(
                lambda: SilenceRule(name="s"), (), "the rule s needs one length", "give either days or months", id="no length",
            ),
            pytest.param(
                lambda: SilenceRule(name="s", days=9, months=1),
                ("months",), "the rule s needs one length", "give either days or months", id="two lengths",
            ),
        ],
    )  # fmt: skip
    def test_a_contradiction(
        self, make: Callable[[], object], at_: tuple[str | int, ...], what: str, remedy: str
    ) -> None:
        """Each says where it is, what is wrong and how to mend it."""
        with pytest.raises(Fault) as caught:
            make()

        assert (caught.value.at, caught.value.what, caught.value.remedy) == (at_, what, remedy)
        assert str(caught.value) == f"{what}; {remedy}"

    def test_what_is_just_allowed(self) -> None:
        """One step before each line."""
        Ladder(levels=(Level(name="a", percent=47), *LEVELS[1:]), margin_percent=16)
        Ladder(levels=LEVELS, margin_percent=20)
        Ladder(by="score", levels=(Level(name="a", at_least=10_000), FIXED[2]))
        Ladder(levels=tuple(Level(name=f"l{n}", percent=None if n == 0 else 5) for n in range(12)))
        RfmRules(orders=(1, 2, 3, 4))
        StageRules(dormant_days_max=364, dormant_days=364)
        StageRules(dormant_days_min=180)
        RepurchaseRules(low_percent=69)
        LoyaltyRules(dissatisfied_below=7)
        RelationshipRules(few_up_to=999, medium_margin_percent=39)
        Policy(rates={"EUR": Decimal("1e-9"), "JPY": Decimal("1e9"), "GBP": Decimal("1." + "1" * 27)})
        Policy(window_days=425, bonus=(Bonus(metric="interactions", points=1),))
        Policy(churn=(FrequencyRule(name="f", recent_days=100, past_days=265),))
        Policy(churn=(SilenceRule(name="s", days=395), SilenceRule(name="t", months=14)))
        with pytest.raises(Fault):
            Policy(rates={"EUR": Decimal("9e-10")})
        with pytest.raises(Fault):
            Ladder(levels=tuple(Level(name=f"l{n}", percent=None if n == 0 else 5) for n in range(13)))
