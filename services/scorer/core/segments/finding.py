"""What a view of a customer says: one name out of few, and what it rests on."""

from __future__ import annotations

import msgspec


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A segment, a stage or a band that a customer is in."""

    name: str  # stable: compared, counted and used in conditions
    evidence: tuple[str, ...]  # sentences for people
    playbook: str = ""  # one line: how to treat who is in it; empty where the name alone says nothing
