"""What one turn changes about customers: rows, messages, moves in the histogram.

A customer is changed as a whole or not at all. What may raise comes first, and ``attempt`` tries the work
on copies, so an exception in the middle of it leaves him, and everybody else, as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from schemas.events import ReferralMade
from schemas.times import HOUR_MS
from services.lanes import faults
from services.lanes.work import Message
from services.scorer import crowd
from services.scorer.core.draft import Effect, Moment, Step
from services.scorer.outputs import message_of
from services.scorer.store import Held, Rows, customer_row

PUT_OFF_MS: Final = HOUR_MS


class Told(NamedTuple):
    """A step of the core, and which of its effects are published."""

    step: Step
    effects: Sequence[Effect]
    rescored: bool = False  # under another policy, whose histogram he was not in


def told(step: Step, *, live: bool = False) -> Told:
    """Return a step all of whose effects are published, but for a referral that a replay has in its log."""
    if live or not step.effects:
        return Told(step, step.effects)
    return Told(step, [one for one in step.effects if not isinstance(one, ReferralMade)])


@dataclass(slots=True)
class Changes:
    """Collects what a turn does, customer by customer."""

    lane: int
    lanes: int
    moment: Moment
    due_of: Callable[[Held], int | None]
    rows: Rows = field(default_factory=Rows)
    outputs: list[Message] = field(default_factory=list)
    put_off: list[str] = field(default_factory=list)

    @property
    def moves(self) -> list[crowd.Moved]:
        """Each customer's move between bins, from before the turn to after it."""
        return [customer.moved for customer in self.rows.customers]

    def take(self, customer: Held, steps: Iterable[Told]) -> None:
        """Take steps of a customer over; an event that was a repeat changes nothing."""
        for step, effects, rescored in steps:
            if step.duplicate:
                continue
            if step.effects:  # most steps have none
                self.outputs += [message_of(effect, self.lane, self.lanes) for effect in effects]
                self.rows.add(step.effects)
            customer.advance(step)
            if rescored:
                customer.moved = step.moved
                customer.policy_version = self.moment.policy_version

    def attempt(self, customer: Held, work: Callable[[Changes, Held], None]) -> Held:
        """Do the work on one customer wholly, whatever is stored of it included; return him as he is then.

        Raises:
            Exception: whatever the work raises; nothing has changed then.
        """
        trial, after = Changes(self.lane, self.lanes, self.moment, self.due_of), replace(customer)
        work(trial, after)
        after.row = customer_row(after, self.due_of(after))
        trial.rows.writes(self.due_of)  # what his effects leave behind can be stored
        crowd.pack_moves([after.moved])  # and the histogram has his place
        self.rows.absorb(trial.rows)
        self.outputs += trial.outputs
        return after

    def change_or_put_off(self, customer: Held, name: str, work: Callable[[Changes, Held], None]) -> bool:
        """Do work that time or the crowd asks for; False when a bug kept it from him.

        Then he stays as he is and falls due in an hour, and the lane goes on with everybody else.
        """
        try:
            self.rows.customers.append(self.attempt(customer, work))
        except faults.NEVER_CAUGHT:
            raise
        except Exception as error:  # noqa: BLE001 -- logged there; see faults
            faults.put_off(name, error, self.lane)
            self.put_off.append(name)
            self.rows.put_off.append((customer.customer_id, self._later(customer)))
            return False
        return True

    def _later(self, customer: Held) -> int:
        """Return when to try again: in an hour, or when he is due for himself before that."""
        due, later = customer.stored_due_ms, self.moment.now_ms + PUT_OFF_MS
        return later if due is None or due <= self.moment.known_until_ms else min(due, later)
