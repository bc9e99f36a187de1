"""What a fit makes of purchases, and how it says that it can't."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import permutations
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from aiokafka import TopicPartition
from msgspec.structs import replace

from deploy.fitting import source
from deploy.fitting.calibration import calibrate
from deploy.fitting.errors import CanNotFitError
from deploy.fitting.parameters import fit_purchases, fit_spend
from deploy.fitting.purchases import Purchases
from deploy.fitting.run import end_of
from deploy.fitting.sample import Customer, Sample, sample
from schemas.events import PurchaseCorrected, PurchaseRecorded
from schemas.times import HOUR_MS, from_ms
from schemas.wire import encode
from services.scorer.core.models.parameters import Kind
from services.scorer.core.policy import Policy
from tests.unit.core_given import T0, at, browse, corrected, returned, sale

FAR = at(10_000)


def collected(
    *events: PurchaseRecorded | PurchaseCorrected, time_zone: str = "UTC", wall_ms: int = FAR
) -> Purchases:
    """Return the purchases as they are fitted."""
    purchases = Purchases(Policy.default(time_zone=time_zone), wall_ms=wall_ms)
    for event in events:
        purchases.add(event)
    purchases.settle()
    return purchases


def only(*events: PurchaseRecorded | PurchaseCorrected, until_ms: int | None = None) -> Customer:
    """Return the one customer of a sample."""
    return sample(collected(*events), until_ms=until_ms).customers[0]


def test_purchase_days_count_and_not_purchases() -> None:
    """Three purchases on two days are one repeat purchase day; its mean is of the day."""
    customer = only(sale(at(0), 900), sale(at(10), 1_000), sale(at(10) + HOUR_MS, 500), until_ms=at(40))

    assert customer == Customer(
        repeat_days=1, last_age_days=10, age_days=40, mean_minor=1_500.0, later_days=0
    )


def test_days_are_those_of_the_time_zone() -> None:
    """Two purchases around midnight in Tokyo are two days there and one in Greenwich."""
    around = [sale(T0 + 2 * HOUR_MS), sale(T0 + 4 * HOUR_MS)]  # 23:00 and 01:00 in Tokyo

    assert sample(collected(*around), until_ms=None).repeat_customers == 0
    assert sample(collected(*around, time_zone="Asia/Tokyo"), until_ms=None).repeat_customers == 1


def test_an_order_that_came_back_is_no_purchase_day() -> None:
    """Wholly returned it counts as never bought; in part it counts with what was kept."""
    bought = [sale(at(0)), sale(at(5), 1_000, order="o"), sale(at(9), 700)]

    assert only(*bought, returned(at(6), 1_000, order="o")).mean_minor == 700.0
    assert only(*bought, returned(at(6), 1_000, order="o")).repeat_days == 1
    assert only(*bought, returned(at(6), 400, order="o")).mean_minor == (600 + 700) / 2
    assert only(*bought, returned(at(6), 400)).mean_minor == (1_000 + 700 - 400) / 2


def test_the_calibration_knows_nothing_of_what_came_after() -> None:
    """Neither later purchases nor later returns; purchase days after it are counted apart."""
    events = [
        sale(at(0)),
        sale(at(5), order="o"),
        sale(at(50)),
        sale(at(60)),
        returned(at(70), 5_000, order="o"),
    ]

    customer = only(*events, until_ms=at(20))

    assert (customer.repeat_days, customer.age_days, customer.later_days) == (1, 20, 2)
    assert sample(collected(*events), until_ms=at(20)).held_out_days == 50


def test_a_repeat_counts_once_and_strangers_are_left_out() -> None:
    """As the scorer takes them: duplicates, other currencies and the future are no purchases."""
    twice = sale(at(0), event="same")
    purchases = collected(
        twice, twice, sale(at(3), currency="EUR"), sale(at(10_001), event="future"), sale(at(4))
    )

    assert dict(purchases.left_out) == {
        "in EUR, without a rate": 1,
        "dated in the future": 1,
        "repeats of an event": 1,
    }
    assert only(twice, twice, sale(at(4))).repeat_days == 1


def test_the_highest_revision_of_a_purchase_counts_whatever_came_first() -> None:
    """Amount, day and whether it was at all are the highest revision's; an outdated one changes nothing."""
    mistaken = sale(at(5), 1_000)
    bought = [sale(at(0)), mistaken]
    once = corrected(mistaken, 1, at_ms=at(8), occurred_at=from_ms(at(6)), amount_minor=700)
    twice = corrected(mistaken, 2, at_ms=at(7), occurred_at=from_ms(at(4)), amount_minor=900)

    everything: list[PurchaseRecorded | PurchaseCorrected] = [*bought, once, twice]
    for events in permutations(everything):
        customer = only(*events, until_ms=at(20))
        assert (customer.repeat_days, customer.last_age_days, customer.mean_minor) == (1, 4, 900.0)
    assert only(*bought, once).mean_minor == 700.0
    assert only(*bought, corrected(mistaken, 1, at_ms=at(8))).repeat_days == 0
    assert collected(*bought, twice, once).left_out == {"corrections that a revision as high came before": 1}


def test_the_calibration_believes_a_purchase_until_it_is_corrected() -> None:
    """A correction of day 30 is not known on day 20; the days after it are counted as they really were."""
    before, after = sale(at(5)), sale(at(25))
    mistakes = [corrected(before, 1, at_ms=at(30)), corrected(after, 1, at_ms=at(30))]
    events: list[PurchaseRecorded | PurchaseCorrected] = [sale(at(0)), before, after, sale(at(40)), *mistakes]

    then, in_the_end = only(*events, until_ms=at(20)), only(*events)

    assert (then.repeat_days, then.later_days) == (1, 1)
    assert (in_the_end.repeat_days, in_the_end.last_age_days) == (1, 40)


def test_corrections_that_the_scorer_refuses_are_left_out_and_named() -> None:
    """One without a rate, one that repeats a revision otherwise, one of a purchase long forgotten."""
    twice, foreign, old = sale(at(1)), sale(at(2)), sale(at(3))
    events: list[PurchaseRecorded | PurchaseCorrected] = [
        *(sale(at(0), 500), twice, foreign, old),
        corrected(twice, 1, at_ms=at(4), amount_minor=700),
        corrected(twice, 1, at_ms=at(5), amount_minor=800),
        corrected(foreign, 1, at_ms=at(4), currency="XAU"),
        corrected(old, 1, at_ms=at(500)),
    ]
    purchases = collected(*events)

    assert purchases.left_out == {
        "of a used revision, with another body": 1,
        "in XAU, without a rate": 1,
        "corrections of purchases that the scorer has forgotten": 1,
    }
    assert only(*events).repeat_days == 3


def test_amounts_are_converted_by_the_policys_rates() -> None:
    """Each once, to the base currency's minor units; a currency without a rate is left out by its name."""
    policy = replace(Policy.default(), rates={"EUR": Decimal("1.25"), "JPY": Decimal("0.01")})
    purchases = Purchases(policy, wall_ms=FAR)
    for event in (
        sale(at(0)),
        sale(at(1), 1_000, currency="EUR"),
        sale(at(2), 400, currency="JPY"),
        sale(at(3), currency="GBP"),
    ):
        purchases.add(event)
    purchases.settle()

    assert sample(purchases, until_ms=None).customers[0].mean_minor == (1_250 + 400) / 2
    assert purchases.left_out == {"in GBP, without a rate": 1}


def test_a_used_id_with_another_body_and_an_anonymous_id_are_left_out() -> None:
    """The first body counts, as for the scorer; the till is no customer."""
    policy = replace(Policy.default(), anonymous=("till",))
    purchases = Purchases(policy, wall_ms=FAR)
    for event in (
        sale(at(0), event="e"),
        sale(at(0), 7, event="e"),
        replace(sale(at(1)), customer_id="till"),
    ):
        purchases.add(event)
    purchases.settle()

    assert purchases.left_out == {"of a used event_id, with another body": 1, "of anonymous ids": 1}
    assert set(purchases.by_customer) == {"c"}


def test_an_id_that_stands_for_many_people_is_set_aside() -> None:
    """More purchases in a window than the policy allows are not one customer's rhythm."""
    policy = replace(Policy.default(), purchases_max=3)
    purchases = Purchases(policy, wall_ms=FAR)
    for day in range(4):
        purchases.add(sale(at(day)))

    with pytest.raises(CanNotFitError, match=r"4 of ids that stand for many people"):
        purchases.settle()


def test_nothing_to_fit_is_said_with_a_remedy() -> None:
    """No purchases, another currency, or an end before the first purchase."""
    with pytest.raises(CanNotFitError, match="no purchases to fit: give sales"):
        collected()
    with pytest.raises(CanNotFitError, match="no purchases in USD, only in EUR: give --currency"):
        collected(sale(at(0), currency="EUR"))
    with pytest.raises(CanNotFitError, match="nobody had bought anything yet by --until"):
        sample(collected(sale(at(0))), until_ms=at(-1))


def test_until_is_a_local_day_or_an_instant() -> None:
    """A day counts whole, in the policy's time zone, also when it has 23 hours."""
    london = Policy.default(time_zone="Europe/London")

    assert from_ms(end_of("2024-03-30", london) + 1) == datetime(2024, 3, 31, 0, tzinfo=UTC)
    assert from_ms(end_of("2024-03-31", london) + 1) == datetime(2024, 3, 31, 23, tzinfo=UTC)
    assert from_ms(end_of("2024-03-31T12:00:00+02:00", london)) == datetime(2024, 3, 31, 10, tzinfo=UTC)
    for wrong, says in (
        ("31.3.2024", "is no time"),
        ("9999-12-31", "is no time"),
        ("2024-03-31T12:00", "no offset"),
    ):
        with pytest.raises(CanNotFitError, match=says):
            end_of(wrong, london)


@dataclass
class Invented:
    """Customers who live as the model says, in days: every one with a rate and a dropout chance of its own."""

    r: float = 0.6
    alpha: float = 40.0
    a: float = 0.8
    b: float = 1.6

    def sample(self, kind: Kind, *, customers: int = 4_000, days: int = 500, held_out: int = 200) -> Sample:
        """Return them after ``days``, with what ``held_out`` days more brought."""
        random = np.random.default_rng(20_261_122)
        rates = random.gamma(self.r, 1 / self.alpha, customers)
        chances = random.beta(self.a, self.b, customers)
        lives = [
            self._life(random, rate, chance, days + held_out, kind)
            for rate, chance in zip(rates, chances, strict=True)
        ]
        found = []
        for life in lives:
            before = [day for day in life if day <= days]
            found.append(Customer(len(before), max(before, default=0), days, 0.0, len(life) - len(before)))
        return Sample(found, 0, held_out)

    @staticmethod
    def _life(random: Any, rate: float, chance: float, days: int, kind: Kind) -> list[int]:
        """Return on which days it came back; within a day it may come once."""
        at_day, life = 0.0, list[int]()
        if kind == "mbg_nbd" and random.random() < chance:
            return life
        while (at_day := at_day + random.exponential(1 / rate)) <= days:
            life.append(int(at_day) + 1)
            if random.random() < chance:
                break
        return sorted({day for day in life if day <= days})


@pytest.mark.parametrize("kind", ["mbg_nbd", "bg_nbd"])
def test_a_fit_finds_the_parameters_that_customers_live_by(kind: Kind) -> None:
    """Within four standard errors, and the hold-out comes out as foreseen."""
    truth = Invented()
    known = truth.sample(kind)
    fit = fit_purchases(known, kind=kind, unit="day")

    assert fit.reason is None
    assert fit.is_storable
    assert fit.model is not None
    assert fit.optimum is not None
    assert fit.optimum.standard_errors is not None
    wanted = (truth.r, truth.alpha, truth.a, truth.b)
    for found, error, value in zip(fit.optimum.values, fit.optimum.standard_errors, wanted, strict=True):
        assert abs(found - value) < 4 * error
    buckets = calibrate(known, fit.model)
    assert sum(bucket.customers for bucket in buckets) == 4_000
    for bucket in buckets:
        if bucket.customers >= 200:
            assert bucket.expected == pytest.approx(bucket.actual, rel=0.25, abs=0.03)
            assert bucket.expected_without == pytest.approx(bucket.actual_without, abs=0.06)


def test_weeks_and_days_tell_the_same_story() -> None:
    """The unit scales alpha and nothing else."""
    known = Invented().sample("mbg_nbd", customers=1_000)
    days, weeks = (fit_purchases(known, kind="mbg_nbd", unit=unit) for unit in ("day", "week"))

    assert days.model is not None
    assert weeks.model is not None
    assert weeks.model.alpha * 7 == pytest.approx(days.model.alpha, rel=1e-3)
    assert (weeks.model.r, weeks.model.a, weeks.model.b) == pytest.approx(
        (days.model.r, days.model.a, days.model.b), rel=1e-3
    )


def test_degenerate_fits_are_named() -> None:
    """Nobody came back, too few, or nobody ever stays away: no use for warnings, and why."""
    nobody = Sample([Customer(0, 0, 100, 0.0, 0)] * 500, 0, 0)
    few = Sample([Customer(1, 10, 100, 500.0, 0)] * 20, 0, 0)
    loyal = Invented(r=5.0, alpha=60.0, a=0.01, b=40.0).sample("mbg_nbd", customers=500)

    reasons = [fit_purchases(one, kind="mbg_nbd", unit="day").reason for one in (nobody, few, loyal)]

    for reason, says in zip(
        reasons, ("no repeat buyers", "too few customers: 20", "P(alive) stays at 1"), strict=True
    ):
        assert reason is not None
        assert says in reason
    assert not fit_purchases(few, kind="mbg_nbd", unit="day").is_storable
    assert fit_purchases(nobody, kind="mbg_nbd", unit="day").model is None


def test_spend_needs_repeat_buyers_who_pay() -> None:
    """Gamma-Gamma is over positive means; who paid nothing, or got it all back, is not in it."""
    random = np.random.default_rng(7)
    payers = [
        Customer(int(x), 10, 100, float(mean), 0)
        for x, mean in zip(random.integers(1, 9, 300), random.gamma(6, 500, 300), strict=True)
    ]
    free = [Customer(3, 10, 100, 0.0, 0), Customer(3, 10, 100, -50.0, 0)]

    fit = fit_spend(Sample([*payers, *free], 0, 0))

    assert fit.customers == 300
    assert fit.model is not None
    assert fit.model.mean_minor == pytest.approx(3_000, rel=0.1)
    refused = fit_spend(Sample(payers[:10], 0, 0))
    assert refused.model is None
    assert refused.reason is not None
    assert "fewer than 30" in refused.reason


class FakeLog:
    """A consumer of two partitions; the last offset of the second is a transaction's mark, which is no record."""

    def __init__(self, values: list[list[bytes]], ends: list[int], *, stalls: bool = False) -> None:
        """Hold ``values`` by partition; ``ends`` are the offsets after the last."""
        self.partitions = [TopicPartition("purchases", number) for number in range(len(values))]
        self._values = dict(zip(self.partitions, values, strict=True))
        self._ends = dict(zip(self.partitions, ends, strict=True))
        self._stalls = stalls
        self._at = dict.fromkeys(self.partitions, 0)

    def assign(self, partitions: list[TopicPartition]) -> None:
        """All of them are wanted."""
        assert partitions == self.partitions

    async def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        """Nothing was deleted."""
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        """As they are when asked."""
        return {at: self._ends[at] for at in partitions}

    async def getmany(self, *partitions: TopicPartition, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        """Give one record, or none."""
        assert timeout_ms > 0
        await asyncio.sleep(0)
        if self._stalls:
            return {}
        first = partitions[0]
        offset = self._at[first]
        self._at[first] += 1
        if offset >= len(self._values[first]):
            return {}
        return {first: [SimpleNamespace(offset=offset, value=self._values[first][offset])]}

    async def position(self, partition: TopicPartition) -> int:
        """The next offset."""
        return self._at[partition]


async def test_the_log_is_read_up_to_its_present_end() -> None:
    """Purchases only; what comes after the end is left, what is no purchase is counted, marks end it too."""
    mine = [encode(sale(at(day), event=f"log-{day}")) for day in range(3)]
    log: Any = FakeLog([[*mine, encode(sale(at(9)))], [b"nonsense", encode(browse(at(1)))]], [3, 3])
    purchases = Purchases(Policy.default(), wall_ms=FAR)

    await source.drain(log, log.partitions, purchases)
    purchases.settle()

    assert len(purchases.by_customer["c"]) == 3
    assert purchases.left_out["that are no purchases"] == 2


async def test_a_log_that_gives_nothing_ends_the_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting has a bound, and the message names the next step."""
    monkeypatch.setattr(source, "STALLED_SECONDS", -1)
    log: Any = FakeLog([[b"never"]], [1], stalls=True)

    with pytest.raises(CanNotFitError, match="run tierstream doctor"):
        await source.drain(log, log.partitions, Purchases(Policy.default(), wall_ms=FAR))
