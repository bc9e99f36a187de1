"""A replay over all input topics: the referrals that purchases make, and the marks on every partition."""

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from deploy.history import Derived, History
from deploy.replay import Plan, Replayer, in_order
from schemas.events import PurchaseRecorded, ReferralMade
from schemas.times import from_ms, to_ms
from schemas.topics import SCORER_INPUTS
from schemas.wire import decode
from services.scorer.core.referral import referral_id, referral_of
from services.scorer.records import partition_of
from tests.contract.poison import encoded, event
from tests.unit.test_replay import UTC_ZONE, at, history, order, sale


def referrals(of: History) -> list[tuple[str, str, str, str]]:
    """Return the derived referrals of a replay: when, who, whom, by which purchase."""
    found = []
    for item in in_order(of, Plan(UTC_ZONE), wall_ms=at("2030-01-01T00:00:00Z")):
        if isinstance(item, Derived):
            made = decode(item.topic, item.value)
            assert isinstance(made, ReferralMade)
            assert (item.topic, item.key) == ("referrals", made.customer_id.encode())
            assert item.partition == partition_of(made.customer_id, of.partitions)
            assert item.at_ms == to_ms(made.occurred_at)
            when = f"{from_ms(item.at_ms):%d %H:%M}"
            found.append((when, made.customer_id, made.referred_customer_id, str(made.purchase_event_id)))
    return found


def test_a_purchase_that_names_its_referrer_makes_a_referral_at_its_own_time(tmp_path: Path) -> None:
    """On the referrer's partition, behind the purchase, before the marks of later days; no extra event."""
    found = history(
        tmp_path,
        sale("2026-01-01T10:00:00Z", 1, customer_id="new", referred_by="friend"),
        sale("2026-01-02T10:00:00Z", 2, customer_id="other"),
    )
    assert referrals(found) == [("01 10:00", "friend", "new", "event-1")]
    assert len(found) == 2
    assert [line.topic for line in found.lines()] == ["purchases", "purchases"]
    assert order(found) == [
        *("event 01 10:00:00", "event 01 10:00:00", "mark 02 00:00:00", "event 02 10:00:00"),
        "end 02 10:00:00",
    ]


@pytest.mark.parametrize("turned", [False, True], ids=["as written", "lines turned round"])
def test_a_pair_makes_one_referral_by_its_first_purchase(tmp_path: Path, turned: bool) -> None:  # noqa: FBT001
    """First by time, whatever the order of the lines; a repeat of the line makes no second one."""
    lines = [
        sale("2026-01-03T10:00:00Z", 3, customer_id="new", referred_by="friend"),
        sale("2026-01-01T10:00:00Z", 1, customer_id="new", referred_by="friend"),
        sale("2026-01-01T10:00:00Z", 1, customer_id="new", referred_by="friend"),
        sale("2026-01-02T10:00:00Z", 2, customer_id="new", referred_by="neighbour"),
        sale("2026-01-02T11:00:00Z", 5, customer_id="newer", referred_by="friend"),
        sale("2026-01-01T10:00:00Z", 4, customer_id="new", referred_by="friend"),
    ]
    found = history(tmp_path, *(reversed(lines) if turned else lines))
    assert referrals(found) == [
        ("01 10:00", "friend", "new", "event-1"),
        ("02 10:00", "neighbour", "new", "event-2"),
        ("02 11:00", "friend", "newer", "event-5"),
    ]


def test_who_refers_himself_or_brings_something_back_makes_no_referral(tmp_path: Path) -> None:
    """Nor does a purchase without a referrer."""
    found = history(
        tmp_path,
        sale("2026-01-01T10:00:00Z", 1, customer_id="me", referred_by="me"),
        sale("2026-01-01T11:00:00Z", 2, customer_id="me", referred_by="friend", kind="return"),
        sale("2026-01-01T12:00:00Z", 3, customer_id="me", referred_by=None),
    )
    assert referrals(found) == []


def test_the_derived_referral_is_what_the_core_makes(tmp_path: Path) -> None:
    """Byte for byte: the live scorer publishes the same event, with the same id."""
    value = sale("2026-01-01T11:00:00+01:00", 1, customer_id="new", referred_by="friend")
    purchase = decode("purchases", value)
    assert isinstance(purchase, PurchaseRecorded)
    derived = history(tmp_path, value).derived()
    assert [decode(line.topic, line.value) for line in derived] == [referral_of(purchase)]


def test_pairs_whose_ids_run_together_have_ids_of_their_own() -> None:
    """Customer ids may hold slashes: a/b refers c, and a refers b/c."""
    assert referral_id("a/b", "c") != referral_id("a", "b/c")
    assert referral_id("a", "b") != referral_id("b", "a")


def test_lines_of_every_input_topic_find_their_topic_and_partition(tmp_path: Path) -> None:
    """One file may hold everything; a product goes to its one partition, keyed by its sku."""
    lines = [
        encoded(event(topic.name, event_id=f"e{number}", occurred_at=f"2026-01-01T10:00:{number:02}Z"))
        for number, topic in enumerate(SCORER_INPUTS)
    ]
    product = {"type": "product-listed.v1", "event_id": "p1", "occurred_at": "2026-01-01T11:00:00Z"}
    lines.append(encoded(product | {"sku": "sku-1", "brand": "b", "category": "c", "grade": "entry"}))
    found = list(history(tmp_path, *lines, partitions=8).lines())
    assert [line.topic for line in found] == [*(topic.name for topic in SCORER_INPUTS), "products"]
    assert {line.partition for line in found[:-1]} == {partition_of("customer-1", 8)}
    assert (found[-1].partition, found[-1].key) == (0, b"sku-1")


class Batch:
    """A batch as aiokafka builds it, without Kafka."""

    def __init__(self) -> None:
        """Begin empty."""
        self.records: list[tuple[bytes | None, bytes | None, int]] = []

    def append(self, *, key: bytes | None, value: bytes | None, timestamp: int) -> object:
        """Take a record; there is always room."""
        self.records.append((key, value, timestamp))
        return self

    def size(self) -> int:
        """Return about how many bytes it has."""
        return 100 * len(self.records)

    def close(self) -> None:
        """Nothing is compressed here."""


class Topics:
    """A producer that keeps what it was given, per topic-partition."""

    def __init__(self) -> None:
        """Begin empty."""
        self.logs: dict[tuple[str, int], list[tuple[bytes | None, bytes | None, int]]] = {}

    def create_batch(self) -> Batch:
        """Return an empty batch."""
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Future[None]:
        """Keep a batch; it is acknowledged at once."""
        self.logs.setdefault((topic, partition), []).extend(batch.records)
        sent: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        sent.set_result(None)
        return sent


async def test_every_partition_of_every_input_topic_gets_every_mark(tmp_path: Path) -> None:
    """A lane settles an instant when all its topics stand at it: one without marks would hold it for ever."""
    found = history(
        tmp_path,
        sale("2026-01-01T10:00:00Z", 1, customer_id="new", referred_by="friend"),
        sale("2026-01-20T10:00:00Z", 2),
        partitions=3,
    )
    topics = Topics()
    replayer = Replayer(cast("Any", topics), 3)
    await replayer.run(found, Plan(UTC_ZONE))

    assert set(topics.logs) == {(topic.name, lane) for topic in SCORER_INPUTS for lane in range(3)}
    for (topic, lane), log in topics.logs.items():
        marks = [value for key, value, _ in log if key is None]
        assert len(marks) == 20, (topic, lane)
        assert marks == [value for key, value, _ in topics.logs["browses", 0] if key is None]
        assert [stamp for _, _, stamp in log] == sorted(stamp for _, _, stamp in log)
    assert replayer.published == len(found) == 2
    assert sum(len(log) for log in topics.logs.values()) == 20 * 3 * len(SCORER_INPUTS) + 2 + 1
