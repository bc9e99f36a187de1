"""The harness itself: its schedule, its rule of validity, its bad records, and that it sees what is wrong."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.wire import Refused, decode
from services.lanes import publisher, statement, turns
from tests.oracle.customer import TierChange
from tests.oracle.episodes import Episode
from tests.oracle.tasks import HOUR_MS, Task, call_backs, ended, welcomes
from tests.torture import compare, history, planted
from tests.torture.compare import Verdict
from tests.torture.expect import Expected
from tests.torture.faults import COUNTS, FaultKind, Stroke, schedule, share_inside, why_invalid
from tests.torture.malformed import ANYWHERE, PURCHASES
from tests.torture.observe import Sent

GOOD: dict[str, Any] = {
    "type": "purchase-recorded.v1",
    "event_id": "e",
    "customer_id": "c",
    "occurred_at": "2019-03-01T10:00:00Z",
    "kind": "sale",
    "order_id": "o",
    "amount_minor": 5,
    "currency": "USD",
    "channel": "web",
    "store_id": "s",
}
DAY_MS = 24 * HOUR_MS


def strokes(shares: list[float]) -> list[Stroke]:
    """Return one stroke per share, of the kinds that a full schedule has."""
    kinds = [kind for kind, count in COUNTS.items() for _ in range(count)]
    return [Stroke(kind, "scorer-0", share, 0.0, "") for kind, share in zip(kinds, shares, strict=True)]


# -- schedule and validity ------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_a_schedule_has_every_fault_in_the_order_of_its_aim(seed: int) -> None:
    """20 + 5 + 3 kills and 3 freezes, all aimed between 5 and 95 % of the log."""
    faults = schedule(seed)

    assert Counter(fault.kind for fault in faults) == COUNTS
    assert [fault.at_share for fault in faults] == sorted(fault.at_share for fault in faults)
    assert all(0.05 < fault.at_share < 0.95 for fault in faults)
    freezes = [fault.seconds for fault in faults if fault.kind is FaultKind.FREEZE_SCORER]
    assert all(9.0 <= seconds <= 18.0 for seconds in freezes)


def test_a_seed_is_a_schedule() -> None:
    """The same seed strikes alike; another one does not."""
    assert schedule(7) == schedule(7)
    assert schedule(7) != schedule(8)


def test_a_run_counts_when_four_fifths_of_its_faults_hit_the_work() -> None:
    """24 of 31 is too few, 25 is enough."""
    total = sum(COUNTS.values())
    few, enough = ([0.5] * inside + [0.99] * (total - inside) for inside in (24, 25))

    assert why_invalid(strokes(few)) is not None
    assert why_invalid(strokes(enough)) is None
    assert share_inside(strokes(enough)) == 25 / 31


def test_a_run_whose_log_was_through_too_soon_proves_nothing() -> None:
    """Faults that were never done make a run invalid, however well the others hit."""
    assert "3 x freeze scorer" in str(why_invalid(strokes([0.5] * 31)[:28]))


# -- bad records ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reason", "spoil"), ANYWHERE + PURCHASES)
def test_every_kind_of_bad_record_is_refused_for_its_reason(reason: str, spoil: Any) -> None:
    """The catalogue's reason, or one that only a running scorer can give (clock, policy)."""
    value = spoil(dict(GOOD))
    if value is not None and (b"2999-" in value or b"CHF" in value):
        decode("purchases", value)
        return

    with pytest.raises(Refused) as refused:
        decode("purchases", value)

    assert refused.value.reason == reason


def test_the_expected_log_holds_marks_and_bad_records_between_them(tmp_path: Path) -> None:
    """The same file and seed make the same log; bad records bear no later mark than their neighbours."""
    size = history.Size(seed=3, customers=120, days=120)
    events = history.write(tmp_path / "events.jsonl", size)
    loaded = history.load(tmp_path / "events.jsonl", partitions=8, seed=3)
    log, again = (history.expected_log(loaded, size.place[1], wall_ms=2**42) for _ in range(2))

    bad = log.events - events
    assert log == again
    assert 0 < bad < 0.05 * events
    assert sum(refusal.reason != "CONFLICT" for refusal in log.refusals.values()) == bad
    marks = [sum(record is None for record in records) for records in log.records.values()]
    assert len(set(marks)) == 1
    assert log.total == log.events + len(log.records) * marks[0]


# -- comparison -----------------------------------------------------------------------------------------


def changed(customer_id: str, revision: int, **fields: Any) -> dict[str, Any]:
    """Return a published tier change."""
    return {
        "type": "tier-changed.v1",
        "event_id": f"{customer_id}/{revision}",
        "customer_id": customer_id,
        "occurred_at": "2019-03-01T10:00:00Z",
        "revision": revision,
        "previous": None,
        "current": "regular",
        "ranked_previous": None,
        "ranked_current": "regular",
        "proof": {"seq": 1},
    } | fields


def sent(number: int, event: dict[str, Any], offset: int = 0) -> Sent:
    """Return a record of ``tier-changes``."""
    key = event["customer_id"].encode()
    return Sent("tier-changes", 0, offset, key, json.dumps(event).encode(), number)


EXPECTED = Expected(
    customers=Counter(),
    cut_offs=Counter(),
    tier_changes=Counter({("c", "1", "2019-03-01T10:00:00.000Z", "", "regular", "", "regular"): 1}),
    warnings=Counter(),
    tasks=Counter(),
    conflicts=0,
)


def verdict_of(records: list[Sent]) -> Verdict:
    """Judge one partition of ``tier-changes``."""
    verdict = Verdict()
    events = compare.events_in(verdict, compare.first_copies(verdict, records))
    compare.compare_topics(verdict, EXPECTED, events)
    compare.compare_proofs(verdict, events, {("c", 1): b'{"seq": 1}'})
    return verdict


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    """A repeat of a batch is no double: it carries the same numbers and the same bytes."""
    assert verdict_of([sent(1, changed("c", 1)), sent(1, changed("c", 1))]).differences == []


@pytest.mark.parametrize(
    ("records", "lost", "double"),
    [
        pytest.param([], 1, 0, id="lost"),
        pytest.param([sent(1, changed("c", 1)), sent(2, changed("c", 1))], 0, 1, id="same id, new number"),
        pytest.param([sent(1, changed("c", 1)), sent(2, changed("d", 1))], 0, 2, id="never decided"),
        pytest.param([sent(1, changed("c", 1, current="lapsed"))], 1, 1, id="wrong"),
        pytest.param([sent(1, changed("c", 2))], 1, 1, id="a revision is missing"),
        pytest.param([sent(1, changed("c", 1, proof={"seq": 9}))], 0, 1, id="published, not committed"),
        pytest.param(
            [sent(1, changed("c", 1)), sent(1, changed("c", 1, proof={"seq": 2}))], 0, 1, id="two contents"
        ),
    ],
)
def test_a_planted_difference_is_found(records: list[Sent], lost: int, double: int) -> None:
    """Whatever is missing counts as lost, whatever is too much as double, and what is wrong as both."""
    verdict = verdict_of(records)

    assert (verdict.lost, verdict.double) == (lost, double), verdict.differences


def test_numbers_must_come_in_order_and_all_of_them() -> None:
    """A new number behind a higher one breaks the reader that keeps the highest; a gap is a lost event."""
    verdict = Verdict()
    kept = compare.first_copies(verdict, [sent(2, changed("c", 2)), sent(1, changed("c", 1))])
    assert [one.table for one in verdict.differences] == ["outbox number late"]

    compare.compare_numbers(verdict, kept, {0: 3})

    assert verdict.differences[-1].row == (0, 3)
    assert verdict.differences[-1].lost


def test_a_wrong_row_names_its_customer() -> None:
    """Rows that begin with a version, or with a place in a topic, name nobody."""
    verdict = Verdict()
    verdict.compare("customers", Counter({("b", "1"): 1, ("a", "1"): 1}), Counter({("a", "2"): 1}))
    verdict.compare("cut-offs", Counter({("7", "at"): 1}), Counter())

    assert (verdict.lost, verdict.double) == (3, 1)
    assert verdict.first_customer() == "a"
    assert verdict.by_table() == "customers: 1 double, customers: 2 lost, cut-offs: 1 lost"


def test_a_log_that_differs_from_what_was_published_is_found() -> None:
    """Every other comparison counts with its offsets."""
    there = [Sent("t", 0, 0, b"k", b"v", None), Sent("t", 0, 1, None, b'{"type":"time-reached.v1"}', None)]
    right, wrong = Verdict(), Verdict()

    compare.compare_log(right, {("t", 0): [(b"k", b"v"), None]}, {("t", 0): there})
    compare.compare_log(wrong, {("t", 0): [(b"k", b"v"), None, None]}, {("t", 0): there})

    assert right.differences == []
    assert wrong.lost == 1


# -- the oracle's tasks ---------------------------------------------------------------------------------


def test_a_welcome_lives_from_arrival_to_departure() -> None:
    """Shown tiers do not matter, and whoever comes again is welcomed again."""
    moves = [(None, "regular"), ("regular", "high_value"), ("high_value", "high_value")]
    moves += [("high_value", "regular"), ("regular", "high_value")]
    changes = [TierChange("c", at, None, "x", old, new) for at, (old, new) in enumerate(moves)]

    first, second = welcomes("c", changes)

    assert first == Task(
        playbook="welcome_high_value",
        customer_id="c",
        created_ms=1,
        due_ms=1 + 24 * HOUR_MS,
        state="withdrawn",
        closed_by="tier moved on",
    )
    assert (second.created_ms, second.state, second.closed_by) == (4, "open", "")


def test_two_silences_that_overlap_are_one_call() -> None:
    """The second warning is merged; the task is taken back by what ends both."""
    early = Episode("early_silence", 90, 250, "response")
    high = Episode("high_value_silence", 180, 250, "response")
    later = Episode("early_silence", 340)

    first, second = call_backs("c", [later, high, early])

    assert (first.created_ms, first.due_ms) == (90, 90 + 48 * HOUR_MS)
    assert (first.state, first.closed_by) == ("withdrawn", "response")
    assert (second.created_ms, second.state) == (340, "open")


def test_what_was_due_a_week_before_the_end_is_history() -> None:
    """Exactly a week is not yet long ago, and what was taken back stays so."""
    task = Task(playbook="p", customer_id="c", created_ms=0, due_ms=0)

    assert ended(task, 7 * DAY_MS).state == "open"
    assert ended(task, 7 * DAY_MS + 1) == replace(task, state="history", closed_by="replay")
    assert ended(replace(task, state="withdrawn"), 30 * DAY_MS).state == "withdrawn"


def test_the_planted_bug_still_fits_the_engine() -> None:
    """A plant that patches nothing would prove nothing."""
    assert planted._CHECKED in statement._FENCE
    assert hasattr(turns.Turns, "_execute")
    assert hasattr(publisher.LanePublisher, "add")
