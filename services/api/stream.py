"""Live updates as server-sent events."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Header, Request
from fastapi.responses import StreamingResponse

from services.api.access import Gate, Principal, Watcher
from services.api.feed import BEGINNING, Place, place_of
from services.api.hub import CLOSED, Client, Hub, Refusal, overview_blocks, resync
from services.api.overview import Overview
from services.api.parts import parts_of
from services.api.problems import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

router = APIRouter(tags=["live"])
_RETRY_MS: Final = 2000
_HEARTBEAT: Final = b": still here\n\n"


class _EventStream(StreamingResponse):
    media_type = "text/event-stream"


@router.get(
    "/v1/stream",
    response_class=_EventStream,
    responses={
        200: {
            "description": (
                "Events: `task` {task_id, kind, task: its card, or null when it is no longer yours to see}; "
                "`overview`; `resync` {}: read your lists again, what was missed is not known."
            ),
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        429: {"description": "You have too many streams open."},
    },
)
async def stream(
    request: Request, me: Watcher, last_event_id: Annotated[str | None, Header(max_length=64)] = None
) -> StreamingResponse:
    """Follow the tasks that you may see, and the overview, as they change.

    Resumes behind `Last-Event-ID`; nothing is lost or repeated then. Heartbeats come every 15 seconds. A
    client that reads too slowly is closed, and so is one whose token ended or whose role changed.
    """
    parts = parts_of(request)
    try:
        parts.hub.check_room(me)
    except Refusal as refusal:
        status, whose = (429, "you have") if refusal.mine else (503, "the desk has")
        detail = f"Too many streams: {whose} no room for one more. Close other windows or try again."
        raise Problem(status, "too-many-streams", detail, {"Retry-After": "5"}) from None
    overview = await parts.overviews.get()
    seconds = parts.settings.stream_heartbeat_seconds, parts.settings.stream_recheck_seconds
    follower = _Follower(parts.hub, request.app.state.gate, me, *seconds)
    return _EventStream(follower.blocks(last_event_id, overview))


class _Follower:
    """One stream's life: what was missed, then what comes, until it may or can no longer."""

    def __init__(
        self, hub: Hub, gate: Gate, me: Principal | None, heartbeat_seconds: float, recheck_seconds: float
    ) -> None:
        self._hub = hub
        self._gate = gate
        self._me = me
        self._heartbeat_seconds = heartbeat_seconds
        self._recheck_seconds = recheck_seconds

    async def blocks(self, last_event_id: str | None, overview: Overview) -> AsyncIterator[bytes]:
        """Yield the stream. It joins the hub here, so that leaving it can't be forgotten."""
        last = place_of(last_event_id)
        client = await self._hub.join(self._me, overview, last or BEGINNING)
        try:
            yield b"retry: %d\nevent: hello\ndata: {}\n\n" % _RETRY_MS
            yield overview_blocks(overview)[0 if self._me is None or self._me.is_manager else 1]
            for block in await self._missed(client, last, is_returning=last_event_id is not None):
                yield block
            async for block in self._following(client):
                yield block
        finally:
            self._hub.leave(client)

    async def _missed(self, client: Client, last: Place | None, *, is_returning: bool) -> list[bytes]:
        if not is_returning:  # an id, so that a client that sees no event comes back to this very place
            return [b"id: %b\nevent: begin\ndata: {}\n\n" % str(client.joined_at).encode()]
        return [resync(client.joined_at)] if last is None else await self._hub.missed(client, last)

    async def _following(self, client: Client) -> AsyncIterator[bytes]:
        checked_at = time.monotonic()
        while client.open:
            try:
                block = await asyncio.wait_for(client.queue.get(), self._heartbeat_seconds)
            except TimeoutError:
                block = _HEARTBEAT
            if block == CLOSED:
                return
            if time.monotonic() - checked_at >= self._recheck_seconds:
                checked_at = time.monotonic()
                if not await self._may(client.me):
                    return
            yield block

    async def _may(self, me: Principal | None) -> bool:
        if me is None:
            return self._gate.dev_issuer
        return await self._gate.still(me, time.time())
