"""What ``tierstream explain`` finds out, as data and in words."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from deploy.explaining.rows import WarningRow
from schemas.events import TierChanged
from schemas.tiers import Cause
from services.scorer.core.lift import Outlook
from services.scorer.core.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Iterator


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One published tier change, held against the log and against itself."""

    revision: int
    occurred_at: datetime
    previous: str | None
    current: str
    ranked_current: str
    cause: Cause
    differences: tuple[str, ...]  # none: it is right


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one customer's tier."""

    customer_id: str
    as_of: datetime  # the customer's clock, once time had passed to the lane's
    score: int
    tier: str | None
    ranked_tier: str | None
    policy_version: int
    cut_offs_version: int
    change: TierChanged | None  # the latest one; its proof is what the story tells
    story: tuple[str, ...]
    advice: tuple[str, ...]
    outlook: Outlook
    rules: tuple[Standing, ...]
    warnings: tuple[WarningRow, ...]
    checks: tuple[Check, ...]
    from_log: bool  # whether the log was whole enough to replay it
    state_differences: tuple[str, ...]
    notes: tuple[str, ...]  # what limits the answer

    @property
    def is_right(self) -> bool:
        """Whether nothing differs."""
        return not self.state_differences and not any(check.differences for check in self.checks)

    def verdict(self) -> str:
        """Return one sentence."""
        if not self.checks and self.is_right:
            return "No tier change was published yet, so there is nothing to recompute."
        how = "The log recomputes it" if self.from_log else "Its own numbers agree"
        if self.is_right:
            return f"{how}: yes, all {len(self.checks)} tier changes."
        wrong = [str(check.revision) for check in self.checks if check.differences]
        where = f"revisions {', '.join(wrong)}" if wrong else "the state"
        return f"{how}: no, these differ: {where}."

    def lines(self) -> Iterator[str]:
        """Yield what is printed."""
        shown = self.tier or "none yet"
        ranked = f", ranked {self.ranked_tier}" if self.ranked_tier != self.tier else ""
        yield f"{self.customer_id}: tier {shown}{ranked}, score {self.score:,} on {self.as_of:%Y-%m-%d %H:%M} UTC"
        yield from _section("How it came", self.story)
        yield from _section("What keeps or lifts it", self.advice)
        rules = [f"{one.rule}: {one.word}. {one.why}" for one in self.rules]
        yield from _section("Churn rules", rules)
        yield from _section("Warnings", [line for one in self.warnings for line in _warned(one)])
        yield from _section("Tier changes", [line for one in self.checks for line in _checked(one)])
        yield from _section("The state", self.state_differences)
        yield ""
        yield self.verdict()
        yield from self.notes


def _section(title: str, lines: tuple[str, ...] | list[str]) -> Iterator[str]:
    if lines:
        yield ""
        yield title
        yield from (f"  {line}" for line in lines)


def _warned(one: WarningRow) -> Iterator[str]:
    end = "open" if one.ended_at is None else f"until {one.ended_at:%Y-%m-%d}, by {one.ended_by}"
    yield f"{one.started_at:%Y-%m-%d} {one.rule} ({one.severity}), {end}"
    basis = msgspec.to_builtins(one.evidence.basis)
    yield "  " + ", ".join(f"{name} {value}" for name, value in basis.items() if name != "type")
    if one.evidence.reason_evidence:
        yield f"  {one.evidence.reason}: " + " ".join(one.evidence.reason_evidence)


def _checked(one: Check) -> Iterator[str]:
    mark = "differs" if one.differences else "right"
    yield (
        f"{one.occurred_at:%Y-%m-%d %H:%M} {one.previous or 'new'} -> {one.current} "
        f"(ranked {one.ranked_current}, {one.cause}): {mark}"
    )
    yield from (f"  {line}" for line in one.differences)
