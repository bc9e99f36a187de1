"""One reader of the feed per process, many streams: each client has a bounded queue of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog

from services.api import feed
from services.api.feed import BEGINNING, Change, Place
from services.api.overview import Overview, without_names
from services.api.task_views import TaskCard

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy.ext.asyncio import AsyncEngine

    from services.api.access import Principal
    from services.api.metrics import ApiMetrics
    from services.api.overview import Overviews
    from services.api.settings import ApiSettings
    from services.api.tasks import Tasks

_BACK_OFF_SECONDS: Final = 2.0
_OVERVIEW_SECONDS: Final = 0.5
CLOSED: Final = b""
_log = structlog.get_logger(__name__)


class Refusal(Exception):  # noqa: N818 -- a refusal, not an error of ours
    """No more streams: of this person (``mine``) or of this process."""

    def __init__(self, *, mine: bool) -> None:
        """``mine``: this person has too many open."""
        super().__init__("too many streams")
        self.mine = mine


@dataclass(eq=False, slots=True)
class Client:
    """One open stream. ``me`` is None for somebody who has not signed in: they get figures only."""

    me: Principal | None
    queue: asyncio.Queue[bytes]
    joined_at: Place  # what is behind it comes by the queue
    known: Place  # what the client has already; another process may have been ahead of this one
    overview: Overview | None = None  # the last one that was given to it, or waits in its queue
    open: bool = field(default=True)

    def offer(self, block: bytes) -> bool:
        """Queue a block; False when the client is too slow and was closed instead."""
        try:
            self.queue.put_nowait(block)
        except asyncio.QueueFull:
            self.close()
            return False
        return True

    def close(self) -> None:
        """Drop what waits and end the stream."""
        self.open = False
        while not self.queue.empty():
            self.queue.get_nowait()
        self.queue.put_nowait(CLOSED)


class Told(NamedTuple):
    """One change, ready to send: to those who see the task, and to those who only hear that it is gone."""

    change: Change
    card: TaskCard | None
    seen: bytes
    gone: bytes

    def to(self, me: Principal | None) -> bytes | None:
        """Return what ``me`` is told, None for nothing."""
        hears, sees = shows(me, self.change, self.card)
        if not hears:
            return None
        return self.seen if sees else self.gone


def told(change: Change, card: TaskCard | None) -> Told:
    """Return a change as it is told."""
    fields = f'"task_id":{json.dumps(change.task_id)},"kind":{json.dumps(change.kind)}'
    shown = card.model_dump_json() if card else "null"
    blocks = (
        block_of("task", f'{{{fields},"task":{task}}}'.encode(), change.place) for task in (shown, "null")
    )
    return Told(change, card, *blocks)


def block_of(event: str, data: bytes, place: Place | None = None) -> bytes:
    """Return one server-sent event. ``data`` is one line of JSON."""
    identity = b"" if place is None else b"id: %b\n" % str(place).encode()
    return b"%bevent: %b\ndata: %b\n\n" % (identity, event.encode(), data)


def shows(me: Principal | None, change: Change, card: TaskCard | None) -> tuple[bool, bool]:
    """Return whether ``me`` hears of a change, and whether they see the task as it is now.

    Whoever lost the task hears that it is gone, and nothing about it.
    """
    if me is None:
        return False, False
    if me.is_manager:
        return True, True
    sees = card is not None and (
        card.assigned_to == me.user_id or (card.assigned_to is None and card.team == me.team)
    )
    team_lost_it = change.assigned_to is None and card is not None and card.team == me.team
    return sees or change.assigned_to == me.user_id or team_lost_it, sees


class Hub:
    """Polls the feed and the overview while somebody listens, and fans out."""

    def __init__(
        self,
        engine: AsyncEngine,
        tasks: Tasks,
        overviews: Overviews,
        settings: ApiSettings,
        metrics: ApiMetrics,
    ) -> None:
        """Nothing runs before ``run``."""
        self._engine = engine
        self._tasks = tasks
        self._overviews = overviews
        self._settings = settings
        self._metrics = metrics
        self._clients: set[Client] = set()
        self._place: Place | None = None
        self._wanted = asyncio.Event()
        self._closing = False

    @property
    def clients(self) -> int:
        """How many streams are open."""
        return len(self._clients)

    def check_room(self, me: Principal | None) -> None:
        """Raise when there is no room for one more stream.

        Raises:
            Refusal: too many are open.
        """
        same = sum(1 for client in self._clients if client.me and me and client.me.user_id == me.user_id)
        if same >= self._settings.stream_clients_per_person_max:
            raise Refusal(mine=True)
        if len(self._clients) >= self._settings.stream_clients_max or self._closing:
            raise Refusal(mine=False)

    async def join(self, me: Principal | None, overview: Overview, known: Place = BEGINNING) -> Client:
        """Register a stream; what is committed from now on, and not ``known``, reaches its queue.

        ``overview`` is what the stream begins with: older than what others were told meanwhile, perhaps, so
        each client has its own, and is told what differs from it.
        """
        if self._place is None:
            async with self._engine.connect() as connection:
                place = await feed.head(connection)
            self._place = self._place or place
        client = Client(
            me, asyncio.Queue(self._settings.stream_queue_events_max), self._place, known, overview
        )
        self._clients.add(client)
        if self._closing:
            client.close()
        self._metrics.stream_clients.set(len(self._clients))
        self._wanted.set()
        return client

    def leave(self, client: Client) -> None:
        """Forget a stream."""
        self._clients.discard(client)
        self._metrics.stream_clients.set(len(self._clients))
        if not self._clients:
            self._wanted.clear()
            self._place = None  # the feed moves on unread; the next one to join begins at its end

    def close(self) -> None:
        """End every stream, so that the process can stop."""
        self._closing = True
        for client in self._clients:
            client.close()

    async def missed(self, client: Client, last: Place) -> list[bytes]:
        """Return what a returning client missed, up to where its queue begins.

        A ``resync`` block alone when that is no longer known, or too much: the client then reads its
        lists again.
        """
        async with self._engine.connect() as connection:
            if not await feed.is_known(connection, last):
                return [resync(client.joined_at)]
            changes = await feed.behind(connection, last, through=client.joined_at, limit=feed.BATCH_ROWS + 1)
        if len(changes) > feed.BATCH_ROWS:
            return [resync(client.joined_at)]
        return [block for one in await self._told(changes) if (block := one.to(client.me)) is not None]

    async def run(self) -> None:
        """Read for ever; an error of the database is waited out."""
        pause = 1 / self._settings.stream_polls_per_second
        overview_at = 0.0
        loop = asyncio.get_running_loop()
        while True:
            await self._wanted.wait()
            try:
                await self._poll()
                if loop.time() - overview_at >= _OVERVIEW_SECONDS:
                    overview_at = loop.time()
                    await self._tell_overview()
            except Exception as error:  # noqa: BLE001 -- the one reader must outlive whatever the database does
                _log.warning("feed_unavailable", error=type(error).__name__)
                await asyncio.sleep(_BACK_OFF_SECONDS)
            await asyncio.sleep(pause)

    async def _poll(self) -> None:
        place = self._place
        if place is None:
            return
        async with self._engine.connect() as connection:
            changes = await feed.behind(connection, place)
        if not changes:
            return
        news = await self._told(changes)
        if self._place != place:
            return  # everybody left meanwhile, and perhaps somebody joined at a later place
        # No await from here: a client joins before all of these or after all of them.
        self._place = changes[-1].place
        self._metrics.stream_events.inc(len(changes))
        for client in tuple(self._clients):
            self._hand(client, news)

    def _hand(self, client: Client, news: Sequence[Told]) -> None:
        for one in news:
            block = one.to(client.me) if one.change.place > client.known else None
            if block is not None and client.open and not client.offer(block):
                self._metrics.stream_closed.labels("slow").inc()
                return

    async def _tell_overview(self) -> None:
        overview = await self._overviews.get()
        behind = take_note(self._clients, overview)
        if not behind:
            return
        whole, nameless = overview_blocks(overview)
        for client in behind:
            names = client.me.is_manager if client.me else True
            if client.open and not client.offer(whole if names else nameless):
                self._metrics.stream_closed.labels("slow").inc()

    async def _told(self, changes: Sequence[Change]) -> list[Told]:
        ids = {change.task_id for change in changes if change.task_id is not None}
        cards = await self._tasks.cards(sorted(ids)) if ids else {}
        return [told(change, cards.get(change.task_id or 0)) for change in changes]


def take_note(clients: Collection[Client], overview: Overview) -> list[Client]:
    """Return the clients to whom this overview is news, and note that all of them have it now.

    Thousands of clients hold a handful of overviews, so each of these is compared once.
    """
    held = {id(client.overview): client.overview for client in clients}
    same = {key for key, old in held.items() if old is not None and _is_same(overview, old)}
    behind = [client for client in clients if id(client.overview) not in same]
    for client in clients:
        client.overview = overview
    return behind


def resync(place: Place) -> bytes:
    """Return the block that asks a client to read its lists again."""
    return block_of("resync", b"{}", place)


def overview_blocks(overview: Overview) -> tuple[bytes, bytes]:
    """Return the overview for those who may see names, and for the others."""
    whole = block_of("overview", overview.model_dump_json().encode())
    return whole, block_of("overview", without_names(overview).model_dump_json().encode())


def _is_same(new: Overview, old: Overview) -> bool:
    """Whether nothing but the wall's time has moved; a replay's time is news."""
    return (new if new.mode != "wall" else new.model_copy(update={"now": old.now})) == old


async def cancelled(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait until it has ended."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
