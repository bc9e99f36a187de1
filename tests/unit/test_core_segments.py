"""Segments, stages, bands and tags of one customer, as views of the state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from schemas.times import DAY_MS
from services.scorer.core import segments
from services.scorer.core.models.parameters import Model, PurchaseModel, SpendModel
from services.scorer.core.months import number_of
from services.scorer.core.policy import Fault, Policy
from services.scorer.core.policy.segments import (
    RepurchaseRules,
    RfmRules,
    StageRules,
    TagRules,
    ValueRules,
)
from services.scorer.core.policy.segments import Segments as Section
from services.scorer.core.segments import Crowd, RfmCuts
from services.scorer.core.segments.attributes import age_years, attributes
from services.scorer.core.segments.loyalty import loyalty, satisfaction
from services.scorer.core.segments.relationship import margin_percent, relationship
from services.scorer.core.segments.repurchase import repurchase, repurchase_predicted
from services.scorer.core.segments.rfm import rfm_facts, rfm_points
from services.scorer.core.segments.sales_status import sales_status
from services.scorer.core.segments.stage import patience_days, stage
from services.scorer.core.segments.tags import tags
from services.scorer.core.segments.value_matrix import trend, value_matrix
from services.scorer.core.state import Answer, Attribute, Interest, Month, Referral, State
from tests.unit.core_given import POLICY, T0, Life, at, browse, response, returned, sale

MODEL = Model(
    purchases=PurchaseModel(r=0.5, alpha=20.0, a=0.8, b=2.4),
    spend=SpendModel(p=6.25, q=3.74, gamma_minor=1_544, mean_minor=4_000),
)
CUTS = RfmCuts(
    last_day=tuple(T0 // DAY_MS + day for day in (100, 200, 300, 350)),  # type: ignore[arg-type]
    orders=(2, 3, 5, 9),
    spend_minor=(5_000, 10_000, 20_000, 40_000),
    customers=100,
)


def bought(*days: float, amount_minor: int = 5_000, policy: Policy = POLICY) -> Life:
    """Return somebody who bought on these days."""
    return Life(policy=policy).happens(*(sale(at(day), amount_minor) for day in days))


def state_of(*days: float, now: float, amount_minor: int = 5_000, policy: Policy = POLICY) -> State:
    """Return the state on day ``now`` of somebody who bought on these days."""
    return bought(*days, amount_minor=amount_minor, policy=policy).until(at(now)).known


def nobody() -> State:
    """Return somebody who only looked around."""
    return Life().happens(browse(at(0))).known


def ruled(**sections: Any) -> Policy:
    """Return the default policy with other rules for segments."""
    return replace(POLICY, segments=Section(**sections))


class TestRfm:
    """Points 1 to 5 for recency, frequency and monetary value."""

    def test_quintiles_of_the_crowd(self) -> None:
        """On or above a boundary there is one point more."""
        state = state_of(340, 350, 360, now=364, amount_minor=5_000)

        points = rfm_points(state, POLICY, CUTS)

        assert points is not None
        assert (points.r, points.f, points.m) == (5, 3, 3)
        assert points.weighted == pytest.approx(0.3 * 5 + 0.3 * 3 + 0.4 * 3)
        assert points.by_crowd

    def test_fixed_boundaries_need_no_crowd(self) -> None:
        """Up to the first number of days there are 5 points; the boundary belongs to the better side."""
        rules = RfmRules(recency_days=(7, 30, 90, 180), orders=(2, 3, 4, 5), spend=(50, 100, 200, 400))
        policy = ruled(rfm=rules)
        expected = {7: 5, 8: 4, 30: 4, 90: 3, 91: 2, 180: 2, 181: 1}

        found = {}
        for days in expected:
            points = rfm_points(state_of(0, now=days, amount_minor=10_000, policy=policy), policy, None)
            assert points is not None
            assert (points.f, points.m, points.by_crowd) == (1, 3, False)
            found[days] = points.r

        assert found == expected

    def test_without_a_crowd_there_are_no_points(self) -> None:
        """Nobody can say what is much before anybody is counted."""
        assert rfm_points(state_of(0, now=1), POLICY, None) is None

    def test_who_never_bought_has_none(self) -> None:
        """A prospect is not a bad customer."""
        assert rfm_points(nobody(), POLICY, CUTS) is None
        assert rfm_facts(nobody(), POLICY) is None

    def test_who_lapsed_has_one_point_each(self) -> None:
        """He is outside the crowd and measured against it all the same."""
        state = state_of(0, now=366)

        points = rfm_points(state, POLICY, CUTS)

        assert rfm_facts(state, POLICY) is None
        assert points is not None
        assert (points.r, points.f, points.m) == (1, 1, 1)

    def test_more_returned_than_bought_is_no_spend(self) -> None:
        """Spend is never below 0, so the crowd's lowest bin takes it."""
        state = bought(0).happens(returned(at(1), 9_000)).known

        assert rfm_facts(state, POLICY) == (T0 // DAY_MS, 1, 0)


class TestValueMatrix:
    """What a customer is worth against what he may be worth."""

    AMOUNTS = ValueRules(current_at_least=100.0, potential_at_least=100.0)

    @pytest.mark.parametrize(
        ("days", "name"),
        [
            pytest.param((10, 100), "base", id="much and not rising"),
            pytest.param((10,), "marginal", id="little and not rising"),
            pytest.param((10, 150, 170, 180), "strategic", id="much and rising"),
        ],
    )
    def test_without_a_model_the_trend_counts(self, days: tuple[int, ...], name: str) -> None:
        """Recent half against older half, by orders and spend."""
        policy = ruled(value=self.AMOUNTS)
        found = value_matrix(state_of(*days, now=200), policy, None)

        assert found is not None
        assert found.name == name

    def test_growth_by_trend(self) -> None:
        """Little today and rising."""
        policy = ruled(value=ValueRules(current_at_least=1_000.0))
        found = value_matrix(state_of(10, 150, 170, 180, now=200), policy, None)

        assert found is not None
        assert found.name == "growth"
        assert "3 orders for USD 150.00 in the recent half" in found.evidence[1]

    def test_the_model_counts_where_it_tells(self) -> None:
        """Predicted value against the amount of the policy."""
        policy = replace(ruled(value=self.AMOUNTS), model=MODEL)
        state = state_of(0, 10, 20, 30, 40, now=41, policy=policy)

        found = value_matrix(state, policy, None)

        assert found is not None
        assert found.name == "strategic"
        assert "By the model" in found.evidence[1]

    def test_a_degenerate_fit_is_not_believed(self) -> None:
        """Where nobody ever drops out the prediction says nothing, and the trend counts."""
        model = msgspec.structs.replace(MODEL, purchases=PurchaseModel(r=0.5, alpha=20.0, a=0.001, b=2.4))
        policy = replace(ruled(value=self.AMOUNTS), model=model)
        found = value_matrix(state_of(0, 10, now=300, policy=policy), policy, None)

        assert found is not None
        assert "Not rising" in found.evidence[1]

    def test_the_crowd_says_what_is_high(self) -> None:
        """The best 40 % by spend, unless the policy names an amount; without either nobody knows."""
        state = state_of(10, 100, now=200, amount_minor=10_000)

        found = value_matrix(state, POLICY, CUTS)

        assert found is not None
        assert found.name == "base"  # 200.00 is the third boundary
        assert value_matrix(state, POLICY, None) is None
        assert value_matrix(nobody(), POLICY, CUTS) is None

    def test_a_young_customer_has_no_trend(self) -> None:
        """Everybody's first weeks are rising."""
        assert trend(state_of(0, 50, 55, now=59), POLICY).rising is None
        assert trend(state_of(0, 50, 55, now=60), POLICY).rising is True


class TestStage:
    """prospect, new, active, loyal, dormant, lost."""

    @pytest.mark.parametrize(
        ("days", "now", "name"),
        [
            pytest.param((0,), 29, "new", id="the last day of being new"),
            pytest.param((0,), 30, "active", id="no longer new"),
            pytest.param((0,), 89, "active", id="silent, within the patience"),
            pytest.param((0,), 90, "dormant", id="dormant without a usual gap"),
            pytest.param((0,), 364, "dormant", id="not lost yet"),
            pytest.param((0,), 365, "lost", id="lost"),
            pytest.param((0, 20, 40), 99, "active", id="gaps of 20: patience of 60 days"),
            pytest.param((0, 20, 40), 100, "dormant", id="past three gaps"),
            pytest.param((0, 2, 4), 33, "active", id="never less than the least patience"),
            pytest.param((0, 2, 4), 34, "dormant", id="past the least patience"),
            pytest.param((0, 100, 200, 300, 360), 365, "loyal", id="a year and four days"),
            pytest.param((0, 100, 200, 300, 360), 364, "active", id="a day short of a year"),
            pytest.param((0, 200, 360), 370, "active", id="too few days"),
        ],
    )
    def test_stages(self, days: tuple[int, ...], now: int, name: str) -> None:
        """By tenure, and by silence against the customer's own usual gap."""
        found = stage(state_of(*days, now=now), POLICY)

        assert found.name == name
        assert found.playbook

    def test_a_prospect(self) -> None:
        """Never bought."""
        assert stage(nobody(), POLICY).name == "prospect"

    def test_patience_is_bounded(self) -> None:
        """A usual gap of 200 days does not make 600 days of patience."""
        assert patience_days(state_of(0, 200, now=201), POLICY)[0] == 180


class TestSalesStatus:
    """potential, intending, closed."""

    def test_who_looks_around_is_potential(self) -> None:
        """A view is no intention."""
        assert sales_status(nobody(), POLICY).name == "potential"

    def test_a_click_is_an_intention_until_he_buys(self) -> None:
        """The purchase after it closes."""
        life = bought(0).happens(response(at(10)))
        assert sales_status(life.known, POLICY).name == "intending"

        assert sales_status(life.happens(sale(at(11))).known, POLICY).name == "closed"

    def test_an_intention_grows_old(self) -> None:
        """After its days he is what he was before."""
        life = Life().happens(response(at(0)))
        assert sales_status(life.until(at(29.9)).known, POLICY).name == "intending"
        assert sales_status(life.until(at(30)).known, POLICY).name == "potential"


class TestRepurchase:
    """Bands of the repurchase rate and of the model's probability."""

    @pytest.mark.parametrize(
        ("count", "name"),
        [(1, "low"), (2, "medium"), (3, "medium"), (4, "high")],
    )
    def test_the_rate(self, count: int, name: str) -> None:
        """(d - 1) / d: 0, 50, 67 and 75 %."""
        found = repurchase(state_of(*range(count), now=10), POLICY)

        assert found is not None
        assert found.name == name

    def test_exactly_on_a_line(self) -> None:
        """The line belongs to the better band."""
        policy = ruled(repurchase=RepurchaseRules(high_percent=75, low_percent=50))
        four, two = repurchase(state_of(0, 1, 2, 3, now=4), policy), repurchase(state_of(0, 1, now=4), policy)

        assert four is not None
        assert four.name == "high"
        assert two is not None
        assert two.name == "medium"

    def test_the_model(self) -> None:
        """Who came often and stays away gets less and less likely to come."""
        policy = replace(POLICY, model=MODEL)
        names = []
        for now in (51, 150, 300):
            found = repurchase_predicted(state_of(0, 10, 20, 30, 40, 50, now=now, policy=policy), policy)
            assert found is not None
            names.append(found.name)

        assert names == ["high", "low", "low"]

    def test_nothing_to_say(self) -> None:
        """Of a prospect, and of anybody without a model."""
        assert repurchase(nobody(), POLICY) is None
        assert repurchase_predicted(state_of(0, now=1), POLICY) is None


@dataclass
class Voice:
    """Answers that a customer gave, newest last."""

    survey: tuple[int, ...] = ()
    nps: tuple[int, ...] = ()
    referrals: int = 0

    def given_by(self, state: State) -> State:
        """Return the state with the answers."""
        said = [("survey", score) for score in self.survey] + [("nps", score) for score in self.nps]
        answers = tuple(Answer(at(1) + n, n, kind, score) for n, (kind, score) in enumerate(said))
        referrals = tuple(Referral(n, at(1)) for n in range(self.referrals))
        return replace(state, answers=answers, referrals=referrals)


class TestLoyalty:
    """prospect, customer, client, supporter, advocate."""

    @pytest.mark.parametrize(
        ("days", "voice", "name"),
        [
            pytest.param(
                (0,), Voice(survey=(10,), nps=(10,)), "customer", id="one purchase, whatever he says"
            ),
            pytest.param((0, 5), Voice(), "client", id="came again, said nothing"),
            pytest.param((0, 5), Voice(survey=(4,)), "customer", id="habit is not loyalty"),
            pytest.param((0, 5), Voice(survey=(5,)), "client", id="neutral"),
            pytest.param((0, 5), Voice(survey=(6, 8)), "supporter", id="satisfied in the mean"),
            pytest.param((0, 5), Voice(nps=(9,)), "advocate", id="recommends by word"),
            pytest.param((0, 5), Voice(nps=(10, 8)), "client", id="the latest word counts"),
            pytest.param((0, 5), Voice(referrals=1), "advocate", id="recommends by deed"),
            pytest.param(
                (0, 5), Voice(survey=(2,), referrals=2), "customer", id="recommended once, now angry"
            ),
        ],
    )
    def test_the_ladder(self, days: tuple[int, ...], voice: Voice, name: str) -> None:
        """From repurchase, satisfaction and recommendation."""
        assert loyalty(voice.given_by(state_of(*days, now=10)), POLICY).name == name

    def test_a_prospect(self) -> None:
        """Never bought."""
        assert loyalty(nobody(), POLICY).name == "prospect"

    @pytest.mark.parametrize(
        ("score", "name"),
        [(10, "very_satisfied"), (9, "very_satisfied"), (8, "satisfied"), (6, "neutral"), (3, "dissatisfied"),
         (2, "very_dissatisfied"), (0, "very_dissatisfied")],
    )  # fmt: skip
    def test_five_steps_of_satisfaction(self, score: int, name: str) -> None:
        """By the mean of surveys and reviews; the NPS question asks something else."""
        state = Voice(survey=(score,), nps=(0,)).given_by(state_of(0, now=10))
        found = satisfaction(state, POLICY)

        assert found is not None
        assert found.name == name

    def test_nobody_asked(self) -> None:
        """No answer is no satisfaction, neither good nor bad."""
        assert satisfaction(state_of(0, now=1), POLICY) is None


class TestRelationship:
    """Kotler's levels from the tier's size and the customer's margin."""

    @pytest.mark.parametrize(
        ("customers", "margin_minor", "name"),
        [
            (1_000, 4_000, "accountable"), (1_000, 2_000, "reactive"), (1_000, 1_999, "basic"),
            (999, 4_000, "proactive"), (51, 3_999, "accountable"), (51, 100, "reactive"),
            (50, 4_000, "partnership"), (50, 2_000, "proactive"), (1, 100, "accountable"),
        ],
    )  # fmt: skip
    def test_the_table(self, customers: int, margin_minor: int, name: str) -> None:
        """Few customers at a high margin are partners, many at a low one are served."""
        state = state_of(0, now=1, amount_minor=10_000)
        state = replace(state, months=(Month(number_of(T0, POLICY), margin_minor=margin_minor),))
        found = relationship(state, POLICY, customers)

        assert found is not None
        assert found.name == name

    def test_an_unknown_margin_is_said(self) -> None:
        """It is taken as medium, and the evidence says so."""
        found = relationship(state_of(0, now=1), POLICY, 10)

        assert found is not None
        assert found.name == "proactive"
        assert "not known" in found.evidence[1]
        assert margin_percent(state_of(0, now=1), POLICY) is None

    def test_nothing_to_say(self) -> None:
        """Of a prospect, or without the tier's size."""
        assert relationship(nobody(), POLICY, 10) is None
        assert relationship(state_of(0, now=1), POLICY, None) is None


def described(state: State, **told: str | int) -> State:
    """Return the state with attributes."""
    return replace(state, attributes=tuple(Attribute(name, told[name], 0, 0) for name in sorted(told)))


class TestAttributes:
    """Segments by what a customer is and does."""

    @pytest.mark.parametrize(
        ("birthday", "age", "band"),
        [
            ("1999-01-01", 25, "25-34"),
            ("1999-01-02", 24, "18-24"),
            ("2010-05-05", 13, "<18"),
            ("1950-02-28", 73, "65+"),
            ("1952-02-29", 71, "65+"),
        ],
    )
    def test_age_bands(self, birthday: str, age: int, band: str) -> None:
        """Whole years on the local day; T0 is 2024-01-01."""
        state = described(state_of(0, now=0), birthday=birthday)

        assert age_years(state, POLICY) == age
        assert attributes(state, POLICY).age_band == band

    def test_a_birth_year_will_do(self) -> None:
        """And a birthday in the future is no age."""
        assert age_years(described(nobody(), birth_year=1990), POLICY) == 34
        assert age_years(described(nobody(), birthday="2030-01-01"), POLICY) is None

    def test_what_is_told_is_taken_over(self) -> None:
        """Sex, occupation, region and channel."""
        found = attributes(
            described(nobody(), sex="female", occupation="nurse", region="north", channel="mail"), POLICY
        )

        assert (found.sex, found.occupation, found.region, found.channel) == (
            "female",
            "nurse",
            "north",
            "mail",
        )

    def test_main_category_and_brand(self) -> None:
        """By amount in the months of the window; what was sent back does not count."""
        lines = (Interest("bags", 5_000, 1, 0, 0), Interest("shoes", 9_000, 2, 0, 0))
        back = (Interest("shoes", -8_000, -1, 0, 0),)
        now = number_of(T0, POLICY)
        state = replace(
            state_of(0, now=0),
            months=(Month(now - 1, categories=lines, brands=lines[:1]), Month(now, categories=back)),
        )
        found = attributes(state, POLICY)

        assert (found.category, found.brand) == ("bags", "bags")
        assert found.evidence[0] == "bags: 83 % of what was bought, USD 50.00."

    @pytest.mark.parametrize(
        ("amount_minor", "band"), [(4_999, "<50"), (5_000, "50-200"), (19_999, "50-200"), (20_000, "200+")]
    )
    def test_price_bands(self, amount_minor: int, band: str) -> None:
        """By the average order value."""
        assert attributes(state_of(0, 1, now=2, amount_minor=amount_minor), POLICY).price_band == band


class TestTags:
    """Preference tags with their evidence."""

    TAGGED = replace(POLICY, tags=True)

    def with_months(self, *ledger: tuple[int, Interest]) -> State:
        """Return a state with one category in each of these months, counted back from the present one."""
        now = number_of(at(200), POLICY)
        months = tuple(
            Month(now - back, categories=(interest,), brands=(interest,)) for back, interest in ledger
        )
        return replace(state_of(0, now=200), months=tuple(sorted(months, key=lambda one: one.number)))

    def texts(self, state: State, policy: Policy = TAGGED) -> list[str]:
        """Return the tags in words."""
        return [tag.text for tag in tags(state, policy)]

    def test_months_running(self) -> None:
        """Three months in a row, browsed or bought; the present month may still be missing."""
        browsed, had = Interest("anti-ageing", 0, 0, 1, 0), Interest("anti-ageing", 900, 1, 0, 0)
        up_to_now = self.with_months((0, browsed), (1, had), (2, browsed))
        up_to_last = self.with_months((1, browsed), (2, had), (3, browsed), (4, browsed))
        with_gap = self.with_months((0, browsed), (1, browsed), (3, browsed), (4, browsed))

        assert self.texts(up_to_now) == ["anti-ageing 3 months running"]
        assert self.texts(up_to_last) == ["anti-ageing 4 months running"]
        assert self.texts(with_gap) == []
        assert tags(up_to_now, self.TAGGED)[0].evidence == (
            "Bought or browsed in every month from 2024-05 to 2024-07."
        )

    def test_mostly(self) -> None:
        """Most of the amount, and not by one purchase."""
        assert self.texts(self.with_months((1, Interest("acme", 900, 2, 0, 0)))) == [
            "mostly brand acme",
            "mostly acme",
        ]
        assert self.texts(self.with_months((1, Interest("acme", 900, 1, 0, 0)))) == []

    def test_browses_and_never_buys(self) -> None:
        """Five looks and no purchase in the window."""
        looks = Interest("seats", 0, 0, 5, 60)
        assert self.texts(self.with_months((1, looks))) == ["browses seats often, never buys"]
        bought_too = self.with_months((1, looks), (3, Interest("seats", 500, 1, 0, 0)))
        assert "browses seats often, never buys" not in self.texts(bought_too)

    def test_only_where_the_policy_says_so(self) -> None:
        """Categories kept for a metric are not agreed to be tags."""
        assert self.texts(self.with_months((1, Interest("seats", 0, 0, 9, 0))), POLICY) == []

    def test_years_meet(self) -> None:
        """December and January follow each other."""
        browsed = Interest("skis", 0, 0, 1, 0)
        january = number_of(at(366), POLICY)
        state = replace(
            state_of(0, now=366),
            months=tuple(Month(january - back, categories=(browsed,)) for back in (2, 1, 0)),
        )

        assert tags(state, self.TAGGED)[0].evidence.endswith("from 2024-11 to 2025-01.")


class TestTogether:
    """All views at once."""

    def test_the_views_are_json(self) -> None:
        """The customer page takes them as they are, and gets the same back."""
        found = segments.segments_of(state_of(0, 10, now=20), POLICY, Crowd(rfm=CUTS, tier_customers=70))

        assert msgspec.json.decode(msgspec.json.encode(found), type=segments.Segments) == found

    def test_keys_name_every_view(self) -> None:
        """Stable names to compare; the empty one where a view says nothing."""
        crowd = Crowd(rfm=CUTS, tier_customers=70)
        before = segments.keys(segments.segments_of(state_of(0, now=20), POLICY, crowd))
        after = segments.keys(segments.segments_of(state_of(0, 25, now=40), POLICY, crowd))

        assert {name: (before[name], after[name]) for name in before if before[name] != after[name]} == {
            "rfm": ("112", "123"),
            "stage": ("new", "active"),
            "repurchase": ("low", "medium"),
            "loyalty": ("customer", "client"),
        }
        assert before["satisfaction"] == before["tags"] == ""

    def test_a_prospect_has_views_too(self) -> None:
        """Nothing breaks where nothing is known."""
        found = segments.keys(segments.segments_of(nobody(), POLICY, Crowd()))

        assert (found["rfm"], found["stage"], found["loyalty"]) == ("", "prospect", "prospect")


class TestSection:
    """A policy's section that contradicts itself."""

    @pytest.mark.parametrize(
        ("make", "what"),
        [
            pytest.param(lambda: RfmRules(recency_weight=0.9), "weights add up", id="weights"),
            pytest.param(lambda: RfmRules(orders=(1, 3, 3, 4)), "does not rise", id="boundaries"),
            pytest.param(lambda: StageRules(lost_days=100), "overlap", id="stages"),
            pytest.param(lambda: StageRules(dormant_days=400), "overlap", id="dormant after lost"),
            pytest.param(lambda: RepurchaseRules(low_percent=80), "overlap", id="repurchase bands"),
            pytest.param(lambda: Section(age_from=(18, 18)), "does not rise", id="ages"),
        ],
    )
    def test_it_says_what_to_do(self, make: Any, what: str) -> None:
        """The fault names the contradiction, the remedy and the place."""
        with pytest.raises(Fault, match=what) as raised:
            make()
        assert raised.value.remedy
        assert raised.value.at

    def test_it_is_kept_with_the_policy(self) -> None:
        """A policy comes back from its row as it was."""
        policy = ruled(tags=TagRules(months_min=4), rfm=RfmRules(orders=(2, 3, 4, 5)))

        assert Policy.from_json(msgspec.json.decode(msgspec.json.encode(policy.to_json()))) == policy
