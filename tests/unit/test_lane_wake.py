"""What arrives while a lane works is not slept through."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from services.lanes import recovery
from services.lanes.context import LaneContext
from services.lanes.lane import Lane
from services.lanes.metrics import LaneMetrics
from services.lanes.publisher import LanePublisher
from services.lanes.queues import Chunk
from services.lanes.settings import WorkerSettings
from services.lanes.work import LaneRow, Record
from services.scorer.service import ScorerService

FOR_EVER = 3600.0
ROW = LaneRow(
    service="scorer", lane=0, lanes=1, epoch=1, seq=1, offsets=(0,) * 8, numbers=(0,) * 8, clock_ms=0,
    clock_mode="wall", settled=True, complete=False, versions=(0, 1, 0, 1, 0), outbox_number=0, published=0,
)  # fmt: skip
CHUNK = Chunk(generation=0, base=0, records=[Record("purchases", 0, 0, b"c", b"{}", 0)], next=1)


def chunk_comes(lane: Lane) -> None:
    """The fetch loop brings records."""
    lane.offer(0, CHUNK)


@pytest.mark.parametrize(
    "arrives",
    [chunk_comes, Lane.wake, lambda lane: lane.seek_back(0, "tail")],
    ids=["a chunk", "a nudge", "a seek back"],
)
async def test_what_arrives_in_a_turns_own_await_ends_the_wait_after_it(
    arrives: Callable[[Lane], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The turn had looked already and found nothing, so the lane waits; not for long."""

    async def load(*_arguments: Any) -> Any:
        return object()

    async def seek(positions: Any) -> Any:
        return dict.fromkeys(positions, 0)

    context = LaneContext(
        service=ScorerService(), settings=WorkerSettings(count=1), pool=cast("Any", None),
        metrics=LaneMetrics("scorer", CollectorRegistry()), marker_of=lambda _: None, seek=seek,
        lagging=lambda *_: False, nudge=lambda: None,
    )  # fmt: skip
    lane = Lane(context, ROW, LanePublisher(cast("Any", None), 0))
    turns = 0

    async def turn(_work: object) -> float:
        nonlocal turns
        turns += 1
        if turns == 1:
            await asyncio.sleep(0)
            arrives(lane)
        else:
            lane.stop()
        return FOR_EVER

    monkeypatch.setattr(recovery, "load", load)
    monkeypatch.setattr(lane, "_turn", turn)
    async with asyncio.timeout(20):
        await lane.run()
    assert turns == 2
