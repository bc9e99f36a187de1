"""An event-time replay: sorted events, midnights with their cut-offs, and the end."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from zoneinfo import ZoneInfo

from tests.oracle.clock import midnights
from tests.oracle.customer import Customer, TierChange
from tests.oracle.events import Event
from tests.oracle.tiers import Cuts, cuts_of


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

    customers: tuple[Customer, ...]  # those with a purchase event, by customer_id
    cut_rows: tuple[CutRow, ...]
    changes: tuple[TierChange, ...]  # by time, then customer_id, then order of evaluation
    dead_letters: tuple[tuple[str, str], ...]  # event_id, reason

    def settled_changes(self) -> tuple[TierChange, ...]:
        """Return the changes with those of one customer at one instant drawn together.

        What several events of the same millisecond pass through on the way depends on the order between
        topics, which nothing defines; what they come to does not.
        """
        settled = []
        for _, group in groupby(self.changes, key=lambda change: (change.at_ms, change.customer_id)):
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
                settled.append(drawn)
        return tuple(settled)


class Replay:
    """The crowd while a history passes."""

    def __init__(self, currency: str, zone: ZoneInfo) -> None:
        """Start with nobody and no cuts."""
        self.currency = currency
        self.zone = zone
        self.customers: dict[str, Customer] = {}
        self.seen: dict[tuple[str, str, str], bytes] = {}
        self.dead_letters: list[tuple[str, str]] = []
        self.cut_rows: list[CutRow] = []
        self.cuts: Cuts | None = None

    def take(self, event: Event) -> None:
        """Apply one event, unless it is a repeat or cannot be."""
        if event.topic == "purchases" and event.currency != self.currency:
            self.dead_letters.append((event.event_id, "CURRENCY"))
            return
        key = (event.customer_id, event.topic, event.event_id)
        if key in self.seen:
            if self.seen[key] != event.body_digest:
                self.dead_letters.append((event.event_id, "CONFLICT"))
            return
        self.seen[key] = event.body_digest
        if event.customer_id not in self.customers:
            self.customers[event.customer_id] = Customer.new(event.customer_id, self.currency, self.zone)
        self.customers[event.customer_id].apply(event, self.cuts)

    def adopt(self, at_ms: int, *, end: bool = False) -> None:
        """Evaluate what is due, draw new cuts from all scores and put everybody to them.

        A silence that starts exactly at a midnight waits for that instant's events; at the end they are in.
        """
        for customer in self.customers.values():
            customer.pass_time(at_ms, at_ms if end else at_ms - 1, self.cuts)
        scores = [one.score for one in self.customers.values() if one.measures.orders >= 1]
        self.cuts = cuts_of(scores)
        self.cut_rows.append(CutRow(len(self.cut_rows) + 1, at_ms, len(scores), self.cuts))
        for customer in self.customers.values():
            if customer.ranked is not None:
                customer.evaluate(at_ms, self.cuts)

    def outcome(self) -> Outcome:
        """Return what everything came to."""
        customers = sorted(
            (one for one in self.customers.values() if one.ranked is not None),
            key=lambda one: one.customer_id,
        )
        changes = [change for customer in customers for change in customer.changes]
        changes.sort(key=lambda change: (change.at_ms, change.customer_id))
        return Outcome(tuple(customers), tuple(self.cut_rows), tuple(changes), tuple(self.dead_letters))


PROCESSING_ORDER = ("purchases", "browses", "campaign-responses")


def replay(
    events: Iterable[Event],
    *,
    currency: str = "USD",
    time_zone: str = "UTC",
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Outcome:
    """Replay events given in file order; ``progress(done, total)`` is called at every midnight."""
    # Of one instant purchases come first, then browses, then responses; within a topic the file's order.
    history = sorted(events, key=lambda event: (event.at_ms, PROCESSING_ORDER.index(event.topic)))
    zone = ZoneInfo(time_zone)
    state = Replay(currency, zone)
    if not history:
        return state.outcome()
    done = 0
    for midnight_ms in midnights(history[0].at_ms, history[-1].at_ms, zone):
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
