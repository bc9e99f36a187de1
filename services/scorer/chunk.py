"""What a chunk's records do to the lane's customers, in order.

A record that meets a bug must not stop the lane: it becomes a dead letter with reason INTERNAL, its
customer stays as he was before it, and the other records are applied as if it had never come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from schemas.events import Input
from schemas.wire import Reason, Refused
from services.lanes import faults
from services.lanes.work import DeadLetter, Record, Turn
from services.scorer import records
from services.scorer.changes import Changes, told
from services.scorer.core.advance import advance
from services.scorer.core.draft import Moment
from services.scorer.core.products import skus_of
from services.scorer.memory import LaneMemory
from services.scorer.records import Intake
from services.scorer.store import Held
from services.scorer.sweep import Olds, bring_under, is_behind

_People = dict[str, Held]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Decoded records, and everything that was read for them. Pure from here on."""

    memory: LaneMemory
    intake: Intake
    rows: Sequence[Any]  # of the customers concerned
    olds: Olds
    moment: Moment
    live: bool

    def turn(self) -> Turn:
        """Return the chunk's turn.

        When a bug is met all is decided once more, each record by itself, with a copy of its customer and
        his row made after it: so the bug's own record is found, and chunks without a bug pay nothing.
        """
        try:
            return self._turn(self._apply_all)
        except faults.NEVER_CAUGHT:
            raise
        except Exception:  # noqa: BLE001 -- met again in a moment, and logged then with its record
            return self._turn(self._apply_each)

    def _turn(self, apply: Any) -> Turn:
        people = {row[0]: Held.of(row) for row in self.rows}
        changes = self.memory.changes(self.moment)
        refused: list[DeadLetter] = apply(changes, people)
        changes.rows.customers = [customer for customer in people.values() if customer.changed]
        turn = self.memory.turn("chunk", changes)
        turn.dead_letters = self.intake.dead_letters + refused
        return turn

    def _apply_all(self, changes: Changes, people: _People) -> list[DeadLetter]:
        letters, memory = [], self.memory
        for record, event in self._events():
            try:
                customer = self._whose(people, event)
                if is_behind(memory, customer):
                    bring_under(memory, changes, customer, self.olds)
                self._advance(changes, customer, event)
                people[event.customer_id] = customer
            except Refused as refused:
                letters.append(records.dead_letter(record, refused))
        return letters

    def _apply_each(self, changes: Changes, people: _People) -> list[DeadLetter]:
        letters = []
        for record, event in self._events():
            try:
                customer = self._whose(people, event)
                if customer.state is not None:  # even if the event is refused then
                    customer = people[event.customer_id] = changes.attempt(customer, self._bring_under)
                people[event.customer_id] = changes.attempt(customer, partial(self._advance, event=event))
            except Refused as refused:
                letters.append(records.dead_letter(record, refused))
            except faults.NEVER_CAUGHT:
                raise
            except Exception as error:  # noqa: BLE001 -- logged there; see faults
                letters.append(faults.dead_letter(record, error, self.memory.lane))
        return letters

    def _events(self) -> list[tuple[Record, Input]]:
        anonymous = self.memory.policy.anonymous_ids
        if not anonymous:
            return self.intake.events
        return [pair for pair in self.intake.events if pair[1].customer_id not in anonymous]

    def _whose(self, people: _People, event: Input) -> Held:
        """Return the event's customer.

        Raises:
            Refused: PARTITION, he is another lane's. Of somebody never seen the key says whose he is, as no
                row says it yet.
        """
        memory, known = self.memory, people.get(event.customer_id)
        if known is None:
            lane = records.partition_of(event.customer_id, memory.lanes)
            known = Held(event.customer_id, lane, None, policy_version=memory.policy_version)
        if known.lane != memory.lane:
            raise Refused(Reason.PARTITION, f"the customer belongs to partition {known.lane}")
        return known

    def _bring_under(self, changes: Changes, customer: Held) -> None:
        if is_behind(self.memory, customer):
            bring_under(self.memory, changes, customer, self.olds)

    def _advance(self, changes: Changes, customer: Held, event: Input) -> None:
        step = advance(customer.state, event, changes.moment, self.memory.policy)
        changes.take(customer, [told(step, live=self.live)])


def skus_in(intake: Intake, lane: int) -> set[str]:
    """Return what was bought, to be looked up; a record that meets a bug here is given up already."""
    skus, events = set[str](), []
    for record, event in intake.events:
        try:
            skus |= skus_of((event,))
        except faults.NEVER_CAUGHT:
            raise
        except Exception as error:  # noqa: BLE001 -- logged there; see faults
            intake.dead_letters.append(faults.dead_letter(record, error, lane))
        else:
            events.append((record, event))
    intake.events = events
    return skus
