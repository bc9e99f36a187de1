"""The proof of a tier change, recomputed: from the log, or where the log is gone from the proof itself.

A published change is a function of the customer's events and of ``lane_log``. ``replay`` takes both as
turns, in the order in which the lane took them, and steps the core through them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from schemas.events import Input, TierChanged
from schemas.tiers import LAPSED, Cause
from schemas.times import to_ms
from schemas.wire import Refused
from services.scorer.core import tiers
from services.scorer.core.advance import adopt, advance, settle
from services.scorer.core.cuts import Cuts
from services.scorer.core.draft import Moment
from services.scorer.core.rescore import rescore
from services.scorer.core.score import SCORE_MAX
from services.scorer.core.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from services.scorer.core.draft import Step
    from services.scorer.core.policy import Policy

_POINTS_APART: Final = 1e-6
_ROUNDED: Final = 0.5 + _POINTS_APART  # a score is its points, rounded once


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One lane transaction that concerned the customer.

    chunk: it applied his events, in this order. time: what was due fired. sweep: he was brought under the
    moment's cut-offs. switched: the lane was through with another policy, so he was brought under it here
    if he had not been before. ``known`` are the cut-offs under which every customer had been brought.
    """

    kind: Literal["chunk", "time", "sweep", "switched"]
    moment: Moment
    known: Cuts | None = None
    known_version: int = 0
    known_policy_version: int = 1  # that ``known`` were computed under
    events: tuple[Input, ...] = ()


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What the turns lead to."""

    state: State | None
    policy_version: int  # that the state is of; 0 before the first event
    changes: dict[int, TierChanged]  # by revision
    refused: int  # events that became dead letters


def replay(turns: Iterable[Turn], policy_of: Callable[[int], Policy], until_revision: int = 0) -> Replayed:
    """Step the core through a customer's turns, from the first one on.

    Args:
        turns: in the order of the lane's transactions.
        policy_of: the policy of a version.
        until_revision: stop when this one was published; 0: go through all of them.
    """
    customer = _Customer(policy_of)
    for turn in turns:
        customer.pass_through(turn)
        if until_revision and until_revision in customer.changes:
            break
    return Replayed(
        state=customer.state,
        policy_version=customer.policy_version,
        changes=customer.changes,
        refused=customer.refused,
    )


def recompute(
    turns: Iterable[Turn], policy_of: Callable[[int], Policy], until_revision: int
) -> TierChanged | None:
    """Return the change of a revision as the log yields it; None if it yields none."""
    return replay(turns, policy_of, until_revision).changes.get(until_revision)


def differences(published: TierChanged, recomputed: TierChanged | None) -> list[str]:
    """Return in words where two tellings of one change differ; none if they agree."""
    if recomputed is None:
        return [f"the log yields no tier change of revision {published.revision}"]
    found: list[str] = []
    _compare("", msgspec.to_builtins(published), msgspec.to_builtins(recomputed), found)
    return found


def flaws(change: TierChanged, earlier: Sequence[TierChanged], policy: Policy) -> list[str]:
    """Return what in a proof contradicts itself, the changes before it or the policy; none if all agrees.

    It needs no log: points from the measured values, the score from the points, the ranked tier from score,
    cut-offs, hysteresis and dwell. That the values are the customer's, only the log can show.

    Args:
        change: as published.
        earlier: all changes before it, in order.
        policy: the one that the proof names.
    """
    return [
        *_points_flaws(change, policy),
        *_chain_flaws(change, earlier),
        *_rank_flaws(change, earlier, policy),
    ]


@dataclass(slots=True)
class _Customer:
    """A customer on the way through his turns, as ``ScorerWork`` treats him."""

    policy_of: Callable[[int], Policy]
    state: State | None = None
    policy_version: int = 0
    changes: dict[int, TierChanged] = field(default_factory=dict)
    refused: int = 0

    def pass_through(self, turn: Turn) -> None:
        """Take the turn's steps."""
        moment, policy = turn.moment, self.policy_of(turn.moment.policy_version)
        if turn.kind == "time" and self.state is not None:
            self._take(settle(self.state, moment, policy))
        is_behind = self.policy_version != moment.policy_version
        if turn.kind == "sweep" or (turn.kind == "switched" and is_behind):
            self._bring_under(turn)
        for event in turn.events:
            if event.customer_id in policy.anonymous_ids:
                continue
            if turn.known_version < moment.cut_offs_version:
                self._bring_under(turn)
            try:
                self._take(advance(self.state, event, moment, policy))
            except Refused:
                self.refused += 1
            else:
                self.policy_version = self.policy_version or moment.policy_version

    def _bring_under(self, turn: Turn) -> None:
        """Let time pass under what the customer knows, then bring him under the moment's cut-offs."""
        moment, policy = turn.moment, self.policy_of(turn.moment.policy_version)
        is_through = self.policy_version == moment.policy_version != turn.known_policy_version
        if self.state is None or is_through:
            return  # cut-offs of another policy's ladder mean nothing to who has left it
        known = msgspec.structs.replace(
            moment,
            cuts=turn.known,
            cut_offs_version=turn.known_version,
            policy_version=self.policy_version,
        )
        settled = self._take(settle(self.state, known, self.policy_of(self.policy_version)))
        if self.policy_version == moment.policy_version:
            self._take(adopt(settled, moment, policy))
            return
        self._take(rescore(settled, moment, policy))
        self.policy_version = moment.policy_version

    def _take(self, step: Step) -> State:
        self.state = step.state
        self.changes |= {one.revision: one for one in step.effects if isinstance(one, TierChanged)}
        return step.state


def _compare(at: str, one: Any, other: Any, found: list[str]) -> None:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted(one.keys() | other.keys()):
            _compare(f"{at}.{name}" if at else name, one.get(name), other.get(name), found)
    elif isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        for index, (left, right) in enumerate(zip(one, other, strict=True)):
            _compare(f"{at}[{index}]", left, right, found)
    elif one != other:
        found.append(f"{at}: published {one}, recomputed {other}")


def _points_flaws(change: TierChanged, policy: Policy) -> list[str]:
    points, weights = change.proof.parts.points, policy.score
    named = [one.metric for one in weights] + [one.metric for one in policy.bonus]
    if [one.metric for one in points] != named:
        return [f"the parts are not those of the policy: {', '.join(named)}"]
    found = []
    for part, weight in zip(points, weights, strict=False):
        share = SCORE_MAX * weight.weight * weight.normalised(part.value)
        if not math.isclose(part.points, share, abs_tol=_POINTS_APART):
            found.append(f"{part.metric} of {part.value:g} gives {share:.6f} points, not {part.points:.6f}")
    for part, bonus in zip(points[len(weights) :], policy.bonus, strict=True):
        extra = min(bonus.points_max, bonus.points * int(part.value))
        if part.points != extra:
            found.append(f"{part.metric} of {part.value:g} gives {extra} bonus points, not {part.points:g}")
    total = sum(part.points for part in points)
    if abs(min(float(SCORE_MAX), total) - change.proof.score) > _ROUNDED:
        found.append(f"the points add up to {total:.3f}, and the score is {change.proof.score}")
    return found


def _chain_flaws(change: TierChanged, earlier: Sequence[TierChanged]) -> list[str]:
    was = (earlier[-1].current, earlier[-1].ranked_current) if earlier else (None, None)
    if (change.previous, change.ranked_previous) == was:
        return []
    is_first = change.previous is None and change.ranked_previous is None
    # A correction may have made a prospect of the customer, who has no tier.
    if is_first and earlier and earlier[-1].current == LAPSED:
        return []
    goes_on = f"it goes on from {change.previous}, ranked {change.ranked_previous}"
    return [f"{goes_on}, and the change before led to {was[0]}, ranked {was[1]}"]


def _rank_flaws(change: TierChanged, earlier: Sequence[TierChanged], policy: Policy) -> list[str]:
    """Return whether the proof's own numbers lead to another ranked tier."""
    proof, ladder, before = change.proof, policy.tiers, change.ranked_previous
    value = proof.parts.spend_minor if ladder.by == "spend" else proof.score
    if change.cause is Cause.POLICY:
        ranked = tiers.placed_tier(value, proof.cut_offs, ladder)
    elif before is None:
        ranked = tiers.first_tier(value, proof.cut_offs, ladder)
    elif before not in ladder.level_of:
        return []  # of another policy's ladder
    elif proof.never_bought:
        ranked = ladder.names[-1]
    else:
        moves = [one for one in earlier if one.ranked_current != one.ranked_previous]
        ranked = tiers.next_tier(
            before,
            value,
            proof.cut_offs,
            ranked_since_ms=to_ms(moves[-1].occurred_at) if moves else 0,
            now_ms=to_ms(change.occurred_at),
            ladder=ladder,
        )
    if ranked == change.ranked_current:
        return []
    return [f"score, cut-offs and dwell lead to {ranked}, not to {change.ranked_current}"]
