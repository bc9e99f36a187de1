"""Hostile sizes and dates: whatever the wire lets in, the core must count or refuse in words."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec
import pytest

from schemas.events import Input
from schemas.times import HOUR_MS, to_ms
from schemas.wire import Reason, Refused, decode_input, encode
from services.scorer.core.churn import frequency
from services.scorer.core.churn.frequency import Comparison
from services.scorer.core.policy import CompetitorRule, DisengagedRule, FrequencyRule, Policy, SilenceRule
from tests.unit.core_given import T0, Life, at, browse, contact, corrected, pinned, response, sale


def test_thousands_of_orders_have_a_chance_too() -> None:
    """500 orders after 4,000: far within 5,000 a window, and the test must not overflow."""
    rule = FrequencyRule(name="frequency")
    assert 0.0 <= frequency.chance(Comparison(500, 4_000, at(270) - T0), rule) < 1e-9


def test_a_burst_is_looked_at_once_while_the_rule_pauses() -> None:
    """60 orders of one day: after the warning the next look is a pause later, not at each order's turn."""
    policy = Policy(churn=(FrequencyRule(name="frequency"),))
    lived = Life(policy=policy).happens(*(sale(T0 + number * 10_000) for number in range(60)))
    lived.until(at(90) + 300_000)
    assert [what for _, what, _, _ in lived.churn] == ["warned"]
    assert lived.known.starts[0] > at(90) + 600_000


def test_a_converted_amount_that_no_sum_holds_is_refused() -> None:
    """The largest amount at the largest rate is refused in words, it does not stop the lane."""
    policy = Policy(rates={"KWD": Decimal("1e9")})
    with pytest.raises(Refused) as caught:
        Life(policy=policy).happens(sale(T0, 10**12, currency="KWD"))
    assert caught.value.reason == Reason.RANGE


def test_a_pin_until_after_the_last_day_is_refused() -> None:
    """An end that has no UTC date can't be published, so it is refused at the door."""
    until = datetime.fromisoformat("9999-12-31T23:59:59-14:00")
    pin = msgspec.structs.replace(pinned(T0, "high_value"), until=until)
    with pytest.raises(Refused, match="until"):
        decode_input(encode(pin))


def test_an_event_near_the_end_of_the_calendar_is_refused() -> None:
    """What falls due after it must have a date as well: a replay has no wall clock to refuse it by."""
    late: Input = sale(to_ms(datetime.fromisoformat("9998-12-31T00:00:00+00:00")))
    with pytest.raises(Refused, match="9899"):
        decode_input(encode(late))


def test_many_competitors_do_not_take_the_warning_back() -> None:
    """65 browses of a competitor: one warning, which stands."""
    policy = Policy(churn=(CompetitorRule(name="competitor"),))
    lived = Life(policy=policy).happens(sale(T0))
    lived.happens(*(browse(T0 + hour * HOUR_MS, competitor="Rival") for hour in range(1, 80)))
    assert lived.churn == [("competitor", "warned", T0 + HOUR_MS, T0 + HOUR_MS)]


def test_many_inquiries_do_not_take_a_complaint_back() -> None:
    """A complaint without a solution stays one, however often the customer writes about other things."""
    policy = Policy(churn=(DisengagedRule(name="disengaged"),))
    lived = Life(policy=policy).happens(sale(T0), contact(at(1), "complaint"))
    lived.until(at(20))
    lived.happens(*(contact(at(20) + n * HOUR_MS, f"t{n}", kind="inquiry") for n in range(70)))
    assert [what for _, what, _, _ in lived.churn] == ["warned"]


def test_many_answers_do_not_move_an_end() -> None:
    """The first answer ended the silence, and a late one changes nothing about that."""
    policy = Policy(churn=(SilenceRule(name="silence", days=90),))
    lived = Life(policy=policy).happens(sale(T0)).until(at(95))
    lived.happens(*(response(at(95) + hour * HOUR_MS) for hour in range(1, 701)))
    lived.happens(response(at(110) + 1))
    assert [what for _, what, _, _ in lived.churn] == ["warned", "response"]


def test_a_full_customer_can_still_be_corrected() -> None:
    """A correction takes the place of its purchase, so it needs no room."""
    policy = replace_max(Policy.default(), 5)
    sales = [sale(T0 + number) for number in range(5)]
    lived = Life(policy=policy).happens(*sales, corrected(sales[0], 1, at_ms=T0 + 100, amount_minor=5))
    assert lived.facts == (4 * 5_000 + 5, 5, 1)


def replace_max(policy: Policy, purchases_max: int) -> Policy:
    """Return the policy with room for fewer purchases."""
    return msgspec.structs.replace(policy, purchases_max=purchases_max)
