"""The playbooks as data: what is to be done, by which team, until when, in which words."""

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from schemas.events import ChurnCleared, ChurnWarned, TierChanged
from schemas.tiers import AT_RISK, LAPSED
from schemas.times import HOUR_MS, to_ms
from services.alerter.core.advice import win_back
from services.alerter.core.task import CauseLine, Task
from services.alerter.core.warning_words import title_of, why_of
from services.alerter.core.wording import Wording, printable, reason_of_welcome

SENIOR_ADVISORS: Final = "senior_advisors"
CUSTOMER_SERVICE: Final = "customer_service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Playbook:
    """One kind of task."""

    name: str
    team: str
    kind: str  # call | visit | message


WELCOME_HIGH_VALUE: Final = Playbook(name="welcome_high_value", team=SENIOR_ADVISORS, kind="call")
WELCOME_WITHIN_HOURS: Final = 24
WELCOME_ADVICE: Final = (
    "Call within 24 h. Thank them, introduce yourself as their own advisor, ask what they are "
    "looking for next, and note what they like."
)
# For every kind of warning: however many rules a customer meets, it is one call.
CALL_BACK_SILENT: Final = Playbook(name="call_back_silent", team=CUSTOMER_SERVICE, kind="call")
PLAYBOOKS: Final = (WELCOME_HIGH_VALUE, CALL_BACK_SILENT)


def enters_top_tier(event: TierChanged) -> bool:
    """Return whether the customer was just ranked into the best tier, whatever it is called."""
    return event.ranked_level == 0 and event.ranked_previous != event.ranked_current


def welcome(event: TierChanged, wording: Wording) -> Task:
    """Return the task that a move into the top tier asks for."""
    why = reason_of_welcome(event, wording)
    evidence = {
        "event_id": event.event_id,
        "ranked_previous": event.ranked_previous,
        "ranked_current": event.ranked_current,
        "cause": event.cause,
        "causation_id": event.causation_id,
        **msgspec.to_builtins(event.proof),
    }
    return _task(
        WELCOME_HIGH_VALUE,
        event,
        urgency=2,
        tier=event.current,
        title="Welcome to the top tier",
        why=why,
        advice=WELCOME_ADVICE,
        due_hours=WELCOME_WITHIN_HOURS,
        evidence=evidence,
        episode=None,
    )


def call_back(event: ChurnWarned, wording: Wording) -> Task:
    """Return the task that a churn warning of any kind asks for."""
    evidence = {
        "event_id": event.event_id,
        "rule": event.rule,
        "kind": event.kind,
        "severity": event.severity,
        "contact_within_hours": event.contact_within_hours,
        **msgspec.to_builtins(event.evidence),
    }
    return _task(
        CALL_BACK_SILENT,
        event,
        urgency=urgency_of(event),
        # While a warning is open the shown tier is one of these two unless somebody pinned another, and
        # the event does not repeat it.
        tier=AT_RISK if event.evidence.orders > 0 else LAPSED,
        title=title_of(event),
        why=why_of(event, wording),
        advice=win_back(event.evidence),
        due_hours=event.contact_within_hours,
        evidence=evidence,
        episode=episode_of(event),
    )


def urgency_of(event: ChurnWarned) -> int:
    """Return 1 for a high severity, 2 for a customer who is ranked in the best tier, 3 for others."""
    if event.severity == "high":
        return 1
    return 2 if event.evidence.ranked_level == 0 else 3


def episode_of(event: ChurnWarned | ChurnCleared) -> str:
    """Return the name of the warned episode within its customer: rule and start."""
    started_at = event.occurred_at if isinstance(event, ChurnWarned) else event.started_at
    return f"{event.rule}/{to_ms(started_at)}"


def _task(
    playbook: Playbook,
    event: TierChanged | ChurnWarned,
    *,
    urgency: int,
    tier: str,
    title: str,
    why: str,
    advice: str,
    due_hours: int,
    evidence: dict[str, Any],
    episode: str | None,
) -> Task:
    occurred_at_ms = to_ms(event.occurred_at)
    line = CauseLine(
        event_id=event.event_id,
        revision=event.revision,
        occurred_at_ms=occurred_at_ms,
        sentence=why,
        episode=episode,
    )
    return Task(
        task_key=f"{playbook.name}/{event.customer_id}/{event.event_id}",
        customer_id=event.customer_id,
        playbook=playbook.name,
        kind=playbook.kind,
        team=playbook.team,
        urgency=urgency,
        tier=tier,
        title=title,
        why=why,
        advice=advice,
        evidence=({key: _storable(value) for key, value in evidence.items()},),
        causes=(line,),
        episode=episode,
        created_at_ms=occurred_at_ms,
        # The deadline runs on the wall clock, nights and holidays included.
        due_at_ms=occurred_at_ms + due_hours * HOUR_MS,
    )


def _storable(value: Any) -> Any:
    """Return the value with harmless texts, however deep they stand in it."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {name: _storable(one) for name, one in value.items()}
    return [_storable(one) for one in value] if isinstance(value, list | tuple) else value
