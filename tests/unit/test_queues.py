"""A lane's queues: nothing lost, nothing twice, and in a replay one order only."""

from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.lanes.queues import Chunk, LaneQueues, Marker, Offer, Taken
from services.lanes.work import Record

NAMES = ("purchases", "browses", "campaign-responses")
ALL = 10_000


def record(offset: int, at_ms: int = 0, topic: int = 0) -> Record:
    return Record(NAMES[topic], 0, offset, b"customer", b"value", at_ms)


def mark(offset: int, through_ms: int, topic: int = 0, *, complete: bool = False) -> Record:
    return Record(NAMES[topic], 0, offset, None, b"end" if complete else b"mark", through_ms)


def marker_of(found: Record) -> Marker | None:
    """Recognise what ``mark`` makes; a record without key that is none is an ordinary bad record."""
    if found.value not in {b"mark", b"end"}:
        return None
    return Marker(found.timestamp_ms, found.value == b"end", ends_replay=False)


def queues(*positions: int, generation: int = 1) -> LaneQueues:
    lane = LaneQueues(positions, marker_of)
    for topic in range(len(positions)):
        lane.sought(topic, generation)
    return lane


def chunk(base: int, *records: Record, after: int | None = None, generation: int = 1) -> Chunk:
    end = records[-1].offset + 1 if records else base
    return Chunk(generation, base, records, end if after is None else after)


def offsets(taken: Taken | None) -> list[int]:
    return [] if taken is None else [one.offset for one in taken.records]


def names(taken: Taken | None) -> str:
    return "" if taken is None else " ".join(f"{one.topic[0]}{one.offset}" for one in taken.records)


# -- joining on -------------------------------------------------------------------------------------


def test_contiguous_chunks_are_queued_and_taken_in_order() -> None:
    """The usual case."""
    lane = queues(5)
    assert lane.offer(0, chunk(5, record(5), record(6))) is Offer.QUEUED
    assert lane.offer(0, chunk(7, record(7))) is Offer.QUEUED
    assert (lane.size(0), lane.wanted(0), lane.positions) == (3, 8, (5,))
    assert offsets(lane.take(2, replaying=False)) == [5, 6]
    assert lane.positions == (7,)
    assert offsets(lane.take(2, replaying=False)) == [7]
    assert lane.take(2, replaying=False) is None
    assert lane.positions == (8,)


def test_a_repeat_is_dropped_and_an_overlap_is_trimmed() -> None:
    """What is read twice counts once, whether all of it or a part is known."""
    lane = queues(0)
    lane.offer(0, chunk(0, record(0), record(1)))
    assert lane.offer(0, chunk(0, record(0), record(1))) is Offer.REPEATED
    assert lane.offer(0, chunk(1, record(1), record(2))) is Offer.QUEUED
    assert lane.offer(0, chunk(0, after=3)) is Offer.REPEATED
    assert offsets(lane.take(ALL, replaying=False)) == [0, 1, 2]


def test_a_gap_is_refused_and_changes_nothing() -> None:
    """A lost chunk must never be jumped over: the lane is told to seek back."""
    lane = queues(0)
    lane.offer(0, chunk(0, record(0)))
    assert lane.offer(0, chunk(2, record(2))) is Offer.GAP
    assert (lane.size(0), lane.wanted(0)) == (1, 1)


def test_what_left_the_consumer_before_the_last_seek_is_stale() -> None:
    """A chunk in flight while the lane sought elsewhere would put it at a place that it left."""
    lane = queues(0)
    lane.offer(0, chunk(0, record(0)))
    lane.restart(0, 7)
    assert not lane.ready(0)
    assert lane.offer(0, chunk(7, record(7))) is Offer.STALE
    lane.sought(0, 2)
    assert lane.ready(0)
    assert lane.offer(0, chunk(7, record(7))) is Offer.STALE
    assert (lane.size(0), lane.positions) == (0, (7,))
    assert lane.offer(0, chunk(7, record(7), generation=2)) is Offer.QUEUED


@pytest.mark.parametrize("generation", [0, 2, 99])
def test_a_chunk_of_any_other_seek_is_stale(generation: int) -> None:
    """Only the very seek that the lane waits for counts, earlier or later."""
    assert queues(0).offer(0, chunk(0, record(0), generation=generation)) is Offer.STALE


# -- holes ------------------------------------------------------------------------------------------


def test_a_hole_inside_a_chunk_is_no_gap() -> None:
    """Transaction markers and compaction leave numbers out; the position before the next record is past them."""
    lane = queues(0)
    lane.offer(0, chunk(0, record(0), record(4)))
    assert offsets(lane.take(1, replaying=False)) == [0]
    assert lane.positions == (4,)


def test_a_hole_at_the_end_of_a_chunk_moves_the_position() -> None:
    """``next`` lies beyond the last record: the next chunk begins there."""
    lane = queues(0)
    lane.offer(0, chunk(0, record(0), after=3))
    taken = lane.take(ALL, replaying=False)
    assert taken is not None
    assert taken.positions == (3,)
    assert lane.offer(0, chunk(3, record(3))) is Offer.QUEUED


def test_an_empty_chunk_only_moves_the_position() -> None:
    """An aborted transaction and its marker bring nothing, and the lane must not wait for them."""
    lane = queues(0)
    assert lane.offer(0, chunk(0, after=5)) is Offer.QUEUED
    assert lane.take(ALL, replaying=False) is None
    assert (lane.positions, lane.wanted(0)) == ((5,), 5)


# -- the order over topics --------------------------------------------------------------------------


def test_topics_are_merged_by_time_and_ties_by_their_order() -> None:
    """Live and replaying: purchases of an instant come before browses of it."""
    for replaying in (False, True):
        lane = queues(0, 0)
        lane.offer(0, chunk(0, record(0, 10), record(1, 20), record(2, 40)))
        lane.offer(1, chunk(0, record(0, 15, 1), record(1, 20, 1), record(2, 30, 1), mark(3, 99, 1)))
        assert names(lane.take(6, replaying=replaying)) == "p0 b0 p1 b1 b2 p2"


def test_times_within_a_topic_need_not_ascend() -> None:
    """A topic's own order stands whatever its times say."""
    lane = queues(0, 0)
    lane.offer(0, chunk(0, record(0, 50), record(1, 10)))
    lane.offer(1, chunk(0, record(0, 40, 1)))
    assert names(lane.take(ALL, replaying=False)) == "b0 p0 p1"


def test_live_an_idle_topic_holds_nobody_up() -> None:
    """Whatever waits is taken."""
    lane = queues(0, 0, 0)
    lane.offer(1, chunk(0, record(0, 10, 1)))
    assert names(lane.take(ALL, replaying=False)) == "b0"


def test_in_a_replay_the_others_wait_for_a_topic_without_a_next_record() -> None:
    """It may bring something earlier; only its record or mark says that it does not."""
    lane = queues(0, 0)
    lane.offer(0, chunk(0, record(0, 10)))
    assert lane.take(ALL, replaying=True) is None
    lane.offer(1, chunk(0, record(0, 5, 1)))
    assert names(lane.take(ALL, replaying=True)) == "b0"
    lane.offer(1, chunk(1, mark(1, 100, 1)))
    assert names(lane.take(ALL, replaying=True)) == "p0"


# -- marks ------------------------------------------------------------------------------------------


def test_a_topic_at_its_mark_waits_for_the_others() -> None:
    """What stands behind a mark belongs to the next day."""
    lane = queues(0, 0)
    lane.offer(0, chunk(0, mark(0, 100), record(1, 100)))
    lane.offer(1, chunk(0, record(0, 99, 1)))
    assert lane.marker() is None
    assert names(lane.take(ALL, replaying=True)) == "b0"
    assert lane.take(ALL, replaying=True) is None
    assert lane.marker() is None
    lane.offer(1, chunk(1, mark(1, 100, 1)))
    assert lane.marker() == Marker(100, complete=False, ends_replay=False)


def test_passing_a_mark_moves_every_topic_that_stands_at_it() -> None:
    """The positions after it go into the turn of the barrier."""
    lane = queues(0, 0)
    lane.offer(0, chunk(0, mark(0, 100), record(1, 100)))
    lane.offer(1, chunk(0, mark(0, 100, 1), mark(1, 200, 1)))
    marker = lane.marker()
    assert marker is not None
    assert lane.pass_marker(marker) == (1, 1)
    assert lane.marker() is None
    assert names(lane.take(ALL, replaying=True)) == "p1"


def test_of_different_marks_the_least_is_passed_first() -> None:
    """A topic that promises more than another does not pull the clock ahead."""
    lane = queues(0, 0)
    lane.offer(0, chunk(0, mark(0, 200)))
    lane.offer(1, chunk(0, mark(0, 100, 1), record(1, 150, 1), mark(2, 200, 1)))
    assert lane.marker() == Marker(100, complete=False, ends_replay=False)
    assert lane.pass_marker(Marker(100, complete=False, ends_replay=False)) == (0, 1)
    assert lane.marker() is None
    assert names(lane.take(ALL, replaying=True)) == "b1"
    assert lane.marker() == Marker(200, complete=False, ends_replay=False)


def test_the_end_of_an_instant_comes_after_its_midnight() -> None:
    """A history that ends exactly at midnight has two marks there: the complete one is the later."""
    assert Marker(100, complete=False, ends_replay=False) < Marker(100, complete=True, ends_replay=False)


def test_live_a_mark_is_a_record_like_any_other() -> None:
    """The service says what is wrong with it; it must not stop a lane that follows the wall clock."""
    lane = queues(0)
    lane.offer(0, chunk(0, mark(0, 100), record(1, 5)))
    assert offsets(lane.take(ALL, replaying=False)) == [0, 1]


def test_a_record_without_key_that_is_no_mark_is_taken_in_a_replay() -> None:
    """Else one bad record would stop a replay for ever."""
    lane = queues(0)
    lane.offer(0, chunk(0, Record(NAMES[0], 0, 0, None, b"rubbish", 5), mark(1, 10)))
    assert offsets(lane.take(ALL, replaying=True)) == [0]
    assert lane.marker() is not None


# -- any log, cut and delivered in any way ----------------------------------------------------------


@dataclass(frozen=True)
class Log:
    """One topic's log: its records by offset, with holes between them, and its end."""

    records: tuple[Record, ...]
    end: int


@st.composite
def histories(draw: st.DrawFn) -> list[Log]:
    """Topics of one lane with the same marks, each with its own records and holes between them."""
    days = draw(st.integers(1, 4))
    logs = []
    for topic in range(draw(st.integers(1, 3))):
        records, offset = [], 0
        for day in range(days):
            for at_ms in draw(st.lists(st.integers(day * 10, day * 10 + 9), max_size=5)):
                offset += draw(st.sampled_from([0, 0, 0, 1, 3]))
                records.append(record(offset, at_ms, topic))
                offset += 1
            offset += draw(st.sampled_from([0, 0, 2]))
            records.append(mark(offset, day * 10 + 10, topic, complete=day == days - 1))
            offset += 1
        logs.append(Log(tuple(records), offset + draw(st.sampled_from([0, 0, 2]))))
    return logs


def merged(logs: list[Log]) -> list[str]:
    """The order that a replay must have, found simply: day by day, by time, topic and offset."""
    waiting, order = [list(log.records) for log in logs], []
    while any(waiting):
        heads = [(own[0].timestamp_ms, topic) for topic, own in enumerate(waiting) if not marker_of(own[0])]
        if heads:
            order.append(label(waiting[min(heads)[1]].pop(0)))
            continue
        order.append(f"mark {waiting[0][0].timestamp_ms}")
        for own in waiting:
            own.pop(0)
    return order


def label(one: Record) -> str:
    return f"{one.topic} {one.offset}"


def deliver(rng: Random, lane: LaneQueues, logs: list[Log]) -> None:
    """Offer one chunk of one topic as consumers do: from anywhere up to where it is wanted, or too far."""
    topic = rng.randrange(len(logs))
    wanted = lane.wanted(topic)
    base = max(0, min(logs[topic].end, wanted + rng.choice((0, 0, 0, -2, 1))))
    after = min(logs[topic].end, base + rng.randint(1, 6))
    inside = [one for one in logs[topic].records if base <= one.offset < after]
    generation = rng.choice((1, 1, 1, 1, 0))
    outcome = lane.offer(topic, Chunk(generation, base, inside, after))
    if generation != 1:
        assert outcome is Offer.STALE
    elif base > wanted:
        assert outcome is Offer.GAP
    else:
        assert outcome is (Offer.QUEUED if after > wanted else Offer.REPEATED)


def check_positions(taken: set[str], positions: tuple[int, ...], logs: list[Log]) -> None:
    """Everything before a position was taken, nothing from it on: what a takeover would begin with."""
    for log, position in zip(logs, positions, strict=True):
        for one in log.records:
            assert (label(one) in taken) == (one.offset < position)


@settings(max_examples=150, deadline=None)
@given(histories(), st.integers(0, 2**32))
def test_a_replay_has_one_order_however_it_arrives(logs: list[Log], seed: int) -> None:
    """Chunks of any size, repeated, stale, with gaps, in any interleaving: the same records and marks."""
    rng, lane, order, taken = Random(seed), queues(*(0 for _ in logs)), list[str](), set[str]()
    want = merged(logs)
    for _ in range(5000):
        if len(order) == len(want):
            break
        deliver(rng, lane, logs)
        while (marker := lane.marker()) is not None:
            order.append(f"mark {marker.through_ms}")
            before, positions = lane.positions, lane.pass_marker(marker)
            for log, start, end in zip(logs, before, positions, strict=True):
                taken |= {label(one) for one in log.records if start <= one.offset < end}
            check_positions(taken, positions, logs)
        found = lane.take(rng.randint(1, 4), replaying=True)
        if found is not None:
            order += [label(one) for one in found.records]
            taken |= {label(one) for one in found.records}
            check_positions(taken, found.positions, logs)
    assert order == want


@settings(max_examples=100, deadline=None)
@given(histories(), st.integers(0, 2**32))
def test_live_everything_is_taken_once_and_in_its_topics_order(logs: list[Log], seed: int) -> None:
    """Whatever the chunks, and marks are records; after each take the positions are what was taken."""
    rng, lane, order = Random(seed), queues(*(0 for _ in logs)), list[Record]()
    for _ in range(5000):
        if all(lane.wanted(topic) == log.end and not lane.size(topic) for topic, log in enumerate(logs)):
            break
        deliver(rng, lane, logs)
        found = lane.take(rng.randint(1, 4), replaying=False)
        if found is not None:
            order += found.records
            assert len(found.records) <= 4
            check_positions({label(one) for one in order}, found.positions, logs)
    for topic, log in enumerate(logs):
        assert tuple(one for one in order if one.topic == NAMES[topic]) == log.records
