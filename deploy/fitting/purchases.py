"""Collects purchases from a file or a topic, as the scorer would accept them."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from deploy.fitting.errors import CanNotFitError
from schemas.events import PurchaseRecorded
from schemas.times import to_ms
from services.scorer.core.identity import stable_hash
from services.scorer.records import FUTURE_MS_MAX

if TYPE_CHECKING:
    from services.scorer.core.policy import Policy


class Purchase(NamedTuple):
    """One sale or return."""

    at_ms: int
    event: int  # hash of the event id
    order: int  # hash of the order sold, or of the order that a return names; 0: it names none
    amount_minor: int  # a return's is negative


@dataclass(slots=True)
class Purchases:
    """Every customer's purchases, and how many were left out for what reason."""

    policy: Policy
    wall_ms: int  # nothing may be dated later than a little after this
    by_customer: defaultdict[str, list[Purchase]] = field(default_factory=lambda: defaultdict(list))
    left_out: Counter[str] = field(default_factory=Counter)
    other_currencies: set[str] = field(default_factory=set)

    def add(self, event: PurchaseRecorded) -> None:
        """Take an event in, or leave it out as the scorer would: as a dead letter."""
        if event.currency != self.policy.currency:
            self.left_out["in another currency"] += 1
            self.other_currencies.add(event.currency)
            return
        at_ms = to_ms(event.occurred_at)
        if at_ms > self.wall_ms + FUTURE_MS_MAX:
            self.left_out["dated in the future"] += 1
            return
        sold = event.kind == "sale"
        order_id = event.order_id if sold else event.returned_order_id
        self.by_customer[event.customer_id].append(
            Purchase(
                at_ms,
                stable_hash(event.event_id),
                0 if order_id is None else stable_hash(order_id),
                event.amount_minor if sold else -event.amount_minor,
            )
        )

    def settle(self) -> None:
        """Sort every customer's purchases, count repeats of an event once, set aside who stands for many.

        Raises:
            CanNotFitError: nothing is left.
        """
        for customer_id, known in list(self.by_customer.items()):
            first = {purchase.event: purchase for purchase in reversed(known)}  # the one read first counts
            self.left_out["repeats of an event"] += len(known) - len(first)
            purchases = sorted(first.values())
            if self._is_many(purchases):
                self.left_out["of ids that stand for many people"] += len(purchases)
                del self.by_customer[customer_id]
            else:
                self.by_customer[customer_id] = purchases
        if not self.by_customer:
            raise CanNotFitError(self._nothing())

    def _is_many(self, purchases: list[Purchase]) -> bool:
        reach = self.policy.purchases_max
        return any(
            last.at_ms - first.at_ms < self.policy.window_ms
            for first, last in zip(purchases, purchases[reach:], strict=False)
        )

    def _nothing(self) -> str:
        if self.other_currencies:
            found = ", ".join(sorted(self.other_currencies))
            return f"no purchases in {self.policy.currency}, only in {found}: give --currency"
        left_out = ", ".join(f"{count:,} {why}" for why, count in self.left_out.items() if count)
        return "no purchases to fit" + (f" (left out: {left_out})" if left_out else "") + ": give sales"
