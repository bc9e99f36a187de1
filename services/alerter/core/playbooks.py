"""The playbooks as data: what is to be done, by which team, until when, in which words."""

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from schemas.events import ChurnCleared, ChurnWarned, TierChanged
from schemas.tiers import ChurnRule, Tier
from schemas.times import HOUR_MS, to_ms
from services.alerter.core.task import CauseLine, Task
from services.alerter.core.wording import Wording, printable, reason_of_silence, reason_of_welcome

SENIOR_ADVISORS: Final = "senior_advisors"
CUSTOMER_SERVICE: Final = "customer_service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Playbook:
    """One kind of task. The deadline runs on the wall clock, nights and holidays included."""

    name: str
    team: str
    kind: str  # call | visit | message
    due_hours: int  # after the cause occurred
    advice: str


WELCOME_HIGH_VALUE: Final = Playbook(
    name="welcome_high_value",
    team=SENIOR_ADVISORS,
    kind="call",
    due_hours=24,
    advice=(
        "Call within 24 h. Thank them, introduce yourself as their own advisor, ask what they are "
        "looking for next, and note what they like."
    ),
)
CALL_BACK_SILENT: Final = Playbook(
    name="call_back_silent",
    team=CUSTOMER_SERVICE,
    kind="call",
    due_hours=48,
    advice=(
        "Call back within 48 h and ask why. If it was the price: returning offer, extra 10 %. If it was "
        "the service: solve it one to one and offer the fast channel. If it was a competitor: send the "
        "comparison. If it was the product: offer a replacement."
    ),
)
PLAYBOOKS: Final = (WELCOME_HIGH_VALUE, CALL_BACK_SILENT)


def enters_high_value(event: TierChanged) -> bool:
    """Return whether the customer was just ranked into the top tier."""
    return event.ranked_current == Tier.HIGH_VALUE and event.ranked_previous != Tier.HIGH_VALUE


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
        evidence=evidence,
        episode=None,
    )


def call_back(event: ChurnWarned, wording: Wording) -> Task:
    """Return the task that a silence warning asks for."""
    evidence = {
        "event_id": event.event_id,
        "rule": event.rule,
        "severity": event.severity,
        **msgspec.to_builtins(event.evidence),
    }
    return _task(
        CALL_BACK_SILENT,
        event,
        urgency=urgency_of(event),
        # While a warning is open the shown tier is one of these two, and the event does not repeat it.
        tier=Tier.AT_RISK if event.evidence.orders > 0 else Tier.LAPSED,
        title=_title_of_silence(event),
        why=reason_of_silence(event, wording),
        evidence=evidence,
        episode=episode_of(event),
    )


def urgency_of(event: ChurnWarned) -> int:
    """Return 1 for a high severity, 2 for a customer who is ranked high value, 3 for others."""
    if event.severity == "high":
        return 1
    return 2 if event.evidence.ranked_tier == Tier.HIGH_VALUE else 3


def episode_of(event: ChurnWarned | ChurnCleared) -> str:
    """Return the name of the warned episode within its customer: rule and start."""
    started_at = event.occurred_at if isinstance(event, ChurnWarned) else event.started_at
    return f"{event.rule}/{to_ms(started_at)}"


def _title_of_silence(event: ChurnWarned) -> str:
    who = "high-value customer silent" if event.rule == ChurnRule.HIGH_VALUE_SILENCE else "silent"
    return f"Call back: {who} for {event.evidence.silent_days:,} days"


def _task(
    playbook: Playbook,
    event: TierChanged | ChurnWarned,
    *,
    urgency: int,
    tier: Tier,
    title: str,
    why: str,
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
        advice=playbook.advice,
        evidence=({key: _storable(value) for key, value in evidence.items()},),
        causes=(line,),
        episode=episode,
        created_at_ms=occurred_at_ms,
        due_at_ms=occurred_at_ms + playbook.due_hours * HOUR_MS,
    )


def _storable(value: Any) -> Any:
    return printable(value) if isinstance(value, str) else value
