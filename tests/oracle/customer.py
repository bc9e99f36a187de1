"""One customer through time: facts in, score, ranked tier, episodes and shown tier out."""

from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from tests.oracle.episodes import ANSWERS, Silence
from tests.oracle.events import Event
from tests.oracle.facts import Facts, Measures, score
from tests.oracle.tiers import DWELL_MS, Cuts, first_tier, next_tier, shown_tier

NEVER_MS = 1 << 62


@dataclass(frozen=True, slots=True)
class TierChange:
    """An evaluation that moved the shown or the ranked tier; None before the first."""

    customer_id: str
    at_ms: int
    previous: str | None
    current: str
    ranked_previous: str | None
    ranked_current: str


@dataclass(slots=True)
class Customer:
    """The state of one customer. Score and measures hold from the last evaluation to the next due."""

    customer_id: str
    currency: str
    facts: Facts
    silence: Silence = field(default_factory=Silence)
    changes: list[TierChange] = field(default_factory=list)
    measures: Measures = field(default_factory=lambda: Measures(0, 0, 0))
    score: int = 0
    ranked: str | None = None
    ranked_since_ms: int = 0
    tier: str | None = None
    tier_since_ms: int = 0
    last_sale_ms: int | None = None
    evaluated_ms: int = 0
    expiry_ms: int = NEVER_MS

    @classmethod
    def new(cls, customer_id: str, currency: str, zone: ZoneInfo) -> "Customer":
        """Return a customer of whom nothing is known."""
        return cls(customer_id, currency, Facts(zone))

    def apply(self, event: Event, cuts: Cuts | None) -> None:
        """Take in one event, after the dues earlier than it; dues of its own instant merge into it."""
        self.pass_time(event.at_ms - 1, event.at_ms - 1, cuts)
        if event.topic == "purchases":
            self.facts.add(event)
            if event.kind == "sale":
                self.last_sale_ms = event.at_ms
                self.silence.contact(event.at_ms, "purchase")
        elif event.response not in ANSWERS or not self.silence.contact(event.at_ms, "response"):
            return
        self.recount(event.at_ms)
        self.evaluate(event.at_ms, cuts)

    def pass_time(self, dues_ms: int, starts_ms: int, cuts: Cuts | None) -> None:
        """Evaluate every due up to ``dues_ms`` and every silence up to ``starts_ms``, each at its instant."""
        while self.ranked is not None:
            due = self.next_due_ms()
            start = self.silence.next_start_ms()
            start = NEVER_MS if start is None or start > starts_ms else start
            due = NEVER_MS if due > dues_ms else due
            at_ms = min(due, start)
            if at_ms == NEVER_MS:
                return
            self.recount(at_ms)
            self.evaluate(at_ms, cuts, starts=start == at_ms)

    def next_due_ms(self) -> int:
        """Return the next instant at which a fact leaves the window or the dwell ends."""
        dwell_ms = self.ranked_since_ms + DWELL_MS
        return min(self.expiry_ms, dwell_ms if dwell_ms > self.evaluated_ms else NEVER_MS)

    def recount(self, now_ms: int) -> None:
        """Count the window at ``now_ms`` from nothing."""
        self.measures = self.facts.measure(now_ms)
        self.score = score(self.measures, self.currency)
        expiry_ms = self.facts.next_expiry_ms(now_ms)
        self.expiry_ms = NEVER_MS if expiry_ms is None else expiry_ms

    def evaluate(self, now_ms: int, cuts: Cuts | None, *, starts: bool = False) -> None:
        """Settle ranked tier, then the silences that start now, then the shown tier."""
        self.evaluated_ms = now_ms
        before, shown_before = self.ranked, self.tier
        if self.ranked is None:
            ranked = first_tier(self.score, cuts)
        else:
            ranked = next_tier(self.score, self.ranked, self.ranked_since_ms, cuts, now_ms)
        if ranked != before:
            self.ranked, self.ranked_since_ms = ranked, now_ms
        if starts:
            self.silence.start(now_ms, ranked)
        shown = shown_tier(self.measures.orders, ranked, warned=self.silence.warned)
        if shown != shown_before:
            self.tier, self.tier_since_ms = shown, now_ms
        if ranked != before or shown != shown_before:
            self.changes.append(TierChange(self.customer_id, now_ms, shown_before, shown, before, ranked))
