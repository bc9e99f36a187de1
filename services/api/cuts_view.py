"""The cut-offs in force as the API shows them: one for each edge of the policy's ladder, best first."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from schemas.times import from_ms
from services.api.task_views import View

if TYPE_CHECKING:
    from services.scorer.core.policy import Policy


class CutView(View):
    """The edge between two levels, in points of score; of a ladder by spend in minor units."""

    above: str
    below: str
    from_top: bool = Field(description="counted from the top of the crowd, or fixed; else from the bottom")
    enter: int = Field(description="at or above: up into `above`")
    plain: int = Field(description="at or above: a newcomer's first tier")
    leave: int = Field(description="below: down out of `above`")
    tied: int | None = Field(description="customers exactly at the edge; null for a fixed one")


class CutsView(View):
    """The cut-offs in force."""

    version: int
    at: datetime
    active: int
    by: Literal["percentile", "score", "spend"]
    cuts: list[CutView] = Field(description="best first; empty while nobody is active")


def cuts_view(row: Any, policy: Policy) -> CutsView:
    """Return a row of ``cut_offs`` with the names of the policy that it was computed under."""
    ladder = policy.tiers
    triples = list(zip(*[iter(row.cuts or ())] * 3, strict=True))  # enter, plain, leave
    if not triples and policy.fixed_cuts is not None:
        triples = [(one.enter, one.plain, one.leave) for one in policy.fixed_cuts.points]
    tied = [*(row.tied or ()), *[None] * len(triples)]
    cuts = [
        CutView(
            above=ladder.names[level],
            below=ladder.names[level + 1],
            from_top=ladder.is_fixed or level < ladder.start,
            enter=enter,
            plain=plain,
            leave=leave,
            tied=None if ladder.is_fixed else tied[level],
        )
        for level, (enter, plain, leave) in enumerate(triples)
    ]
    return CutsView(version=row.version, at=from_ms(row.at_ms), active=row.active, by=ladder.by, cuts=cuts)
