"""``tierstream publish``: event files into a running Tierstream, as a system of yours would publish them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from deploy.history import TOPICS, History
from deploy.migrate import PartitionsDifferError
from schemas.topics import PRODUCTS

IN_FLIGHT_MAX: Final = 5_000


async def partitions_of(bootstrap: str) -> int:
    """Return how many partitions the lanes' input topics have.

    Raises:
        PartitionsDifferError: run ``tierstream migrate`` first.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)  # a producer would wait for missing topics
    try:
        await admin.start()
        found = {item["topic"]: len(item["partitions"]) for item in await admin.describe_topics()}
    finally:
        await admin.close()
    counts = {topic: found.get(topic, 0) for topic in TOPICS}
    if len(set(counts.values())) != 1 or not all(counts.values()) or PRODUCTS.name not in found:
        raise PartitionsDifferError(
            f"the input topics are missing or not partitioned alike ({counts}, {PRODUCTS.name} "
            f"{found.get(PRODUCTS.name, 0)}): run tierstream migrate"
        )
    return counts[TOPICS[0]]


async def publish(bootstrap: str, history: History, progress: Callable[[int], None] | None = None) -> int:
    """Publish every event with the present as its append time; return how many Kafka acknowledged.

    Only the lines of the files: the referrals that purchases make are the running scorer's to publish.
    """
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=5)
    acknowledged, waiting = 0, []
    try:
        await producer.start()
        for line in history.lines():
            waiting.append(
                await producer.send(line.topic, line.value, key=line.key, partition=line.partition)
            )
            if len(waiting) >= IN_FLIGHT_MAX:
                acknowledged += await _all(waiting)
                if progress is not None:
                    progress(acknowledged)
        return acknowledged + await _all(waiting)
    finally:
        await producer.stop()


async def _all(waiting: list[object]) -> int:
    count = len(waiting)
    for future in waiting:
        await future  # type: ignore[misc]  # aiokafka gives futures without a type
    waiting.clear()
    return count
