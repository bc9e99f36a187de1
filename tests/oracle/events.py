"""Events in wire form, read the plain way: ``json`` and nothing else."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.oracle.clock import instant_ms

__all__ = ["NOT_COUNTED", "TOPICS", "Event", "body_digest", "event_from", "instant_ms", "read_events"]

TOPICS = {  # in the order in which events of one instant count
    "purchase-recorded.v1": "purchases",
    "purchase-corrected.v1": "purchases",
    "product-browsed.v1": "browses",
    "campaign-responded.v1": "campaign-responses",
    "customer-described.v1": "customer-attributes",
    "referral-made.v1": "referrals",
    "service-contact-recorded.v1": "service-contacts",
    "feedback-given.v1": "feedback",
    "tier-pinned.v1": "customer-decisions",
    "tier-unpinned.v1": "customer-decisions",
    "churn-reason-corrected.v1": "customer-decisions",
    "product-listed.v1": "products",
}
PLACES = {topic: place for place, topic in enumerate(dict.fromkeys(TOPICS.values()))}
INTERACTIONS = {"browses", "campaign-responses", "service-contacts", "feedback"}
NOT_COUNTED = {"product-listed.v1"}  # about no customer: read and left out
NOT_KEPT = {
    "text",
    "type",
    "event_id",
    "customer_id",
    "occurred_at",
}  # of a body: nothing counts them
CUSTOMER_ID = re.compile(r"[A-Za-z0-9._:@/+-]{1,128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event: what all have, and the fields of its own kind by their wire names."""

    at_ms: int
    kind: str  # its type
    event_id: str
    customer_id: str
    body_digest: bytes  # equal for equal bodies, whatever the order of keys or the offset of the time
    fields: Mapping[str, Any]

    @property
    def topic(self) -> str:
        """The topic that carries it."""
        return TOPICS[self.kind]

    @property
    def is_interaction(self) -> bool:
        """Whether it is one of the customer with the shop; what was only delivered is none."""
        return self.topic in INTERACTIONS and self.fields.get("response") != "delivered"

    @property
    def rank(self) -> tuple[int, int]:
        """Which of two words on one thing counts, the higher one: the later, of one instant by the event's hash.

        That is 8 bytes of BLAKE2b, little endian, of event class and id, as in ``CustomerDescribed/e-17``.
        """
        name = "".join(part.capitalize() for part in self.kind.partition(".")[0].split("-"))
        digest = hashlib.blake2b(f"{name}/{self.event_id}".encode(), digest_size=8).digest()
        return self.at_ms, int.from_bytes(digest, "little")

    @property
    def place(self) -> tuple[int, int]:
        """Where it stands among all: by time, of one instant by topic."""
        return self.at_ms, PLACES[self.topic]


def body_digest(fields: Mapping[str, Any], at_ms: int) -> bytes:
    """Digest of an event's content: a field that is absent and one that is null are the same."""
    content = {key: value for key, value in fields.items() if value is not None}
    content["occurred_at"] = at_ms
    for key in ("until", "started_at"):
        if key in content:
            content[key] = instant_ms(content[key])
    if "purchase" in content:
        inner = content["purchase"]
        content["purchase"] = body_digest(inner, instant_ms(inner["occurred_at"])).hex()
    return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).digest()


def event_from(fields: Mapping[str, Any]) -> Event:
    """Return the event that a decoded line holds.

    Raises:
        KeyError: a field is missing.
        ValueError: a value is outside the wire form.
    """
    kind = fields["type"]
    if CUSTOMER_ID.fullmatch(fields["customer_id"]) is None:
        message = f"customer_id {fields['customer_id']!r} is outside [A-Za-z0-9._:@/+-]{{1,128}}"
        raise ValueError(message)
    _ = TOPICS[kind]
    at_ms = instant_ms(fields["occurred_at"])
    purchase = fields if kind == "purchase-recorded.v1" else fields.get("purchase")
    if purchase is not None and purchase["amount_minor"] < (1 if purchase["kind"] == "return" else 0):
        message = f"amount_minor {purchase['amount_minor']} is too small for a {purchase['kind']}"
        raise ValueError(message)
    return Event(
        at_ms=at_ms,
        kind=kind,
        event_id=fields["event_id"],
        customer_id=fields["customer_id"],
        body_digest=body_digest(fields, at_ms),
        fields={key: value for key, value in fields.items() if key not in NOT_KEPT and value is not None},
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
