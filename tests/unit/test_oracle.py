"""The oracle itself, judged by hand: every expected figure here was worked out on paper."""

import json
from datetime import date, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from tests.oracle.clock import DAY_MS, YEAR_MS, instant_ms, midnights, rfc3339
from tests.oracle.events import Event, event_from, read_events
from tests.oracle.policy import Ladder, policy_from
from tests.oracle.replay import Outcome, replay
from tests.oracle.score import score
from tests.oracle.tiers import Cuts, cuts_of, next_level
from tests.oracle.window import Measures

if TYPE_CHECKING:
    from pathlib import Path

    from tests.oracle.customer import Customer

LADDER = Ladder()
TIERS = [level.name for level in LADDER.levels]
NOON_MS = instant_ms("2024-06-01T12:00:00Z")
ids = count()


def sale(at_ms: int, amount: int = 5000, *, who: str = "ann", order: str = "", **other: Any) -> Event:
    number = next(ids)
    fields = {
        "type": "purchase-recorded.v1",
        "event_id": f"e{number}",
        "customer_id": who,
        "occurred_at": rfc3339(at_ms),
        "kind": "sale",
        "order_id": order or f"o{number}",
        "amount_minor": amount,
        "currency": "USD",
        "channel": "store",
        "store_id": "s1",
    }
    return event_from(fields | other)


def refund(at_ms: int, amount: int, order: str | None = None, *, who: str = "ann") -> Event:
    return sale(at_ms, amount, who=who, kind="return", returned_order_id=order)


def response(at_ms: int, answer: str, *, who: str = "ann") -> Event:
    return event_from(
        {
            "type": "campaign-responded.v1",
            "event_id": f"e{next(ids)}",
            "customer_id": who,
            "occurred_at": rfc3339(at_ms),
            "campaign_id": "c1",
            "response": answer,
        }
    )


def end(at_ms: int) -> Event:
    """Return an event of somebody else that only makes time pass."""
    return response(at_ms, "delivered", who="nobody")


def one(outcome: Outcome, who: str = "ann") -> "Customer":
    return next(customer for customer in outcome.customers if customer.customer_id == who)


def counted(outcome: Outcome, who: str = "ann") -> tuple[int, int, int]:
    measures = one(outcome, who).measures
    return measures.net_minor, measures.orders, len(measures.days)


def episodes(outcome: Outcome) -> list[tuple[str, int, int | None, str]]:
    """Return (rule, start, end, cause) with times in milliseconds after ``NOON_MS``."""
    return [
        (found.rule, found.start_ms - NOON_MS, found.ended_ms and found.ended_ms - NOON_MS, found.ended_by)
        for found in one(outcome).warnings.episodes
    ]


@pytest.mark.parametrize(
    ("net", "orders", "days", "currency", "expected"),
    [
        (5000, 1, 1, "USD", 1393),  # .4 ln 6 / ln 2001 + .3 ln 2 / ln 101
        (50, 1, 1, "JPY", 1393),
        (50_000, 1, 1, "KWD", 1393),
        (0, 1, 1, "USD", 451),  # a gift: .3 * .693147 / 4.615121
        (-900, 1, 1, "USD", 451),
        (0, 0, 0, "USD", 0),
        (2_000_000, 100, 2, "USD", 8500),
        (9_000_000, 900, 4, "USD", 9250),
    ],
)
def test_score(net: int, orders: int, days: int, currency: str, expected: int) -> None:
    """The published formula, in major units of the currency."""
    dates = tuple(date(2024, 6, 1) + timedelta(days=n) for n in range(days))
    found = Measures(net_minor=net, orders=orders, days=dates)
    assert score(found, policy_from({"currency": currency})) == expected


def read(cuts: Cuts | None) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Return high and low at 18, 20 and 22 %."""
    assert cuts is not None
    high, low = cuts
    return (high.enter, high.plain, high.leave), (low.leave, low.plain, low.enter)


def next_tier(score: int, tier: str, since_ms: int, cuts: Cuts | None, now_ms: int) -> str:
    return TIERS[next_level(score, TIERS.index(tier), since_ms, cuts, LADDER, now_ms=now_ms)]


def test_nobody_is_high_or_low_below_five() -> None:
    """With N = 4, k is 0: high begins above the best, low ends at the worst."""
    cuts = cuts_of([40, 10, 30, 20], LADDER)
    assert read(cuts) == ((41, 41, 41), (10, 10, 10))
    assert cuts_of([], LADDER) is None


def test_cuts_of_five() -> None:
    """With N = 5, k is 0, 1, 1 for 18, 20, 22 %."""
    cuts = cuts_of([50, 10, 40, 20, 30], LADDER)
    assert read(cuts) == ((51, 41, 41), (10, 20, 20))


def test_a_tie_across_a_cut_is_in_the_middle() -> None:
    """With N = 10, k is 1, 2, 2; three tie for the second place and none of them is high."""
    cuts = cuts_of([90, 80, 80, 80, 50, 40, 10, 10, 10, 10], LADDER)
    assert read(cuts) == ((81, 81, 81), (10, 10, 10))


def test_hysteresis_and_dwell() -> None:
    """Upgrades at once; one tier down per change and only 90 days after the last one."""
    cuts = cuts_of(range(1, 101), LADDER)
    assert read(cuts) == ((83, 81, 79), (19, 21, 23))
    dwell_ms = 90 * DAY_MS
    assert next_tier(82, "regular", 0, cuts, dwell_ms) == "regular"
    assert next_tier(83, "regular", 0, cuts, 1) == "high_value"
    assert next_tier(83, "at_risk", 0, cuts, 1) == "high_value"
    assert next_tier(79, "high_value", 0, cuts, dwell_ms) == "high_value"
    assert next_tier(78, "high_value", 0, cuts, dwell_ms - 1) == "high_value"
    assert next_tier(1, "high_value", 0, cuts, dwell_ms) == "regular"
    assert next_tier(18, "regular", 0, cuts, dwell_ms) == "at_risk"
    assert next_tier(22, "at_risk", 0, cuts, dwell_ms) == "at_risk"
    assert next_tier(23, "at_risk", 0, cuts, 1) == "regular"
    assert next_tier(1, "regular", 0, None, dwell_ms) == "regular"


def test_an_order_leaves_the_window_at_exactly_365_days() -> None:
    """The window is open at its old end: in at 365 d - 1 ms, out at 365 d."""
    bought = sale(NOON_MS)
    assert counted(replay([bought, end(NOON_MS + YEAR_MS - 1)])) == (5000, 1, 1)
    gone = replay([bought, end(NOON_MS + YEAR_MS)])
    assert counted(gone) == (0, 0, 0)
    assert (one(gone).tier, one(gone).tier_since_ms) == ("lapsed", NOON_MS + YEAR_MS)


def test_a_return_leaves_with_its_order() -> None:
    """An attached return counts at its order's date, one that stands alone at its own."""
    other = sale(NOON_MS + 300 * DAY_MS, 8000)
    attached = [sale(NOON_MS, order="x"), refund(NOON_MS + 20 * DAY_MS, 2000, "x"), other]
    alone = [sale(NOON_MS), refund(NOON_MS + 20 * DAY_MS, 2000), other]
    before, between = NOON_MS + 364 * DAY_MS, NOON_MS + 370 * DAY_MS
    assert counted(replay([*attached, end(before)])) == (11_000, 2, 2)
    assert counted(replay([*alone, end(before)])) == (11_000, 2, 2)
    assert counted(replay([*attached, end(between)])) == (8000, 1, 1)
    assert counted(replay([*alone, end(between)])) == (6000, 1, 1)
    assert counted(replay([*alone, end(NOON_MS + 385 * DAY_MS)])) == (8000, 1, 1)


def test_a_return_attaches_to_an_order_at_most_365_days_older() -> None:
    """At 365 days it reduces an order that has just left, a millisecond later it stands alone."""
    bought, other = sale(NOON_MS, order="x"), sale(NOON_MS + DAY_MS, 8000)
    in_time = [bought, other, refund(NOON_MS + YEAR_MS, 1000, "x")]
    too_late = [bought, other, refund(NOON_MS + YEAR_MS + 1, 1000, "x")]
    assert counted(replay(in_time)) == (8000, 1, 1)
    assert counted(replay(too_late)) == (7000, 1, 1)


def test_a_return_before_its_order_attaches_when_the_order_comes() -> None:
    """Alone it makes nobody's spend negative; with its order it takes the order out of the count."""
    early = refund(NOON_MS - DAY_MS, 5000, "x")
    assert counted(replay([early])) == (-5000, 0, 0)
    assert one(replay([early])).tier == "lapsed"
    assert counted(replay([early, sale(NOON_MS, order="x")])) == (0, 0, 0)
    assert counted(replay([early, sale(NOON_MS, order="x"), sale(NOON_MS + 1, order="x")])) == (5000, 1, 1)


def test_orders_that_count() -> None:
    """A gift counts; an order returned in full does not; returns beyond the amount still reduce spend."""
    assert counted(replay([sale(NOON_MS, 0)])) == (0, 1, 1)
    assert counted(replay([sale(NOON_MS, 0, order="x"), refund(NOON_MS + 1, 1, "x")])) == (-1, 0, 0)
    too_much = [sale(NOON_MS, order="x"), sale(NOON_MS + 1, 9000), refund(NOON_MS + 2, 7000, "x")]
    assert counted(replay(too_much)) == (7000, 1, 1)


def test_repeats_count_once_and_other_bodies_are_refused() -> None:
    """The same body twice is one event, whatever its offset; another body under the id is CONFLICT."""
    first = sale(NOON_MS, event_id="same", order="x")
    shifted = sale(NOON_MS, event_id="same", order="x", occurred_at="2024-06-01T14:00:00+02:00")
    other = sale(NOON_MS + 1, 1, event_id="same", order="x")
    elsewhere = sale(NOON_MS, 700, event_id="same", who="bob")
    outcome = replay([other, first, first, shifted, elsewhere])
    assert counted(outcome) == (5000, 1, 1)
    assert counted(outcome, "bob") == (700, 1, 1)
    assert outcome.dead_letters == (("same", "CONFLICT"),)


def test_days_are_the_zones() -> None:
    """22:30 and 23:30 UTC are two days in London's summer and one in UTC."""
    evening = instant_ms("2024-06-01T22:30:00Z")
    bought = [sale(evening), sale(evening + 3_600_000)]
    assert counted(replay(bought)) == (10_000, 2, 1)
    assert counted(replay(bought, time_zone="Europe/London")) == (10_000, 2, 2)


def test_midnights_through_clock_changes() -> None:
    """A day of the change has 23 or 25 hours; a midnight that does not exist is the jump's instant."""

    def between(zone: str, first: str, last: str) -> list[str]:
        found = midnights(instant_ms(first), instant_ms(last), ZoneInfo(zone))
        return [rfc3339(at_ms)[5:16] for at_ms in found]

    spring = between("Europe/London", "2024-03-30T00:00:00Z", "2024-04-01T12:00:00Z")
    assert spring == ["03-31T00:00", "03-31T23:00"]
    jump = between("America/Sao_Paulo", "2018-11-03T12:00:00Z", "2018-11-05T12:00:00Z")
    assert jump == ["11-04T03:00", "11-05T02:00"]
    skipped = between("Pacific/Apia", "2011-12-29T12:00:00Z", "2011-12-31T12:00:00Z")
    assert skipped == ["12-30T10:00", "12-31T10:00"]


def test_rows_of_cuts() -> None:
    """No row for a midnight that starts the history; one at the end even if that is a midnight."""
    midnight_ms = instant_ms("2024-06-01T00:00:00Z")
    outcome = replay([sale(midnight_ms), sale(midnight_ms + DAY_MS, who="bob")])
    rows = [(row.version, row.at_ms - midnight_ms, row.active) for row in outcome.cut_rows]
    assert rows == [(1, DAY_MS, 1), (2, DAY_MS, 2)]  # bob's sale is not in at his midnight's row


def test_silence_of_exactly_90_days() -> None:
    """It starts at 90 days, a contact in that millisecond prevents it, the next one clears it."""
    start = 90 * DAY_MS
    bought = sale(NOON_MS)
    assert episodes(replay([bought, end(NOON_MS + start - 1)])) == []
    assert episodes(replay([bought, end(NOON_MS + start)])) == [("early_silence", start, None, "")]
    assert episodes(replay([bought, response(NOON_MS + start, "clicked")])) == []
    heard = [bought, response(NOON_MS + start, "opened"), response(NOON_MS + start + 5, "converted")]
    assert episodes(replay(heard)) == [("early_silence", start, start + 5, "response")]
    both = [*heard, sale(NOON_MS + start + 5)]
    assert episodes(replay(both)) == [("early_silence", start, start + 5, "purchase")]


def test_a_prospect_cannot_churn() -> None:
    """Answers before the first sale are no anchor; a customer of returns has none either."""
    late = end(NOON_MS + 300 * DAY_MS)
    answered = [response(NOON_MS, "clicked"), refund(NOON_MS + 1, 100), late]
    assert episodes(replay(answered)) == []


def test_a_silence_shows_as_at_risk_and_a_midnight_start_waits_for_its_events() -> None:
    """The midnight's own cuts come before a silence that starts with it; at the end it is raised."""
    midnight_ms = instant_ms("2024-06-01T00:00:00Z")
    start_ms = midnight_ms + 90 * DAY_MS
    outcome = replay([sale(midnight_ms), end(start_ms)])
    assert (one(outcome).ranked, one(outcome).tier) == ("regular", "at_risk")
    assert one(outcome).tier_since_ms == start_ms
    saved = replay([sale(midnight_ms), sale(start_ms)])
    assert episodes(saved) == []
    assert not one(saved).warnings.warned
    # Alone, ann raised her score above the cut that the midnight drew from that score: high until the dwell ends.
    assert one(saved).tier == "high_value"


def test_high_value_silence_reads_the_tier_at_its_start() -> None:
    """Of ten, the best is high after the first midnight, and its 180 days of silence are seen."""
    crowd = [sale(NOON_MS, 1000 * n, who=f"c{n}") for n in range(1, 10)]
    best = [sale(NOON_MS, 900_000), sale(NOON_MS, 900_000)]
    outcome = replay([*crowd, *best, end(NOON_MS + 181 * DAY_MS)])
    assert one(outcome).ranked == "high_value"
    assert one(outcome).ranked_since_ms == instant_ms("2024-06-02T00:00:00Z")
    expected = [("early_silence", 90 * DAY_MS), ("high_value_silence", 180 * DAY_MS)]
    assert [found[:2] for found in episodes(outcome)] == expected
    assert [episode.rule for episode in one(outcome, "c5").warnings.episodes] == ["early_silence"]


def test_a_newcomer_is_never_at_risk_before_the_dwell() -> None:
    """The worst of ten, and one beside it, fall at 90 days to the millisecond, between two midnights."""
    crowd = [sale(NOON_MS + 1, 100_000 * n, who=f"c{n}") for n in range(1, 10)]
    outcome = replay([sale(NOON_MS, 100), *crowd, end(NOON_MS + 91 * DAY_MS)])
    assert (one(outcome).ranked, one(outcome).ranked_since_ms) == ("at_risk", NOON_MS + 90 * DAY_MS)


def test_changes_of_one_instant_draw_together() -> None:
    """A sale and its full return in one millisecond show both steps, and come to one."""
    outcome = replay([sale(NOON_MS, order="x"), refund(NOON_MS, 5000, "x")])
    assert [(change.previous, change.current) for change in outcome.changes] == [
        (None, "regular"),
        ("regular", "lapsed"),
    ]
    (drawn,) = outcome.settled_changes()
    assert (drawn.previous, drawn.current, drawn.ranked_current) == (None, "lapsed", "regular")


def test_a_bad_line_is_named(tmp_path: "Path") -> None:
    """File, line and what is wrong are in the message."""
    path = tmp_path / "bad.jsonl"
    path.write_text("\n" + json.dumps({"type": "purchase-recorded.v1", "customer_id": "a b"}) + "\n")
    with pytest.raises(ValueError, match=r"bad\.jsonl, line 2: .*customer_id 'a b'"):
        list(read_events([path]))
    with pytest.raises(ValueError, match="no offset"):
        instant_ms("2024-06-01T12:00:00")
