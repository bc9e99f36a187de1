"""Tasks as the API shows and takes them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints


class View(BaseModel):
    """What the API answers: nothing undeclared leaves."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Body(BaseModel):
    """What the API takes: nothing undeclared gets in, nothing is converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


# JSON has no UUIDs, so this one field may be converted. PostgreSQL's text holds no NUL.
LeaseToken = Annotated[UUID, Field(strict=False, description="from the claim; proves that the task is yours")]
NoteText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000, pattern=r"^[^\x00]*$")
]


class Outcome(StrEnum):
    """How a task ended."""

    REACHED = "reached"
    NOT_REACHED = "not_reached"
    SOLVED = "solved"
    LOST = "lost"


class Shown(StrEnum):
    """Which tasks a list holds."""

    LIVE = "live"  # open and claimed
    OPEN = "open"
    CLAIMED = "claimed"
    DONE = "done"
    WITHDRAWN = "withdrawn"


class Scope(StrEnum):
    """Whose tasks a list holds."""

    MINE = "mine"  # assigned to me, or to nobody yet in my team
    TEAM = "team"
    ALL = "all"


class TaskCard(View):
    """A task as one line of a queue."""

    id: int
    customer_id: str
    playbook: str
    kind: str
    team: str
    urgency: int = Field(description="1 first .. 5 last")
    tier: str | None = Field(description="the customer's shown tier when the task was raised")
    title: str
    state: str = Field(description="a claimed task whose lease ran out is shown as open")
    created_at: datetime
    due_at: datetime
    assigned_to: str | None
    assigned_name: str | None
    lease_until: datetime | None
    version: int


class TaskList(View):
    """One page of a queue, most urgent first."""

    tasks: list[TaskCard]
    next_cursor: str | None = Field(description="give it as `cursor` for the next page; null on the last")
    total: int = Field(description="tasks of this filter on all pages")
    overdue: int = Field(description="of them, those due before `now`")
    now: datetime = Field(
        description="the time that deadlines are measured against: a replay's own, else the wall's"
    )


class NoteView(View):
    """One note, oldest first in a task."""

    at: datetime
    author: str
    author_name: str | None
    body: str


class TaskView(TaskCard):
    """A task with everything about it."""

    why: str = Field(description="one sentence with the evidence")
    advice: str
    evidence: Any
    causes: Any = Field(description="what was merged into this task, in order")
    episode: str | None
    outcome: str | None
    closed_at: datetime | None
    closed_by: str | None = Field(description="a person's id, or why the system took the task back")
    closed_by_name: str | None
    lease_token: UUID | None = Field(description="only for whoever holds the task, so that a reload keeps it")
    notes: list[NoteView]


class Lease(View):
    """A task that is yours for a while."""

    task_id: int
    lease_token: UUID
    lease_until: datetime


class Claim(Lease):
    """A fresh claim, with the task."""

    task: TaskView


class Held(Body):
    """A change by whoever holds the task."""

    lease_token: LeaseToken


class NoteBody(Held):
    """A note to add."""

    body: NoteText


class Completion(Held):
    """How the task ended. The note, if there is one, is kept with it in the same transaction."""

    outcome: Annotated[Outcome, Field(strict=False)]
    note: NoteText | None = None
