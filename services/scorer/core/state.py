"""What is kept of one customer, and its stored form: one format byte, then msgpack.

A ``State`` is never changed once it was returned: a transition copies it first (``draft.py``).
"""

from __future__ import annotations

from typing import Final

import msgspec

from schemas.tiers import ChurnRule, Tier

FORMAT: Final = 1
_FORMAT_BYTE: Final = bytes([FORMAT])

PASSED: Final = "passed"  # the rule did not apply at the start of this silence: never published
OPEN: Final = ""


class Episode(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One churn episode that was decided: raised, or (``PASSED``) found not to apply."""

    rule: ChurnRule
    start_ms: int
    end_ms: int = 0  # 0 while open
    ended_by: str = OPEN  # a value of EpisodeEnd, OPEN or PASSED

    @property
    def is_open(self) -> bool:
        """Whether the warning stands."""
        return self.ended_by == OPEN

    @property
    def was_raised(self) -> bool:
        """Whether a warning was published."""
        return self.ended_by != PASSED


class Sighting(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A recent browse or campaign response: for display, and to know a repeat."""

    time_ms: int
    event: int  # hash of topic and event id
    kind: str  # the browse's action or the response
    subject: str  # in words: what was looked at, or which campaign
    competitor: str  # "" when none was named
    crc: int


class State(msgspec.Struct, array_like=True, kw_only=True, gc=False):
    """One customer. All times are milliseconds UTC."""

    customer_id: str
    settled_ms: int  # the customer's own clock: everything due up to it fired; it never goes back

    # Purchases, see facts.py; those at the head, ``outside`` many, have left the window.
    purchases: bytes = b""
    outside: int = 0
    # Whether several facts may be about one order. Most customers never return anything, and then no
    # fact has to be looked for.
    has_links: bool = False
    # Nothing that is remembered can be forgotten before the clock passes this by the memory's length.
    oldest_ms: int = 2**62
    # The window at ``settled_ms``, see window.py.
    net_minor: int = 0  # may be negative; spend is never below 0
    orders: int = 0
    purchase_days: int = 0
    score: int = 0

    ranked: Tier | None = None
    ranked_since_ms: int = 0
    tier: Tier | None = None  # the one shown
    tier_since_ms: int = 0

    contacts: tuple[int, ...] = ()  # see contacts.py
    episodes: tuple[Episode, ...] = ()  # by start
    recent: tuple[Sighting, ...] = ()  # by time

    first_purchase_ms: int | None = None  # sales only
    last_purchase_ms: int | None = None
    last_response_ms: int | None = None  # clicked or converted
    last_opened_ms: int | None = None
    lifetime_orders: int = 0
    lifetime_net_minor: int = 0
    lifetime_days: int = 0  # distinct local days with a sale

    revision: int = 0  # counter of published changes

    @property
    def bin(self) -> int | None:
        """The histogram's bin: the score of an active customer, None for everybody else."""
        return self.score if self.orders else None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(State)


def encode_state(state: State) -> bytes:
    """Return the stored form."""
    return _FORMAT_BYTE + _encoder.encode(state)


def decode_state(stored: bytes) -> State:
    """Return the state that ``stored`` holds.

    Raises:
        ValueError: another format than this version knows, or bytes that are no state. It is a broken
            store or a downgrade, never a bad event: the caller must stop.
    """
    if stored[:1] != _FORMAT_BYTE:
        raise ValueError(
            f"state format {stored[:1].hex() or 'none'} is unknown; run the version that wrote it"
        )
    return _decoder.decode(memoryview(stored)[1:])
