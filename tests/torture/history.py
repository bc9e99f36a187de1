"""The history of a run: hard to count right, with bad records in between, and the log that it must become."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from deploy.history import TOPICS, History, Line, read
from deploy.replay import Mark, Plan, in_order
from services.scorer.records import partition_of
from tests.histories import synthetic
from tests.oracle.events import body_digest, instant_ms
from tests.torture.malformed import malformed

MALFORMED_SHARE: Final = 0.02
START: Final = datetime(2019, 1, 5, tzinfo=UTC)
PLACES: Final = (
    ("USD", "UTC"),
    ("EUR", "Europe/Berlin"),
    ("JPY", "Asia/Tokyo"),
    ("USD", "America/New_York"),
    ("KWD", "Asia/Kolkata"),
)

Place = tuple[str, int, int]  # topic, partition, offset


class Refusal(NamedTuple):
    """What the dead letter of a record must be."""

    reason: str
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Size:
    """How much history. Customers live two years of which ``days`` are kept: more than a window of 365."""

    seed: int
    customers: int = 7200
    days: int = 395

    @property
    def place(self) -> tuple[str, str]:
        """Currency and time zone of the seed."""
        return PLACES[self.seed % len(PLACES)]


class Spoiled(History):
    """A history with a bad record after some of its lines, at the same event time."""

    seed: int = 0

    def lines(self) -> Iterator[Line]:
        """Yield good and bad lines; the same ones at every call."""
        rng = Random(self.seed)
        for number, line in enumerate(super().lines()):
            yield line
            if rng.random() >= MALFORMED_SHARE:
                continue
            bad = malformed(rng, line.topic, line.key, line.value, number)
            right = line.partition if bad.key is None else self._partition_of(bad.key, line.partition)
            partition = (right + bad.moved) % self.partitions if self.partitions > 1 else right
            yield Bad(line.topic, partition, bad.key, bad.value, line.at_ms, bad.reason)  # type: ignore[misc]

    def _partition_of(self, key: bytes, known: int) -> int:
        return partition_of(key.decode(), self.partitions) if key.startswith(b"stray-") else known


class Bad(NamedTuple):
    """A line like any other, and why it must be refused."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    at_ms: int
    reason: str


def write(path: Path, size: Size) -> int:
    """Write the good events of a run as JSON Lines; return how many there are."""
    currency, zone = size.place
    settings = synthetic.Settings(
        seed=size.seed, customers=size.customers, years=2, start=START, currency=currency, time_zone=zone
    )
    until_ms = int((START + timedelta(days=size.days)).timestamp() * 1000)
    kept = [event for event in synthetic.events(settings) if instant_ms(event["occurred_at"]) < until_ms]
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(event, separators=(",", ":"), ensure_ascii=False) + "\n" for event in kept)
    return len(kept)


def load(path: Path, *, partitions: int, seed: int) -> Spoiled:
    """Check and index the file, and mix bad records in."""
    good = read([path], partitions=partitions)
    spoiled = Spoiled(**{one.name: getattr(good, one.name) for one in fields(good)})
    spoiled.seed = seed
    return spoiled


@dataclass(frozen=True, slots=True)
class Log:
    """The input topics as they must stand in Kafka: per topic-partition its records, None for a time mark."""

    records: dict[tuple[str, int], list[tuple[bytes | None, bytes | None] | None]]
    refusals: dict[Place, Refusal]
    events: int  # without the marks

    @property
    def total(self) -> int:
        """How many records there are, marks included: what 100 % progress is."""
        return sum(map(len, self.records.values()))


def expected_log(history: Spoiled, zone: str, *, wall_ms: int) -> Log:
    """Return what publishing the history makes, and which records of it must be refused.

    An event whose id was used by the same customer on the same topic with another body is a CONFLICT.
    """
    records: dict[tuple[str, int], list[tuple[bytes | None, bytes | None] | None]] = {
        (topic, partition): [] for topic in TOPICS for partition in range(history.partitions)
    }
    refusals: dict[Place, Refusal] = {}
    seen: dict[tuple[str, str, str], bytes] = {}
    events = 0
    for item in in_order(history, Plan(ZoneInfo(zone)), wall_ms=wall_ms):
        if isinstance(item, Mark):
            for log in records.values():
                log.append(None)
            continue
        events += 1
        log = records[item.topic, item.partition]
        place = (item.topic, item.partition, len(log))
        log.append((item.key, item.value))
        reason = item.reason if isinstance(item, Bad) else _conflict(item, seen)
        if reason:
            refusals[place] = Refusal(reason, item.key, item.value)
    return Log(records, refusals, events)


def _conflict(line: Line, seen: dict[tuple[str, str, str], bytes]) -> str | None:
    event = json.loads(line.value)
    key = (line.topic, event["customer_id"], event["event_id"])
    digest = body_digest(event, line.at_ms)
    return None if seen.setdefault(key, digest) == digest else "CONFLICT"
