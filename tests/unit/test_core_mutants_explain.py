"""What an auditor reads of a proof: where two tellings differ, and what in one contradicts itself."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from schemas.events import MetricPoints, TierChanged
from schemas.times import from_ms
from services.scorer.core.draft import Moment
from services.scorer.core.explain import Turn, differences, flaws, recompute, replay
from services.scorer.core.policy import Bonus, Ladder, Level, Policy
from tests.unit.core_given import CUTS, POLICY, T0, Life, at, pinned, sale

GOLD = Policy(
    tiers=Ladder(
        by="spend",
        levels=(Level(name="gold", at_least=200.0), Level(name="silver", at_least=100.0), Level(name="base")),
        margin_percent=10,
        dwell_days=30,
    ),
    bonus=(Bonus(metric="orders", points=300, points_max=500),),
    churn=POLICY.churn[:1],
)


def first_change(policy: Policy = POLICY) -> TierChanged:
    """Return the change of who bought for USD 512.40."""
    return Life(CUTS, policy).happens(sale(at(0), 51_240)).tier_changes[0]


def with_points(change: TierChanged, index: int, points: float) -> TierChanged:
    """Return the change with the points of one part changed by hand."""
    parts = change.proof.parts
    bent = [replace(part, points=points) if at_ == index else part for at_, part in enumerate(parts.points)]
    return replace(change, proof=replace(change.proof, parts=replace(parts, points=tuple(bent))))


def turn(number: int, *, policy_version: int = 1) -> Turn:
    """Return a chunk of one sale a day, under the first cut-offs."""
    moment = Moment(
        now_ms=at(number), cuts=CUTS, cut_offs_version=1, policy_version=policy_version, seq=number
    )
    return Turn(
        kind="chunk",
        moment=moment,
        known=CUTS,
        known_version=1,
        events=(sale(at(number), 60_000, event=f"e{number}"),),
    )


class TestReplay:
    """From the log."""

    def test_a_change_is_proved_by_what_came_before_it(self) -> None:
        """What the log says later is not looked at, so a policy that is not at hand does not matter."""
        policies = {1: POLICY}
        turns = [turn(1), turn(2, policy_version=7)]

        change = recompute(turns, policies.__getitem__, 1)

        assert change is not None
        assert change.revision == 1
        with pytest.raises(KeyError, match="7"):
            recompute(turns, policies.__getitem__, 2)

    def test_what_was_refused_is_counted(self) -> None:
        """A repeat of an event id with another body became a dead letter, and the rest went on."""
        one = turn(1)
        other = replace(one, events=(sale(T0, 9, event="e1"), sale(T0, 9, event="e1"), sale(T0, event="e2")))

        found = replay([one, other], lambda _: POLICY)

        assert found.refused == 2
        assert found.state is not None
        assert found.state.orders == 2
        assert replay([one], lambda _: POLICY).refused == 0


class TestDifferences:
    """Two tellings of one change."""

    def test_cut_offs_that_the_log_does_not_know(self) -> None:
        """Published without any, recomputed with some."""
        change = first_change()
        without = replace(change, proof=replace(change.proof, cut_offs=None))

        (found,) = differences(without, change)

        assert found.startswith("proof.cut_offs: published None, recomputed {'points': ")
        assert differences(change, without)[0].endswith(", recomputed None")

    def test_a_pin_that_the_log_does_not_know(self) -> None:
        """What only one of them has is a difference too."""
        change = Life(CUTS).happens(sale(at(0)), pinned(at(1), "high_value")).tier_changes[-1]
        without = replace(change, proof=replace(change.proof, pin=None))

        (found,) = differences(change, without)

        assert found.startswith("proof.pin: published {'tier': 'high_value', ")
        assert found.endswith(", recomputed None")

    def test_other_points(self) -> None:
        """The place is named, and both figures stand there."""
        change = first_change()
        told = change.proof.parts.points[1].points

        assert differences(with_points(change, 1, 777.0), change) == [
            f"proof.parts.points[1].points: published 777.0, recomputed {told}"
        ]

    def test_other_parts(self) -> None:
        """A part more, in one of them."""
        change = first_change()
        parts = change.proof.parts
        more = replace(parts, points=(*parts.points, MetricPoints(metric="orders", value=1.0, points=1.0)))

        (found,) = differences(replace(change, proof=replace(change.proof, parts=more)), change)

        assert found.startswith("proof.parts.points: published ")


class TestPoints:
    """The points of a proof, against its own values and the policy."""

    def test_the_parts_of_another_policy(self) -> None:
        """Those of the policy are named, the bonuses last."""
        assert flaws(first_change(), [], GOLD)[0] == (
            "the parts are not those of the policy: spend, orders, repurchase_rate, orders"
        )

    def test_a_share_that_was_changed(self) -> None:
        """The metric, its value, what it gives, and what was said."""
        change = first_change()

        assert flaws(change, [], POLICY) == []
        assert flaws(with_points(change, 1, 450.5), [], POLICY) == [
            "orders of 1 gives 450.571450 points, not 450.500000"
        ]

    def test_what_another_machine_rounds_otherwise_is_no_flaw(self) -> None:
        """Half a millionth of a point is none, two millionths are one: also where nothing was earned."""
        change = first_change()

        assert change.proof.parts.points[2].points == 0
        assert flaws(with_points(change, 2, 5e-7), [], POLICY) == []
        assert flaws(with_points(change, 2, 2e-6), [], POLICY) == [
            "repurchase_rate of 0 gives 0.000000 points, not 0.000002"
        ]

    def test_a_bonus_that_was_changed(self) -> None:
        """One order is worth 300 points, and 500 at most."""
        change = first_change(GOLD)

        assert flaws(change, [], GOLD) == []
        assert flaws(with_points(change, 3, 299.0), [], GOLD)[0] == (
            "orders of 1 gives 300 bonus points, not 299"
        )

    def test_a_score_that_is_not_the_sum(self) -> None:
        """The sum and the score, side by side."""
        change = first_change()
        bent = replace(change, proof=replace(change.proof, score=2_534))

        assert (change.proof.score, flaws(bent, [], POLICY)) == (
            2_532,
            ["the points add up to 2532.213, and the score is 2534"],
        )


@dataclass
class Fallen:
    """Somebody who spent USD 200 once: gold, warned after 90 days, silver after 365, base 30 days later."""

    changes: list[TierChanged]

    @classmethod
    def make(cls) -> Fallen:
        """Let it happen."""
        return cls(Life(CUTS, GOLD).happens(sale(at(0), 20_000)).until(at(400)).tier_changes)


class TestTiers:
    """From the proof's numbers to the ranked tier, by the policy that it names."""

    def test_a_life_that_agrees(self) -> None:
        """By spend, down one level at a time, with a warning in between; each change by itself."""
        changes = Fallen.make().changes

        assert [(one.current, one.ranked_current) for one in changes] == [
            ("gold", "gold"),
            ("at_risk", "gold"),
            ("lapsed", "silver"),
            ("lapsed", "base"),
        ]
        assert [flaws(one, changes[:index], GOLD) for index, one in enumerate(changes)] == [[]] * 4

    def test_a_fall_before_the_dwell_was_over(self) -> None:
        """Thirty days count from the last ranked tier, whatever was shown since; a millisecond less is a flaw."""
        changes = Fallen.make().changes
        last = replace(changes[-1], occurred_at=from_ms(at(395) - 1))

        assert changes[-1].occurred_at == from_ms(at(395))
        assert flaws(last, changes[:-1], GOLD) == ["score, cut-offs and dwell lead to silver, not to base"]

    def test_a_warning_does_not_begin_the_dwell_anew(self) -> None:
        """Shown at risk a day before the fall: the fall is in order all the same."""
        changes = Fallen.make().changes
        warned = replace(changes[1], occurred_at=from_ms(at(364)))

        assert flaws(changes[2], [changes[0], warned], GOLD) == []

    def test_a_newcomer_is_placed_by_the_cut_offs_of_his_day(self) -> None:
        """High value at once, where they say so."""
        low = replace(CUTS, points=(replace(CUTS.points[0], plain=2_500), CUTS.points[1]))
        (change,) = Life(low).happens(sale(at(0), 51_240)).tier_changes

        assert first_change().ranked_current == "regular"
        assert change.ranked_current == "high_value"
        assert flaws(change, [], POLICY) == []

    def test_a_chain_that_is_broken(self) -> None:
        """What it goes on from, and where the change before led: shown and ranked."""
        changes = Fallen.make().changes

        assert flaws(changes[3], changes[:2], GOLD)[0] == (
            "it goes on from lapsed, ranked silver, and the change before led to at_risk, ranked gold"
        )
        assert flaws(changes[1], [], GOLD)[0] == (
            "it goes on from gold, ranked gold, and the change before led to None, ranked None"
        )
