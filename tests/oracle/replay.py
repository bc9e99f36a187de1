"""An event-time replay: sorted events, midnights with their cut-offs, and the end."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from tests.oracle.clock import midnights
from tests.oracle.customer import Customer, TierChange
from tests.oracle.events import Event
from tests.oracle.facts import Refused
from tests.oracle.policy import Policy, policy_from
from tests.oracle.products import Products
from tests.oracle.tiers import Cuts, cuts_of, fixed_cuts


@dataclass(frozen=True, slots=True)
class CutRow:
    """The cut-offs of one midnight, or of the end; no cuts when nobody is active."""

    version: int
    at_ms: int
    active: int
    cuts: Cuts | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a history comes to at its last instant."""

    policy: Policy
    customers: tuple[Customer, ...]  # those with a purchase event that stands, by customer_id
    prospects: tuple[Customer, ...]  # everybody else; what was said of them stands in ``changes`` too
    cut_rows: tuple[CutRow, ...]
    changes: tuple[TierChange, ...]  # by time, then customer_id, then order of evaluation
    dead_letters: tuple[tuple[str, str], ...]  # event_id, reason

    def settled_changes(self) -> tuple[TierChange, ...]:
        """Return the changes with those of one customer at one instant drawn together."""
        return settled(self.changes)


def settled(changes: Iterable[TierChange]) -> tuple[TierChange, ...]:
    """Draw the changes of one customer at one instant together; they come sorted by time and customer.

    What several events of the same millisecond pass through on the way depends on the order between
    topics; what they come to does not.
    """
    drawn_together = []
    for _, group in groupby(changes, key=lambda change: (change.at_ms, change.customer_id)):
        same = list(group)
        first, last = same[0], same[-1]
        drawn = TierChange(
            first.customer_id,
            first.at_ms,
            first.previous,
            last.current,
            first.ranked_previous,
            last.ranked_current,
        )
        if (drawn.previous, drawn.ranked_previous) != (drawn.current, drawn.ranked_current):
            drawn_together.append(drawn)
    return tuple(drawn_together)


class Replay:
    """The crowd while a history passes."""

    def __init__(self, policy: Policy, products: Products) -> None:
        """Start with nobody and no cuts; fixed ones are there from the start."""
        self.policy = policy
        self.products = products
        self.customers: dict[str, Customer] = {}
        self.seen: dict[tuple[str, str, str], bytes] = {}
        self.dead_letters: list[tuple[str, str]] = []
        self.cut_rows: list[CutRow] = []
        self.cuts = self.drawn(())

    def drawn(self, scores: list[int] | tuple[int, ...]) -> Cuts | None:
        """Return the cuts that the scores of the active customers make."""
        ladder = self.policy.ladder
        if ladder.by == "percentile":
            return cuts_of(scores, ladder)
        return fixed_cuts(ladder, self.policy.per_major)

    def take(self, event: Event) -> None:
        """Apply one event, unless it is a repeat, cannot be, or is of nobody in particular."""
        if event.customer_id in self.policy.anonymous:
            return
        key = (event.customer_id, event.topic, event.event_id)
        if key in self.seen:
            if self.seen[key] != event.body_digest and not self.is_corrected(event):
                self.dead_letters.append((event.event_id, "CONFLICT"))
            return
        if event.customer_id not in self.customers:
            self.customers[event.customer_id] = Customer.new(event.customer_id, self.policy, self.products)
        try:
            self.customers[event.customer_id].apply(event, self.cuts)
        except Refused as refused:
            self.dead_letters.append((event.event_id, str(refused)))
        else:
            self.seen[key] = event.body_digest

    def is_corrected(self, event: Event) -> bool:
        """Whether another body stands in place of a purchase, so that a repeat is not looked at."""
        bodies = self.customers[event.customer_id].facts.bodies
        is_purchase = event.kind == "purchase-recorded.v1"
        return is_purchase and any(one.event_id == event.event_id and one.revision > 0 for one in bodies)

    def adopt(self, at_ms: int, *, end: bool = False) -> None:
        """Evaluate what is due, draw new cuts from all scores and put everybody to them.

        A warning that starts exactly at a midnight waits for that instant's events; at the end they are in.
        """
        for customer in self.customers.values():
            customer.pass_time(at_ms, at_ms if end else at_ms - 1, self.cuts)
        scores = [one.score for one in self.customers.values() if one.levels and one.is_active]
        self.cuts = self.drawn(scores)
        self.cut_rows.append(CutRow(len(self.cut_rows) + 1, at_ms, len(scores), self.cuts))
        for customer in self.customers.values():
            if customer.levels:
                customer.evaluate(at_ms, self.cuts)

    def outcome(self) -> Outcome:
        """Return what everything came to."""
        everybody = sorted(self.customers.values(), key=lambda one: one.customer_id)
        changes = [change for customer in everybody for change in customer.changes]
        changes.sort(key=lambda change: (change.at_ms, change.customer_id))
        return Outcome(
            policy=self.policy,
            customers=tuple(one for one in everybody if one.levels),
            prospects=tuple(one for one in everybody if not one.levels),
            cut_rows=tuple(self.cut_rows),
            changes=tuple(changes),
            dead_letters=tuple(self.dead_letters),
        )


def referrals_of(events: Iterable[Event]) -> list[Event]:
    """Return the referrals that sales make by their ``referred_by``: of each pair the earliest."""
    earliest: dict[tuple[str, str], Event] = {}
    for event in events:
        referrer = event.fields.get("referred_by")
        if event.kind != "purchase-recorded.v1" or event.fields["kind"] != "sale":
            continue
        if referrer is None or referrer == event.customer_id:
            continue
        pair = (referrer, event.customer_id)
        if pair not in earliest or event.at_ms < earliest[pair].at_ms:
            earliest[pair] = event
    return [
        Event(
            at_ms=event.at_ms,
            kind="referral-made.v1",
            event_id=f"{referrer} {referred}",  # no id of the wire has a space
            customer_id=referrer,
            body_digest=b"",
            fields={"referred_customer_id": referred},
        )
        for (referrer, referred), event in earliest.items()
    ]


def replay(
    events: Iterable[Event],
    *,
    policy: Mapping[str, Any] | None = None,
    currency: str = "USD",
    time_zone: str = "UTC",
    products: Products | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Outcome:
    """Replay events given in file order; ``progress(done, total)`` is called at every midnight.

    ``policy`` is the JSON of one; without it the default one, in ``currency`` and ``time_zone``. ``products``
    are in force from the first event to the last, as ``read_products`` finds them.
    """
    given = list(events)
    # Of one instant by topic; within a topic the file's order.
    history = sorted([*given, *referrals_of(given)], key=lambda event: event.place)
    rules = policy_from({"currency": currency, "time_zone": time_zone} if policy is None else policy)
    state = Replay(rules, {} if products is None else products)
    if not history:
        return state.outcome()
    done = 0
    for midnight_ms in midnights(history[0].at_ms, history[-1].at_ms, rules.zone):
        while done < len(history) and history[done].at_ms < midnight_ms:
            state.take(history[done])
            done += 1
        state.adopt(midnight_ms)
        progress(done, len(history))
    for event in history[done:]:
        state.take(event)
    state.adopt(history[-1].at_ms, end=True)
    progress(len(history), len(history))
    return state.outcome()
