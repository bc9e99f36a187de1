"""Collects purchases from a file or a topic, as the scorer would accept them, corrections included."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from deploy.fitting.errors import CanNotFitError, MisuseError
from schemas.events import PurchaseCorrected, PurchaseRecorded
from schemas.times import to_ms
from services.scorer.core.facts import fact_of
from services.scorer.core.identity import stable_hash
from services.scorer.records import FUTURE_MS_MAX

if TYPE_CHECKING:
    from schemas.events import PurchaseBody
    from services.scorer.core.policy import Policy

NEVER_MS: Final = 2**62
_BASE_MINOR_MAX: Final = 10**14  # as the scorer refuses it


class Purchase(NamedTuple):
    """One sale or return, and from when until when it was known to be so; in the base currency."""

    at_ms: int
    event: int  # hash of the event id
    order: int  # hash of the order sold, or of the order that a return names; 0: it names none
    amount_minor: int  # a return's is negative
    told_ms: int
    until_ms: int = NEVER_MS  # when a higher revision took its place

    @property
    def stands(self) -> bool:
        """Whether no correction took its place."""
        return self.until_ms == NEVER_MS


class Revision(NamedTuple):
    """What was said of a purchase: when it was recorded (0), or by a correction (1 and more)."""

    told_ms: int
    number: int
    purchase: Purchase | None  # None: it never was


@dataclass(slots=True)
class Purchases:
    """Every customer's purchases, and how many events were left out for what reason."""

    policy: Policy
    wall_ms: int  # nothing may be dated later than a little after this
    by_customer: defaultdict[str, list[Purchase]] = field(default_factory=lambda: defaultdict(list))
    left_out: Counter[str] = field(default_factory=Counter)
    without_rate: set[str] = field(default_factory=set)  # currencies
    _corrections: defaultdict[str, defaultdict[int, list[Revision]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    def add(self, event: PurchaseRecorded | PurchaseCorrected) -> None:
        """Take an event in, or leave it out as the scorer would: as a dead letter."""
        told_ms = to_ms(event.occurred_at)
        if event.customer_id in self.policy.anonymous_ids:
            self.left_out["of anonymous ids"] += 1
        elif told_ms > self.wall_ms + FUTURE_MS_MAX:
            self.left_out["dated in the future"] += 1
        elif isinstance(event, PurchaseRecorded):
            purchase = self._purchase(event, stable_hash(event.event_id), told_ms)
            if purchase is not None:
                self.by_customer[event.customer_id].append(purchase)
        else:
            self._correct(event, told_ms)

    def settle(self) -> None:
        """Sort every customer's purchases, count repeats once, let the highest revision of each stand.

        What a correction replaced stays beside it: it was believed until then. Who stands for many is set
        aside.

        Raises:
            CanNotFitError: nothing is left.
        """
        for customer_id in dict.fromkeys([*self.by_customer, *self._corrections]):
            first = self._firsts(self.by_customer.pop(customer_id, []))
            corrected = self._corrections.pop(customer_id, None)
            purchases = sorted(self._revised(first, corrected) if corrected else first.values())
            standing = [purchase for purchase in purchases if purchase.stands]
            if self._is_many(standing):
                self.left_out["of ids that stand for many people"] += len(standing)
            elif purchases:
                self.by_customer[customer_id] = purchases
        if not any(one.stands for known in self.by_customer.values() for one in known):
            raise self._nothing()

    def _purchase(self, body: PurchaseRecorded | PurchaseBody, event: int, told_ms: int) -> Purchase | None:
        """Return what counts of a purchase; None when it is left out."""
        if body.currency not in self.policy.conversions:
            self.left_out[f"in {body.currency}, without a rate"] += 1
            self.without_rate.add(body.currency)
            return None
        fact = fact_of(body, event, 0, self.policy)
        if abs(fact.amount_minor) > _BASE_MINOR_MAX:
            self.left_out["of an amount that can't be added up"] += 1
            return None
        return Purchase(fact.time_ms, event, fact.order, fact.amount_minor, told_ms)

    def _correct(self, event: PurchaseCorrected, told_ms: int) -> None:
        corrects, purchase = stable_hash(event.corrects), None
        if event.purchase is not None:
            purchase = self._purchase(event.purchase, corrects, told_ms)
            if purchase is None:
                return
            if purchase.at_ms > self.wall_ms + FUTURE_MS_MAX:
                self.left_out["dated in the future"] += 1
                return
        self._corrections[event.customer_id][corrects].append(Revision(told_ms, event.revision, purchase))

    def _firsts(self, known: list[Purchase]) -> dict[int, Purchase]:
        """Return one purchase of each event id: the one read first counts."""
        first: dict[int, Purchase] = {}
        for purchase in known:
            other = first.setdefault(purchase.event, purchase)
            if other is not purchase:
                same = other == purchase
                self.left_out["repeats of an event" if same else "of a used event_id, with another body"] += 1
        return first

    def _revised(self, first: dict[int, Purchase], corrected: dict[int, list[Revision]]) -> list[Purchase]:
        """Return the purchases with what corrections made of them, the replaced ones included."""
        found = [purchase for event, purchase in first.items() if event not in corrected]
        for event, revisions in corrected.items():
            recorded = first.get(event)
            if recorded is not None:
                revisions.append(Revision(recorded.told_ms, 0, recorded))
            found += self._chain(sorted(revisions, key=lambda one: (one.told_ms, one.number)))
        return found

    def _chain(self, revisions: list[Revision]) -> list[Purchase]:
        """Return what was believed of one purchase, one after the other; ``revisions`` in order of being told."""
        counted: list[Revision] = []
        for one in revisions:
            latest = counted[-1] if counted else None
            if latest is not None and one.number <= latest.number:
                self._note_outdated(one, latest)
            elif one.number and self._is_late(one, None if latest is None else latest.purchase):
                self.left_out["corrections of purchases that the scorer has forgotten"] += 1
            else:
                counted.append(one)
        ends = [one.told_ms for one in counted[1:]] + [NEVER_MS]
        return [
            one.purchase._replace(until_ms=end)
            for one, end in zip(counted, ends, strict=True)
            if one.purchase is not None
        ]

    def _note_outdated(self, one: Revision, latest: Revision) -> None:
        if one.number == latest.number and _said(one) != _said(latest):
            self.left_out["of a used revision, with another body"] += 1
        elif one.number:
            self.left_out["corrections that a revision as high came before"] += 1

    def _is_late(self, one: Revision, replaced: Purchase | None) -> bool:
        times = [purchase.at_ms for purchase in (one.purchase, replaced) if purchase is not None]
        return min(times, default=one.told_ms) < one.told_ms - self.policy.memory_ms

    def _is_many(self, purchases: list[Purchase]) -> bool:
        reach = self.policy.purchases_max
        return any(
            last.at_ms - first.at_ms < self.policy.window_ms
            for first, last in zip(purchases, purchases[reach:], strict=False)
        )

    def _nothing(self) -> CanNotFitError:
        if self.without_rate:
            found = ", ".join(sorted(self.without_rate))
            return MisuseError(
                f"no purchases in {self.policy.currency}, only in {found}: give --currency, or a --policy "
                "with rates"
            )
        left_out = ", ".join(f"{count:,} {why}" for why, count in self.left_out.items() if count)
        why = f" (left out: {left_out})" if left_out else ""
        return CanNotFitError(f"no purchases to fit{why}: give sales")


def _said(one: Revision) -> tuple[int, int, int] | None:
    return (
        None if one.purchase is None else (one.purchase.at_ms, one.purchase.order, one.purchase.amount_minor)
    )
