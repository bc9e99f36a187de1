"""Found against expected: pure, so that the harness can be shown what it must find."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.oracle.clock import rfc3339
from tests.oracle.events import instant_ms
from tests.torture.expect import Expected, Rows
from tests.torture.observe import Sent

SHOWN_MAX = 8
Partition = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that is missing, or there once too often. A row that is wrong is both."""

    table: str
    customer_id: str  # empty where no customer is concerned
    lost: bool
    row: tuple[Any, ...]

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{'lost  ' if self.lost else 'double'} {self.table}: {self.row!r:.600}"


@dataclass(slots=True)
class Verdict:
    """All differences of a run."""

    differences: list[Difference] = field(default_factory=list)

    def compare(self, table: str, expected: Counter[Any], found: Counter[Any]) -> None:
        """Note what differs between two bags of rows; a row's first text names its customer."""
        for bag, lost in ((expected - found, True), (found - expected, False)):
            for row, count in bag.items():
                self.differences += [Difference(table, _customer(row), lost, row)] * count

    def note(self, table: str, customer_id: str, *what: Any, lost: bool) -> None:
        """Note one difference."""
        self.differences.append(Difference(table, customer_id, lost, what))

    @property
    def lost(self) -> int:
        """How many rows are missing."""
        return sum(one.lost for one in self.differences)

    @property
    def double(self) -> int:
        """How many rows are there that must not be."""
        return len(self.differences) - self.lost

    def by_table(self) -> str:
        """Return the counts by table in words."""
        counts = Counter((one.table, "lost" if one.lost else "double") for one in self.differences)
        return ", ".join(f"{table}: {count:,} {what}" for (table, what), count in sorted(counts.items()))

    def first_customer(self) -> str | None:
        """Return the first customer that something is wrong with."""
        return min((one.customer_id for one in self.differences if one.customer_id), default=None)


def _customer(row: Any) -> str:
    """Return whom a row is about; rows of cut-offs begin with a version, dead letters with a place."""
    return row[0] if isinstance(row[0], str) and not row[0].isdigit() else ""


def compare_log(
    verdict: Verdict,
    expected: Mapping[Partition, Sequence[tuple[bytes | None, bytes | None] | None]],
    found: Mapping[Partition, Sequence[Sent]],
) -> None:
    """Check that Kafka holds what was published, at the offsets that the expectation counts with."""
    for partition, records in expected.items():
        sent = [
            None if record.key is None and b'"time-reached.v1"' in (record.value or b"") else record[3:5]
            for record in found[partition]
        ]
        if sent != list(records):
            verdict.note("input log", "", partition, len(sent), len(records), lost=len(sent) < len(records))


def first_copies(verdict: Verdict, sent: Iterable[Sent]) -> list[Sent]:
    """Return one partition's records without repeats, as a reader of ``outbox-number`` keeps them.

    A repeat must be the same record again, and what is new must come in the order of its numbers.
    """
    kept: dict[int, Sent] = {}
    highest = 0
    for record in sent:
        where = (record.topic, record.partition, record.offset)
        if record.number is None:
            verdict.note("outbox number missing", "", *where, lost=False)
        elif record.number not in kept:
            if record.number < highest:
                verdict.note("outbox number late", _key(record), *where, record.number, highest, lost=True)
            kept[record.number] = record
            highest = max(highest, record.number)
        elif kept[record.number][3:5] != record[3:5]:
            verdict.note(
                "published twice, differently", _key(record), *where, record.number, record.value, lost=False
            )
    return list(kept.values())


def _key(record: Sent) -> str:
    return "" if record.key is None else record.key.decode()


def compare_numbers(verdict: Verdict, kept: Iterable[Sent], last: Mapping[int, int]) -> None:
    """Check that every number that a lane gave, up to its last one, was published exactly once."""
    numbers: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for record in kept:
        if record.number is not None:
            numbers[record.partition][record.number] += 1
    for lane, highest in last.items():
        expected = Counter(range(1, highest + 1))
        for bag, lost in ((expected - numbers[lane], True), (numbers[lane] - expected, False)):
            for number in list(bag)[:SHOWN_MAX]:
                verdict.note("outbox numbers of a lane", "", lane, number, lost=lost)


def events_in(verdict: Verdict, kept: Iterable[Sent]) -> list[dict[str, Any]]:
    """Return the events without time marks, one per event_id."""
    events: dict[str, dict[str, Any]] = {}
    for record in kept:
        event = json.loads(record.value or b"null")
        if event["type"] == "time-reached.v1":
            continue
        if event["event_id"] in events:
            verdict.note("event published twice", event.get("customer_id", ""), event["event_id"], lost=False)
        events[event["event_id"]] = event
    return list(events.values())


def compare_topics(verdict: Verdict, expected: Expected, events: Sequence[dict[str, Any]]) -> None:
    """Compare the published events with the oracle's tier changes and warnings."""
    of_type: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in sorted(events, key=lambda one: int(one.get("revision", 0))):
        of_type[event["type"]].append(event)
    verdict.compare("topic tier-changes", expected.tier_changes, _changes(of_type["tier-changed.v1"]))
    warned = Counter((customer, rule, start) for customer, rule, start, _, _ in expected.warnings)
    cleared = Counter(row for row in expected.warnings if row[3])
    verdict.compare("topic churn-warnings, warned", warned, _warned(of_type["churn-warned.v1"]))
    verdict.compare("topic churn-warnings, cleared", cleared, _cleared(of_type["churn-cleared.v1"]))
    versions = Counter(
        (str(one["version"]), _at(one["occurred_at"])) for one in of_type["cut-offs-computed.v1"]
    )
    verdict.compare("topic cut-offs", Counter(row[:2] for row in expected.cut_offs), versions)
    compare_revisions(verdict, events)


def compare_revisions(verdict: Verdict, events: Iterable[dict[str, Any]]) -> None:
    """Check that each customer's published changes count 1, 2, 3 .. without gap or repeat."""
    revisions: defaultdict[str, list[int]] = defaultdict(list)
    for event in events:
        if "revision" in event:
            revisions[event["customer_id"]].append(event["revision"])
    for customer_id, found in revisions.items():
        expected = list(range(1, len(found) + 1))
        if sorted(found) != expected:
            verdict.note("revisions", customer_id, sorted(found), lost=True)


def compare_proofs(
    verdict: Verdict, events: Iterable[dict[str, Any]], committed: Mapping[tuple[str, int], bytes]
) -> None:
    """Check that what was published of a tier change is what was committed of it."""
    for event in events:
        if event["type"] == "tier-changed.v1":
            key = (event["customer_id"], event["revision"])
            if key not in committed or json.loads(committed[key]) != event["proof"]:
                verdict.note("published, not committed", event["customer_id"], event["proof"], lost=False)


def _changes(events: Sequence[dict[str, Any]]) -> Rows:
    counts: Counter[str] = Counter()
    rows: Rows = Counter()
    for event in events:
        customer_id = event["customer_id"]
        counts[customer_id] += 1
        tiers = (event[name] or "" for name in ("previous", "current", "ranked_previous", "ranked_current"))
        rows[(customer_id, str(counts[customer_id]), _at(event["occurred_at"]), *tiers)] += 1
    return rows


def _warned(events: Sequence[dict[str, Any]]) -> Rows:
    return Counter((one["customer_id"], one["rule"], _at(one["occurred_at"])) for one in events)


def _cleared(events: Sequence[dict[str, Any]]) -> Rows:
    return Counter(
        (
            *(one["customer_id"], one["rule"], _at(one["started_at"])),
            *(_at(one["occurred_at"]), one["cause"]),
        )
        for one in events
    )


def _at(text: str) -> str:
    return rfc3339(instant_ms(text))
