"""Bad records on the real stack: each one is kept with its reason, and nothing good is lost beside it."""

# mypy: disable-error-code="no-untyped-call"
# aiokafka leaves most of its functions without annotations.

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.events import TimeReached
from schemas.times import DAY_MS, HOUR_MS, MINUTE_MS, from_ms
from schemas.wire import Reason, encode
from services.scorer.records import partition_of
from tests.contract.poison import catalogue, encoded
from tests.integration.scorer_rig import (
    CLOCKS,
    LANES,
    Publishing,
    World,
    counted,
    good,
    in_every_lane,
    running_scorer,
)

TOPICS = ("purchases", "browses", "campaign-responses")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running_scorer(tmp_path_factory.mktemp("logs")) as running:
        yield running


# -- values -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("topic", TOPICS)
async def test_every_kind_of_bad_value_is_kept_and_the_good_beside_it_counts(
    world: World, topic: str
) -> None:
    """One bad and one good record in turn, over all lanes: reason and bytes of each bad one, all good ones."""
    people = in_every_lane(f"value-{topic}")
    expected, times = {}, dict.fromkeys(people, 0)
    kinds = catalogue(topic, customer_id=people[0])
    assert len(kinds) >= 20
    async with Publishing(world) as publisher:
        for number, (value, reason) in enumerate(kinds.values()):
            name = people[number % len(people)]
            place = await publisher.send(topic, value, to=name)
            expected[place] = (reason, name.encode(), value)
            times[name] += 1
            await publisher.send(topic, good(topic, name, times[name]), to=name)
    await world.dead_letters(expected)
    if topic == "purchases":
        states = await world.states(f"value-{topic}", counted(times))
        assert {name: state.orders for name, state in states.items()} == times
        assert {name: state.net_minor for name, state in states.items()} == {
            n: 5000 * c for n, c in times.items()
        }
    else:
        states = await world.states(
            f"value-{topic}", lambda found: sum(len(s.recent) for s in found.values()) >= len(kinds)
        )
        assert {name: len(state.recent) for name, state in states.items()} == times
        assert all(state.ranked is None for state in states.values())


async def test_a_flood_of_one_publishers_rubbish_does_not_stop_the_others(world: World) -> None:
    """150 bad records in one batch among good ones: a lane goes on as long as most of what it gets is good."""
    name, expected, count = "flood-1", {}, 180
    async with Publishing(world, linger_ms=100) as publisher:
        sends = [publisher.send("purchases", b"rubbish %d" % n, to=name) for n in range(150)]
        goods = [publisher.sale(name, n) for n in range(count)]
        places = await asyncio.gather(
            *(one for pair in zip(goods, sends, strict=False) for one in pair), *goods[150:]
        )
    for number, place in enumerate(places[1:300:2]):
        expected[place] = (Reason.NOT_JSON, name.encode(), b"rubbish %d" % number)
    await world.dead_letters(expected)
    states = await world.states(name, counted({name: count}))
    assert states[name].orders == count


# -- keys, headers and partitions -------------------------------------------------------------------


async def test_keys_that_are_not_the_customer_are_kept_as_they_were(world: World) -> None:
    """No key, another's, one of other bytes, one too long: the partition alone proves nothing."""
    name = "key-1"
    keys: dict[bytes | None, Reason] = {
        None: Reason.KEY,
        b"key-2": Reason.KEY,
        b"KEY-1": Reason.KEY,
        b" key-1": Reason.KEY,
        b"\xff\x00\xfe": Reason.KEY,
        b"k" * 1025: Reason.SIZE,
        b"k" * 100_000: Reason.SIZE,
    }
    expected = {}
    async with Publishing(world) as publisher:
        for number, (key, reason) in enumerate(keys.items()):
            value = good("purchases", name, number)
            place = await publisher.send("purchases", value, to=name, key=key)
            expected[place] = (reason, key, value)
        await publisher.sale(name, 99)
    await world.dead_letters(expected)
    assert (await world.states(name, counted({name: 1})))[name].orders == 1


async def test_headers_are_kept_and_too_many_are_refused(world: World) -> None:
    """64 are fine; a bomb of them is kept with all of them."""
    name, bomb = "header-1", [(f"h{number}", bytes([number % 256])) for number in range(1000)]
    value = good("purchases", name, 1)
    async with Publishing(world) as publisher:
        place = await publisher.send("purchases", value, to=name, headers=bomb)
        await publisher.send("purchases", good("purchases", name, 2), to=name, headers=bomb[:64])
    rows = await world.dead_letters({place: (Reason.SIZE, name.encode(), value)})
    assert msgspec.msgpack.decode(rows[0]["headers"]) == [list(header) for header in bomb]
    assert (await world.states(name, counted({name: 1})))[name].orders == 1


async def test_another_lane_than_the_keys_is_refused_for_known_and_new_customers(world: World) -> None:
    """A publisher that partitions otherwise can't split a customer in two, nor make one where he is not."""
    known, new, expected = "partition-known", "partition-new", {}
    async with Publishing(world) as publisher:
        await publisher.sale(known, 0)
        await world.states(known, counted({known: 1}))
        for name in (known, new):
            home = partition_of(name, LANES)
            for number in range(1, LANES):
                value = good("purchases", name, number)
                wrong = (home + number) % LANES
                place = await publisher.send("purchases", value, to=name, partition=wrong)
                expected[place] = (Reason.PARTITION, name.encode(), value)
        await world.dead_letters(expected)
        assert await world.fetch("SELECT 1 FROM customers WHERE customer_id = $1", new) == []
        await publisher.sale(known, 7)
        await publisher.sale(new, 7)
    states = await world.states("partition-", counted({known: 2, new: 1}))
    assert (states[known].orders, states[new].orders) == (2, 1)


# -- time -------------------------------------------------------------------------------------------


async def test_events_of_the_future_and_of_long_ago_are_refused(world: World) -> None:
    """More than ten minutes ahead can't be true; what is older than what is remembered can't be told apart."""
    now_ms, name = int(time.time() * 1000), "time-1"
    dated = {
        now_ms + HOUR_MS: Reason.TIME,
        now_ms + 11 * MINUTE_MS: Reason.TIME,
        now_ms + 100 * 365 * DAY_MS: Reason.TIME,
        now_ms - 3 * 365 * DAY_MS: Reason.LATE,
        now_ms - 396 * DAY_MS: Reason.LATE,
        1_000: Reason.LATE,
    }
    fine = (now_ms, now_ms + 9 * MINUTE_MS, now_ms - 300 * DAY_MS)
    expected = {}
    async with Publishing(world) as publisher:
        for number, (at_ms, reason) in enumerate(dated.items()):
            for who in (name, f"{name}-only-bad-{number}"):
                value = good("purchases", who, number, at_ms=at_ms)
                place = await publisher.send("purchases", value, to=who)
                expected[place] = (reason, who.encode(), value)
        for number, at_ms in enumerate(fine, 50):
            await publisher.send("purchases", good("purchases", name, number, at_ms=at_ms), to=name)
    await world.dead_letters(expected)
    states = await world.states(name, counted({name: len(fine)}))
    assert {who: state.orders for who, state in states.items()} == {name: len(fine)}


@pytest.mark.parametrize("topic", TOPICS)
async def test_a_time_mark_cannot_move_a_lane_that_follows_the_wall_clock(world: World, topic: str) -> None:
    """Whoever may publish can't end the day for everybody: a mark is a bad record where no replay runs."""
    value = encode(TimeReached(event_id="time/1", through=from_ms(32_503_680_000_000), complete=True))
    async with Publishing(world) as publisher:
        places = [
            await publisher.send(topic, value, to="", key=None, partition=partition)
            for partition in range(LANES)
        ]
    await world.dead_letters(dict.fromkeys(places, (Reason.VERSION, None, value)))
    assert all(row[0] < int(time.time() * 1000) + MINUTE_MS for row in await world.fetch(CLOCKS))


# -- repeats ----------------------------------------------------------------------------------------


async def test_a_repeat_counts_once_and_another_body_under_its_id_is_a_conflict(world: World) -> None:
    """Publishers retry: the same event changes nothing, in whatever order its keys stand; another one is refused."""
    name, moment = "repeat-1", int(time.time() * 1000)
    value = good("purchases", name, 1, at_ms=moment)
    turned = encoded(dict(reversed(json.loads(value).items())))
    other = good("purchases", name, 1, at_ms=moment, amount_minor=7)
    later = good("purchases", name, 1, at_ms=moment + 1)
    expected = {}
    async with Publishing(world) as publisher:
        for same in (value, value, turned):
            await publisher.send("purchases", same, to=name)
        for conflicting in (other, later):
            place = await publisher.send("purchases", conflicting, to=name)
            expected[place] = (Reason.CONFLICT, name.encode(), conflicting)
        await publisher.send("purchases", value, to=name)
        await publisher.sale(name, 2)
    await world.dead_letters(expected)
    state = (await world.states(name, counted({name: 2})))[name]
    assert (state.orders, state.net_minor) == (2, 5100)


@pytest.mark.parametrize(
    ("topic", "changed"), [("browses", {"sku": "other"}), ("campaign-responses", {"response": "opened"})]
)
async def test_repeats_and_conflicts_of_browses_and_responses(
    world: World, topic: str, changed: dict[str, Any]
) -> None:
    """The same holds on every topic; the same event_id on two topics is two events."""
    name, moment = f"repeat-{topic}", int(time.time() * 1000)
    value = good(topic, name, 1, at_ms=moment)
    other = good(topic, name, 1, at_ms=moment, **changed)
    async with Publishing(world) as publisher:
        for same in (value, value):
            await publisher.send(topic, same, to=name)
        place = await publisher.send(topic, other, to=name)
        await publisher.sale(name, 1, event_id=json.loads(value)["event_id"])
    await world.dead_letters({place: (Reason.CONFLICT, name.encode(), other)})
    state = (await world.states(name, counted({name: 1})))[name]
    assert (len(state.recent), state.orders) == (1, 1)


async def test_another_currency_is_refused(world: World) -> None:
    """Amounts of different currencies can't be added up."""
    name = "currency-1"
    value = good("purchases", name, 1, currency="EUR")
    async with Publishing(world) as publisher:
        place = await publisher.send("purchases", value, to=name)
        await publisher.sale(name, 2)
    await world.dead_letters({place: (Reason.CURRENCY, name.encode(), value)})
    assert (await world.states(name, counted({name: 1})))[name].net_minor == 100


# -- batches and transactions -----------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_compressed_batches_are_read(world: World, codec: str) -> None:
    """Every codec that a publisher may have chosen, with a bad record inside of each batch."""
    people = in_every_lane(f"codec-{codec}")
    async with Publishing(world, compression_type=codec, linger_ms=50) as publisher:
        sends = [publisher.sale(name, number) for number in range(25) for name in people]
        rubbish = [publisher.send("purchases", b"no" * 50, to=name) for name in people]
        places = await asyncio.gather(*sends[:100], *rubbish, *sends[100:])
    bad = dict(zip(places[100 : 100 + len(people)], people, strict=True))
    await world.dead_letters(
        {place: (Reason.NOT_JSON, name.encode(), b"no" * 50) for place, name in bad.items()}
    )
    states = await world.states(f"codec-{codec}", counted(dict.fromkeys(people, 25)))
    assert {state.orders for state in states.values()} == {25}


async def test_committed_transactions_count_and_aborted_ones_leave_only_a_hole(world: World) -> None:
    """Control records make holes in the log, and what was aborted is not there: no dead letter, no order."""
    name = "transaction-1"
    async with Publishing(world, transactional_id="shop-1") as publisher:
        for number in range(6):
            await publisher.producer.begin_transaction()
            place = await publisher.sale(name, number, amount_minor=10**number)
            bad = await publisher.send("purchases", b"bad %d" % number, to=name)
            if number % 2:
                await publisher.producer.abort_transaction()
            else:
                await publisher.producer.commit_transaction()
                await world.dead_letters({bad: (Reason.NOT_JSON, name.encode(), b"bad %d" % number)})
    assert place[2] >= 15  # six transactions of two records, and their control records
    state = (await world.states(name, counted({name: 3})))[name]
    assert (state.orders, state.net_minor) == (3, 1 + 100 + 10_000)
    assert (
        await world.fetch("SELECT 1 FROM dead_letters WHERE key = $1 AND value = 'bad 5'", name.encode())
        == []
    )


async def test_a_lane_is_not_stuck_behind_an_aborted_transaction(world: World) -> None:
    """Its log ends in records that nobody may read: the lane's clock goes on all the same."""
    name = "transaction-2"
    async with Publishing(world, transactional_id="shop-2") as publisher:
        await publisher.producer.begin_transaction()
        await publisher.sale(name, 1)
        await publisher.producer.abort_transaction()
    await asyncio.sleep(1.5)
    now_ms = int(time.time() * 1000)
    async with Publishing(world) as publisher:
        await publisher.send("browses", good("browses", name, 1), to=name)
    state = (await world.states(name, lambda found: name in found))[name]
    assert (state.orders, len(state.recent)) == (0, 1)
    clock_ms = await world.fetch("SELECT clock_ms FROM lanes WHERE lane = $1", partition_of(name, LANES))
    assert clock_ms[0][0] >= now_ms - 500


async def test_an_open_transaction_holds_back_its_own_partition_until_it_ends(world: World) -> None:
    """What comes after it in the log waits, other topics of the lane and other lanes do not."""
    name = "transaction-3"
    neighbour = next(
        f"neighbour-{n}"
        for n in range(99)
        if partition_of(f"neighbour-{n}", LANES) != partition_of(name, LANES)
    )
    async with Publishing(world, transactional_id="shop-3") as slow, Publishing(world) as quick:
        await slow.producer.begin_transaction()
        await slow.sale(name, 1)
        await quick.sale(name, 2)
        await quick.sale(neighbour, 1)
        await quick.send("browses", good("browses", name, 3), to=name)
        await world.states(neighbour, counted({neighbour: 1}))
        held = await world.states(name, lambda found: name in found)
        assert (held[name].orders, len(held[name].recent)) == (0, 1)
        await slow.producer.commit_transaction()
    assert (await world.states(name, counted({name: 2})))[name].orders == 2


# -- after all of it --------------------------------------------------------------------------------


async def test_the_worker_never_fell_over_and_logs_no_content(world: World) -> None:
    """No record raised, none reached the log: payloads are for the dead letter table alone."""
    process = world.supervisor.processes()[0]
    assert process.exits == []
    log = Path(process.log_path).read_text(encoding="utf-8")
    assert "Traceback" not in log
    for content in ("rubbish", "DROP TABLE", "customer-1", "value-purchases", "order-1"):
        assert content not in log


async def test_nothing_is_kept_twice_after_a_kill(world: World) -> None:
    """Redelivery after ``kill -9`` finds the positions in the same transaction as the dead letters."""
    count = 'SELECT count(*), count(DISTINCT (topic, partition, "offset")) FROM dead_letters'
    before = (await world.fetch(count))[0]
    assert before[0] == before[1] > 150
    child = world.supervisor.processes()[0].child
    assert child is not None
    child.kill9()
    async with Publishing(world) as publisher:
        await publisher.sale("after-the-kill", 1)
        place = await publisher.send("purchases", b"after the kill", to="after-the-kill")
    await world.dead_letters({place: (Reason.NOT_JSON, b"after-the-kill", b"after the kill")})
    await world.states("after-the-kill", counted({"after-the-kill": 1}))
    after = (await world.fetch(count))[0]
    assert after[0] == after[1] == before[0] + 1
