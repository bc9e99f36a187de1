"""The one command: what it says when something is wrong, and what it leaves when all is well."""

from __future__ import annotations

import asyncio
import csv
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from deploy.cli import main
from deploy.doctor import examine
from deploy.export import FILES
from deploy.local.services import Supervisor
from deploy.local.stack import LocalStack, local_stack
from schemas.topics import ALL_TOPICS
from tests.contract.poison import encoded, event

SECONDS_MAX = 60.0
NOWHERE = {"KAFKA_BOOTSTRAP": "127.0.0.1:1", "DATABASE_URL": "postgresql://127.0.0.1:1/nowhere"}


@dataclass(frozen=True)
class Said:
    """How a command ended. ``words`` is what it wrote, with line breaks as blanks."""

    code: int
    out: str
    words: str


def tierstream(*arguments: object, folder: Path, **environment: str) -> Said:
    """Run the command in a folder of its own, as a user does; a traceback is never an answer."""
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "COLUMNS": "400", "NO_COLOR": "1", **NOWHERE, **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    said = done.stdout + done.stderr
    assert "Traceback" not in said, said
    assert "Unclosed" not in said, said
    return Said(done.returncode, done.stdout, " ".join(said.split()))


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """Return a file whose second and fourth lines are no events."""
    lines = [
        encoded(event("purchases", event_id="event-1")),
        encoded(event("purchases", event_id="event-2", amount_minor=1.5)),
        b"",
        b'{"type":"purchase-recorded.v1"',
    ]
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b"\n".join(lines))
    return path


# -- wrong usage ------------------------------------------------------------------------------------


def named_with_remedy(said: Said, bad: Path) -> None:
    assert said.code == 2
    assert "these lines are no events; nothing was done with the others" in said.words
    assert (
        f"{bad}:2: TYPE: Expected `int`, got `float` - at `$.amount_minor`; give the field the type"
        in said.words
    )
    assert f"{bad}:4: NOT_JSON: Input data was truncated; send one JSON object, complete" in said.words


def test_local_names_malformed_lines_before_it_starts_anything(bad: Path, tmp_path: Path) -> None:
    """File, line, reason and remedy; no server was started, no folder made."""
    said = tierstream("local", "--once", "--events", bad, "--data-dir", tmp_path / "data", folder=tmp_path)
    named_with_remedy(said, bad)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.jsonl"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["local", "--once"], "--once needs --events: without events there is nothing to wait for"),
        (
            ["local", "--currency", "XXQ"],
            "'XXQ' is not an ISO 4217 code in use; give one such as USD, EUR or JPY",
        ),
        (["local", "--currency", "usd"], "'usd' is not an ISO 4217 code in use"),
        (
            ["local", "--time-zone", "Mars/Olympus"],
            "'Mars/Olympus' is not an IANA time zone; give one such as UTC",
        ),
        (["local", "--time-zone", "../../etc/passwd"], "is not an IANA time zone"),
        (["local", "--events", "nowhere.jsonl"], "file 'nowhere.jsonl' does not exist"),
        (["local", "--events", "."], "'.' is a directory"),
        (["local", "--lanes", "0"], "Invalid value for '--lanes'"),
        (["local", "--sails", "3"], "No such option: --sails"),
        (["migrate", "--currency", "XXQ"], "'XXQ' is not an ISO 4217 code in use"),
        (["export", "out", "--currency", "EUR"], "No such option: --currency"),  # by the policy in force
        (["publish"], "Missing argument 'files'"),
        (["publish", "nowhere.jsonl"], "file 'nowhere.jsonl' does not exist"),
        (["sail"], "No such command 'sail'"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_said_in_words(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exit code 2, what was wrong, and what would be right."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["tierstream", *arguments])
    monkeypatch.setattr("signal.signal", lambda *_: None)  # this process keeps its own
    with pytest.raises(SystemExit) as ended:  # in this process: an import takes longer than all of them
        main()
    assert ended.value.code == 2
    assert words in " ".join(capsys.readouterr().err.split())
    assert not any(tmp_path.iterdir())


def test_without_a_command_the_help_is_shown(tmp_path: Path) -> None:
    """Every command with what it does."""
    said = tierstream(folder=tmp_path)
    for command in ("local", "demo", "publish", "migrate", "export", "doctor", "policy"):
        assert command in said.words


@pytest.mark.parametrize("command", [["migrate"], ["export", "out"], ["publish", "bad.jsonl"]], ids="-".join)
def test_servers_that_are_not_there_are_said_in_words(command: list[str], bad: Path, tmp_path: Path) -> None:
    """Exit code 1, and where to look."""
    assert bad.exists()
    said = tierstream(*command, folder=tmp_path)
    assert said.code == 1
    assert "run tierstream doctor to see what is missing" in said.words


def test_doctor_names_the_servers_that_are_not_there(tmp_path: Path) -> None:
    """Both of them, each with what to set."""
    said = tierstream("doctor", folder=tmp_path)
    assert said.code == 1
    assert "x Kafka: 127.0.0.1:1" in said.words
    assert "start it, or set KAFKA_BOOTSTRAP" in said.words
    assert "start it, or set DATABASE_URL" in said.words


# -- on a stack -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with local_stack(environ={}) as running:
        yield running


@pytest.fixture(scope="module")
def empty(stack: LocalStack) -> dict[str, str]:
    """Return the environment of a stack without any table or topic; the first test that migrates ends that."""
    return {"KAFKA_BOOTSTRAP": stack.kafka_bootstrap, "DATABASE_URL": stack.database_url}


@pytest.fixture(scope="module")
def migrated(empty: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    said = tierstream(
        "migrate", "--lanes", 4, "--currency", "EUR", folder=tmp_path_factory.mktemp("m"), **empty
    )
    assert said.code == 0, said.words
    assert "topics made: " + ", ".join(topic.name for topic in ALL_TOPICS) in said.words
    return empty


def rows(environment: dict[str, str], query: str) -> list[tuple[Any, ...]]:
    async def fetch() -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(environment["DATABASE_URL"])
        try:
            return [tuple(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    return asyncio.run(fetch())


def test_an_empty_stack_is_diagnosed_and_named_by_every_command(
    empty: dict[str, str], bad: Path, tmp_path: Path
) -> None:
    """The remedy is always the same: migrate. Runs before anything is migrated."""
    said = tierstream("doctor", folder=tmp_path, **empty)
    assert said.code == 1
    assert "x topics: missing: " + ", ".join(topic.name for topic in ALL_TOPICS) in said.words
    assert "x schema: at nothing, not at 0" in said.words
    assert said.words.count("-> tierstream migrate") == 2
    published = tierstream("publish", bad, folder=tmp_path, **empty)
    assert published.code == 1
    assert "run tierstream migrate" in published.words
    exported = tierstream("export", tmp_path / "out", folder=tmp_path, **empty)
    assert exported.code == 1
    assert "run tierstream doctor" in exported.words


def test_a_migrated_stack_is_well(migrated: dict[str, str], tmp_path: Path) -> None:
    """Exit code 0 and not one remedy."""
    said = tierstream("doctor", folder=tmp_path, **migrated)
    assert said.code == 0, said.words
    assert f"ok topics: {len(ALL_TOPICS)} topics, 4 lanes" in said.words
    assert "ok schema: at 0" in said.words
    assert "->" not in said.words


def test_migrating_again_changes_nothing(migrated: dict[str, str], tmp_path: Path) -> None:
    """Every deploy may run it: no topic is made, the policy that is in force stays."""
    everything = (
        "SELECT (SELECT array_agg(p::text) FROM policies p), (SELECT version_num FROM alembic_version)"
    )
    before = rows(migrated, everything)
    said = tierstream("migrate", "--lanes", 4, "--currency", "EUR", folder=tmp_path, **migrated)
    assert said.code == 0, said.words
    assert "topics made: none, all were there" in said.words
    assert rows(migrated, everything) == before


def test_another_number_of_lanes_is_refused(migrated: dict[str, str], tmp_path: Path) -> None:
    """Partition counts are for life; the message names both and what to do."""
    said = tierstream("migrate", "--lanes", 8, "--currency", "EUR", folder=tmp_path, **migrated)
    assert said.code == 1
    assert "has 4 partitions and LANES_COUNT is 8: set LANES_COUNT to what the topics have" in said.words


def test_publish_names_malformed_lines_and_publishes_nothing(
    migrated: dict[str, str], bad: Path, tmp_path: Path
) -> None:
    """Not even the good line before them."""
    named_with_remedy(tierstream("publish", bad, folder=tmp_path, **migrated), bad)


def test_publish_says_how_many_kafka_acknowledged(migrated: dict[str, str], tmp_path: Path) -> None:
    """Good files, each line once."""
    path = tmp_path / "good.jsonl"
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    sales = [event("purchases", event_id=f"event-{n}", occurred_at=now, currency="EUR") for n in range(1234)]
    path.write_bytes(b"\n".join(map(encoded, sales)))
    said = tierstream("publish", path, folder=tmp_path, **migrated)
    assert said.code == 0, said.words
    assert "1,234 events acknowledged by Kafka" in said.words


def test_export_writes_every_file_with_its_header(migrated: dict[str, str], tmp_path: Path) -> None:
    """Also where there is nothing yet; the folder is made."""
    folder = tmp_path / "a" / "b"
    said = tierstream("export", folder, folder=tmp_path, **migrated)
    assert said.code == 0, said.words
    for name, (header, _, _) in FILES.items():
        assert f"{folder / name}: 0" in said.words
        with (folder / name).open(newline="") as file:
            assert list(csv.reader(file)) == [header.split()]
    assert (folder / "cutoffs.csv").read_text().split()[0].split(",")[3:] == [
        *("high_18", "high_20", "high_22", "low_18", "low_20", "low_22")
    ]


def test_export_into_a_file_is_said_in_words(migrated: dict[str, str], tmp_path: Path) -> None:
    """A folder is wanted."""
    (tmp_path / "taken").write_text("")
    said = tierstream("export", tmp_path / "taken", folder=tmp_path, **migrated)
    assert said.code == 1
    assert "File exists" in said.words


async def test_doctor_counts_records_on_the_wrong_partition(migrated: dict[str, str]) -> None:
    """The usual cause is a publisher with librdkafka's own partitioner: the remedy names the setting."""
    connection = await asyncpg.connect(migrated["DATABASE_URL"])
    try:
        await connection.execute(
            'INSERT INTO dead_letters (service, lane, topic, partition, "offset", reason, detail, headers, timestamp_ms)'
            " VALUES ('scorer', 0, 'purchases', 0, 7, 'PARTITION', $1, '', 0)",
            uuid4().hex,
        )
        findings = await examine(migrated["DATABASE_URL"], migrated["KAFKA_BOOTSTRAP"])
    finally:
        await connection.execute("TRUNCATE dead_letters")
        await connection.close()
    wrong = [finding for finding in findings if finding.remedy]
    assert [finding.found for finding in wrong] == ["1 records on purchases were on the wrong one"]
    assert "partitioner=murmur2_random" in wrong[0].remedy


def test_a_stack_with_nothing_to_do_is_well(migrated: dict[str, str], tmp_path: Path) -> None:
    """Idle lanes of both services keep their clocks: doctor must not call them late. What was published is there."""
    environment = {**migrated, "LANES_COUNT": "4", "LANES_CLOCK": "wall", "LANES_SLOT": "0"}
    lanes = f"SELECT clock_ms FROM lanes WHERE clock_ms > {int(time.time() * 1000)}"  # noqa: S608 -- a number
    with Supervisor(tmp_path / "logs") as supervisor:
        for service in ("scorer", "alerter"):
            supervisor.start(service, f"services.{service}.main", environment)
        limit = time.monotonic() + SECONDS_MAX
        while len(rows(migrated, lanes)) < 8 or not rows(migrated, "SELECT 1 FROM customers"):
            supervisor.check()
            assert time.monotonic() < limit, rows(migrated, "SELECT service, lane, clock_ms FROM lanes")
            time.sleep(0.2)
        said = tierstream("doctor", folder=tmp_path, **migrated)
    assert said.code == 0, said.words
    assert "ok lanes: clocks and partitions are as they must be" in said.words
    exported = tierstream("export", tmp_path / "out", folder=tmp_path, **migrated)
    assert "customers.csv: 1" in exported.words
    assert "dead_letters.csv: 0" in exported.words
