"""Orders with their returns, and what of them lies in the window at an instant."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from tests.oracle.clock import local_day
from tests.oracle.facts import Facts, Purchase
from tests.oracle.ledger import Ledger, ledger
from tests.oracle.policy import BY_MONTH, Policy
from tests.oracle.prediction import value_minor


@dataclass(slots=True)
class Order:
    """Sales that share an order id, and the returns taken out of them."""

    at_ms: int  # its earliest sale
    amount_minor: int = 0
    returned_minor: int = 0

    @property
    def counts(self) -> bool:
        """Whether it is an order still: not when its returns reach its amount; a gift is one."""
        return self.returned_minor == 0 or self.returned_minor < self.amount_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What the window ``(now - window, now]`` holds, counted from nothing."""

    now_ms: int = 0
    net_minor: int = 0  # signed
    orders: int = 0
    days: tuple[date, ...] = ()  # of the counted orders, ascending
    largest_minor: int = 0  # of the counted orders, after its returns
    last_sale_ms: int | None = None  # ever
    referrals: int = 0
    assets_minor: int = 0
    ledger: Ledger = field(default_factory=Ledger)  # empty unless it is measured
    predicted_minor: int = 0  # 0 unless it is measured
    leaves_ms: int | None = None  # when the next fact leaves the window


def orders_of(purchases: Iterable[Purchase]) -> dict[str, Order]:
    """Return each order by its id, without its returns."""
    orders: dict[str, Order] = {}
    for sale in purchases:
        if sale.kind == "sale":
            order = orders.setdefault(sale.order_id, Order(sale.at_ms))
            order.at_ms = min(order.at_ms, sale.at_ms)
            order.amount_minor += sale.amount_minor
    return orders


def take_returns(
    orders: dict[str, Order], purchases: Iterable[Purchase], policy: Policy
) -> list[tuple[int, int]]:
    """Take returns out of their orders; return (at_ms, amount) of those that stand alone.

    A return stands alone when it names no order, one not seen, or one more than ``returns_days`` older.
    """
    alone = []
    for one in purchases:
        if one.kind != "return":
            continue
        order = None if one.returned_order_id is None else orders.get(one.returned_order_id)
        if order is not None and one.at_ms - order.at_ms <= policy.returns_ms:
            order.returned_minor += one.amount_minor
        else:
            alone.append((one.at_ms, one.amount_minor))
    return alone


def measure(facts: Facts, now_ms: int) -> Measures:
    """Count the window at ``now_ms``."""
    policy = facts.policy
    opens_ms = now_ms - policy.window_ms
    purchases = facts.purchases()
    orders = orders_of(purchases)
    alone = take_returns(orders, purchases, policy)
    brought = first_brought(facts.referrals)
    inside = [order for order in orders.values() if opens_ms < order.at_ms <= now_ms]
    counted = [order for order in inside if order.counts]
    net = sum(order.amount_minor - order.returned_minor for order in inside)
    dates = [*(order.at_ms for order in orders.values()), *(at_ms for at_ms, _ in alone), *brought.values()]
    return Measures(
        now_ms=now_ms,
        net_minor=net - sum(amount for at_ms, amount in alone if opens_ms < at_ms <= now_ms),
        orders=len(counted),
        days=tuple(sorted({local_day(order.at_ms, policy.zone) for order in counted})),
        largest_minor=max((order.amount_minor - order.returned_minor for order in counted), default=0),
        last_sale_ms=max((one.at_ms for one in purchases if one.kind == "sale"), default=None),
        referrals=sum(opens_ms < at_ms <= now_ms for at_ms in brought.values()),
        assets_minor=latest_assets(facts.assets),
        ledger=Ledger() if BY_MONTH.isdisjoint(policy.measured) else ledger(facts, now_ms),
        predicted_minor=predicted(purchases, now_ms, policy),
        leaves_ms=min((at_ms + policy.window_ms for at_ms in dates if at_ms > opens_ms), default=None),
    )


def predicted(purchases: Iterable[Purchase], now_ms: int, policy: Policy) -> int:
    """Return the expected spend of the next year, from everything bought ever; 0 unless it is measured."""
    if "predicted_value" not in policy.measured:
        return 0
    every = list(purchases)
    days = sorted({local_day(one.at_ms, policy.zone) for one in every if one.kind == "sale"})
    net = sum(one.amount_minor if one.kind == "sale" else -one.amount_minor for one in every)
    return value_minor(policy.model, policy.spend_model, days, net, local_day(now_ms, policy.zone))


def first_brought(referrals: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Return when each person was brought: at the earliest time known."""
    found: dict[str, int] = defaultdict(lambda: 1 << 62)
    for who, at_ms in referrals:
        found[who] = min(found[who], at_ms)
    return found


def latest_assets(assets: Iterable[tuple[tuple[int, int], int | None]]) -> int:
    """Return what the latest description says, 0 when it says nothing."""
    _, minor = max(assets, key=lambda one: one[0], default=((0, 0), None))
    return minor or 0
