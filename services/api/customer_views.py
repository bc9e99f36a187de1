"""A customer as the API shows one."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from services.api.customer_view import Crowd, Facts
from services.api.cuts_view import CutsView
from services.api.task_views import View


class WarningView(View):
    """A churn warning."""

    rule: str
    severity: str
    started_at: datetime
    ended_at: datetime | None
    ended_by: str | None
    evidence: Any = Field(description="what it rests on, by the kind of rule, and the likely reason")


class TierEvent(View):
    """A line of the timeline: the tier moved."""

    at: datetime
    kind: Literal["tier"] = "tier"
    revision: int = Field(description="the customer's counter of changes; the address of its story")
    previous: str | None
    current: str
    ranked_previous: str | None
    ranked_current: str
    cause: str = Field(description="event, time, crowd or policy")
    causation_id: str | None
    proof: Any = Field(
        description="enough to recompute the tier: score, parts, cut-offs, policy, lane and seq"
    )


class WarnedEvent(View):
    """A line of the timeline: a warning was raised."""

    at: datetime
    kind: Literal["warned"] = "warned"
    rule: str
    severity: str
    evidence: Any


class ClearedEvent(View):
    """A line of the timeline: a warning ended."""

    at: datetime
    kind: Literal["cleared"] = "cleared"
    rule: str
    ended_by: str | None


class TaskEvent(View):
    """A line of the timeline: a task was raised, and what became of it."""

    at: datetime
    kind: Literal["task"] = "task"
    task_id: int
    playbook: str
    title: str
    state: str
    outcome: str | None
    assigned_name: str | None
    closed_at: datetime | None
    closed_by: str | None
    notes: int


TimelineEvent = TierEvent | WarnedEvent | ClearedEvent | TaskEvent


class CustomerView(View):
    """Everything that the desk shows of a customer."""

    customer_id: str
    now: datetime
    tier: str | None
    tier_since: datetime | None
    ranked_tier: str | None
    ranked_since: datetime | None
    active: bool = Field(description="bought in the window: counted in the percentiles")
    score: int = Field(description="0..10,000")
    cut_offs: CutsView | None
    crowd: Crowd
    facts: Facts
    warnings: list[WarningView] = Field(description="those that stand")
    next_due: datetime | None = Field(description="when time alone would next change something; may be early")
    timeline: list[TimelineEvent] = Field(description="newest first, at most 120 lines")
