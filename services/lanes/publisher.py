"""Publishes a lane's committed outbox, in order of its numbers, whatever happens in between.

One Kafka batch of a lane is under way at a time: the next one leaves when the last was acknowledged,
and a batch whose fate is unknown is sent again. So numbers reach a partition in order, with repeats
but without gaps, and a reader that keeps the highest number drops exactly the repeats.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from services.lanes.work import Message

NUMBER_HEADER: Final = "outbox-number"
_RETRY_SECONDS_MAX: Final = 2.0

log = structlog.get_logger()


class LanePublisher:
    """Sends the messages of one lane; ``published`` is the last number that Kafka acknowledged."""

    def __init__(self, producer: AIOKafkaProducer, published: int) -> None:
        """Start with an empty backlog; ``restart`` loads what an earlier owner left."""
        self._producer = producer
        self._backlog: deque[tuple[int, Message]] = deque()
        self._wake = asyncio.Event()
        self.published = published

    @property
    def backlog(self) -> int:
        """How many messages wait, for back-pressure: a lane takes no more while too many do."""
        return len(self._backlog)

    def restart(self, messages: Sequence[tuple[int, Message]]) -> None:
        """Replace the backlog by what the outbox table holds."""
        self._backlog = deque(item for item in messages if item[0] > self.published)
        self._wake.set()

    def add(self, first: int, messages: Sequence[Message]) -> None:
        """Queue committed messages numbered from ``first``."""
        self._backlog.extend(enumerate(messages, first))
        self._wake.set()

    async def run(self) -> None:
        """Publish for ever; a Kafka that is away is waited for, with back-off."""
        pause = 0.05
        while True:
            if not self._backlog:
                self._wake.clear()
                await self._wake.wait()
                continue
            try:
                await self._send_one_batch()
                pause = 0.05
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("publish_retried", error=type(error).__name__)
                await asyncio.sleep(pause)
                pause = min(_RETRY_SECONDS_MAX, pause * 2)

    async def _send_one_batch(self) -> None:
        backlog = self._backlog
        topic, partition = backlog[0][1].topic, backlog[0][1].partition
        batch: Any = self._producer.create_batch()
        last, count = 0, 0
        for number, message in backlog:
            if (message.topic, message.partition) != (topic, partition):
                break
            header = (NUMBER_HEADER, str(number).encode())
            if (
                batch.append(
                    key=message.key, value=message.value, timestamp=message.timestamp_ms, headers=[header]
                )
                is None
            ):
                break
            last, count = number, count + 1
        batch.close()
        acknowledged = await self._producer.send_batch(batch, topic, partition=partition)
        await acknowledged
        if backlog is self._backlog:  # not replaced by a restart meanwhile
            for _ in range(count):
                backlog.popleft()
        self.published = max(self.published, last)
