"""The scorer as the lane engine sees it: which turn comes next, and what it reads and writes.

No rule is here: every change of a customer is a call of the core, every decision about cut-offs is
``crowd``'s.
"""

from __future__ import annotations

import time as clock
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from schemas.events import ChurnCleared, ReferralMade
from schemas.wire import Reason, Refused
from services.lanes.work import LaneTime, Message, Record, Turn
from services.scorer import crowd, records, store
from services.scorer.book import Book
from services.scorer.catalogue import Catalogue, Shelf
from services.scorer.census import Census
from services.scorer.core.advance import adopt, advance, settle
from services.scorer.core.cuts import Histogram, bands_moved, count_move, empty_histogram
from services.scorer.core.draft import Moment, Step
from services.scorer.core.due import next_due_ms
from services.scorer.core.policy import Policy
from services.scorer.core.products import skus_of
from services.scorer.core.rescore import rescore
from services.scorer.core.state import decode_state
from services.scorer.outputs import message_of, time_marks
from services.scorer.store import CutOffs, Held, Rows
from services.scorer.switch import Policies, Rescoring

HISTOGRAM_SECONDS: Final = 1.0
COMPUTE_SECONDS: Final = 1.0  # at most one version of cut-offs a second


@dataclass(slots=True)
class ScorerWork:
    """One lane of customers. Its memory changes only when a turn was committed."""

    book: Book
    lane: int
    lanes: int
    policy: Policy
    policy_version: int
    in_force: CutOffs
    swept: CutOffs  # every customer of the lane was brought under these
    histogram: Histogram
    policies: Policies
    rescoring: Rescoring
    census: Census
    shelf: Shelf = field(default_factory=lambda: Shelf(Catalogue()))
    _saved: float = 0.0  # when the histogram was last saved, monotonic
    _dirty: bool = False
    _computed: float = 0.0

    # -- records ------------------------------------------------------------------------------------

    async def chunk(self, connection: Any, records_: Sequence[Record], time: LaneTime, seq: int) -> Turn:
        """Apply records in order; whatever is no event, or can't be one here, becomes a dead letter."""
        intake = records.read(records_, wall_ms=time.wall_ms)
        products = None if time.live else await self.shelf.first(connection)
        moment = self._moment(time, seq, self.in_force)
        if self.policy.needs_products:
            skus = skus_of(event for _, event in intake.events)
            found = await self.shelf.look_up(connection, skus, products)
            moment = msgspec.structs.replace(moment, products=found)
        held = await self._held(connection, {event.customer_id for _, event in intake.events})
        rows, outputs = Rows(), []
        for record, event in intake.events:
            if event.customer_id in self.policy.anonymous_ids:
                continue
            customer = held.get(event.customer_id) or self._newcomer(event.customer_id)
            try:
                self._refuse_strangers(customer)
                if self.swept.version < self.in_force.version and customer.state is not None:
                    # The sweep has not come here yet.
                    outputs += await self._bring_under(connection, customer, moment, rows)
                outputs += self._take(
                    customer, advance(customer.state, event, moment, self.policy), rows, live=time.live
                )
            except Refused as refused:
                intake.dead_letters.append(records.dead_letter(record, refused))
                continue
            held[event.customer_id] = customer
        rows.customers = [customer for customer in held.values() if customer.changed]
        turn = self._turn("chunk", rows, outputs, moment)
        turn.dead_letters = intake.dead_letters
        turn.applied = len(records_) - len(intake.dead_letters)
        return turn if products is None else self._adopt(turn, products)

    def _adopt(self, turn: Turn, products: int) -> Turn:
        """Let the lane go over to another version of the products with this turn."""
        versions = self._versions(self.in_force, swept=self.swept)
        return self.shelf.adopt(turn, products, others=versions[:-1])

    def _refuse_strangers(self, customer: Held) -> None:
        if customer.lane != self.lane:
            raise Refused(Reason.PARTITION, f"the customer belongs to partition {customer.lane}")

    async def _held(self, connection: Any, customer_ids: set[str]) -> dict[str, Held]:
        found = await connection.fetch(store.TOUCHED, list(customer_ids)) if customer_ids else []
        return {row[0]: _held(row) for row in found}

    def _newcomer(self, customer_id: str) -> Held:
        """Return somebody never seen; where he belongs is for the key to say, as no row says it yet."""
        lane = records.partition_of(customer_id, self.lanes)
        return Held(customer_id, lane, None, policy_version=self.policy_version)

    # -- time and the crowd -------------------------------------------------------------------------

    async def tend(self, connection: Any, time: LaneTime, seq: int) -> Turn | None:
        """Fire what is due, bring customers under new cut-offs, and settle a replay's instants."""
        # First of all: they were loaded before the purchases that wait.
        products = await self.shelf.due(connection, barrier=time.barrier)
        if products is not None:
            return self._adopt(Turn(kind="products"), products)
        if self.swept.version < self.in_force.version:
            return await self._sweep(connection, time, seq, self.in_force)
        # A lane that waits for the others is asked again and again; what was due has fired before.
        waits = time.barrier and self.book.board.barriers.get(self.lane) == (time.now_ms, time.complete)
        turn = None if waits else await self._fire(connection, time, seq)
        if turn is not None:
            return turn
        then = self._settle if time.barrier else self._live
        return await then(connection, time, seq)

    async def _fire(self, connection: Any, time: LaneTime, seq: int) -> Turn | None:
        """Let time pass for the customers whose due instant has come; None when there is none."""
        moment = self._moment(time, seq, self.in_force)
        due = await connection.fetch(store.DUE, self.lane, moment.known_until_ms, store.BATCH)
        if not due:
            return None
        rows, outputs = Rows(), []
        for row in due:
            customer = _held(row)
            outputs += self._take(customer, settle(customer.known, moment, self.policy), rows)
            rows.customers.append(customer)
        turn = self._turn("time", rows, outputs, moment)
        if time.barrier and len(due) < store.BATCH:  # nothing else is due: spare the lane a turn
            self._save_in(turn, time, [customer.moved for customer in rows.customers])
        return turn

    async def _sweep(self, connection: Any, time: LaneTime, seq: int, target: CutOffs) -> Turn:
        """Bring a batch of the customers whom a moved cut concerns under ``target``; the last one ends it."""
        moment = self._moment(time, seq, target)
        concerned = await self._concerned(connection, moment)
        rows, outputs = Rows(), []
        for row in concerned:
            customer = _held(row)
            outputs += await self._bring_under(connection, customer, moment, rows)
            rows.customers.append(customer)
        finished = len(concerned) < store.BATCH
        if finished and time.barrier:
            outputs += time_marks(self.lane, time)
        turn = self._turn("sweep", rows, outputs, moment)
        turn.versions = self._versions(target, swept=target if finished else self.swept)
        turn.settled = finished and time.barrier
        counted = turn.on_commit

        def committed() -> None:
            if counted is not None:
                counted()
            self.in_force = target
            if finished:
                self.swept = target

        turn.on_commit = committed
        return turn

    async def _bring_under(
        self, connection: Any, customer: Held, moment: Moment, rows: Rows
    ) -> list[Message]:
        """Let time pass under what the customer knows, then bring him under the cuts of ``moment``.

        Somebody whom another policy scored is rescored, and nobody is alerted for where he was already:
        only warnings that are over are told.
        """
        if self.swept.policy_version != self.policy_version == customer.policy_version:
            return []  # rescored under these cuts already, and those before are another ladder's
        known = msgspec.structs.replace(
            moment,
            cuts=self.swept.cuts,
            cut_offs_version=self.swept.version,
            policy_version=customer.policy_version,
        )
        if customer.policy_version == self.policy_version:
            outputs = self._take(customer, settle(customer.known, known, self.policy), rows)
            return outputs + self._take(customer, adopt(customer.known, moment, self.policy), rows)
        old = await self.policies.get(connection, customer.policy_version)
        outputs = self._take(customer, settle(customer.known, known, old), rows)
        step = rescore(customer.known, moment, self.policy)
        customer.policy_version = self.policy_version
        cleared = {effect.event_id for effect in step.effects if isinstance(effect, ChurnCleared)}
        told = zip(self._take(customer, step, rows), step.effects, strict=True)
        customer.moved = step.moved  # the histogram is another one, and he was not in it
        return outputs + [message for message, effect in told if effect.event_id in cleared]

    def _versions(self, in_force: CutOffs, *, swept: CutOffs) -> tuple[int, ...]:
        """Return the lane's versions as its row keeps them."""
        counted = self.rescoring.through
        return in_force.version, self.policy_version, swept.version, counted, self.shelf.version

    async def _concerned(self, connection: Any, moment: Moment) -> list[Any]:
        if self.swept.policy_version != self.policy_version:
            unscored: list[Any] = await connection.fetch(
                store.UNSCORED, self.lane, self.policy_version, store.BATCH
            )
            return unscored
        cuts, bands = moment.cuts, bands_moved(self.swept.cuts, moment.cuts)
        if cuts is None or not bands or self.policy.tiers.is_fixed:
            return []
        above = [store.SMALLINT_MAX, *(point.enter for point in cuts.points)]
        below = [*(point.leave for point in cuts.points), 0]
        found: list[Any] = await connection.fetch(
            store.CONCERNED,
            *(self.lane, bands, list(self.policy.tiers.names), above, below),
            *(self.policy.tiers.dwell_ms, moment.now_ms, store.BATCH),
        )
        return found

    async def _settle(self, connection: Any, time: LaneTime, seq: int) -> Turn | None:
        """A replay's instant: save the histogram, wait for everybody's, adopt what comes of them."""
        instant = (time.now_ms, time.complete)
        if (self.in_force.at_ms, self.in_force.complete) == instant:  # adopted; only the word is missing
            return Turn(kind="settle", outbox=time_marks(self.lane, time), settled=True)
        if self.book.board.barriers.get(self.lane) != instant:
            return self._save_in(Turn(kind="settle"), time, [])
        latest = self.book.board.latest
        if latest is not None and (latest.at_ms, latest.complete) == instant:
            return await self._sweep(connection, time, seq, latest)
        must_know = self.lane == 0 and await self.book.all_there(connection, instant)
        latest = await self.book.newest(connection, self.in_force, at_once=must_know)
        if (latest.at_ms, latest.complete) == instant:
            return await self._sweep(connection, time, seq, latest)
        if not must_know:
            return None
        return await self.book.compute(connection, time, latest, self.policy, always=True)

    async def _live(self, connection: Any, time: LaneTime, seq: int) -> Turn | None:
        """Now and then: adopt cut-offs that were written, write those that moved, save the histogram.

        In this order: under load a histogram is dirty again at once, and nothing may starve behind it.
        """
        latest = await self.book.newest(connection, self.in_force, at_once=self.lane == 0)
        if latest.policy_version != self.policy_version and latest.version > self.in_force.version:
            return await self._switch(connection, time, latest)
        if latest.version > self.in_force.version:
            return await self._sweep(connection, time, seq, latest)
        moment = self._moment(time, seq, self.in_force)
        turn = await self.rescoring.next_turn(connection, moment, self.policy_version)
        if turn is not None:
            if turn.writes:  # through: the lane's row says so
                before = self._versions(self.in_force, swept=self.swept)
                turn.versions = (*before[:3], self.rescoring.target, *before[4:])
            return turn
        now = clock.monotonic()
        if self.lane == 0 and now - self._computed >= COMPUTE_SECONDS:
            self._computed = now
            target = self.rescoring.through
            if target > self.policy_version:
                turn = await self.book.compute_switch(connection, time, latest, target)
            if turn is None:
                turn = await self.book.compute(connection, time, latest, self.policy, always=False)
            if turn is not None:
                return turn
        if self._dirty and now - self._saved >= HISTOGRAM_SECONDS:
            return self._save_in(Turn(kind="histogram"), time, [])
        return await self.census.next_turn(connection, time.now_ms, self.policy)

    async def _switch(self, connection: Any, time: LaneTime, latest: CutOffs) -> Turn:
        """Begin to live under another policy: from here on an empty histogram fills as customers are rescored."""
        policy = await self.policies.get(connection, latest.policy_version)
        version, empty = latest.policy_version, empty_histogram()
        save = crowd.save_histogram(empty, at_ms=time.now_ms, complete=time.complete, policy_version=version)

        def committed() -> None:
            self.policy, self.policy_version, self.in_force = policy, version, latest
            self.histogram, self.book.switched = empty, latest.version

        counted = max(version, self.rescoring.through)
        versions = latest.version, version, self.swept.version, counted, self.shelf.version
        return Turn(kind="switch", writes=[save], versions=versions, on_commit=committed)

    # -- small parts --------------------------------------------------------------------------------

    def _moment(self, time: LaneTime, seq: int, cut_offs: CutOffs) -> Moment:
        return Moment(
            now_ms=time.now_ms,
            complete=time.complete and time.barrier,
            cuts=cut_offs.cuts,
            cut_offs_version=cut_offs.version,
            policy_version=self.policy_version,
            lane=self.lane,
            seq=seq,
        )

    def _take(self, customer: Held, step: Step, rows: Rows, *, live: bool = False) -> list[Message]:
        """Take a step's outcome over into the turn; return what is to be published."""
        if step.duplicate:
            return []
        customer.advance(step)
        rows.add(step.effects)
        return [
            message_of(effect, self.lane, self.lanes)
            for effect in step.effects
            if live or not isinstance(effect, ReferralMade)  # a replay has them in its log already
        ]

    def _turn(self, kind: str, rows: Rows, outputs: list[Message], moment: Moment) -> Turn:
        moves = [customer.moved for customer in rows.customers]

        def committed() -> None:
            for move in moves:
                count_move(self.histogram, move)
            self._dirty = self._dirty or any(old != new for old, new in moves)

        return Turn(
            kind=kind,
            writes=rows.writes(lambda held: self._due_to_store(held, moment)),
            outbox=outputs,
            note=crowd.pack_moves(moves),
            on_commit=committed,
        )

    def _due_to_store(self, held: Held, moment: Moment) -> int | None:
        """Keep a stored due that only moved later: it fires early, finds nothing, and the index rests."""
        due, stored = next_due_ms(held.known, self.policy, moment.cuts), held.stored_due_ms
        if stored is not None and stored > held.known.settled_ms and (due is None or stored <= due):
            return stored
        return due

    def _save_in(self, turn: Turn, time: LaneTime, moves: list[crowd.Moved]) -> Turn:
        """Save the histogram in a turn that makes these moves itself."""
        after = array("I", self.histogram)
        for move in moves:
            count_move(after, move)
        turn.writes.append(
            crowd.save_histogram(
                after, at_ms=time.now_ms, complete=time.complete, policy_version=self.policy_version
            )
        )
        counted = turn.on_commit

        def committed() -> None:
            if counted is not None:
                counted()
            self._saved, self._dirty = clock.monotonic(), False
            if time.barrier:
                self.book.board.barriers[self.lane] = (time.now_ms, time.complete)

        turn.on_commit = committed
        return turn


def _held(row: Any) -> Held:
    return Held(
        row[0], row[1], decode_state(row[2]), stored=True, stored_due_ms=row[3], policy_version=row[4]
    )
