"""When each rule of churn would start a warning: instants, counted from the lists of facts.

A rule gives every start that the facts known now call for, and the instants later than ``until_ms`` at which
one may come. Which of them become episodes (one open at a time, the tier at the start) is for ``episodes.py``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from math import comb

from tests.oracle.clock import DAY_MS, local_day, midnight_ms, months_later_ms
from tests.oracle.facts import Facts
from tests.oracle.model import hopeless_day
from tests.oracle.policy import Json, Policy
from tests.oracle.window import orders_of


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The facts that rules look at, each list ascending; from the first sale on where it says so."""

    policy: Policy
    facts: Facts
    first_ms: int  # the first sale
    sales: list[int]
    orders: list[int]  # of each its first sale, returned or not
    since_ms: int  # what frequency and model said of earlier instants stands as it was decided
    until_ms: int  # up to here every fact is in

    @classmethod
    def of(cls, facts: Facts, now_ms: int, until_ms: int) -> "History | None":
        """Return the history, None before the first sale: nobody churns then."""
        purchases = facts.purchases()
        sales = sorted(one.at_ms for one in purchases if one.kind == "sale")
        if not sales:
            return None
        orders = sorted(order.at_ms for order in orders_of(purchases).values())
        return cls(
            policy=facts.policy,
            facts=facts,
            first_ms=sales[0],
            sales=sales,
            orders=orders,
            since_ms=now_ms - facts.policy.lateness_ms,
            until_ms=until_ms,
        )

    def since_first(self, instants: list[int]) -> list[int]:
        """Return the instants from the first sale on, ascending."""
        return sorted(at_ms for at_ms in instants if at_ms >= self.first_ms)

    def responses(self, rule: Json) -> list[int]:
        """Return what breaks a silence besides sales."""
        opened = self.facts.openings if rule.get("opened_counts") else []
        return self.since_first([*self.facts.responses, *opened])


Starts = Iterator[tuple[int, bool]]  # when, and whether it is one; False: only an instant to look at


def silence(rule: Json, history: History) -> Starts:
    """Yield anchor + length for every anchor; it starts unless a contact lies in (anchor, anchor + length]."""
    contacts = sorted({*history.sales, *history.responses(rule)})
    for anchor_ms, next_ms in zip(contacts, [*contacts[1:], None], strict=True):
        if rule["months"] is None:
            start_ms = anchor_ms + rule["days"] * DAY_MS
        else:
            start_ms = months_later_ms(anchor_ms, rule["months"], history.policy.zone)
        yield start_ms, next_ms is None or next_ms > start_ms


def frequency(rule: Json, history: History) -> Starts:
    """Yield every instant at which an order turns ``recent_days`` old, and whether orders have become rare."""
    for order_ms in sorted(set(history.orders)):
        at_ms = order_ms + rule["recent_days"] * DAY_MS
        is_to_judge = history.since_ms <= at_ms <= history.until_ms
        yield at_ms, is_to_judge and is_rare(rule, history, at_ms)


def is_rare(rule: Json, history: History, at_ms: int) -> bool:
    """Return whether the recent orders are few beside the customer's own past."""
    recent_ms = rule["recent_days"] * DAY_MS
    turn_ms = at_ms - recent_ms
    opens_ms = turn_ms - rule["past_days"] * DAY_MS
    past_ms = turn_ms - max(opens_ms, history.first_ms)
    recent = sum(turn_ms < order_ms <= at_ms for order_ms in history.orders)
    past = sum(opens_ms < order_ms <= turn_ms for order_ms in history.orders)
    if past < rule["orders_min"]:
        return False
    # recent / recent_ms over past / past_ms, without dividing by a past of no length
    if Fraction(recent * past_ms, recent_ms * past) > Fraction(rule["ratio"]):
        return False
    if rule["guard"] == "none":
        return True
    chance = Fraction(recent_ms, recent_ms + past_ms)
    return binomial_up_to(recent, recent + past, chance) < Fraction(rule["significance"])


def binomial_up_to(most: int, trials: int, chance: Fraction) -> Fraction:
    """Return P(X <= most) for X ~ Binomial(trials, chance), exactly."""
    return sum(
        (comb(trials, x) * chance**x * (1 - chance) ** (trials - x) for x in range(most + 1)), Fraction(0)
    )


def competitor(_rule: Json, history: History) -> Starts:
    """Yield every mention of a competitor from the first purchase on."""
    yield from ((at_ms, True) for at_ms in history.since_first(history.facts.mentions))


def model(rule: Json, history: History) -> Starts:
    """Yield the first hopeless midnight after each purchase day, and whether a sale came before or at it."""
    zone = history.policy.zone
    days: list[date] = sorted({local_day(at_ms, zone) for at_ms in history.sales})
    for repeats, last in enumerate(days):
        ended_ms = midnight_ms(last + timedelta(days=1), zone)
        if any(ended_ms <= sale_ms < history.since_ms for sale_ms in history.sales):
            continue
        day = hopeless_day(history.policy.model, rule, repeats, (last - days[0]).days)
        if day is not None:
            at_ms = midnight_ms(days[0] + timedelta(days=day), zone)
            is_start = at_ms >= history.since_ms
            yield at_ms, is_start and not any(ended_ms <= sale_ms <= at_ms for sale_ms in history.sales)


def disengaged(rule: Json, history: History) -> Starts:
    """Yield unsubscriptions, and the end of the time in which a complaint should have been solved."""
    facts = history.facts
    starts = [(at_ms, True) for at_ms in facts.unsubscriptions]
    for contact_id, opened_ms in facts.complaints:
        at_ms = opened_ms + rule["complaint_days"] * DAY_MS
        solved = any(which == contact_id and when <= at_ms for which, when in facts.solutions)
        starts.append((at_ms, not solved))
    yield from sorted(one for one in starts if one[0] >= history.first_ms)


def sure_starts(rule: Json, history: History) -> set[int]:
    """Return the starts that are an event themselves: a competitor named, an unsubscription."""
    facts = history.facts
    return {"competitor": set(facts.mentions), "disengaged": set(facts.unsubscriptions)}.get(
        rule["rule"], set()
    )


KINDS: dict[str, Callable[[Json, History], Starts]] = {
    "silence": silence,
    "frequency": frequency,
    "competitor": competitor,
    "model": model,
    "disengaged": disengaged,
}


def solved_ms(rule: Json, history: History, start_ms: int) -> int | None:
    """Return when the complaints were solved that started a warning, None when they were not (or none did)."""
    facts = history.facts
    if rule["rule"] != "disengaged" or start_ms in facts.unsubscriptions:
        return None
    opened_ms = start_ms - rule["complaint_days"] * DAY_MS
    mine = [contact_id for contact_id, at_ms in facts.complaints if at_ms == opened_ms]
    ends = []
    for contact_id in mine:  # with several of one instant the last solution ends it
        later = [at_ms for which, at_ms in facts.solutions if which == contact_id and at_ms > start_ms]
        if not later and not any(which == contact_id for which, _ in facts.solutions):
            return None
        ends.extend(sorted(later)[:1])
    return max(ends, default=None)
