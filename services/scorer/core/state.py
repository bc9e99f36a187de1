"""What is kept of one customer, and its stored form: one format byte, then msgpack.

A ``State`` is never changed once it was returned: a transition copies it first (``draft.py``).
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from services.scorer.core.churn import passed

FORMAT: Final = 3
_PASSED: Final = "passed"  # how an episode ended, up to format 2: its rule did not apply
_FORMAT_BYTE: Final = bytes([FORMAT])

OPEN: Final = ""
NEVER_MS: Final = 2**62
MENTIONS_MAX: Final = 64  # of competitors; beyond it the oldest go


class Episode(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One churn episode that was raised."""

    rule: str
    start_ms: int
    end_ms: int = 0  # 0 while open
    ended_by: str = OPEN  # a value of EpisodeEnd, or OPEN

    @property
    def is_open(self) -> bool:
        """Whether the warning stands."""
        return self.ended_by == OPEN


class Sighting(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A recent browse or campaign response: for display, and to know a repeat."""

    time_ms: int
    event: int  # hash of topic and event id
    kind: str  # the browse's action or the response
    subject: str  # in words: what was looked at, or which campaign
    competitor: str  # "" when none was named
    crc: int


class Mention(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A competitor was browsed or asked about."""

    time_ms: int
    competitor: str


class Case(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What is known of one service contact: a complaint, a ticket, an inquiry."""

    contact_id: str
    kind: str
    opened_ms: int  # NEVER_MS: only its answer or solution is known
    solved_ms: int  # NEVER_MS: not solved
    topics: tuple[str, ...] = ()
    severity: str = ""
    told_ms: int = 0  # when it was last told of; 0: it was kept before this was


class Decision(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A manager's pin, or its end (``tier`` is empty); the latest decision counts."""

    time_ms: int
    event: int  # of two at one instant the higher one counts, whichever came first
    tier: str
    until_ms: int
    cause: str
    decided_by: str


class Correction(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An advisor's word on why a customer turned away."""

    rule: str
    start_ms: int
    reason: str
    time_ms: int
    event: int


class Revision(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The highest revision of a purchase that was corrected."""

    event: int  # hash of the purchase's event id
    number: int
    crc: int  # of the correction
    time_ms: int  # of the correction: forgotten with the memory


class Seen(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An event of the quieter topics, to know a repeat."""

    time_ms: int
    event: int
    crc: int


class Counted(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Which events the months have counted, see counted.py."""

    since_ms: int = 0  # what occurred earlier is in no month: they were not kept then
    whole_from_ms: int = 0  # from here on every counted event is among ``events``
    events: bytes = b""


class Interest(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a category or a brand meant in one local month."""

    name: str
    bought_minor: int
    purchases: int
    browses: int
    dwell_seconds: int


class Month(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One local month of a customer: what can't be counted to the day without keeping every line."""

    number: int  # 12 * year + month - 1
    interactions: int = 0
    margin_minor: int = 0
    categories: tuple[Interest, ...] = ()  # by name
    brands: tuple[Interest, ...] = ()
    high_grade: int = 0  # products


class Earned(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one purchase put into its month, so that a correction can take it out again. A return's is negative."""

    event: int  # hash of the purchase's event id
    month: int
    margin_minor: int
    high_grade: int  # products
    names: bytes = b""  # of categories and brands, packed: see earnings.py; since format 3


class Referral(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Somebody who came by this customer's word; once per pair, at the earliest time known."""

    referred: int  # hash of the customer id
    time_ms: int


class Answer(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An answer to a survey, NPS question or review, 0 to 10."""

    time_ms: int
    event: int
    kind: str
    score: int


class Attribute(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The latest word on one attribute; None: it was cleared."""

    name: str
    value: str | int | bool | None
    time_ms: int
    event: int


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
    oldest_ms: int = NEVER_MS
    # The window at ``settled_ms``, see window.py.
    net_minor: int = 0  # may be negative; spend is never below 0
    orders: int = 0
    purchase_days: int = 0
    score: int = 0

    ranked: str | None = None
    ranked_since_ms: int = 0
    tier: str | None = None  # the one shown
    tier_since_ms: int = 0

    contacts: tuple[int, ...] = ()  # see contacts.py
    episodes: tuple[Episode, ...] = ()  # by start
    recent: tuple[Sighting, ...] = ()  # by time

    first_purchase_ms: int | None = None  # sales only
    last_purchase_ms: int | None = None
    last_response_ms: int | None = None  # clicked, liked, answered or converted
    last_opened_ms: int | None = None
    lifetime_orders: int = 0
    lifetime_net_minor: int = 0
    lifetime_days: int = 0  # distinct local days with a sale

    revision: int = 0  # counter of published changes

    # -- since format 2 ---------------------------------------------------------------------------
    heard: tuple[int, ...] = ()  # contacts and opened campaigns, see contacts.py
    responses: bytes = b""  # every remembered answer to a campaign, packed times
    openings: bytes = b""  # every remembered opening, packed times
    starts: tuple[int, ...] = ()  # per churn rule: its next episode begins no earlier; see episodes.py
    mentions: tuple[Mention, ...] = ()  # of competitors, by time
    unsubscribed: tuple[int, ...] = ()  # times
    cases: tuple[Case, ...] = ()  # service contacts, by contact id
    seen: tuple[Seen, ...] = ()  # the newest of the quieter topics, by time
    revisions: tuple[Revision, ...] = ()  # corrected purchases
    forgotten_last_ms: int | None = None  # the latest sale that was forgotten
    referrals: tuple[Referral, ...] = ()  # made by this customer, by referred
    referrers: tuple[Referral, ...] = ()  # who referred this customer, as told to them
    months: tuple[Month, ...] = ()  # by number
    answers: tuple[Answer, ...] = ()  # the newest, by time
    attributes: tuple[Attribute, ...] = ()  # by name
    decision: Decision | None = None
    corrections: tuple[Correction, ...] = ()  # of reasons, by rule and start
    passed: bytes = b""  # starts at which a rule did not apply, see churn/passed.py; since format 3
    earned: tuple[Earned, ...] = ()  # by purchases with lines, by event; empty unless measured
    # -- since format 3 (and ``passed``) -----------------------------------------------------------
    counted: Counted | None = None  # None: the policy keeps no months


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(State)


def encode_state(state: State) -> bytes:
    """Return the stored form."""
    return _FORMAT_BYTE + _encoder.encode(state)


def decode_state(stored: bytes) -> State:
    """Return the state that ``stored`` holds, brought to the newest format.

    Raises:
        ValueError: another format than this version knows, or bytes that are no state. It is a broken
            store or a downgrade, never a bad event: the caller must stop.
    """
    if stored[:1] == _FORMAT_BYTE:
        return _decoder.decode(memoryview(stored)[1:])
    if stored[:1] in {b"\x01", b"\x02"}:
        state = _from_format_2(msgspec.msgpack.decode(memoryview(stored)[1:]))
        return _from_format_1(state) if stored[:1] == b"\x01" else state
    raise ValueError(
        f"state format {stored[:1].hex() or 'none'} is unknown; run the version that wrote it, or a later one"
    )


def _from_format_2(fields: list[Any]) -> State:
    """Bring the fields of format 2 or 1 to their newest meaning.

    Up to then what is ``passed`` now stood among the episodes, and in its place a number that nothing read.
    """
    place = State.__struct_fields__.index("passed")
    if len(fields) > place:
        fields[place] = b""
    state = msgspec.convert(fields, State)
    if state.months:  # what they count beyond the newest was forgotten: nothing late may be counted again
        state.counted = Counted(since_ms=state.settled_ms + 1)
    gone = [one for one in state.episodes if one.ended_by == _PASSED]
    if gone:
        state.passed = passed.packed((one.rule, one.start_ms) for one in gone)
        state.episodes = tuple(one for one in state.episodes if one.ended_by != _PASSED)
    return state


def _from_format_1(state: State) -> State:
    """Fill in what format 1 did not keep by itself: the answers that the thinned contacts still show."""
    answers = [contact >> 1 for contact in state.contacts if contact & 1]
    state.responses = b"".join(time_ms.to_bytes(8, "little") for time_ms in answers)
    if state.last_opened_ms is not None:
        state.openings = state.last_opened_ms.to_bytes(8, "little")
    state.mentions = tuple(Mention(one.time_ms, one.competitor) for one in state.recent if one.competitor)
    return state
