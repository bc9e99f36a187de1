"""Cuts, hysteresis, dwell, soft landing, and the tier shown."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from schemas.events import ReferralMade, TierChanged
from schemas.tiers import Cause, Tier
from schemas.times import DAY_MS, to_ms
from services.scorer.core.cuts import (
    Cuts,
    add_histogram,
    band_of,
    bands_moved,
    count_move,
    cuts_of,
    empty_histogram,
    histogram_from_bytes,
    histogram_to_bytes,
    ties_of,
)
from services.scorer.core.tiers import first_tier, next_tier, wanted_tier
from tests.unit.core_given import CUTS, POLICY, Life, at, cuts_at, returned, sale

HIGH, REGULAR, AT_RISK, LAPSED = Tier.HIGH_VALUE, Tier.REGULAR, Tier.AT_RISK, Tier.LAPSED


@pytest.mark.parametrize(
    ("scores", "high_20", "low_20"),
    [
        pytest.param([7], 8, 7, id="one customer: nobody is high or low"),
        pytest.param([1, 2, 3, 4], 5, 1, id="four: still nobody"),
        pytest.param([1, 2, 3, 4, 5], 5, 2, id="five: one of each"),
        pytest.param([10, 20, 30, 40, 50, 60, 70, 80, 90, 100], 81, 30, id="ten: two of each"),
        pytest.param([1, 1, 1, 1, 9, 9, 9, 9, 9, 9], 10, 1, id="a tie across a cut is in the middle"),
        pytest.param([0] * 10 + [10_000], 1, 0, id="the ends of the grid"),
    ],
)
def test_cuts_of_small_bases(scores: list[int], high_20: int, low_20: int) -> None:
    """The high cut is 1 + the (k+1)-th highest score, the low one the (k+1)-th lowest; k = floor(N / 5)."""
    histogram = empty_histogram()
    for score in scores:
        count_move(histogram, (None, score))
    cuts = cuts_of(histogram, POLICY)

    assert cuts is not None
    assert tuple(point.plain for point in cuts.points) == (high_20, low_20)
    assert sum(score >= high_20 for score in scores) <= len(scores) // 5
    assert sum(score < low_20 for score in scores) <= len(scores) // 5


def test_hysteresis_cuts_of_a_hundred() -> None:
    """18, 20 and 22 % of 100 customers with scores 1 to 100."""
    histogram = empty_histogram()
    for score in range(1, 101):
        count_move(histogram, (None, score))

    assert cuts_of(histogram, POLICY) == cuts_at((83, 81, 79), (23, 21, 19))
    assert ties_of(histogram, cuts_of(histogram, POLICY), POLICY) == (100, (1, 1))


def test_an_empty_base_has_no_cuts() -> None:
    """N = 0: nobody == ranked against nobody."""
    assert cuts_of(empty_histogram(), POLICY) is None
    assert ties_of(empty_histogram(), None, POLICY) == (0, ())


def test_histograms_round_trip_and_add_up() -> None:
    """Lanes store theirs as little-endian uint32, and the sum is exact."""
    one, other = empty_histogram(), empty_histogram()
    count_move(one, (None, 10_000))
    count_move(other, (None, 10_000))
    count_move(other, (None, 0))
    count_move(other, (0, 3))

    stored = histogram_to_bytes(one)
    assert (len(stored), stored[-4:]) == (40_004, b"\x01\0\0\0")
    assert histogram_from_bytes(stored) == one
    total = add_histogram(one, other)
    assert (total[10_000], total[0], total[3]) == (2, 0, 1)
    with pytest.raises(ValueError, match="rebuild"):
        histogram_from_bytes(stored[:-1])
    with pytest.raises(OverflowError):
        count_move(one, (0, 1))


def moved(changes: dict[str, int]) -> Cuts:
    """Return the usual cuts with some of them moved."""
    high, low = CUTS.points
    return Cuts(
        points=tuple(
            replace(
                edge, **{key.partition("_")[2]: at for key, at in changes.items() if key.startswith(name)}
            )
            for name, edge in (("high", high), ("low", low))
        )
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(None, {}, list(range(201)), id="the first cuts concern everybody"),
        pytest.param({}, None, [], id="no cuts change nothing"),
        pytest.param({}, {}, [], id="nothing moved"),
        pytest.param({}, {"high_enter": 5_001}, [100], id="up: the score 5,000 is out"),
        pytest.param({}, {"high_enter": 4_999}, [99], id="down: the score 4,999 is in"),
        pytest.param({}, {"high_plain": 4_700, "low_plain": 1_600}, [], id="plain cuts are for newcomers"),
        pytest.param({}, {"high_leave": 4_730, "low_leave": 1_390}, [27, 28, 29, 92, 93, 94], id="two cuts"),
    ],
)
def test_bands_moved(old: dict[str, int] | None, new: dict[str, int] | None, expected: list[int]) -> None:
    """Only the bands that a hysteresis cut crossed hold customers to look at."""
    before, after = (None if one is None else moved(one) for one in (old, new))

    assert bands_moved(before, after) == expected
    assert band_of(10_000) == 200


@pytest.mark.parametrize(
    ("ranked", "score", "expected"),
    [
        pytest.param(REGULAR, 4_999, REGULAR, id="regular, below the way in"),
        pytest.param(REGULAR, 5_000, HIGH, id="regular, in at 18 %"),
        pytest.param(HIGH, 4_600, HIGH, id="high, stays down to 22 %"),
        pytest.param(HIGH, 4_599, REGULAR, id="high, out below it"),
        pytest.param(HIGH, 0, REGULAR, id="high, soft landing"),
        pytest.param(REGULAR, 1_500, REGULAR, id="regular, above the way down"),
        pytest.param(REGULAR, 1_499, AT_RISK, id="regular, down below 18 %"),
        pytest.param(AT_RISK, 1_899, AT_RISK, id="at risk, stays up to 22 %"),
        pytest.param(AT_RISK, 1_900, REGULAR, id="at risk, out at it"),
        pytest.param(AT_RISK, 5_000, HIGH, id="at risk, straight up"),
    ],
)
def test_hysteresis(ranked: Tier, score: int, expected: Tier) -> None:
    """The ways in are narrower than the ways out."""
    assert wanted_tier(ranked, score, CUTS, POLICY.tiers) == expected
    assert wanted_tier(ranked, score, None, POLICY.tiers) == ranked


@pytest.mark.parametrize(
    ("score", "cuts", "expected"),
    [
        (4_799, CUTS, REGULAR),
        (4_800, CUTS, HIGH),
        (0, CUTS, REGULAR),
        (10_000, None, REGULAR),
    ],
)
def test_first_tier(score: int, cuts: Cuts | None, expected: Tier) -> None:
    """By the plain cut, never the bottom one, regular while there are no cuts."""
    assert first_tier(score, cuts, POLICY.tiers) == expected


@pytest.mark.parametrize(
    ("ranked", "score", "days", "expected"),
    [
        pytest.param(HIGH, 0, 90 * DAY_MS - 1, HIGH, id="dwell, 1 ms to go"),
        pytest.param(HIGH, 0, 90 * DAY_MS, REGULAR, id="dwell over at exactly 90 days"),
        pytest.param(REGULAR, 9_000, 1, HIGH, id="an upgrade does not wait"),
        pytest.param(AT_RISK, 2_000, 1, REGULAR, id="nor does the way up from the bottom"),
    ],
)
def test_dwell(ranked: Tier, score: int, days: int, expected: Tier) -> None:
    """No downgrade within 90 days of the last change."""
    found = next_tier(ranked, score, CUTS, ranked_since_ms=at(0), now_ms=at(0) + days, ladder=POLICY.tiers)

    assert found == expected


def moves(changes: list[TierChanged]) -> list[tuple[int, str | None, str, str | None, str, Cause]]:
    return [
        (to_ms(c.occurred_at), c.previous, c.current, c.ranked_previous, c.ranked_current, c.cause)
        for c in changes
    ]


def test_a_life_of_one_basket() -> None:
    """First tier at once, at risk by silence, bottom after the dwell, lapsed when the basket leaves."""
    life = Life(cuts=CUTS).happens(sale(at(0))).until(at(400))

    assert moves(life.tier_changes) == [
        (at(0), None, REGULAR, None, REGULAR, Cause.EVENT),
        # The dwell's end and the early silence fall on one instant; the silence comes last.
        (at(90), REGULAR, AT_RISK, REGULAR, AT_RISK, Cause.TIME),
        (at(365), AT_RISK, LAPSED, AT_RISK, AT_RISK, Cause.TIME),
    ]
    assert (life.known.tier_since_ms, life.known.ranked_since_ms) == (at(365), at(90))


def test_a_change_carries_its_proof() -> None:
    """Id, revision, cause, cuts and parts: enough to recompute it."""
    event = sale(at(0))
    life = Life(cuts=CUTS).happens(event).until(at(400))
    first, *later = life.tier_changes

    assert (first.causation_id, first.revision) == (event.event_id, 1)
    assert first.proof.parts.spend_minor == 5_000
    assert (first.proof.score, first.proof.cut_offs, first.proof.cut_offs_version) == (1393, CUTS, 1)
    assert all(one.causation_id is None for one in later)
    revisions = [one.revision for one in life.effects if not isinstance(one, ReferralMade)]
    assert revisions == list(range(1, len(revisions) + 1))
    assert len({one.event_id for one in life.effects}) == len(revisions)


def test_the_crowd_moves_a_customer() -> None:
    """New cuts re-tier at the instant of their adoption, and say so."""
    life = Life().happens(sale(at(0))).crowd(at(1), moved({"high_enter": 1_393, "high_leave": 1_000}))

    assert moves(life.tier_changes)[1:] == [(at(1), REGULAR, HIGH, REGULAR, HIGH, Cause.CROWD)]
    life.crowd(at(2), CUTS)
    assert life.known.ranked == HIGH  # the dwell
    life.until(at(91) - 1)
    assert life.known.ranked == HIGH
    life.until(at(91))
    assert moves(life.tier_changes)[-1] == (at(91), AT_RISK, AT_RISK, HIGH, REGULAR, Cause.TIME)


def test_a_soft_landing_takes_two_dwells() -> None:
    """One tier down per change, each after its own 90 days."""
    life = Life().happens(sale(at(0))).crowd(at(1), moved({"high_enter": 1_393})).crowd(at(2), CUTS)
    life.until(at(300))

    assert [(change[0], change[4]) for change in moves(life.tier_changes) if change[3] != change[4]] == [
        (at(0), REGULAR),
        (at(1), HIGH),
        (at(91), REGULAR),
        (at(181), AT_RISK),
    ]


def test_only_returns_make_a_lapsed_customer() -> None:
    """A first purchase event gives a tier, even where nothing was bought."""
    life = Life(cuts=CUTS).happens(returned(at(0), 100))

    assert moves(life.tier_changes) == [(at(0), None, LAPSED, None, REGULAR, Cause.EVENT)]
    assert life.steps[-1].moved == (None, None)


def test_a_due_at_the_instant_of_an_event_is_merged_into_it() -> None:
    """The old basket leaves as the new one comes: one evaluation, no lapse in between."""
    life = Life(cuts=CUTS).happens(sale(at(0)), sale(at(365)))

    assert life.facts == (5_000, 1, 1)
    assert LAPSED not in {change.current for change in life.tier_changes}


def test_dues_before_an_event_fire_at_their_own_instants() -> None:
    """The basket left a day before the new one came: lapsed for a day, and back by the event."""
    life = Life(cuts=CUTS).happens(sale(at(0)), sale(at(366)))

    assert [change[:3] + change[5:] for change in moves(life.tier_changes)[-2:]] == [
        (at(365), AT_RISK, LAPSED, Cause.TIME),
        (at(366), LAPSED, AT_RISK, Cause.EVENT),
    ]
