"""Satisfaction, loyalty and relationship: which answers, referrals and margins count, and what is said of them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from services.scorer.core.months import number_of
from services.scorer.core.segments.loyalty import loyalty, satisfaction
from services.scorer.core.segments.relationship import margin_percent, relationship
from services.scorer.core.state import Answer, Month, Referral, State
from tests.unit.core_given import POLICY, T0, Life, at, returned, sale
from tests.unit.test_core_segments import nobody, state_of


def heard(state: State, *answers: tuple[float, str, int], referred: tuple[int, ...] = ()) -> State:
    """Return the state with answers of (day, kind, score), and with referrals at these instants."""
    return replace(
        state,
        answers=tuple(Answer(at(day), n, kind, score) for n, (day, kind, score) in enumerate(answers)),
        referrals=tuple(Referral(n, at_ms) for n, at_ms in enumerate(referred)),
    )


def earned(state: State, margin_minor: int) -> State:
    """Return the state with a margin in the month of T0."""
    return replace(state, months=(Month(number_of(T0, POLICY), margin_minor=margin_minor),))


class TestSatisfaction:
    """The mean of surveys and reviews, in words."""

    def test_the_sentence_counts_what_the_mean_is_of(self) -> None:
        """The NPS question asks something else: it is neither counted nor the latest answer."""
        state = heard(
            state_of(0, now=10), (1, "survey", 6), (2, "review", 9), (3, "survey", 9), (4, "nps", 0)
        )
        found = satisfaction(state, POLICY)

        assert found is not None
        assert (found.name, found.evidence) == (
            "satisfied",
            ("Mean of 3 answers is 8.0 of 10, the latest on 2024-01-04.",),
        )

    def test_one_answer(self) -> None:
        """Is one answer."""
        found = satisfaction(heard(state_of(0, now=10), (1, "survey", 6)), POLICY)

        assert found is not None
        assert found.evidence == ("Mean of 1 answer is 6.0 of 10, the latest on 2024-01-02.",)


class TestLoyalty:
    """What the step of the ladder rests on."""

    @pytest.mark.parametrize(
        ("days", "answers", "name", "evidence"),
        [
            pytest.param((0,), (), "customer", ("Bought on 1 day in all.",), id="once"),
            pytest.param(
                (0, 5), (), "client", ("Bought on 2 days in all.", "Gave no opinion yet."), id="no opinion"
            ),
            pytest.param(
                (0, 5),
                ((6, "survey", 4), (7, "survey", 5)),
                "customer",
                ("Bought on 2 days in all.", "Mean opinion 4.5 of 10."),
                id="dissatisfied in the mean of two",
            ),
            pytest.param(
                (0, 5),
                ((6, "nps", 9),),
                "advocate",
                (
                    "Bought on 2 days in all.",
                    "Gave no opinion yet.",
                    "Would recommend: 9 of 10 on 2024-01-07.",
                ),
                id="by word",
            ),
        ],
    )
    def test_in_words(
        self,
        days: tuple[int, ...],
        answers: tuple[tuple[float, str, int], ...],
        name: str,
        evidence: tuple[str, ...],
    ) -> None:
        """Days, opinion, recommendation."""
        found = loyalty(heard(state_of(*days, now=10), *answers), POLICY)

        assert (found.name, found.evidence) == (name, evidence)
        assert found.playbook

    def test_a_prospect(self) -> None:
        """There is one thing to say."""
        assert loyalty(nobody(), POLICY).evidence == ("Never bought anything.",)

    def test_referrals_of_the_window_count(self) -> None:
        """From after its start up to the customer's clock, both to the millisecond."""
        state = state_of(0, 5, 400, now=410)
        start_ms, now_ms = at(410 - 365), at(410)
        inside, one = heard(state, referred=(start_ms + 1, now_ms)), heard(state, referred=(now_ms,))
        outside = heard(state, referred=(start_ms, now_ms + 1))

        assert loyalty(inside, POLICY).evidence[-1] == "Referred 2 people in the window."
        assert loyalty(one, POLICY).evidence[-1] == "Referred 1 person in the window."
        assert loyalty(outside, POLICY).name == "client"


class TestRelationship:
    """Size of the tier and margin, in words."""

    def test_a_known_margin(self) -> None:
        """In percent of the spend, and what that is."""
        found = relationship(earned(state_of(0, now=1), 1_500), POLICY, 1)

        assert found is not None
        assert found.evidence == ("1 customer in the tier: few.", "A margin of 30 % of the spend is medium.")
        assert found.playbook

    def test_an_unknown_margin(self) -> None:
        """It is said what is taken for it."""
        found = relationship(state_of(0, now=1), POLICY, 2_000)

        assert found is not None
        assert found.evidence == (
            "2,000 customers in the tier: many.",
            "The margin is not known and taken as medium.",
        )

    def test_a_margin_is_of_some_spend(self) -> None:
        """Of a cent as well, of nothing it is not known."""
        nothing = Life().happens(sale(at(0), 5_000), returned(at(1), 5_000)).known

        assert margin_percent(earned(state_of(0, now=1, amount_minor=1), 1), POLICY) == 100
        assert margin_percent(earned(nothing, 1_000), POLICY) is None
