"""Points, groups, quintiles and the value matrix at their edges, and the numbers that their sentences name."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest
from msgspec.structs import replace

from services.scorer.core.metrics.predicted_value import predicted_value_minor
from services.scorer.core.policy.segments import RfmRules, ValueRules
from services.scorer.core.segments import RfmCounts, RfmCuts, RfmFacts, RfmPoints
from services.scorer.core.segments.groups import eight_way, four_way
from services.scorer.core.segments.rfm import rfm_points
from services.scorer.core.segments.rfm_counts import SPEND_BINS, quintiles, spend_bin
from services.scorer.core.segments.value_matrix import Trend, trend, value_matrix
from tests.unit.core_given import POLICY, Life, at, returned, sale
from tests.unit.test_core_segments import CUTS, MODEL, bought, nobody, ruled, state_of


def points(r: int, f: int, m: int) -> RfmPoints:
    """Return a cell of RFM."""
    return RfmPoints(r=r, f=f, m=m, weighted=1.0, by_crowd=True)


class TestPoints:
    """RFM points of one customer."""

    def test_the_weighted_score_has_six_decimals(self) -> None:
        """Thirds read the same wherever they are summed up."""
        third = 1 / 3
        policy = ruled(rfm=RfmRules(recency_weight=third, frequency_weight=third, monetary_weight=third))

        found = rfm_points(state_of(340, 350, 360, now=364), policy, CUTS)

        assert found is not None
        assert (found.r, found.f, found.m, found.weighted) == (5, 3, 3, 3.666667)

    def test_who_sent_back_more_than_he_bought_spent_nothing(self) -> None:
        """He stands below a first boundary of one cent."""
        state = bought(0).happens(returned(at(1), 9_000)).known
        found = rfm_points(state, POLICY, replace(CUTS, spend_minor=(1, 10, 100, 1_000)))

        assert found is not None
        assert found.m == 1


class TestGroups:
    """What the groups say to people."""

    @pytest.mark.parametrize(
        ("cell", "sentence"),
        [
            ((5, 1, 4), "Purchases are recent, seldom and large: 5, 1 and 4 of 5 points, high from 4."),
            ((1, 5, 3), "Purchases are long ago, frequent and small: 1, 5 and 3 of 5 points, high from 4."),
        ],
    )
    def test_the_sentence_says_each_dimension_in_words_and_points(
        self, cell: tuple[int, int, int], sentence: str
    ) -> None:
        """Recency, frequency, monetary value, each high or low by itself."""
        assert eight_way(points(*cell), POLICY).evidence == (sentence,)
        assert four_way(points(*cell), POLICY).evidence == (sentence,)

    def test_every_group_has_a_playbook_of_its_own(self) -> None:
        """Eight names and four, and as many ways to treat who is in them."""
        cells = [points(*cell) for cell in product(range(1, 6), repeat=3)]
        for group, count in ((eight_way, 8), (four_way, 4)):
            playbooks = {group(cell, POLICY).playbook for cell in cells}
            assert len(playbooks) == count
            assert "" not in playbooks


class TestQuintiles:
    """The crowd's boundaries, as one would draw them by hand."""

    def test_ten_customers(self) -> None:
        """Boundaries stand at the third, fifth, seventh and ninth; spend at the beginning of its bin."""
        counts = RfmCounts()
        for number in range(1, 11):
            counts.move(None, RfmFacts(19_000 + number, number, 100 * number))

        assert counts.cuts() == RfmCuts(
            last_day=(19_003, 19_005, 19_007, 19_009),
            orders=(3, 5, 7, 9),
            spend_minor=(288, 496, 672, 896),
            customers=10,
        )

    def test_nobody_is_above_the_one_value_that_all_have(self) -> None:
        """A boundary that nobody reaches is one more than the highest value."""
        assert quintiles(Counter({7: 10})) == (7, 7, 8, 8)

    @pytest.mark.parametrize(
        "elsewhere",
        [RfmFacts(19_001, 2, 500), RfmFacts(19_000, 3, 500), RfmFacts(19_000, 2, 900)],
        ids=["another day", "other orders", "another spend"],
    )
    def test_who_is_counted_elsewhere_can_not_leave(self, elsewhere: RfmFacts) -> None:
        """One of the three that does not fit is enough, and it is said what to do."""
        counts = RfmCounts()
        counts.move(None, RfmFacts(19_000, 2, 500))

        with pytest.raises(
            OverflowError, match=r"^nobody is counted there; count the lane's customers anew$"
        ):
            counts.move(elsewhere, None)
        assert counts.customers == 1

    def test_a_spend_beyond_the_grid_is_in_the_last_bin(self) -> None:
        """However large: the grid has as many bins as it says."""
        assert spend_bin(10**30) == SPEND_BINS - 1


def lived(*sales: tuple[float, int], now: float) -> Trend:
    """Return the trend of somebody who spent amounts on days."""
    life = Life().happens(*(sale(at(day), amount_minor) for day, amount_minor in sales))
    return trend(life.until(at(now)).known, POLICY)


class TestTrend:
    """The recent half against the half before, where nothing can be predicted."""

    def test_an_order_of_the_very_middle_is_an_older_one(self) -> None:
        """Day 50 of 100; each half has its orders and its spend."""
        assert lived((0, 5_000), (50, 3_000), (60, 1_000), now=100) == Trend(2, 1, 8_000, 1_000, rising=False)

    def test_exactly_the_ratio_is_rising(self) -> None:
        """Four orders before, five now, and the same in spend: 1.25 times."""
        sales = [(day, 5_000) for day in (0, 10, 20, 30, 60, 70, 80, 90, 100)]

        assert lived(*sales, now=100) == Trend(4, 5, 20_000, 25_000, rising=True)

    def test_orders_and_spend_must_both_rise(self) -> None:
        """As often for more, and more often for less, is no rise."""
        for_more = lived((0, 1_000), (10, 1_000), (60, 9_000), (70, 9_000), now=100)
        more_often = lived((0, 9_000), (10, 9_000), (60, 1_000), (70, 1_000), (80, 1_000), now=100)

        assert for_more.rising is False
        assert more_often.rising is False

    def test_after_nothing_two_orders_of_any_amount_rise_and_one_does_not(self) -> None:
        """One order is no trend, were it ever so large."""
        assert lived((0, 5_000), (500, 900_000), now=510) == Trend(0, 1, 0, 900_000, rising=False)
        assert lived((0, 5_000), (500, 1), (501, 1), now=510) == Trend(0, 2, 0, 2, rising=True)


class TestValueMatrix:
    """What it rests on, in sentences with the amounts compared."""

    def test_by_trend_in_words(self) -> None:
        """Spend against the line, and both halves."""
        policy = ruled(value=ValueRules(current_at_least=200.0))
        found = value_matrix(state_of(10, 150, 170, 180, now=200), policy, None)

        assert found is not None
        assert found.evidence == (
            "Spent USD 200.00 in 365 days, at least USD 200.00.",
            "Rising: 3 orders for USD 150.00 in the recent half, 1 for USD 50.00 in the half before.",
        )
        assert found.playbook

    def test_too_young_for_a_trend(self) -> None:
        """Nobody is called promising before there is anything to compare; less than nothing is nothing."""
        policy = ruled(value=ValueRules(current_at_least=1_000.0))
        state = bought(0, 50, 55).happens(returned(at(56), 90_000)).until(at(59)).known
        found = value_matrix(state, policy, None)

        assert found is not None
        assert found.name == "marginal"
        assert found.evidence == (
            "Spent USD 0.00 in 365 days, less than USD 1,000.00.",
            "Nothing can be predicted, and it is too early for a trend.",
        )

    def test_not_rising_in_words(self) -> None:
        """It is said which way it went."""
        found = value_matrix(state_of(10, 110, now=200), POLICY, CUTS)

        assert found is not None
        assert found.evidence[1] == (
            "Not rising: 1 order for USD 50.00 in the recent half, 1 for USD 50.00 in the half before."
        )

    def test_exactly_the_amount_predicted_is_high(self) -> None:
        """The line belongs to the better side."""
        predicting = replace(POLICY, model=MODEL)
        state = state_of(0, 10, 20, 30, 40, now=41, policy=predicting)
        value_minor = predicted_value_minor(state, predicting)
        assert value_minor is not None
        names, sentences = [], []
        for least_minor in (value_minor, value_minor + 1):
            rules = ValueRules(current_at_least=1_000.0, potential_at_least=least_minor / 100)
            found = value_matrix(state, replace(ruled(value=rules), model=MODEL), None)
            assert found is not None
            names.append(found.name)
            sentences.append(found.evidence[1])

        value = f"USD {value_minor / 100:,.2f}"
        assert names == ["growth", "marginal"]
        assert sentences == [
            f"By the model {value} in the next 12 months, at least {value}.",
            f"By the model {value} in the next 12 months, less than USD {(value_minor + 1) / 100:,.2f}.",
        ]

    def test_the_crowd_spends_in_a_window_and_the_model_predicts_a_year(self) -> None:
        """A boundary of 200.08 in 90 days is one of 811.43 in 365, cut to the cent."""
        policy = replace(POLICY, model=MODEL, window_days=90, churn=())
        state = state_of(0, now=80, policy=policy)
        found = value_matrix(state, policy, replace(CUTS, spend_minor=(5_000, 10_000, 20_008, 40_000)))

        assert found is not None
        assert found.evidence[1].endswith(" in the next 12 months, less than USD 811.43.")
        assert value_matrix(state, policy, None) is None
        assert value_matrix(nobody(), policy, CUTS) is None
