"""A customer's purchases as plain lists, and the three figures that are counted from them."""

import math
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from zoneinfo import ZoneInfo

from tests.oracle.clock import YEAR_MS, local_day
from tests.oracle.events import Event

# ISO 4217: the currencies whose minor unit is not a hundredth.
ZERO = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
THREE = "BHD IQD JOD KWD LYD OMR TND"
EXPONENTS = dict.fromkeys(ZERO.split(), 0) | dict.fromkeys(THREE.split(), 3)


@dataclass(frozen=True, slots=True)
class Measures:
    """What the window ``(now - 365 d, now]`` holds."""

    net_minor: int  # signed
    orders: int
    days: int


@dataclass(slots=True)
class Facts:
    """Everything bought and returned so far, in the order in which it was processed."""

    zone: ZoneInfo
    sales: list[tuple[str, int, int]] = field(default_factory=list)  # order_id, at_ms, amount_minor
    returns: list[tuple[str | None, int, int]] = field(default_factory=list)  # order_id, at_ms, amount_minor
    days: dict[int, date] = field(default_factory=dict)  # local day of each sale's instant

    def add(self, event: Event) -> None:
        """Take in one sale or return."""
        if event.kind == "sale":
            self.sales.append((event.order_id, event.at_ms, event.amount_minor))
            self.days[event.at_ms] = local_day(event.at_ms, self.zone)
        else:
            self.returns.append((event.returned_order_id, event.at_ms, event.amount_minor))

    def orders(self) -> dict[str, tuple[int, int]]:
        """Return each order's date (its earliest sale) and amount (the sum of its sales)."""
        orders: dict[str, tuple[int, int]] = {}
        for order_id, at_ms, amount in self.sales:
            known = orders.get(order_id)
            orders[order_id] = (min(known[0], at_ms), known[1] + amount) if known else (at_ms, amount)
        return orders

    def split_returns(
        self, orders: dict[str, tuple[int, int]]
    ) -> tuple[dict[str, int], list[tuple[int, int]]]:
        """Return the amounts returned per order, and (at_ms, amount) of the returns that stand alone.

        A return stands alone when it names no order, one not seen, or one more than 365 d older.
        """
        attached: dict[str, int] = defaultdict(int)
        alone: list[tuple[int, int]] = []
        for order_id, at_ms, amount in self.returns:
            order = orders.get(order_id) if order_id is not None else None
            if order_id is not None and order is not None and at_ms - order[0] <= YEAR_MS:
                attached[order_id] += amount
            else:
                alone.append((at_ms, amount))
        return attached, alone

    def measure(self, now_ms: int) -> Measures:
        """Count the window at ``now_ms`` from nothing."""
        orders = self.orders()
        attached, alone = self.split_returns(orders)
        opens_ms = now_ms - YEAR_MS
        net, days, counted = 0, set(), 0
        for order_id, (at_ms, amount) in orders.items():
            if opens_ms < at_ms <= now_ms:
                returned = attached.get(order_id, 0)
                net += amount - returned
                if returned == 0 or returned < amount:
                    counted += 1
                    days.add(self.days[at_ms])
        net -= sum(amount for at_ms, amount in alone if opens_ms < at_ms <= now_ms)
        return Measures(net, counted, len(days))

    def next_expiry_ms(self, after_ms: int) -> int | None:
        """Return the first instant later than ``after_ms`` at which a fact leaves the window."""
        orders = self.orders()
        _, alone = self.split_returns(orders)
        dates = [at_ms for at_ms, _ in orders.values()] + [at_ms for at_ms, _ in alone]
        return min((at_ms + YEAR_MS for at_ms in dates if at_ms + YEAR_MS > after_ms), default=None)


def score(measures: Measures, currency: str) -> int:
    """Return the score, 0 to 10,000: spend 40 %, orders 30 %, repurchase rate 30 %, rounded once, half-even."""
    spend = max(0, measures.net_minor) / 10 ** EXPONENTS.get(currency, 2)
    repurchase = (measures.days - 1) / measures.days if measures.days else 0
    return round(
        10000
        * (
            0.4 * min(1, math.log(1 + spend / 10) / math.log(1 + 20000 / 10))
            + 0.3 * min(1, math.log(1 + measures.orders) / math.log(1 + 100))
            + 0.3 * repurchase
        )
    )
