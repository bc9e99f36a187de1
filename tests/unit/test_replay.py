"""Histories: files checked line by line, and given back in event time with the marks between."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from deploy.history import PROBLEMS_SHOWN, History, Line, MalformedError, read
from deploy.replay import Mark, Plan, in_order, midnights
from schemas.times import DAY_MS, HOUR_MS, from_ms, to_ms
from schemas.wire import REMEDIES, Reason
from services.scorer.records import FUTURE_MS_MAX, partition_of
from tests.contract.poison import encoded, event
from tests.oracle.clock import midnights as oracle_midnights

UTC_ZONE = ZoneInfo("UTC")


def at(text: str) -> int:
    return to_ms(datetime.fromisoformat(text))


def sale(when: str, number: int = 1, **fields: Any) -> bytes:
    return encoded(event("purchases", event_id=f"event-{number}", occurred_at=when, **fields))


def history(folder: Path, *lines: bytes, ending: bytes = b"\n", partitions: int = 4) -> History:
    path = folder / "events.jsonl"
    path.write_bytes(ending.join([*lines, b""]))
    return read([path], partitions=partitions)


def order(
    of: History, zone: str = "UTC", *, wall: str = "2030-01-01T00:00:00Z", live: bool = False
) -> list[str]:
    """Return what every partition gets, in words."""
    words = []
    for item in in_order(of, Plan(ZoneInfo(zone), then_live=live), wall_ms=at(wall)):
        if isinstance(item, Line):
            words.append(f"event {from_ms(item.at_ms):%d %H:%M:%S}")
        else:
            kind = "end" if item.complete else "mark"
            words.append(
                f"{kind} {from_ms(item.through_ms):%d %H:%M:%S}" + (" live" if item.ends_replay else "")
            )
    return words


# -- midnights --------------------------------------------------------------------------------------


def local(first: str, last: str, zone: str) -> list[str]:
    return [
        from_ms(ms).isoformat().removesuffix("+00:00") + "Z"
        for ms in midnights(at(first), at(last), ZoneInfo(zone))
    ]


def test_midnights_lie_after_the_first_event_and_up_to_the_last() -> None:
    """A history that begins at midnight settles nothing there; one that ends at it does."""
    assert local("2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z", "UTC") == [
        "2026-01-02T00:00:00Z",
        "2026-01-03T00:00:00Z",
    ]
    assert local("2026-01-01T00:00:00Z", "2026-01-01T23:59:59.999Z", "UTC") == []
    assert local("2026-01-01T23:59:59.999Z", "2026-01-02T00:00:00Z", "UTC") == ["2026-01-02T00:00:00Z"]
    assert local("2026-01-01T12:00:00Z", "2026-01-01T12:00:00Z", "UTC") == []


def test_days_are_23_or_25_hours_long_when_the_clocks_change() -> None:
    """Midnights follow the policy's zone, not steps of 24 hours."""
    spring = local("2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z", "Europe/Berlin")
    assert spring == ["2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"]
    autumn = local("2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z", "Europe/Berlin")
    assert autumn == ["2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"]


@pytest.mark.parametrize(
    ("zone", "first", "last", "expected"),
    [
        # 00:00 is left out: the day begins when the clocks jump.
        ("America/Havana", "2026-03-07T12:00:00Z", "2026-03-08T12:00:00Z", ["2026-03-08T05:00:00Z"]),
        # 00:00 comes twice: the first one counts.
        ("America/Havana", "2026-10-31T12:00:00Z", "2026-11-01T12:00:00Z", ["2026-11-01T04:00:00Z"]),
        ("Asia/Kathmandu", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", ["2026-01-01T18:15:00Z"]),
        # Apia left out 30 December 2011: two local days begin at one instant, which is one midnight.
        (
            "Pacific/Apia",
            "2011-12-29T12:00:00Z",
            "2011-12-31T12:00:00Z",
            ["2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"],
        ),
    ],
)
def test_midnights_of_unusual_zones(zone: str, first: str, last: str, expected: list[str]) -> None:
    """Every zone of the database has to do."""
    assert local(first, last, zone) == expected


@pytest.mark.parametrize(
    "zone",
    ["UTC", "Europe/London", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Pacific/Apia"],
)
def test_midnights_are_the_oracles(zone: str) -> None:
    """Over 15 years: ascending, about a day apart, and the same as found independently."""
    first, last = at("2011-01-01T06:00:00Z"), at("2026-01-01T06:00:00Z")
    ours = list(midnights(first, last, ZoneInfo(zone)))
    assert ours == list(oracle_midnights(first, last, ZoneInfo(zone)))
    assert all(23 * HOUR_MS <= later - earlier <= 25 * HOUR_MS for earlier, later in pairwise(ours))


# -- events and marks -------------------------------------------------------------------------------


def test_a_mark_stands_before_the_events_of_its_instant(tmp_path: Path) -> None:
    """An event at exactly midnight belongs to the new day: the promise concerns what is earlier."""
    found = history(
        tmp_path,
        sale("2026-01-01T23:59:59.999Z", 1),
        sale("2026-01-02T00:00:00Z", 2),
        sale("2026-01-02T00:00:00.001Z", 3),
    )
    assert order(found) == [
        "event 01 23:59:59",
        "mark 02 00:00:00",
        "event 02 00:00:00",
        "event 02 00:00:00",
        "end 02 00:00:00",
    ]


def test_days_without_events_have_their_mark(tmp_path: Path) -> None:
    """Silence has no event; its days pass all the same."""
    found = history(tmp_path, sale("2026-01-01T10:00:00Z", 1), sale("2026-01-04T10:00:00Z", 2))
    assert order(found) == [
        "event 01 10:00:00",
        *("mark 02 00:00:00", "mark 03 00:00:00", "mark 04 00:00:00"),
        "event 04 10:00:00",
        "end 04 10:00:00",
    ]


def test_events_are_sorted_by_time_and_of_one_instant_stay_as_they_stood(tmp_path: Path) -> None:
    """Files need no order; equal times keep the order of files and lines."""
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_bytes(sale("2026-01-01T12:00:00Z", 1) + b"\n" + sale("2026-01-01T10:00:00Z", 2))
    second.write_bytes(sale("2026-01-01T13:00:00+01:00", 3) + b"\n" + sale("2026-01-01T09:00:00Z", 4) + b"\n")
    found = read([first, second], partitions=4)
    assert [line.value.split(b'"event_id":"')[1][:7] for line in found.lines()] == [
        *(b"event-4", b"event-2", b"event-1", b"event-3")
    ]


def test_the_last_mark_is_complete_and_ends_the_replay_if_told_to(tmp_path: Path) -> None:
    """One single mark at the last event's instant says that nothing more comes, also of that instant."""
    found = history(tmp_path, sale("2026-01-02T00:00:00Z"))
    assert order(found) == ["event 02 00:00:00", "end 02 00:00:00"]
    assert order(found, live=True)[-1] == "end 02 00:00:00 live"


def test_every_partition_gets_the_marks_of_its_zone(tmp_path: Path) -> None:
    """The policy's zone decides when a day ends."""
    found = history(tmp_path, sale("2026-01-01T14:00:00Z", 1), sale("2026-01-02T01:00:00Z", 2))
    assert order(found, "Asia/Tokyo")[1] == "mark 01 15:00:00"


def test_lines_of_the_future_do_not_hold_a_replay_up(tmp_path: Path) -> None:
    """An event of 2190 is published and refused by the lane; no mark goes beyond what can be true."""
    found = history(
        tmp_path,
        *(sale("2026-01-01T10:00:00Z", 1), sale("2026-01-02T10:00:00Z", 2), sale("2190-01-01T10:00:00Z", 3)),
    )
    words = order(found, wall="2026-01-02T10:00:00Z")
    assert words == [
        *("event 01 10:00:00", "mark 02 00:00:00", "event 02 10:00:00", "event 01 10:00:00"),
        "end 02 10:00:00",
    ]


def test_what_is_just_ahead_of_the_wall_clock_counts(tmp_path: Path) -> None:
    """Ten minutes are forgiven, as live."""
    found = history(tmp_path, sale("2026-01-01T10:00:00Z", 1), sale("2026-01-01T10:10:00Z", 2))
    assert FUTURE_MS_MAX == 600_000
    assert order(found, wall="2026-01-01T10:00:00Z")[-1] == "end 01 10:10:00"


def test_a_long_history_has_a_mark_for_each_of_its_days(tmp_path: Path) -> None:
    """Marks ascend, each event stands behind the marks of its past and before those of its future."""
    start = datetime(2024, 1, 1, 7, tzinfo=UTC)
    moments = [start + timedelta(hours=17 * number) for number in range(400)]
    found = history(tmp_path, *(sale(moment.isoformat(), n) for n, moment in enumerate(moments)))
    items = list(in_order(found, Plan(ZoneInfo("Europe/London")), wall_ms=at("2030-01-01T00:00:00Z")))
    marks = [item for item in items if isinstance(item, Mark)]
    assert [mark.complete for mark in marks] == [False] * (len(marks) - 1) + [True]
    assert len(marks) == (moments[-1].date() - start.date()).days + 1  # 23:00 in London at the end
    promised_ms = 0
    for item in items:
        if isinstance(item, Mark):
            assert item.through_ms >= promised_ms
            promised_ms = item.through_ms
        else:
            assert promised_ms <= item.at_ms < promised_ms + DAY_MS + HOUR_MS or promised_ms == 0


# -- files ------------------------------------------------------------------------------------------


def test_lines_keep_their_bytes_and_find_their_topic_and_partition(tmp_path: Path) -> None:
    """What is published is what stood in the file, under the key and on the partition of every publisher."""
    value = sale("2026-01-01T10:00:00Z", brand="Søren")
    browse = encoded(event("browses", customer_id="customer-2", occurred_at="2026-01-01T11:00:00Z"))
    lines = list(history(tmp_path, value, browse, partitions=8).lines())
    assert lines == [
        Line("purchases", partition_of("customer-1", 8), b"customer-1", value, at("2026-01-01T10:00:00Z")),
        Line("browses", partition_of("customer-2", 8), b"customer-2", browse, at("2026-01-01T11:00:00Z")),
    ]


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\n\n", b"\r\n \t\r\n"])
def test_line_ends_of_every_system_and_empty_lines_are_fine(tmp_path: Path, ending: bytes) -> None:
    """The values hold no line end."""
    lines = [sale("2026-01-01T10:00:00Z", 1), sale("2026-01-02T10:00:00Z", 2)]
    assert [line.value for line in history(tmp_path, *lines, ending=ending).lines()] == lines


def test_the_last_line_needs_no_end(tmp_path: Path) -> None:
    """As many tools write files."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(sale("2026-01-01T10:00:00Z"))
    assert len(read([path], partitions=1)) == 1


def test_a_malformed_line_is_named_with_its_reason_and_the_remedy(tmp_path: Path) -> None:
    """File and line as editors count them, empty lines included; nothing is published."""
    path = tmp_path / "bad.jsonl"
    path.write_bytes(sale("2026-01-01T10:00:00Z") + b"\n\n" + sale("yesterday") + b"\n" + b"{\n")
    with pytest.raises(MalformedError) as caught:
        read([path], partitions=4)
    lines = str(caught.value).splitlines()
    assert lines[0] == "these lines are no events; nothing was done with the others"
    assert lines[1].startswith(f"{path}:3: TIME: ")
    assert lines[1].endswith(REMEDIES[Reason.TIME])
    assert lines[2].startswith(f"{path}:4: NOT_JSON: ")
    assert len(lines) == 3


def test_only_the_first_problems_of_a_wholly_wrong_file_are_shown(tmp_path: Path) -> None:
    """A picture given by mistake must not fill the screen."""
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b"no\n" * 1000)
    with pytest.raises(MalformedError) as caught:
        read([path], partitions=4)
    lines = str(caught.value).splitlines()
    assert len(lines) == PROBLEMS_SHOWN + 2
    assert lines[-1] == "... and perhaps more after them"


@pytest.mark.parametrize("content", [b"", b"\n", b" \r\n\r\n"])
def test_files_without_any_event_are_refused(tmp_path: Path, content: bytes) -> None:
    """Nothing to wait for, so it must be said."""
    path = tmp_path / "empty.jsonl"
    path.write_bytes(content)
    with pytest.raises(MalformedError, match=rf"no events in {path}; give a file with one a line"):
        read([path], partitions=4)


def test_an_empty_file_beside_a_full_one_is_fine(tmp_path: Path) -> None:
    """A day without sales is a file without lines."""
    empty, full = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    empty.write_bytes(b"")
    full.write_bytes(sale("2026-01-01T10:00:00Z"))
    for paths in ([empty, full], [full, empty]):
        assert len(read(paths, partitions=4)) == 1


def test_a_byte_order_mark_is_named(tmp_path: Path) -> None:
    """Windows editors add one; the message says so rather than "not JSON"."""
    path = tmp_path / "bom.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + sale("2026-01-01T10:00:00Z"))
    with pytest.raises(MalformedError, match=r"bom\.jsonl:1: ENCODING.*byte order mark"):
        read([path], partitions=4)


def test_reading_reports_its_progress(tmp_path: Path) -> None:
    """Large files take a while; the last report is the whole."""
    path = tmp_path / "many.jsonl"
    path.write_bytes(b"".join(sale("2026-01-01T10:00:00Z", n) + b"\n" for n in range(10_001)))
    reports: list[tuple[int, int]] = []
    read([path], partitions=4, progress=lambda done, total: reports.append((done, total)))
    assert len(reports) == 3
    assert [done for done, _ in reports] == sorted(done for done, _ in reports)
    assert reports[-1] == (path.stat().st_size,) * 2
