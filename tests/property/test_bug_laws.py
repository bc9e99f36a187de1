"""A record that meets a bug of the scorer's own code is as if it had never come, and is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.events import Input
from schemas.times import DAY_MS
from schemas.wire import Reason, encode, topic_of
from services.lanes.work import LaneTime, Record, Turn
from services.scorer import chunk as chunk_module
from services.scorer import memory, store
from services.scorer.book import NO_CUT_OFFS, Board, Book
from services.scorer.census import Census
from services.scorer.core.advance import advance
from services.scorer.core.cuts import empty_histogram
from services.scorer.core.draft import Step
from services.scorer.core.due import next_due_ms
from services.scorer.store import CutOffs
from services.scorer.switch import Policies, Rescoring
from services.scorer.work import ScorerWork
from tests.property.laws import LAWS
from tests.unit.core_given import CUTS, POLICY, T0, at, browse, response, returned, sale

NOW = LaneTime(at(20), wall_ms=at(20))
KINDS = st.sampled_from(["sale", "browse", "response", "return", "rubbish"])


class Stored:
    """Stands in for the connection: the one SELECT of a turn, from the rows that an earlier turn wrote."""

    def __init__(self, *turns: Turn) -> None:
        """Hold what the turns wrote."""
        self.rows: dict[str, tuple[Any, ...]] = {}
        for turn in turns:
            for write in turn.writes:
                if write.sql in {store.INSERT_CUSTOMERS, store.UPDATE_CUSTOMERS}:
                    columns = (write.arrays[0], write.arrays[1], write.arrays[9])
                    for name, state, due_ms in zip(*columns, strict=True):
                        self.rows[name] = (name, 0, state, due_ms, 1)

    async def fetch(self, sql: str, customer_ids: list[str]) -> list[tuple[Any, ...]]:
        """Answer."""
        assert sql is store.TOUCHED
        return [self.rows[one] for one in sorted(customer_ids) if one in self.rows]


def lane(cuts: CutOffs = NO_CUT_OFFS, swept: CutOffs | None = None) -> ScorerWork:
    """Return the only lane, as a worker holds it."""
    return ScorerWork(
        book=Book(Board(), 1, Policies(), 0), lane=0, lanes=1, policy=POLICY, policy_version=1, in_force=cuts,
        swept=cuts if swept is None else swept, histogram=empty_histogram(), policies=Policies(),
        rescoring=Rescoring(0, Policies(), 1), census=Census(0),
    )  # fmt: skip


def record(offset: int, event: Input, customer: str) -> Record:
    """Return an event of a customer as it comes from Kafka."""
    event = msgspec.structs.replace(event, customer_id=customer)
    return Record(topic_of(event), 0, offset, customer.encode(), encode(event), 0)


def happening(number: int, kind: str, customer: str) -> Record:
    """Return what happens on day ``number``."""
    if kind == "rubbish":
        return Record("purchases", 0, number, customer.encode(), b"{", 0)
    name = f"e{number}"
    events: dict[str, Input] = {
        "sale": sale(at(number), 1_000 * (number + 1), event=name),
        "browse": browse(at(number), event=name),
        "response": response(at(number), event=name),
        "return": returned(at(number), 500, event=name),
    }
    return record(number, events[kind], customer)


def decide(work: ScorerWork, records: Sequence[Record], stored: Stored, time: LaneTime = NOW) -> Turn:
    """Return a chunk's turn."""
    return asyncio.run(work.chunk(stored, records, time, 1))


def written(turn: Turn) -> tuple[Any, ...]:
    """Return everything that a turn would leave behind, but for its dead letters."""
    return turn.writes, turn.outbox, turn.note, turn.versions


@contextmanager
def a_bug_at(event_ids: Collection[str], *, late: bool) -> Iterator[None]:
    """Let the core raise for these events, before or after it did its work."""

    def advance_with_bug(state: Any, event: Input, moment: Any, policy: Any) -> Step:
        step = advance(state, event, moment, policy) if late else None
        if event.event_id in event_ids:
            raise KeyError(f"{event.customer_id} must not be in any log")
        return step or advance(state, event, moment, policy)

    with mock.patch.object(chunk_module, "advance", advance_with_bug):
        yield


@LAWS
@given(
    happenings=st.lists(st.tuples(KINDS, st.sampled_from("abc")), min_size=1, max_size=14),
    bugged=st.sets(st.integers(0, 13)),
    late=st.booleans(),
    unswept=st.booleans(),
)
def test_whoever_meets_a_bug_leaves_no_trace_but_his_dead_letter(
    happenings: list[tuple[str, str]], bugged: set[int], *, late: bool, unswept: bool
) -> None:
    """Rows, messages and histogram are those of a chunk without the records, sweeps on the way included."""
    records = [happening(number, *one) for number, one in enumerate(happenings)]
    broken = [one for one in records if one.offset in bugged and one.value != b"{"]
    good = [one for one in records if one not in broken]
    cuts = CutOffs(2, at(19), complete=False, cuts=CUTS)
    stored = Stored(decide(lane(), [record(0, sale(T0 - DAY_MS, event="first"), "a")], Stored()))

    def fresh() -> ScorerWork:
        return lane(cuts, NO_CUT_OFFS if unswept else None)

    with a_bug_at({f"e{number}" for number in bugged}, late=late):
        turn = decide(fresh(), records, stored)
    calm = decide(fresh(), good, stored)

    internal = [one.record for one in turn.dead_letters if one.reason == Reason.INTERNAL]
    others = [one for one in turn.dead_letters if one.reason != Reason.INTERNAL]
    assert internal == broken
    assert others == calm.dead_letters
    only_by_bugs = {one.key for one in broken} - {one.key for one in good if one.value != b"{"}
    if not (unswept and b"a" in only_by_bugs):  # then he is brought under the cuts all the same
        assert written(turn) == written(calm)
    assert turn.applied == len(records) - len(turn.dead_letters)


def test_the_detail_names_the_place_and_nothing_of_the_record() -> None:
    """What an exception says may be customer data; its type and its line are not."""
    with a_bug_at({"e0"}, late=False):
        (letter,) = decide(lane(), [happening(0, "sale", "a")], Stored()).dead_letters

    assert letter.detail.startswith("KeyError at tests/property/test_bug_laws.py:")
    assert letter.detail.endswith("in advance_with_bug")
    assert letter.record == happening(0, "sale", "a")


def test_a_row_that_can_not_be_made_is_the_fault_of_its_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """The due instant is computed when all is applied; whose record made it impossible is found out then."""

    def due(state: Any, policy: Any, cuts: Any) -> int | None:
        if state.customer_id == "a" and state.orders >= 2:
            raise ZeroDivisionError
        return next_due_ms(state, policy, cuts)

    sales = [happening(number, "sale", customer) for number, customer in enumerate("abab")]
    monkeypatch.setattr(memory, "next_due_ms", due)
    turn = decide(lane(), sales, Stored())

    assert [one.record.offset for one in turn.dead_letters] == [2]
    monkeypatch.undo()
    assert written(turn) == written(decide(lane(), [*sales[:2], sales[3]], Stored()))


@pytest.mark.parametrize("error", [MemoryError(), OSError("disk"), TimeoutError(), asyncio.CancelledError()])
def test_what_is_not_the_records_fault_ends_the_turn(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lane reads its row again, or the process ends; a record is never given up for it."""

    def fail(*_arguments: Any) -> Step:
        raise error

    monkeypatch.setattr(chunk_module, "advance", fail)
    with pytest.raises(type(error)):
        decide(lane(), [happening(0, "sale", "a")], Stored())


def test_a_state_of_a_later_version_still_stops_the_lane() -> None:
    """It is a downgrade: every record of such customers would be given up."""
    stored = Stored(decide(lane(), [happening(0, "sale", "a")], Stored()))
    name, place, state, due_ms, version = stored.rows["a"]
    stored.rows["a"] = (name, place, b"\xff" + state[1:], due_ms, version)

    with pytest.raises(ValueError, match="run the version that wrote it"):
        decide(lane(), [happening(1, "sale", "a")], stored)


def test_a_score_without_a_bin_is_found_out_before_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """After it the histogram would raise, and again at every take-over."""

    def off_the_scale(state: Any, event: Input, moment: Any, policy: Any) -> Step:
        step = advance(state, event, moment, policy)
        return msgspec.structs.replace(step, moved=(None, 10_001)) if event.event_id == "e1" else step

    sales = [happening(number, "sale", customer) for number, customer in enumerate("ab")]
    monkeypatch.setattr(chunk_module, "advance", off_the_scale)
    turn = decide(lane(), sales, Stored())

    assert [one.record.offset for one in turn.dead_letters] == [1]
    assert written(turn) == written(decide(lane(), sales[:1], Stored()))
