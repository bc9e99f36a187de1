"""A worker with a planted bug, to see that the torture finds it: ``python -m tests.torture.planted scorer``.

``TORTURE_PLANT`` names the bug: ``no-fence`` (a turn no longer checks epoch and seq, so a worker that lost
its lane still writes) or ``publish-first`` (a turn's outbox goes to Kafka before the turn is committed).
``TORTURE_SERVICE`` names the service when it is not given as argument. Only this process is patched.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

from services.lanes import publisher, statement, turns
from services.lanes.work import LaneRow, Message, Turn

_CHECKED: Final = "AND epoch = $3 AND seq = $4"
_UNCHECKED: Final = "AND $3::bigint IS NOT NULL AND $4::bigint IS NOT NULL"  # parameters must be typed


def no_fence() -> None:
    """Let every turn write, whoever owns the lane and whatever came in between."""
    if _CHECKED not in statement._FENCE:
        raise SystemExit("the statement of a turn has changed: adapt tests/torture/planted.py")
    statement._FENCE = statement._FENCE.replace(_CHECKED, _UNCHECKED)  # type: ignore[misc]


def publish_first() -> None:
    """Send a turn's messages before its commit, and take them as published after it."""
    execute = turns.Turns._execute

    async def execute_after_publishing(
        self: turns.Turns, connection: Any, turn: Turn | None, after: LaneRow
    ) -> LaneRow:
        if turn is not None:
            await _send(self.publisher, self.row.outbox_number + 1, turn.outbox)
        return await execute(self, connection, turn, after)

    def take_as_published(self: publisher.LanePublisher, first: int, messages: Sequence[Message]) -> None:
        self.published = max(self.published, first + len(messages) - 1)

    turns.Turns._execute = execute_after_publishing  # type: ignore[method-assign]
    publisher.LanePublisher.add = take_as_published  # type: ignore[method-assign]


async def _send(lane_publisher: publisher.LanePublisher, first: int, messages: Sequence[Message]) -> None:
    for number, message in enumerate(messages, first):
        sent = await lane_publisher._producer.send(
            message.topic,
            message.value,
            key=message.key,
            partition=message.partition,
            timestamp_ms=message.timestamp_ms,
            headers=[(publisher.NUMBER_HEADER, str(number).encode())],
        )
        if number == first + len(messages) - 1:
            await sent


PLANTS: Final[dict[str, Callable[[], None]]] = {"no-fence": no_fence, "publish-first": publish_first}


def main() -> None:
    """Patch this process, then be the worker."""
    PLANTS[os.environ["TORTURE_PLANT"]]()
    service = sys.argv.pop() if len(sys.argv) > 1 else os.environ["TORTURE_SERVICE"]
    if service == "scorer":
        from services.scorer.main import main as work  # noqa: PLC0415 -- after the patch
    else:
        from services.alerter.main import main as work  # noqa: PLC0415
    work()


if __name__ == "__main__":
    main()
