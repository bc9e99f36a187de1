"""One step in the making, and what a step is told and returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from schemas.events import ChurnCleared, ChurnWarned, ReferralMade, TierChanged
from schemas.tiers import Cause
from services.scorer.core.cuts import Cuts
from services.scorer.core.products import NO_PRODUCTS, Products
from services.scorer.core.state import State

if TYPE_CHECKING:
    from services.scorer.core.policy import Policy

Effect = TierChanged | ChurnWarned | ChurnCleared | ReferralMade


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """What a step is told of the world: the lane's clock, the cuts in force, and where it happens."""

    now_ms: int  # the lane's clock
    complete: bool = False  # every event at ``now_ms`` itself is in, too: the end of a replay
    cuts: Cuts | None = None
    cut_offs_version: int = 0
    policy_version: int = 1
    lane: int = 0
    seq: int = 0  # of the lane transaction that this step will be part of
    products: Products = NO_PRODUCTS  # those of the event's lines that are known; empty unless measured

    @property
    def known_until_ms(self) -> int:
        """Every event earlier than this is in, so a silence that starts earlier is one."""
        return self.now_ms + 1 if self.complete else self.now_ms


class Because(msgspec.Struct, frozen=True):
    """What moved the customer."""

    cause: Cause
    event_id: str | None = None


class Step(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a transition returns."""

    state: State
    effects: tuple[Effect, ...] = ()  # in order of occurrence
    moved: tuple[int | None, int | None] = (None, None)  # histogram bins before and after; None: not active
    duplicate: bool = False  # the event was known already; nothing changed


@dataclass(slots=True)
class Draft:
    """A private copy of the state, changed in place until the step is done.

    Five immutable copies per event would cost more than all the arithmetic; nobody sees this one.
    """

    state: State
    moment: Moment
    policy: Policy
    effects: list[Effect]
    bin_before: int | None
    cuts: Cuts | None  # in force: the crowd's, or the policy's own
    heard: bool = False  # a contact came, and the episodes were not reviewed since
    noted: bool = False  # a fact came that may be a warning by itself
    news_is_late: bool = False  # something came out of order: every episode is derived anew
    undone: bool = False  # the only purchase never was: nobody bought anything

    @classmethod
    def of(cls, state: State, moment: Moment, policy: Policy) -> Draft:
        """Begin a step from ``state``, which stays as it is."""
        return cls(
            state.__copy__(),  # type: ignore[attr-defined]  # a third of copy.copy
            moment,
            policy,
            [],
            policy.bin_of(state),
            policy.fixed_cuts or moment.cuts,
        )

    def step(self) -> Step:
        """Finish."""
        moved = self.bin_before, self.policy.bin_of(self.state)
        return Step(state=self.state, effects=tuple(self.effects), moved=moved)
