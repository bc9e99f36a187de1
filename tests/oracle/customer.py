"""One customer through time: facts in, score, ranked tier, episodes and shown tier out."""

from dataclasses import dataclass, field

from tests.oracle.clock import DAY_MS, next_midnight_ms
from tests.oracle.episodes import Warnings
from tests.oracle.events import Event
from tests.oracle.facts import Facts
from tests.oracle.policy import Policy
from tests.oracle.products import Products
from tests.oracle.score import score
from tests.oracle.tiers import AT_RISK, LAPSED, Cuts, first_level, next_level
from tests.oracle.window import Measures, measure

NEVER_MS = 1 << 62
MOVED_BY_BROWSES = frozenset(["browse_interest", "category_share", "brand_share"])


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
    policy: Policy
    facts: Facts
    warnings: Warnings
    changes: list[TierChange] = field(default_factory=list)
    levels: list[tuple[int, int]] = field(default_factory=list)  # every ranked level, with its first instant
    measures: Measures = field(default_factory=Measures)
    score: int = 0
    tier: str | None = None
    tier_since_ms: int = 0
    evaluated_ms: int = 0

    @classmethod
    def new(cls, customer_id: str, policy: Policy, products: Products) -> "Customer":
        """Return a customer of whom nothing is known."""
        facts = Facts(policy, products)
        return cls(customer_id, policy, facts, Warnings(facts))

    @property
    def ranked(self) -> str | None:
        """The ranked tier; None before the first purchase."""
        return self._name(self.levels[-1][1]) if self.levels else None

    @property
    def ranked_since_ms(self) -> int:
        """The last change of the ranked tier."""
        return self.levels[-1][0] if self.levels else 0

    @property
    def last_sale_ms(self) -> int | None:
        """The latest sale."""
        return self.measures.last_sale_ms

    @property
    def is_active(self) -> bool:
        """Whether the customer counts for the percentiles."""
        return self.measures.orders >= self.policy.ladder.orders_min

    def apply(self, event: Event, cuts: Cuts | None) -> None:
        """Take in one event, after the dues earlier than it; dues of its own instant merge into it.

        Raises:
            Refused: the event is a dead letter; time has passed all the same.
        """
        self.pass_time(event.at_ms - 1, event.at_ms - 1, cuts)
        self.facts.add(event)
        if (self.levels or self.facts.purchases()) and self.may_move(event):
            self.look(event.at_ms, cuts)
        if self.levels and not self.facts.purchases():
            self.become_prospect()

    def become_prospect(self) -> None:
        """Forget the tiers: all that was ever bought turned out never to have been. The next sale gives a first."""
        self.levels.clear()
        self.tier = None
        self.warnings.applies.clear()

    def may_move(self, event: Event) -> bool:
        """Whether the event can move score, tier or warning; what can't makes nobody look at its instant."""
        kinds = {rule["rule"] for rule in self.policy.rules}
        if event.is_interaction and "interactions" in self.policy.measured:
            return True
        if event.kind == "product-browsed.v1" and not MOVED_BY_BROWSES.isdisjoint(self.policy.measured):
            return True
        if event.kind == "campaign-responded.v1" and event.fields.get("response") == "opened":
            return any(rule.get("opened_counts") for rule in self.policy.rules)
        if event.kind == "campaign-responded.v1" and event.fields.get("response") == "unsubscribed":
            return "disengaged" in kinds
        if event.kind == "product-browsed.v1":
            return "competitor" in kinds and bool(event.fields.get("competitor"))
        return event.kind != "feedback-given.v1" and event.fields.get("response") != "delivered"

    def pass_time(self, dues_ms: int, starts_ms: int, cuts: Cuts | None) -> None:
        """Evaluate every due up to ``dues_ms`` and every start of a warning up to ``starts_ms``, each as itself."""
        while self.levels:
            due, start = self.next_due_ms(), self.warnings.next_ms
            start = NEVER_MS if start is None or start > starts_ms else start
            due = NEVER_MS if due > dues_ms else due
            at_ms = min(due, start)
            if at_ms == NEVER_MS:
                return
            self.look(at_ms, cuts, starts=start == at_ms)

    def next_due_ms(self) -> int:
        """Return the next instant at which time alone may move score or tier."""
        dwell_ms = self.ranked_since_ms + self.policy.ladder.dwell_days * DAY_MS
        dues = [dwell_ms, *(until for _, _, until in self.facts.decisions if until is not None)]
        if self.measures.leaves_ms is not None:
            dues.append(self.measures.leaves_ms)
        if self.policy.samples_daily:
            dues.append(next_midnight_ms(self.evaluated_ms, self.policy.zone))
        return min((due for due in dues if due > self.evaluated_ms), default=NEVER_MS)

    def look(self, now_ms: int, cuts: Cuts | None, *, starts: bool = False) -> None:
        """Count everything anew, then settle ranked tier, warnings and shown tier, in this order."""
        self.measures = measure(self.facts, now_ms)
        self.score = score(self.measures, self.policy)
        until_ms = now_ms if starts else max(now_ms - 1, self.warnings.judged_ms)
        self.evaluate(now_ms, cuts, until_ms=until_ms)

    def evaluate(self, now_ms: int, cuts: Cuts | None, *, until_ms: int | None = None) -> None:
        """Settle the tiers by the score as it stands; with ``until_ms`` the warnings that start up to then, too."""
        self.evaluated_ms = now_ms
        before, shown_before = self.ranked, self.tier
        never_was = bool(self.levels) and not self.facts.purchases()
        level = len(self.policy.ladder.levels) - 1 if never_was else self._level(now_ms, cuts)
        if not self.levels or level != self.levels[-1][1]:
            self.levels.append((now_ms, level))
        if until_ms is not None:
            self.warnings.judge(now_ms, until_ms, self._name(level))
        ranked, shown = self._name(level), LAPSED if never_was else self._shown(now_ms)
        if shown != shown_before:
            self.tier, self.tier_since_ms = shown, now_ms
        if ranked != before or shown != shown_before:
            self.changes.append(TierChange(self.customer_id, now_ms, shown_before, shown, before, ranked))

    def _level(self, now_ms: int, cuts: Cuts | None) -> int:
        ladder = self.policy.ladder
        value = self.measures.net_minor if ladder.by == "spend" else self.score
        if not self.levels:
            return first_level(value, cuts, ladder)
        since_ms, level = self.levels[-1]
        return next_level(value, level, since_ms, cuts, ladder, now_ms=now_ms)

    def _shown(self, now_ms: int) -> str:
        pinned = self.facts.pin(now_ms)
        if pinned is not None:
            return pinned
        if self.measures.orders == 0:
            return LAPSED
        return AT_RISK if self.warnings.warned else self._name(self.levels[-1][1])

    def _name(self, level: int) -> str:
        return self.policy.ladder.levels[level].name
