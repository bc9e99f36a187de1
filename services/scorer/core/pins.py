"""A tier that a manager decided, with its cause and its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.events import Pin
from schemas.times import from_ms
from services.scorer.core.state import NEVER_MS

if TYPE_CHECKING:
    from services.scorer.core.state import Decision, State


def pin_of(state: State, at_ms: int) -> Decision | None:
    """Return the pin that stands at an instant, None when none does."""
    decision = state.decision
    if decision is None or not decision.tier or at_ms >= decision.until_ms:
        return None
    return decision


def published_pin(state: State, at_ms: int) -> Pin | None:
    """Return the pin that stands at an instant, as proofs and pages show it."""
    pin = pin_of(state, at_ms)
    if pin is None:
        return None
    until = None if pin.until_ms == NEVER_MS else from_ms(pin.until_ms)
    return Pin(tier=pin.tier, until=until, cause=pin.cause, decided_by=pin.decided_by)


def decide(state: State, decision: Decision) -> None:
    """Take a decision into a draft's state; the latest counts, in whatever order they come."""
    known = state.decision
    if known is None or (known.time_ms, known.event) < (decision.time_ms, decision.event):
        state.decision = decision


def end_ms(state: State) -> int:
    """Return when the pin ends that stands at the customer's clock, never when nothing ends."""
    pin = pin_of(state, state.settled_ms)
    return NEVER_MS if pin is None else pin.until_ms
