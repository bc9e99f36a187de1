"""Churn episodes: raised once, at their own instant, cleared, and taken back."""

from __future__ import annotations

import pytest

from schemas.events import ChurnWarned, SilenceBasis
from schemas.tiers import Tier
from services.scorer.core.due import next_due_ms
from tests.unit.core_given import (
    CUTS,
    POLICY,
    Life,
    ResponseKind,
    at,
    browse,
    cuts_at,
    response,
    returned,
    sale,
)

EARLY, LATE = "early_silence", "high_value_silence"
HIGH_CUTS = cuts_at((1_000, 1_000, 1_000), (1_900, 1_700, 1_500))


@pytest.mark.parametrize(
    ("offset_ms", "warned"),
    [
        pytest.param(-1, False, id="a contact 1 ms before 90 days prevents it"),
        pytest.param(0, False, id="one at exactly 90 days prevents it"),
        pytest.param(1, True, id="one 1 ms later comes too late"),
    ],
)
@pytest.mark.parametrize("kind", ["sale", "clicked"])
def test_ninety_days(offset_ms: int, kind: str, *, warned: bool) -> None:
    """The silence is (anchor, anchor + 90 d], closed at its end."""
    contact_ms = at(90) + offset_ms
    contact = sale(contact_ms) if kind == "sale" else response(contact_ms)
    life = Life().happens(sale(at(0)), contact)

    end = "purchase" if kind == "sale" else "response"
    expected = [(EARLY, "warned", at(90), at(90)), (EARLY, end, at(90), contact_ms)] if warned else []
    assert life.churn == expected


def test_a_silence_is_known_only_when_its_instant_is_over() -> None:
    """At a midnight that is exactly its start it may still be prevented; at a complete end it can't."""
    life = Life().happens(sale(at(0)))

    assert life.until(at(90)).churn == []
    assert next_due_ms(life.known, POLICY, None) == at(90) + 1
    assert Life(state=life.state).until(at(90) + 1).churn == [(EARLY, "warned", at(90), at(90))]
    assert life.until(at(90), complete=True).churn == [(EARLY, "warned", at(90), at(90))]
    assert life.known.tier == Tier.AT_RISK
    # Live time goes on from the complete end: nothing is raised twice, nothing taken back.
    life.happens(browse(at(90))).until(at(91))
    assert len(life.churn) == 1


@pytest.mark.parametrize("kind", ["delivered", "opened", "unsubscribed"])
def test_only_an_answer_is_a_contact(kind: ResponseKind) -> None:
    """Delivered, opened and unsubscribed break no silence; neither do browses and returns."""
    life = Life().happens(sale(at(0)), response(at(50), kind), browse(at(60)), returned(at(70), 5))

    assert life.until(at(91)).churn == [(EARLY, "warned", at(90), at(90))]


def test_at_one_instant_the_purchase_clears() -> None:
    """Whichever of the two is applied first."""
    bought, answered = sale(at(100)), response(at(100))
    for life in (
        Life().happens(sale(at(0)), bought, answered),
        Life().happens(sale(at(0)), answered, bought),
    ):
        assert life.churn[-1] == (EARLY, "purchase", at(90), at(100))


def test_a_prospect_can_not_churn() -> None:
    """Answers before the first sale start no silence."""
    life = Life().happens(response(at(0)), browse(at(200))).until(at(300))
    assert life.churn == []

    life.happens(sale(at(300))).until(at(391))
    assert life.churn == [(EARLY, "warned", at(390), at(390))]


def test_high_value_silence() -> None:
    """180 days, for a customer ranked high value at that instant; the shown tier does not matter."""
    life = Life(cuts=HIGH_CUTS).happens(sale(at(0))).until(at(200))

    assert life.churn == [(EARLY, "warned", at(90), at(90)), (LATE, "warned", at(180), at(180))]
    warned = [one for one in life.effects if isinstance(one, ChurnWarned)]
    assert [one.severity for one in warned] == ["medium", "high"]
    life.happens(response(at(201)))
    assert life.churn[2:] == [
        (EARLY, "response", at(90), at(201)),
        (LATE, "response", at(180), at(201)),
    ]
    assert life.known.tier == Tier.HIGH_VALUE


def test_high_value_is_decided_at_the_start() -> None:
    """Who becomes high value in the middle of a silence is not warned of after the fact."""
    life = Life(cuts=CUTS).happens(sale(at(0))).until(at(181)).crowd(at(185), HIGH_CUTS)
    life.happens(browse(at(186))).until(at(200))

    assert life.known.ranked == Tier.HIGH_VALUE
    assert [one[0] for one in life.churn] == [EARLY]


def test_a_late_contact_retracts() -> None:
    """A fact dated up to the start shows that the episode never was, even when it was cleared already."""
    life = Life().happens(sale(at(0)), sale(at(100)), response(at(90)), clock_ms=at(101))

    assert life.churn == [
        (EARLY, "warned", at(90), at(90)),
        (EARLY, "purchase", at(90), at(100)),
        (EARLY, "retracted", at(90), at(101)),
    ]
    assert life.known.tier == Tier.REGULAR


def test_a_retraction_may_begin_another_silence() -> None:
    """The late contact is an anchor of its own."""
    life = Life().happens(sale(at(0))).until(at(150)).happens(sale(at(30)))

    assert life.churn == [
        (EARLY, "warned", at(90), at(90)),
        (EARLY, "retracted", at(90), at(150)),
        (EARLY, "warned", at(120), at(120)),
    ]
    assert life.known.tier == Tier.AT_RISK


def test_a_late_contact_after_the_start_clears_at_its_own_time() -> None:
    """Also earlier than was published before."""
    life = Life().happens(sale(at(0)), sale(at(120)), response(at(110)))

    assert life.churn == [
        (EARLY, "warned", at(90), at(90)),
        (EARLY, "purchase", at(90), at(120)),
        (EARLY, "response", at(90), at(110)),
    ]


def test_a_past_silence_found_late_is_warned_and_cleared() -> None:
    """A late first sale shows a gap that is over already."""
    life = Life().happens(sale(at(200)), sale(at(0)))

    assert life.churn == [(EARLY, "warned", at(90), at(90)), (EARLY, "purchase", at(90), at(200))]


def test_evidence_is_in_the_warning() -> None:
    """What an advisor needs: since when, the usual gap, what was looked at and whose."""
    life = Life().happens(
        sale(at(0)),
        sale(at(10)),
        response(at(20)),
        browse(at(25), competitor="Rival"),
        browse(at(26)),
    )
    life.until(at(111))

    (warned,) = (one for one in life.effects if isinstance(one, ChurnWarned))
    evidence = warned.evidence
    assert isinstance(evidence.basis, SilenceBasis)
    assert evidence.basis.silent_since.timestamp() * 1_000 == at(20)
    assert (evidence.basis.silent_days, evidence.usual_gap_days) == (90, 10.0)
    assert (evidence.orders, evidence.spend_minor) == (2, 10_000)
    assert (evidence.last_browse, evidence.competitor) == ("viewed sku-1 (seats, acme)", "Rival")


def test_old_episodes_are_forgotten_with_their_anchors() -> None:
    """Not taken back: nothing that is still accepted can touch them."""
    life = Life().happens(sale(at(0)), sale(at(100)), *(sale(at(day)) for day in range(150, 700, 50)))
    life.until(at(700))

    assert life.known.episodes == ()
    assert len(life.churn) == 2
    assert len(life.known.contacts) <= 12
