"""Events in wire form, read the plain way: ``json`` and nothing else."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TOPICS = {
    "purchase-recorded.v1": "purchases",
    "product-browsed.v1": "browses",
    "campaign-responded.v1": "campaign-responses",
    "purchase-corrected.v1": "purchases",
    "customer-described.v1": "customer-attributes",
    "referral-made.v1": "referrals",
    "service-contact-recorded.v1": "service-contacts",
    "feedback-given.v1": "feedback",
    "tier-pinned.v1": "customer-decisions",
    "tier-unpinned.v1": "customer-decisions",
    "churn-reason-corrected.v1": "customer-decisions",
    "product-listed.v1": "products",
}
# Types that the oracle does not count yet: their lines are read and left out.
NOT_COUNTED = set(TOPICS) - {"purchase-recorded.v1", "product-browsed.v1", "campaign-responded.v1"}
CUSTOMER_ID = re.compile(r"[A-Za-z0-9._:@/+-]{1,128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What the oracle needs of one event; fields of another kind of event are empty or 0."""

    at_ms: int
    topic: str
    event_id: str
    customer_id: str
    body_digest: bytes  # equal for equal bodies, whatever the order of keys or the offset of the time
    kind: str = ""  # sale or return
    order_id: str = ""
    returned_order_id: str | None = None
    amount_minor: int = 0
    currency: str = ""
    response: str = ""


def instant_ms(text: str) -> int:
    """Milliseconds since 1970 of an RFC 3339 time; a finer fraction is cut off, never rounded up.

    Raises:
        ValueError: not a time, or one without an offset.
    """
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        message = f"{text!r} has no offset; write it as 2026-01-31T10:00:00Z or with +01:00"
        raise ValueError(message)
    return (parsed - EPOCH) // timedelta(milliseconds=1)


def body_digest(fields: Mapping[str, Any], at_ms: int) -> bytes:
    """Digest of an event's content: a field that is absent and one that is null are the same."""
    content = {key: value for key, value in fields.items() if value is not None}
    content["occurred_at"] = at_ms
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).digest()


def event_from(fields: Mapping[str, Any]) -> Event:
    """Return the event that a decoded line holds.

    Raises:
        KeyError: a field is missing.
        ValueError: a value is outside the wire form.
    """
    topic = TOPICS[fields["type"]]
    if CUSTOMER_ID.fullmatch(fields["customer_id"]) is None:
        message = f"customer_id {fields['customer_id']!r} is outside [A-Za-z0-9._:@/+-]{{1,128}}"
        raise ValueError(message)
    at_ms = instant_ms(fields["occurred_at"])
    purchase = topic == "purchases"
    if purchase and fields["amount_minor"] < (1 if fields["kind"] == "return" else 0):
        message = f"amount_minor {fields['amount_minor']} is too small for a {fields['kind']}"
        raise ValueError(message)
    return Event(
        at_ms=at_ms,
        topic=topic,
        event_id=fields["event_id"],
        customer_id=fields["customer_id"],
        body_digest=body_digest(fields, at_ms),
        kind=fields["kind"] if purchase else "",
        order_id=fields["order_id"] if purchase else "",
        returned_order_id=fields.get("returned_order_id"),
        amount_minor=fields["amount_minor"] if purchase else 0,
        currency=fields["currency"] if purchase else "",
        response=fields["response"] if topic == "campaign-responses" else "",
    )


def read_events(paths: Iterable[Path]) -> Iterator[Event]:
    """Yield the events of JSON Lines files that the oracle counts, file by file, in file order.

    Raises:
        ValueError: names file and line of the first line that is not in the wire form.
    """
    for path in paths:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    fields = json.loads(line)
                    if fields["type"] not in NOT_COUNTED:
                        yield event_from(fields)
                except (KeyError, ValueError, TypeError) as error:
                    message = f"{path}, line {number}: {error!r}; correct the line or leave it out"
                    raise ValueError(message) from error
