"""When an episode of a rule may start."""

from __future__ import annotations

from typing import NamedTuple


class Start(NamedTuple):
    """A start. One that is ``sure`` was caused by a fact of its own instant: nothing can prevent it.

    Any other start is prevented by a contact up to and at its own instant, so it is one only when
    everything up to then is known.
    """

    at_ms: int
    sure: bool = False
