"""The customer page's views together, and the sentences of those that need no crowd: each names its numbers."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from services.scorer.core import segments
from services.scorer.core.models.parameters import PurchaseModel
from services.scorer.core.months import number_of
from services.scorer.core.policy import Policy
from services.scorer.core.segments import Crowd
from services.scorer.core.segments.repurchase import (
    repurchase,
    repurchase_predicted,
    repurchase_probability,
)
from services.scorer.core.segments.sales_status import sales_status
from services.scorer.core.segments.stage import stage
from services.scorer.core.segments.wording import counted, local_date
from services.scorer.core.state import Interest, Month
from tests.unit.core_given import POLICY, T0, at, response
from tests.unit.test_core_mutants_segments_loyalty import heard
from tests.unit.test_core_segments import CUTS, MODEL, bought, described, nobody, state_of

TELLING = replace(POLICY, tags=True, model=MODEL)


class TestPage:
    """All views of one customer."""

    def test_a_customer_of_whom_every_view_says_something(self) -> None:
        """Each has its name, and so has each attribute that is known."""
        state = heard(state_of(0, 10, now=20, policy=TELLING), (5, "survey", 9))
        looks = (Interest("bags", 9_000, 2, 0, 0), Interest("shoes", 0, 0, 7, 0))
        state = replace(
            described(state, sex="female", birthday="1999-01-01"),
            months=(Month(number_of(T0, POLICY), margin_minor=5_000, categories=looks),),
        )
        found = segments.segments_of(state, TELLING, Crowd(rfm=CUTS, tier_customers=70))

        assert segments.keys(found) == {
            "rfm": "123",
            "eight_way": "general_win_back",
            "four_way": "low",
            "value": "growth",
            "stage": "new",
            "sales_status": "closed",
            "repurchase": "medium",
            "repurchase_predicted": "medium",
            "satisfaction": "very_satisfied",
            "loyalty": "supporter",
            "relationship": "proactive",
            "age_band": "25-34",
            "sex": "female",
            "occupation": "",
            "region": "",
            "channel": "",
            "category": "bags",
            "brand": "",
            "price_band": "50-200",
            "tags": "mostly_category:bags, only_browses:shoes",
        }

    def test_what_nobody_can_say_is_empty(self) -> None:
        """Of a prospect without a crowd only the words for prospects are left."""
        found = segments.keys(segments.segments_of(nobody(), POLICY, Crowd()))

        assert {name: value for name, value in found.items() if value} == {
            "stage": "prospect",
            "sales_status": "potential",
            "loyalty": "prospect",
        }
        assert set(found.values()) == {"", "prospect", "potential"}


class TestWords:
    """Days and counts as people read them."""

    def test_days_are_those_of_the_business(self) -> None:
        """T0 is noon of 1 January in UTC, and the second in Auckland."""
        assert local_date(T0, POLICY) == "2024-01-01"
        assert local_date(T0, replace(POLICY, time_zone="Pacific/Auckland")) == "2024-01-02"

    def test_one_and_many(self) -> None:
        """One order, none, two and a thousand orders; some words have a plural of their own."""
        assert [counted(number, "order") for number in (1, 0, 2, 1_000)] == [
            "1 order",
            "0 orders",
            "2 orders",
            "1,000 orders",
        ]
        assert [counted(number, "person", "people") for number in (1, 2)] == ["1 person", "2 people"]


class TestRepurchase:
    """Rates and probabilities, in words."""

    def test_the_rate_in_words(self) -> None:
        """Days, percent and both lines."""
        found = repurchase(state_of(0, 1, 2, 3, now=4), POLICY)

        assert found is not None
        assert found.evidence == (
            "Bought on 4 days of the window: repurchase rate 75 %; high from 70 %, low below 30 %.",
        )
        assert found.playbook

    def test_who_bought_nothing_in_the_window_did_not_come_again(self) -> None:
        """A customer of long ago has a rate of 0, not of 100."""
        found = repurchase(state_of(0, 1, 2, 3, now=500), POLICY)

        assert found is not None
        assert found.name == "low"
        assert found.evidence[0].startswith("Bought on 0 days of the window: repurchase rate 0 %;")

    def test_the_probability_in_words(self) -> None:
        """Within how many days, and both lines."""
        found = repurchase_predicted(state_of(0, 10, 20, now=21, policy=TELLING), TELLING)

        assert found is not None
        what, _, lines = found.evidence[0].partition(" %; ")
        assert what.startswith("By the model, probability to buy again within 180 days ")
        assert lines == "high from 70 %, low below 30 %."

    def test_a_model_fitted_in_weeks_says_the_same(self) -> None:
        """The unit is the fit's own affair: alpha goes with it, the horizon too."""
        weekly = replace(MODEL, purchases=PurchaseModel(r=0.5, alpha=20.0 / 7, a=0.8, b=2.4, unit="week"))
        by_day, by_week = (replace(POLICY, model=model) for model in (MODEL, weekly))
        state = state_of(0, 10, 20, now=60)

        assert repurchase_probability(state, by_week) == pytest.approx(
            repurchase_probability(state, by_day), rel=1e-12
        )

    def test_of_a_prospect_the_model_says_nothing(self) -> None:
        """There is no history to go by."""
        assert repurchase_predicted(nobody(), TELLING) is None


class TestSalesStatus:
    """What shows an intention, and what ends it."""

    def test_in_words(self) -> None:
        """What was done and when; the last purchase; or nothing."""
        clicked = bought(0).happens(response(at(10)))
        found = [sales_status(state, POLICY) for state in (clicked.known, state_of(0, now=5), nobody())]

        assert [one.evidence for one in found] == [
            ("Clicked the campaign campaign-1 on 2024-01-11 and bought nothing since.",),
            ("Last purchase on 2024-01-01.",),
            ("Never bought, and showed no intention lately.",),
        ]
        assert all(one.playbook for one in found)

    def test_a_purchase_of_the_same_instant_fulfils_the_wish(self) -> None:
        """Cart and sale may carry one time; nothing is open after it."""
        assert sales_status(bought(0).happens(response(at(0))).known, POLICY).name == "closed"


class TestStage:
    """Days of silence and tenure, in words."""

    @pytest.mark.parametrize(
        ("days", "now", "sentence"),
        [
            pytest.param((0,), 0, "First purchase on 2024-01-01, 0 days ago; new up to 30.", id="new"),
            pytest.param((0,), 1, "First purchase on 2024-01-01, 1 day ago; new up to 30.", id="a day later"),
            pytest.param(
                (0, 39), 40, "Last purchase on 2024-02-09, 1 day ago; bought on 2 days of the window.",
                id="active",
            ),
            pytest.param(
                (0, 100, 200, 300, 360), 365,
                "First purchase on 2024-01-01, 365 days ago; bought on 4 days of the window, 4 are loyal.",
                id="loyal",
            ),
            pytest.param(
                (0,), 90,
                "Last purchase on 2024-01-01, 90 days ago; dormant from 90 on, as there is no usual gap yet.",
                id="dormant without a usual gap",
            ),
            pytest.param(
                (0, 20, 40), 100,
                "Last purchase on 2024-02-10, 60 days ago; dormant from 60 on, "
                "3 times the usual gap of 20.0 days, kept within the policy's bounds.",
                id="dormant by the own gap",
            ),
            pytest.param(
                (0,), 365,
                "Last purchase on 2024-01-01, 365 days ago; from 365 on a customer is lost.",
                id="lost",
            ),
        ],
    )  # fmt: skip
    def test_in_words(self, days: tuple[int, ...], now: int, sentence: str) -> None:
        """Each stage names the day, the days since and the line that decided."""
        assert stage(state_of(*days, now=now), POLICY).evidence == (sentence,)

    def test_a_prospect(self) -> None:
        """There is one thing to say."""
        assert stage(nobody(), POLICY).evidence == ("Never bought anything.",)


def test_the_clock_is_local_everywhere() -> None:
    """Sentences say the days of the policy's zone, not the machine's."""
    auckland: Policy = replace(POLICY, time_zone="Pacific/Auckland")
    found = sales_status(state_of(0, now=5, policy=auckland), auckland)

    assert found.evidence == ("Last purchase on 2024-01-02.",)
