"""``tierstream explain``: from the lane's log and a customer's events to a verdict, without PostgreSQL and Kafka."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace as with_fields

import msgspec
from msgspec.structs import replace

from deploy.explaining import run
from deploy.explaining.log import Log, Sighted
from deploy.explaining.rows import Known, LogRow
from deploy.explaining.turns import Turns
from schemas.events import Input, TierChanged
from schemas.times import to_ms
from services.scorer.book import NO_CUT_OFFS
from services.scorer.core.draft import Moment
from services.scorer.core.explain import replay
from services.scorer.store import CutOffs
from tests.unit.core_given import CUTS, POLICY, Life, at, browse, sale

TOPICS = 8
NOTHING = (0,) * TOPICS
CUT_OFFS = {0: NO_CUT_OFFS, 1: CutOffs(1, at(2), complete=False, cuts=CUTS)}


def row(seq: int, kind: str, day: float, versions: tuple[int, ...], read: tuple[int, ...] = (3, 1)) -> LogRow:
    """Return a row of ``lane_log`` that read the first topics up to ``read``; only a chunk gets on."""
    until = (*read, *NOTHING[len(read) :])
    return LogRow(seq, kind, at(day), versions, NOTHING if kind == "chunk" else until, until)


def log_of(purchases: list[Input], browses: list[Input], first: int = 0) -> Log:
    """Return the log with other customers' records between the given ones."""
    log = Log()
    for topic, events in enumerate((purchases, browses)):
        for number, event in enumerate(events):
            log.topics[topic].append(Sighted(first + 2 * number, to_ms(event.occurred_at), event))
    return log


def known_of(life: Life, *, seqs: frozenset[int], day: float) -> Known:
    """Return what PostgreSQL would know of a life in lane 0."""
    return Known(
        lane=0,
        state=life.known,
        policy_version=1,
        seq=9,
        offsets=(100,) * TOPICS,
        clock_ms=at(day),
        cut_offs_version=1,
        changes=tuple(life.tier_changes),
        warnings=(),
        published_seqs=seqs,
        dead=frozenset(),
        policies={1: POLICY},
    )


@dataclass
class LaneLife(Life):
    """A life that says in which transaction of the lane it happens."""

    seq: int = 0

    def moment(self, now_ms: int, *, complete: bool = False) -> Moment:
        """Return the moment of a step."""
        made = super().moment(now_ms, complete=complete)
        return replace(made, seq=self.seq, cut_offs_version=0 if self.cuts is None else 1)


class World:
    """A customer who bought twice, looked once, saw new cut-offs, and fell silent."""

    def __init__(self) -> None:
        """Let it all happen, and note what the lane would."""
        self.first, self.second = sale(at(0), 90_000, event="s1"), sale(at(1), 90_000, event="s2")
        self.look = browse(at(0.5), event="b1")
        self.life = LaneLife(seq=2)
        self.life.happens(self.first, self.look, self.second, clock_ms=at(1))
        self.life.seq = 3
        self.life.crowd(at(2), CUTS)
        self.life.seq = 5
        self.life.until(at(91.5))
        self.rows = [
            row(1, "own", 0, (0, 1, 0, 1), (0, 0)),
            row(2, "chunk", 1, (0, 1, 0, 1)),
            row(3, "sweep", 2, (1, 1, 1, 1)),
            row(4, "histogram", 3, (1, 1, 1, 1)),
            row(5, "time", 91.5, (1, 1, 1, 1)),
            row(6, "time", 92, (1, 1, 1, 1)),
        ]

    def turns(self, log: Log, seqs: frozenset[int] = frozenset({2, 3, 5})) -> Turns:
        """Return the turns, collected."""
        turns = Turns(known_of(self.life, seqs=seqs, day=92), log)
        for one in self.rows:
            turns.take(one)
        return turns


def test_turns_are_the_rows_that_concerned_the_customer() -> None:
    """Those that read an event of his or published something of him; merged over topics by record time."""
    world = World()
    turns = world.turns(log_of([world.first, world.second], [world.look]))

    found = turns.turns(CUT_OFFS)

    assert turns.is_whole
    assert turns.versions == {0, 1}
    assert [(turn.kind, turn.moment.seq, turn.known_version) for turn in found] == [
        ("chunk", 2, 0),
        ("sweep", 3, 0),
        ("time", 5, 1),
    ]
    assert found[0].events == (world.first, world.look, world.second)
    assert found[1].moment.cuts == CUTS


def test_the_log_recomputes_what_was_published() -> None:
    """All changes, and the state; the verdict says so."""
    world = World()
    turns = world.turns(log_of([world.first, world.second], [world.look]))
    known = known_of(world.life, seqs=frozenset({2, 3, 5}), day=92)

    replayed = replay(turns.turns(CUT_OFFS), known.policy)
    found = run._explanation(known, world.life.moment(at(92)), replayed, [])

    assert found.checks
    assert [check.differences for check in found.checks] == [()] * len(found.checks)
    assert found.state_differences == ()
    assert found.verdict() == f"The log recomputes it: yes, all {len(found.checks)} tier changes."
    text = "\n".join(found.lines())
    assert "What keeps or lifts it" in text
    assert "(ranked regular, event): right" in text


def test_an_altered_row_is_found_out() -> None:
    """A score in the table that the log does not yield."""
    world = World()
    turns = world.turns(log_of([world.first, world.second], [world.look]))
    known = known_of(world.life, seqs=frozenset({2, 3, 5}), day=92)
    bent: TierChanged = replace(
        known.changes[0], proof=replace(known.changes[0].proof, score=known.changes[0].proof.score + 1)
    )
    known = with_fields(known, changes=(bent, *known.changes[1:]))

    found = run._explanation(
        known, world.life.moment(at(92)), replay(turns.turns(CUT_OFFS), known.policy), []
    )

    assert not found.is_right
    assert any("proof.score: published" in line for line in found.checks[0].differences)
    assert found.verdict() == "The log recomputes it: no, these differ: revisions 1."


def test_an_event_that_is_missing_in_the_log_is_found_out() -> None:
    """The state does not come out as it is stored."""
    world = World()
    turns = world.turns(log_of([world.first], [world.look]))
    known = known_of(world.life, seqs=frozenset({2, 3, 5}), day=92)

    found = run._explanation(
        known, world.life.moment(at(92)), replay(turns.turns(CUT_OFFS), known.policy), []
    )

    assert "orders: stored 2, recomputed 1" in found.state_differences


def test_a_trimmed_log_leaves_the_proofs() -> None:
    """Nothing is replayed; the proofs' own numbers are checked, and it is said so."""
    world = World()
    world.rows = world.rows[2:]
    turns = world.turns(log_of([world.first, world.second], [world.look]))
    known = known_of(world.life, seqs=frozenset({2, 3, 5}), day=92)

    found = run._explanation(known, world.life.moment(at(92)), None, run._notes(turns, missing=set()))

    assert not turns.is_whole
    assert found.verdict().startswith("Its own numbers agree: yes")
    assert found.notes[0].startswith("The lane's log begins at transaction 3;")
    assert msgspec.json.decode(run.to_json(found))["right"] is True


def test_events_that_no_transaction_read_are_counted() -> None:
    """They were given up by hand."""
    world = World()
    world.rows[1] = world.rows[1]._replace(read_from=(1, *NOTHING[1:]))
    turns = world.turns(log_of([world.first, world.second], [world.look]))

    assert turns.skipped == 1
    assert run._notes(turns, missing=set()) == [
        "1 events of the customer were given up by tierstream lanes skip."
    ]


def test_a_topic_that_is_new_to_the_lane_is_read_from_its_beginning() -> None:
    """Rows of an older release know fewer topics."""
    world = World()
    old = world.rows[1]
    world.rows[1] = old._replace(read_from=old.read_from[:1])

    found = world.turns(log_of([world.first, world.second], [world.look])).turns(CUT_OFFS)

    assert world.look in found[0].events


def test_the_end_of_a_switch_is_a_turn() -> None:
    """The lane is through with another policy, whether or not anything was published of the customer."""
    world = World()
    world.rows = [
        *world.rows[:3],
        row(4, "switch", 3, (2, 2, 1, 2)),
        row(5, "sweep", 3, (2, 2, 1, 2)),
        row(6, "sweep", 3, (2, 2, 2, 2)),
        row(7, "sweep", 4, (3, 2, 3, 2)),
    ]
    cut_offs = CUT_OFFS | {number: CUT_OFFS[1]._replace(version=number) for number in (2, 3)}

    found = world.turns(log_of([world.first, world.second], [world.look])).turns(cut_offs)

    assert [(turn.kind, turn.moment.seq, turn.known_version) for turn in found[2:]] == [
        ("sweep", 5, 1),
        ("switched", 6, 1),
    ]
