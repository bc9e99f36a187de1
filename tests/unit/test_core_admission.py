"""What is taken up, what is a repeat, and what is refused."""

from __future__ import annotations

from copy import copy
from datetime import timedelta

import msgspec
import pytest

from schemas.events import Input
from schemas.times import from_ms
from schemas.wire import Reason, Refused
from services.scorer.core.advance import advance
from services.scorer.core.policy import Policy
from services.scorer.core.state import decode_state, encode_state
from services.scorer.core.view import summary
from tests.unit.core_given import POLICY, Life, at, browse, response, returned, sale


def refusal(life: Life, event: Input, *, clock_ms: int = 0) -> Reason:
    """Return why the event is refused; nothing may change then."""
    before = copy(life.known)
    with pytest.raises(Refused) as caught:
        life.happens(event, clock_ms=clock_ms)
    assert life.known == before
    return caught.value.reason


@pytest.mark.parametrize("event", [sale(at(1)), returned(at(1), 5), browse(at(1)), response(at(1))])
def test_a_repeat_changes_nothing(event: Input) -> None:
    """Not even the clock, however late it comes."""
    life = Life().happens(sale(at(0)), event, sale(at(2)))
    before = copy(life.known)

    life.happens(event, clock_ms=at(100))

    step = life.steps[-1]
    assert (step.duplicate, step.effects, step.state) == (True, (), before)
    assert step.moved == (before.score, before.score)


@pytest.mark.parametrize("event", [sale(at(1)), returned(at(1), 5), browse(at(1)), response(at(1))])
def test_another_body_under_a_known_id_is_a_conflict(event: Input) -> None:
    """The first stands."""
    life = Life().happens(sale(at(0)), event)
    other = msgspec.structs.replace(event, occurred_at=event.occurred_at + timedelta(hours=1))

    assert refusal(life, other) is Reason.CONFLICT


def test_event_ids_are_unique_per_topic() -> None:
    """A browse and a response may carry the same id."""
    life = Life().happens(
        sale(at(0), event="same"), browse(at(0), event="same"), response(at(0), event="same")
    )

    assert not any(step.duplicate for step in life.steps)


def test_an_event_older_than_the_memory_is_late() -> None:
    """395 days before the customer's clock are remembered, to the millisecond."""
    life = Life().happens(sale(at(400)))

    life.happens(sale(at(5)))
    assert refusal(life, sale(at(5) - 1)) is Reason.LATE
    assert refusal(life, browse(at(5) - 1)) is Reason.LATE


def test_the_lane_clock_makes_late_too() -> None:
    """A customer's now is never before the lane's."""
    with pytest.raises(Refused):
        advance(None, sale(at(0)), Life().moment(at(396)), POLICY)


def test_a_forgotten_id_is_new_whether_or_not_somebody_looked_in_between() -> None:
    """What counts as a repeat must not depend on when timers fired."""
    looked, unseen = Life().happens(sale(at(0), event="e")), Life().happens(sale(at(0), event="e"))
    looked.until(at(396))

    for life in (looked, unseen):
        life.happens(sale(at(396), event="e"))
    assert looked.known == unseen.known
    assert looked.facts == (5_000, 1, 1)


def test_a_foreign_currency_is_refused() -> None:
    """Amounts of two currencies can't be added up."""
    assert refusal(Life().happens(sale(at(0))), sale(at(1), currency="EUR")) is Reason.CURRENCY


def test_an_id_of_many_people_is_set_aside() -> None:
    """Above the limit in the window; there is room again when facts leave it."""
    hot = msgspec.structs.replace(POLICY, purchases_max=3)
    life = Life(policy=hot).happens(*(sale(at(day)) for day in (0, 1, 2)))

    assert refusal(life, sale(at(3))) is Reason.HOT
    life.happens(sale(at(365)))
    assert life.facts[1] == 3


def test_a_refused_first_event_makes_no_customer() -> None:
    """There is nothing to store."""
    life = Life()
    with pytest.raises(Refused):
        life.happens(sale(at(0), currency="EUR"))
    assert life.state is None


def test_recent_sightings_are_the_newest_sixteen() -> None:
    """In order of time, whatever the order of arrival."""
    life = Life().happens(sale(at(0)), *(browse(at(day)) for day in range(19, -1, -1)))

    assert [one.time_ms for one in life.known.recent] == [at(day) for day in range(4, 20)]


def test_state_round_trip() -> None:
    """Stored and read again, everything stands."""
    life = Life().happens(
        sale(at(0)), browse(at(1), competitor="Rival"), response(at(2), "opened"), returned(at(3), 10)
    )
    life.until(at(200))

    assert decode_state(encode_state(life.known)) == life.known
    assert life.known.episodes


@pytest.mark.parametrize("stored", [b"", b"\x00\x90", b"\xff", b"\x01\x93\x01"])
def test_bytes_of_another_format_are_refused(stored: bytes) -> None:
    """A state that can't be read is never guessed at."""
    with pytest.raises(ValueError):  # noqa: PT011 -- our message or msgspec's
        decode_state(stored)


def test_summary_shows_what_the_exports_need() -> None:
    """Spend is never below 0 there, though the net sum is kept."""
    life = Life().happens(sale(at(0), 100), returned(at(1), 300), browse(at(2)), response(at(3)))

    view = summary(life.known, POLICY)
    assert (view.spend_minor, view.orders, view.purchase_days) == (0, 1, 1)
    assert view.purchases == ((at(0), 100), (at(1), -300))
    assert view.contacts == ((at(0), "purchase"), (at(3), "response"))
    assert (view.first_purchase_ms, view.last_purchase_ms) == (at(0), at(0))
    assert (life.known.lifetime_orders, life.known.lifetime_net_minor) == (1, -200)


@pytest.mark.parametrize(
    "wrong",
    [
        {"currency": "XXX"},
        {"currency": "usd"},
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "../etc/passwd"},
        {"window_days": 0},
        {"spend_weight": 0.5},
        {"margin_percent": 30},
        {"high_percent": 60, "low_percent": 40},
        {"unknown": 1},
    ],
)
def test_a_wrong_policy_is_a_clear_error(wrong: dict[str, object]) -> None:
    """Nothing is activated that can't be meant."""
    with pytest.raises(ValueError, match=r".{15}"):
        Policy.from_json(POLICY.to_json() | wrong)


def test_policy_round_trip() -> None:
    """Stored as JSON and read again, it is the same."""
    policy = Policy.default(currency="GBP", time_zone="Europe/London")

    assert Policy.from_json(policy.to_json()) == policy
    assert policy.local_day(at(0)) == from_ms(at(0)).toordinal()
