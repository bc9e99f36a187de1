"""Silence: nothing was heard for so long after an anchor, the latest sale or response."""

from __future__ import annotations

from calendar import monthrange
from datetime import datetime
from typing import TYPE_CHECKING

from schemas.events import SilenceBasis
from schemas.times import DAY_MS, from_ms, to_ms
from services.scorer.core.churn.start import Start
from services.scorer.core.contacts import contact_ms, silences

if TYPE_CHECKING:
    from services.scorer.core.policy import Policy, SilenceRule
    from services.scorer.core.state import State


def starts(state: State, policy: Policy, rule: SilenceRule) -> list[Start]:
    """Return every start: the end of the rule's length after an anchor, if no contact lies in between."""
    contacts = state.heard if rule.opened_counts else state.contacts
    found = []
    for anchor_ms, following in silences(contacts, state.first_purchase_ms):
        start_ms = after(anchor_ms, policy, rule)
        if following is None or contact_ms(following) > start_ms:
            found.append(Start(start_ms))
    return found


def next_start_ms(state: State, policy: Policy, rule: SilenceRule) -> int | None:
    """Return the start after the latest anchor, if nothing more is heard."""
    contacts = state.heard if rule.opened_counts else state.contacts
    if state.first_purchase_ms is None or not contacts:
        return None
    return after(contact_ms(contacts[-1]), policy, rule)


def after(anchor_ms: int, policy: Policy, rule: SilenceRule) -> int:
    """Return when the silence after an anchor is long enough.

    Calendar months end at the same local time of day; on the month's last day where it is too short
    (31 August and six months: 28 February).
    """
    if rule.days is not None:
        return anchor_ms + rule.days * DAY_MS
    local = from_ms(anchor_ms).astimezone(policy.zone)
    months = local.year * 12 + local.month - 1 + (rule.months or 0)
    year, month = divmod(months, 12)
    day = min(local.day, monthrange(year, month + 1)[1])
    there = datetime.combine(local.date().replace(year=year, month=month + 1, day=day), local.timetz())
    return to_ms(there)


def basis(state: State, policy: Policy, rule: SilenceRule, start_ms: int) -> SilenceBasis:
    """Return the anchor, and how long it is ago."""
    contacts = state.heard if rule.opened_counts else state.contacts
    anchors = (contact_ms(one) for one in reversed(contacts) if contact_ms(one) < start_ms)
    anchor_ms = next((one for one in anchors if after(one, policy, rule) == start_ms), start_ms)
    return SilenceBasis(silent_since=from_ms(anchor_ms), silent_days=(start_ms - anchor_ms) // DAY_MS)
