"""Laws of the proof: the log recomputes every change, and a change that was altered is found out."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.events import CutPoint, Input, TierChanged
from schemas.times import DAY_MS
from schemas.wire import Refused
from services.scorer.core.advance import adopt, advance, settle
from services.scorer.core.cuts import Cuts
from services.scorer.core.draft import Effect, Moment, Step
from services.scorer.core.explain import Turn, differences, flaws, recompute, replay
from services.scorer.core.policy import Bonus, Ladder, Level, Policy, Weight
from services.scorer.core.rescore import rescore
from services.scorer.core.state import State
from services.scorer.core.story import story
from tests.property.laws import LAWS
from tests.unit.core_given import POLICY, T0, browse, cuts_at, response, returned, sale

RICH = replace(
    POLICY,
    score=(
        Weight(metric="spend", weight=0.5, reference=1_000, unit=10),
        Weight(metric="largest_order", weight=0.3, normaliser="linear", reference=300),
        Weight(metric="purchase_cycle", weight=0.2, normaliser="inverse", reference=180),
    ),
    bonus=(Bonus(metric="orders", points=300, points_max=900),),
)
policies = st.sampled_from([POLICY, RICH])
cuts = st.lists(st.integers(0, 10_001), min_size=6, max_size=6).map(
    lambda six: cuts_at(tuple(sorted(six)[:2:-1]), tuple(sorted(six)[2::-1]))  # type: ignore[arg-type]
)


@dataclass
class Lane:
    """What ``ScorerWork`` does to one customer, and what it notes of it."""

    policies: list[Policy]
    state: State | None = None
    known: Cuts | None = None
    version: int = 0
    seq: int = 0
    now_ms: int = T0
    published: list[Effect] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)

    @property
    def policy(self) -> Policy:
        """The one in force."""
        return self.policies[-1]

    def policy_of(self, version: int) -> Policy:
        """Return the policy of a version, counted from 1."""
        return self.policies[version - 1]

    def apply(self, *events: Input) -> None:
        """A chunk."""
        turn = self._turn("chunk", self.known, self.version, events)
        for event in events:
            try:
                self._take(advance(self.state, event, turn.moment, self.policy))
            except Refused:
                continue

    def fire(self, days: int) -> None:
        """A time turn; noted only if it published something, as explain finds it."""
        self.now_ms += days * DAY_MS
        before = len(self.published)
        turn = self._turn("time", self.known, self.version)
        if self.state is not None:
            self._take(settle(self.state, turn.moment, self.policy))
        if len(self.published) == before:
            self.turns.pop()

    def sweep(self, new: Cuts) -> None:
        """A sweep under new cut-offs."""
        turn = self._turn("sweep", new, self.version + 1)
        if self.state is not None:
            old = replace(turn.moment, cuts=self.known, cut_offs_version=self.version)
            self._take(settle(self.state, old, self.policy))
            assert self.state is not None
            self._take(adopt(self.state, turn.moment, self.policy))
        self.known, self.version = new, self.version + 1

    def switch(self, policy: Policy, new: Cuts) -> None:
        """The lane goes over to another policy; noted as a sweep if it published something."""
        old, number = self.policies[-1], len(self.policies)
        before = len(self.published)
        self.policies.append(policy)
        turn = self._turn("sweep", new, self.version + 1)
        if self.state is not None:
            known = replace(
                turn.moment, cuts=self.known, cut_offs_version=self.version, policy_version=number
            )
            self._take(settle(self.state, known, old))
            assert self.state is not None
            self._take(rescore(self.state, turn.moment, policy))
        if len(self.published) == before:
            self.turns[-1] = replace(turn, kind="switched")
        self.known, self.version = new, self.version + 1

    def _turn(self, kind: str, cuts_: Cuts | None, version: int, events: tuple[Input, ...] = ()) -> Turn:
        self.seq += 1
        moment = Moment(
            now_ms=self.now_ms,
            cuts=cuts_,
            cut_offs_version=version,
            policy_version=len(self.policies),
            lane=3,
            seq=self.seq,
        )
        turn = Turn(
            kind=kind,  # type: ignore[arg-type]
            moment=moment,
            known=self.known,
            known_version=self.version,
            known_policy_version=len(self.policies),
            events=events,
        )
        self.turns.append(turn)
        return turn

    def _take(self, step: Step) -> None:
        self.state = step.state
        self.published += step.effects


@st.composite
def lanes(draw: st.DrawFn) -> Lane:
    """A customer's lane after some turns of every kind."""
    lane = Lane([draw(policies)])
    for number in range(draw(st.integers(1, 14))):
        match draw(st.sampled_from(["apply", "apply", "apply", "fire", "sweep", "switch"])):
            case "apply":
                lane.apply(
                    *(draw(events(lane.now_ms, f"e{number}-{n}")) for n in range(draw(st.integers(1, 3))))
                )
            case "fire":
                lane.fire(draw(st.sampled_from([1, 30, 91, 181, 366])))
            case "sweep":
                lane.sweep(draw(cuts))
            case _:
                lane.switch(draw(policies), draw(cuts))
    return lane


@st.composite
def events(draw: st.DrawFn, now_ms: int, name: str) -> Input:
    """An event of the last days, or a hundred days late."""
    time_ms = now_ms - draw(st.sampled_from([0, 0, 1, 5, 100])) * DAY_MS
    match draw(st.sampled_from(["sale", "sale", "return", "browse", "clicked"])):
        case "sale":
            order = draw(st.sampled_from(["", "o1"]))
            return sale(time_ms, draw(st.sampled_from([100, 5_000, 60_000])), order=order, event=name)
        case "return":
            return returned(time_ms, 2_000, order=draw(st.sampled_from([None, "o1"])), event=name)
        case "browse":
            return browse(time_ms, event=name)
        case _:
            return response(time_ms, event=name)


def changes_of(lane: Lane) -> list[TierChanged]:
    """Return the tier changes that the lane published."""
    return [one for one in lane.published if isinstance(one, TierChanged)]


@LAWS
@given(lanes())
def test_the_log_recomputes_every_change(lane: Lane) -> None:
    """From the events and the lane's turns alone; one by one, and all together with the state."""
    changes = changes_of(lane)
    whole = replay(lane.turns, lane.policy_of)

    assert list(whole.changes.values()) == changes
    for change in changes:
        again = recompute(lane.turns, lane.policy_of, change.revision)
        assert differences(change, again) == []
    if lane.state is not None and whole.state is not None:
        end = Moment(now_ms=lane.now_ms + 800 * DAY_MS, cuts=lane.known, cut_offs_version=lane.version)
        one = settle(lane.state, end, lane.policy).state
        other = settle(whole.state, end, lane.policy).state
        assert replace(one, oldest_ms=0) == replace(other, oldest_ms=0)


@LAWS
@given(lanes())
def test_proofs_hold_by_themselves(lane: Lane) -> None:
    """Points, score, chain, cut-offs, hysteresis and dwell agree with the policy, without any log."""
    changes = changes_of(lane)

    for index, change in enumerate(changes):
        assert flaws(change, changes[:index], lane.policy_of(change.proof.policy_version)) == []


@LAWS
@given(lanes(), st.data())
def test_what_was_altered_is_found_out(lane: Lane, data: st.DataObject) -> None:
    """A score, a value, a tier before or a tier after that was changed by hand."""
    changes = changes_of(lane)
    if not changes:
        return
    index = data.draw(st.integers(0, len(changes) - 1))
    change = changes[index]
    proof, parts = change.proof, change.proof.parts
    bent = replace(parts.points[0], points=parts.points[0].points + 1.5)
    others = [name for name in lane.policy.tiers.names if name != change.ranked_current]
    altered = data.draw(
        st.sampled_from(
            [
                replace(change, proof=replace(proof, score=(proof.score + 5_000) % 10_000)),
                replace(change, proof=replace(proof, parts=replace(parts, points=(bent, *parts.points[1:])))),
                replace(change, ranked_previous="nobody"),
                replace(change, ranked_current=others[0]),
                replace(change, ranked_current=others[1]),
            ]
        )
    )

    assert differences(altered, change) != []
    assert flaws(altered, changes[:index], lane.policy_of(change.proof.policy_version)) != []


@LAWS
@given(lanes())
def test_every_change_has_a_story(lane: Lane) -> None:
    """A line for each part, the score, and no line without an end."""
    for change in changes_of(lane):
        lines = story(change, lane.policy_of(change.proof.policy_version))

        assert f"score {change.proof.score:,}." in " ".join(lines)
        assert len(lines) >= 3 + len(change.proof.parts.points)
        assert all(line.endswith((".", ":")) for line in lines)


def test_who_buys_twice_while_his_lane_goes_over_to_another_policy() -> None:
    """The first purchase brings him under it; the second must not look at the old ladder's cut-offs again."""
    five = replace(
        POLICY,
        tiers=Ladder(levels=tuple(Level(name=name, percent=None if name == "c" else 10) for name in "abcde")),
        churn=(),
    )
    new = Cuts(points=tuple(CutPoint(above=name, enter=9_000, plain=9_000, leave=9_000) for name in "abcd"))
    bought = Turn(
        kind="chunk", moment=Moment(now_ms=T0, cut_offs_version=1), events=(sale(T0),), known_version=1
    )
    over = Turn(
        kind="chunk",
        moment=Moment(now_ms=T0 + DAY_MS, cuts=new, cut_offs_version=2, policy_version=2),
        known=cuts_at((5_000, 4_800, 4_600), (1_900, 1_700, 1_500)),
        known_version=1,
        events=(sale(T0 + 1), sale(T0 + 2)),
    )

    found = replay([bought, over], [POLICY, POLICY, five].__getitem__)

    assert found.state is not None
    assert (found.policy_version, found.state.ranked, found.state.orders) == (2, "e", 3)


def test_a_change_that_the_log_does_not_yield() -> None:
    """It is said so."""
    lane = Lane([POLICY])
    lane.apply(sale(T0))
    (change,) = changes_of(lane)

    assert differences(change, recompute([], lambda _: POLICY, 1)) == [
        "the log yields no tier change of revision 1"
    ]
    assert differences(replace(change, revision=2), change) == ["revision: published 2, recomputed 1"]
