"""What keeps or lifts a customer's tiers, found by the core in a thread of its own. Nothing here writes.

One outlook costs 30 ms of pure arithmetic as a rule, and two seconds for who bought 5,000 times. So one thread
makes them, a few may wait for it and none for long; whoever is told to come back finds the answer made.
It is kept while nothing that it rests on has changed.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import and_, select

from schemas.events import CutPoint, CutPoints
from schemas.tables import customers, cut_offs, lanes
from services.api.customers import visible
from services.api.outlook_views import OutlookView, outlook_view
from services.api.problems import Problem, not_found
from services.api.quintiles import Quintiles
from services.scorer.core.advance import settle
from services.scorer.core.draft import Moment
from services.scorer.core.lift import outlook
from services.scorer.core.predictions import predictions
from services.scorer.core.segments import Crowd, segments_of
from services.scorer.core.standing import standings
from services.scorer.core.state import decode_state

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from services.api.access import Principal
    from services.api.customers import Customers
    from services.api.overview import Overviews
    from services.scorer.core.policy import Policy
    from services.scorer.core.segments import RfmCuts

_WAITING_MAX: Final = 8
_WAIT_SECONDS: Final = 5.0  # a page gives up after 10
_KEPT_MAX: Final = 256
_Key = tuple[Any, ...]


class _Question(NamedTuple):
    """What an outlook rests on."""

    customer_id: str
    state: bytes
    moment: Moment
    policy: Policy
    tier_customers: int | None
    rfm: RfmCuts | None

    def key(self) -> _Key:
        """Return what tells it from another one.

        A later hour of the same business day does not: what time alone moves changes the state. Nor does the
        size of the tier or the quintiles, which move all day and say only a coarse word.
        """
        digest = blake2b(self.state, digest_size=16).digest()
        day = self.policy.local_day(self.moment.now_ms)
        return self.customer_id, digest, self.moment.policy_version, self.moment.cut_offs_version, day


class Outlooks:
    """Makes outlooks, one at a time."""

    def __init__(self, engine: AsyncEngine, customer_pages: Customers, overviews: Overviews) -> None:
        """Nothing starts before the first question."""
        self._engine = engine
        self._customers = customer_pages
        self._overviews = overviews
        self._thread = ThreadPoolExecutor(1, "outlook")
        self._quintiles = Quintiles()
        self._running: dict[_Key, asyncio.Future[OutlookView]] = {}
        self._kept: dict[_Key, OutlookView] = {}  # the oldest first

    async def get(self, me: Principal, customer_id: str) -> OutlookView:
        """Return the outlook of one customer at the clock of their lane.

        Raises:
            Problem: 404, when there is none or ``me`` has no task with them; 503, when too many wait.
        """
        question = await self._question(me, customer_id)
        key = question.key()
        if key in self._kept:
            return self._kept[key]
        running = self._running.get(key) or self._begin(key, question)
        try:
            # Shielded: who gives up leaves the answer to whoever asks next.
            return await asyncio.wait_for(asyncio.shield(running), _WAIT_SECONDS)
        except TimeoutError:
            raise _busy() from None

    def _begin(self, key: _Key, question: _Question) -> asyncio.Future[OutlookView]:
        if len(self._running) >= _WAITING_MAX:
            raise _busy()
        running = asyncio.get_running_loop().run_in_executor(self._thread, _answer, question)
        self._running[key] = running
        running.add_done_callback(partial(self._keep, key))
        return running

    def _keep(self, key: _Key, ended: asyncio.Future[OutlookView]) -> None:
        del self._running[key]
        if ended.cancelled() or ended.exception() is not None:
            return
        self._kept[key] = ended.result()
        if len(self._kept) > _KEPT_MAX:
            del self._kept[next(iter(self._kept))]

    def close(self) -> None:
        """Let the thread end; what waits is given up."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _question(self, me: Principal, customer_id: str) -> _Question:
        sizes = (await self._overviews.get()).tiers
        c, lane = customers.c, lanes.c
        query = (
            select(
                c.state, c.tier, c.lane, c.policy_version, lane.seq, lane.clock_ms, lane.versions
            )  # one statement: state and clock are of one moment
            .join(lanes, and_(lane.service == "scorer", lane.lane == c.lane))
            .where(c.customer_id == customer_id, visible(me))
        )
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
            if row is None:
                raise not_found("customer")
            policy = await self._customers.of_version(connection, row.policy_version)
            # A lane that goes over to another policy reaches its customers one by one; who still waits is
            # ranked by the cut-offs that everybody was brought under last.
            version = row.versions[0 if row.policy_version == row.versions[1] else 2]
            cuts = await self._cuts(connection, version)
            rfm = await self._quintiles.get(connection)
        moment = Moment(
            now_ms=row.clock_ms,
            cuts=cuts,
            cut_offs_version=version,
            policy_version=row.policy_version,
            lane=row.lane,
            seq=row.seq,
        )
        return _Question(customer_id, row.state, moment, policy, sizes.get(row.tier), rfm)

    async def _cuts(self, connection: AsyncConnection, version: int) -> CutPoints | None:
        """Return the cut-offs of a version, with the names of the policy that they were computed under."""
        if version == 0:
            return None
        query = select(cut_offs.c.cuts, cut_offs.c.policy_version).where(cut_offs.c.version == version)
        row = (await connection.execute(query)).one_or_none()
        if row is None:
            detail = "The cut-offs in force are being replaced right now; try again in a few seconds."
            raise Problem(503, "unavailable", detail, {"Retry-After": "3"})
        if row.cuts is None:
            return None
        names = (await self._customers.of_version(connection, row.policy_version)).tiers.names
        triples = zip(*[iter(row.cuts)] * 3, strict=True)
        points = (
            CutPoint(above=name, enter=enter, plain=plain, leave=leave)
            for name, (enter, plain, leave) in zip(names, triples, strict=False)
        )
        return CutPoints(points=tuple(points))


def _busy() -> Problem:
    detail = "Many outlooks are being computed right now; try again in a few seconds."
    return Problem(503, "busy", detail, {"Retry-After": "3"})


def _answer(question: _Question) -> OutlookView:
    state, moment, policy = decode_state(question.state), question.moment, question.policy
    settled = settle(state, moment, policy).state
    crowd = Crowd(rfm=question.rfm, tier_customers=question.tier_customers)
    return outlook_view(
        question.customer_id,
        moment.policy_version,
        outlook(state, moment, policy),
        segments=segments_of(settled, policy, crowd),
        predictions=predictions(settled, policy),
        rules=standings(settled, policy),
    )
