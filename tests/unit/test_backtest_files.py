"""Histories as strangers give them: whatever the file looks like, there are figures or a word on what to do."""

from __future__ import annotations

import gzip
import json
import os
import random
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner, Result

from deploy.backtesting.output import write_whole
from deploy.cli import app
from deploy.history import MalformedError
from schemas.events import PurchaseRecorded
from schemas.times import from_ms
from schemas.wire import encode
from tests.unit.core_given import at, sale

TIMING = ("processes", "seconds", "events_per_second")


def bought(who: str, *days: float, currency: str = "USD") -> list[PurchaseRecorded]:
    return [replace(sale(at(day), currency=currency), customer_id=who) for day in days]


def a_year() -> list[bytes]:
    """Return the lines of six customers, in order of time."""
    events = [
        one for number in range(6) for one in bought(f"c{number}", *range(number, 300, 20 + 30 * number))
    ]
    return [encode(one) for one in sorted(events, key=lambda one: one.occurred_at)]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["backtest", *map(str, arguments)], env={"COLUMNS": "200"})


def figures(folder: Path, *files: Path, options: tuple[object, ...] = ()) -> dict[str, Any]:
    """Return the report of a command that must succeed, without what differs from run to run."""
    out = folder / "report.json"
    done = run(*(part for file in files for part in ("--events", file)), "--json", out, *options)
    assert done.exit_code == 0, done.output
    report: dict[str, Any] = json.loads(out.read_text())
    return {key: value for key, value in report.items() if key not in TIMING}


def written(path: Path, lines: list[bytes], *, end: bytes = b"\n", head: bytes = b"") -> Path:
    path.write_bytes(head + b"".join(line + end for line in lines))
    return path


@pytest.fixture
def plain(tmp_path: Path) -> dict[str, Any]:
    """Return the figures of the history as it is."""
    return figures(tmp_path, written(tmp_path / "plain.jsonl", a_year()))


# -- the same history in another dress --------------------------------------------------------------


def test_the_order_of_lines_does_not_show(tmp_path: Path, plain: dict[str, Any]) -> None:
    """A file is sorted by event time."""
    lines = a_year()
    random.Random(1).shuffle(lines)

    assert figures(tmp_path, written(tmp_path / "shuffled.jsonl", lines)) == plain


def test_windows_line_ends_a_byte_order_mark_and_blank_lines_do_not_show(
    tmp_path: Path, plain: dict[str, Any]
) -> None:
    """As editors and spreadsheets write files; the last line may lack its end."""
    windows = written(tmp_path / "windows.jsonl", a_year(), end=b"\r\n\r\n", head=b"\xef\xbb\xbf")
    windows.write_bytes(windows.read_bytes().rstrip())

    assert figures(tmp_path, windows) == plain


def test_gzip_several_files_and_a_pipe_do_not_show(tmp_path: Path, plain: dict[str, Any]) -> None:
    """Two parts of a history, one of them packed, and one that can be read but once."""
    lines = a_year()
    first, second = tmp_path / "first.jsonl.gz", tmp_path / "second"
    first.write_bytes(gzip.compress(b"\n".join(lines[1::2])))
    os.mkfifo(second)
    writer = threading.Thread(target=written, args=(second, lines[::2]), daemon=True)
    writer.start()

    assert figures(tmp_path, first, second) == plain
    writer.join(timeout=10)


def test_repeats_are_counted_and_change_nothing(tmp_path: Path, plain: dict[str, Any]) -> None:
    """The same file twice: every event is a duplicate once."""
    path = tmp_path / "plain.jsonl"
    twice = figures(tmp_path, path, path)

    assert (twice["duplicates"], twice["applied"]) == (plain["events"], plain["events"])
    assert (twice["tiers"], twice["rules"], twice["flaps"]) == (
        plain["tiers"],
        plain["rules"],
        plain["flaps"],
    )


@pytest.mark.parametrize("processes", [2, 3])
def test_more_processes_than_customers_do_not_show(
    processes: int, tmp_path: Path, plain: dict[str, Any]
) -> None:
    """Some of them hold nobody."""
    assert figures(tmp_path, tmp_path / "plain.jsonl", options=("--processes", processes)) == plain


# -- what is wrong with it --------------------------------------------------------------------------


def test_bad_lines_are_left_out_counted_and_named(tmp_path: Path, plain: dict[str, Any]) -> None:
    """Each by file, line, reason and remedy up to ten; the figures are those of the others."""
    bad = [b"no json", b"{}", b"[1]", b'{"type":"purchase-recorded.v9"}', b"\xff\xfe"] + [b"nonsense"] * 8
    path = written(tmp_path / "bad.jsonl", [bad[0], *a_year(), *bad[1:]])

    done = run("--events", path, "--json", tmp_path / "bad.json")
    found = json.loads((tmp_path / "bad.json").read_text())

    assert done.exit_code == 0
    assert found["bad_lines"]["count"] == len(bad)
    assert found["bad_lines"]["by_reason"]["NOT_JSON"] == 9
    assert len(found["bad_lines"]["first"]) == 10
    assert found["bad_lines"]["first"][0].startswith(f"{path}:1: NOT_JSON: ")
    assert f"lines that are no events were left out: {len(bad)}" in done.output
    assert f"{path}:{len(a_year()) + 2}: " in done.output
    assert "... and 3 more" in done.output
    assert {key: found[key] for key in plain if key != "bad_lines"} == {
        key: plain[key] for key in plain if key != "bad_lines"
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "no events in", id="empty"),
        pytest.param(b"\n\r\n  \n", "no events in", id="blank lines"),
        pytest.param(b"id,amount\n1,2\n", "history:1: NOT_JSON", id="CSV"),
        pytest.param(a_year()[0].decode().encode("utf-16"), "ENCODING", id="UTF-16"),
        pytest.param(b'{\n  "type": 1\n}\n', "write each on one line", id="spread over lines"),
        pytest.param(b"[" + b",".join(a_year()) + b"]", "NOT_OBJECT", id="one list"),
        pytest.param(gzip.compress(b"\n".join(a_year()))[:60], "the gzip file is damaged", id="half a gzip"),
    ],
)
def test_a_file_without_events_is_refused_with_the_remedy(content: bytes, said: str, tmp_path: Path) -> None:
    """The command ends with 2, since it is the file that has to change."""
    path = tmp_path / "history"
    path.write_bytes(content)

    done = run("--events", path)

    assert isinstance(done.exception, MalformedError)  # which ``main`` says, and ends with 2
    assert said in str(done.exception)


def test_what_is_dated_in_the_future_is_left_out(tmp_path: Path, plain: dict[str, Any]) -> None:
    """And does not lengthen the history; a history of nothing else is refused with the remedy."""
    ahead = encode(replace(bought("zoe", 0)[0], occurred_at=from_ms(at(30_000))))
    found = figures(tmp_path, written(tmp_path / "ahead.jsonl", [ahead, *a_year()]))
    alone = run("--events", written(tmp_path / "alone.jsonl", [ahead]))

    assert (found["dead_letters"], found["to"]) == ({"TIME": 1}, plain["to"])
    assert alone.exit_code == 1
    assert "1 TIME: give RFC 3339 with an offset" in " ".join(alone.output.split())


def test_amounts_in_several_currencies_count_by_the_policys_rates(tmp_path: Path) -> None:
    """The one without a rate is counted as a dead letter."""
    events = bought("ann", 0, 100) + bought("bob", 1, currency="EUR") + bought("eve", 2, currency="GBP")
    path = written(tmp_path / "three.jsonl", [encode(one) for one in events])
    policy = tmp_path / "policy.yaml"
    policy.write_text("name: mine\ncurrency: USD\naccepts: [EUR]\nrates: {EUR: 1.1}\n")

    found = figures(tmp_path, path, options=("--policy", policy))

    assert (found["customers"], found["dead_letters"]) == (2, {"CURRENCY": 1})


def test_two_customers_and_one_event(tmp_path: Path) -> None:
    """Too few for percentiles and for judgement: zeros where nothing was, null where nothing is known."""
    two = figures(
        tmp_path, written(tmp_path / "two.jsonl", [encode(one) for one in bought("a", 0) + bought("b", 9)])
    )
    one = figures(tmp_path, written(tmp_path / "one.jsonl", a_year()[:1]))

    assert (two["customers"], two["midnights"], two["base_rate"]) == (2, 9, None)
    assert (one["customers"], one["midnights"], one["lost"]) == (1, 0, 0)
    assert all(row["precision"] is row["recall"] is None for row in two["rules"] + one["rules"])


# -- where the report goes --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("nowhere/report.json", "there is no folder"),
        (".", "is a directory"),
        ("protected", "is write-protected"),
    ],
)
def test_a_report_that_can_not_be_written_is_refused_before_the_work(
    out: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 2, and nothing is read."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "protected").touch()
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and may(path, mode))  # also for root

    done = run("--events", written(tmp_path / "history", [b"not read"]), "--json", out)

    assert done.exit_code == 2
    assert said in " ".join(done.output.split())


def test_a_folder_that_takes_no_files_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk mounted for reading, say."""

    def read_only(**_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(tempfile, "TemporaryFile", read_only)
    done = run("--events", written(tmp_path / "history", [b"not read"]), "--json", tmp_path / "report.json")

    assert done.exit_code == 2
    assert "(Read-only file system); give a file in another folder" in " ".join(done.output.split())


@pytest.mark.parametrize("missing", ["nobody.jsonl", "."])
def test_a_history_that_is_not_there_is_refused(missing: str, tmp_path: Path, monkeypatch: Any) -> None:
    """A missing file, or a folder."""
    monkeypatch.chdir(tmp_path)

    assert run("--events", missing).exit_code == 2


def test_a_report_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full the old one stays, and no part of the new one; a link stays a link."""
    out, link = tmp_path / "report.json", tmp_path / "link.json"
    out.write_text("old")
    link.symlink_to(out)

    write_whole(link, b"new")
    assert (link.is_symlink(), out.read_text()) == (True, "new")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(out, b"newer")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.json", "report.json"]
    assert out.read_text() == "new"


def test_ctrl_c_ends_with_130_and_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script that goes on after success must not go on after this."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("deploy.backtesting.command.replay", interrupted)
    done = run("--events", written(tmp_path / "history", a_year()), "--json", tmp_path / "report.json")

    assert done.exit_code == 130
    assert "stopped; nothing was written" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["history"]
