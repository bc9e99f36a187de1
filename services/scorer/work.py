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

from schemas.wire import Reason, Refused
from services.lanes.work import LaneTime, Message, Record, Turn
from services.scorer import crowd, records, store
from services.scorer.core.advance import adopt, advance, settle
from services.scorer.core.cuts import Histogram, bands_moved, count_move
from services.scorer.core.draft import Moment, Step
from services.scorer.core.due import next_due_ms
from services.scorer.core.policy import Policy
from services.scorer.core.state import decode_state
from services.scorer.outputs import cut_offs_message, message_of, time_marks
from services.scorer.store import CutOffs, Held, Rows

LOOK_SECONDS: Final = 0.05  # between two looks at what other workers wrote
HISTOGRAM_SECONDS: Final = 1.0
COMPUTE_SECONDS: Final = 1.0  # at most one version of cut-offs a second


@dataclass(slots=True)
class Board:
    """What the lanes of one worker tell each other, so that they need not ask PostgreSQL in a loop."""

    barriers: dict[int, tuple[int, bool]] = field(default_factory=dict)  # lane -> histogram saved at
    latest: CutOffs | None = None


NO_CUT_OFFS: Final = CutOffs(version=0, at_ms=0, complete=False, cuts=None)


@dataclass(slots=True)
class ScorerWork:
    """One lane of customers. Its memory changes only when a turn was committed."""

    board: Board
    lane: int
    lanes: int
    policy: Policy
    policy_version: int
    in_force: CutOffs
    swept: CutOffs  # every customer of the lane was brought under these
    histogram: Histogram
    _saved: float = 0.0  # when the histogram was last saved, monotonic
    _dirty: bool = False
    _looked: float = 0.0
    _computed: float = 0.0

    # -- records ------------------------------------------------------------------------------------

    async def chunk(self, connection: Any, records_: Sequence[Record], time: LaneTime, seq: int) -> Turn:
        """Apply records in order; whatever is no event, or can't be one here, becomes a dead letter."""
        intake = records.read(records_, wall_ms=time.wall_ms)
        moment = self._moment(time, seq, self.in_force)
        held = await self._held(connection, {event.customer_id for _, event in intake.events})
        rows, outputs = Rows(), []
        for record, event in intake.events:
            customer = held.get(event.customer_id) or self._newcomer(event.customer_id)
            try:
                self._refuse_strangers(customer)
                if self.swept.version < self.in_force.version and customer.state is not None:
                    outputs += self._bring_under(customer, moment, rows)  # the sweep has not come here yet
                outputs += self._take(customer, advance(customer.state, event, moment, self.policy), rows)
            except Refused as refused:
                intake.dead_letters.append(records.dead_letter(record, refused))
                continue
            held[event.customer_id] = customer
        rows.customers = [customer for customer in held.values() if customer.changed]
        turn = self._turn("chunk", rows, outputs, moment)
        turn.dead_letters = intake.dead_letters
        turn.applied = len(records_) - len(intake.dead_letters)
        return turn

    def _refuse_strangers(self, customer: Held) -> None:
        if customer.lane != self.lane:
            raise Refused(Reason.PARTITION, f"the customer belongs to partition {customer.lane}")

    async def _held(self, connection: Any, customer_ids: set[str]) -> dict[str, Held]:
        found = await connection.fetch(store.TOUCHED, list(customer_ids)) if customer_ids else []
        return {row[0]: _held(row) for row in found}

    def _newcomer(self, customer_id: str) -> Held:
        """Return somebody never seen; where he belongs is for the key to say, as no row says it yet."""
        return Held(customer_id, records.partition_of(customer_id, self.lanes), None)

    # -- time and the crowd -------------------------------------------------------------------------

    async def tend(self, connection: Any, time: LaneTime, seq: int) -> Turn | None:
        """Fire what is due, bring customers under new cut-offs, and settle a replay's instants."""
        if self.swept.version < self.in_force.version:
            return await self._sweep(connection, time, seq, self.in_force)
        # A lane that waits for the others is asked again and again; what was due has fired before.
        waits = time.barrier and self.board.barriers.get(self.lane) == (time.now_ms, time.complete)
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
            outputs += self._bring_under(customer, moment, rows)
            rows.customers.append(customer)
        finished = len(concerned) < store.BATCH
        if finished and time.barrier:
            outputs += time_marks(self.lane, time)
        turn = self._turn("sweep", rows, outputs, moment)
        turn.versions = (
            target.version, self.policy_version, target.version if finished else self.swept.version
        )  # fmt: skip
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

    def _bring_under(self, customer: Held, moment: Moment, rows: Rows) -> list[Message]:
        """Let time pass under the cuts that the customer knows, then bring him under those of ``moment``."""
        known = msgspec.structs.replace(moment, cuts=self.swept.cuts, cut_offs_version=self.swept.version)
        outputs = self._take(customer, settle(customer.known, known, self.policy), rows)
        return outputs + self._take(customer, adopt(customer.known, moment, self.policy), rows)

    async def _concerned(self, connection: Any, moment: Moment) -> list[Any]:
        cuts, bands = moment.cuts, bands_moved(self.swept.cuts, moment.cuts)
        if cuts is None or not bands:
            return []
        found: list[Any] = await connection.fetch(
            store.CONCERNED,
            *(self.lane, bands, cuts.high_18, cuts.high_22, cuts.low_18, cuts.low_22),
            *(self.policy.dwell_ms, moment.now_ms, store.BATCH),
        )
        return found

    async def _settle(self, connection: Any, time: LaneTime, seq: int) -> Turn | None:
        """A replay's instant: save the histogram, wait for everybody's, adopt what comes of them."""
        instant = (time.now_ms, time.complete)
        if (self.in_force.at_ms, self.in_force.complete) == instant:  # adopted; only the word is missing
            return Turn(kind="settle", outbox=time_marks(self.lane, time), settled=True)
        if self.board.barriers.get(self.lane) != instant:
            return self._save_in(Turn(kind="settle"), time, [])
        latest = self.board.latest
        if latest is not None and (latest.at_ms, latest.complete) == instant:
            return await self._sweep(connection, time, seq, latest)
        must_know = self.lane == 0 and await self._all_there(connection, instant)
        latest = await self._newest(connection, at_once=must_know)
        if (latest.at_ms, latest.complete) == instant:
            return await self._sweep(connection, time, seq, latest)
        return await self._compute(connection, time, latest, always=True) if must_know else None

    async def _all_there(self, connection: Any, instant: tuple[int, bool]) -> bool:
        if any(reached != instant for reached in self.board.barriers.values()):
            return False
        return int(await connection.fetchval(store.HISTOGRAMS_AT, *instant)) == self.lanes

    async def _live(self, connection: Any, time: LaneTime, seq: int) -> Turn | None:
        """Now and then: adopt cut-offs that were written, write those that moved, save the histogram.

        In this order: under load a histogram is dirty again at once, and nothing may starve behind it.
        """
        latest = await self._newest(connection, at_once=self.lane == 0)
        if latest.version > self.in_force.version:
            return await self._sweep(connection, time, seq, latest)
        now = clock.monotonic()
        if self.lane == 0 and now - self._computed >= COMPUTE_SECONDS:
            self._computed = now
            turn = await self._compute(connection, time, latest, always=False)
            if turn is not None:
                return turn
        if self._dirty and now - self._saved >= HISTOGRAM_SECONDS:
            return self._save_in(Turn(kind="histogram"), time, [])
        return None

    async def _newest(self, connection: Any, *, at_once: bool) -> CutOffs:
        """Return the newest cut-offs known; asks PostgreSQL now and then, or ``at_once``."""
        now = clock.monotonic()
        if at_once or now - self._looked >= LOOK_SECONDS:
            self._looked = now
            row = await connection.fetchrow(store.CUT_OFFS_AFTER, self.in_force.version)
            if row is not None:
                self.board.latest = store.cut_offs_of(row)
        latest = self.board.latest
        return self.in_force if latest is None or latest.version < self.in_force.version else latest

    async def _compute(self, connection: Any, time: LaneTime, last: CutOffs, *, always: bool) -> Turn | None:
        """Sum all lanes' histograms and write the next version; live only when the cuts moved, or it is time."""
        total = await crowd.total_histogram(connection)
        cuts, ties = crowd.new_cut_offs(total, self.policy)
        old = time.now_ms - last.at_ms >= crowd.VERSION_MS_MAX
        if not (always or old or crowd.moved_enough(total, last.cuts, cuts)):
            return None
        new = CutOffs(last.version + 1, time.now_ms, time.complete, cuts)
        write = crowd.cut_offs_write(
            new.version,
            cuts,
            ties,
            at_ms=new.at_ms,
            complete=new.complete,
            policy_version=self.policy_version,
        )

        def written() -> None:
            self.board.latest = new

        return Turn(kind="cut-offs", writes=[write], outbox=[cut_offs_message(new, ties)], on_commit=written)

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

    def _take(self, customer: Held, step: Step, rows: Rows) -> list[Message]:
        """Take a step's outcome over into the turn; return what is to be published."""
        if step.duplicate:
            return []
        customer.advance(step)
        rows.add(step.effects)
        return [message_of(effect, self.lane) for effect in step.effects]

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
        turn.writes.append(crowd.save_histogram(after, at_ms=time.now_ms, complete=time.complete))
        counted = turn.on_commit

        def committed() -> None:
            if counted is not None:
                counted()
            self._saved, self._dirty = clock.monotonic(), False
            if time.barrier:
                self.board.barriers[self.lane] = (time.now_ms, time.complete)

        turn.on_commit = committed
        return turn


def _held(row: Any) -> Held:
    return Held(row[0], row[1], decode_state(row[2]), stored=True, stored_due_ms=row[3])
