"""Packed facts, contacts and the window at their very edges: one byte, one millisecond, one fact off."""

from __future__ import annotations

import pytest

from schemas.tiers import EpisodeEnd
from schemas.times import DAY_MS
from services.scorer.core import contacts, facts, window
from services.scorer.core.facts import SIZE, Fact, pack
from services.scorer.core.identity import stable_hash
from services.scorer.core.policy import Policy, SilenceRule
from services.scorer.core.state import NEVER_MS, Mention, Sighting, State, decode_state, encode_state
from tests.unit.core_given import POLICY, Life, at, corrected, response, returned, sale

OPENED = Policy(churn=(SilenceRule(name="silence", days=90, opened_counts=True),))


def fact(time_ms: int, amount_minor: int = 100, order: int = 0, event: int = 1) -> Fact:
    return Fact(time_ms, amount_minor, order, event, 9)


def packed(*every: Fact) -> bytes:
    return b"".join(map(pack, every))


class TestFacts:
    """36 bytes each, in order of time and event."""

    def test_a_fact_takes_its_place(self) -> None:
        """At the end if it is the newest; of two at one instant the lower hash is first."""
        kept = b""
        places = []
        for one in (fact(5, event=5), fact(9, event=1), fact(5, event=7), fact(5, event=3), fact(1, event=9)):
            kept, place = facts.inserted(kept, one)
            places.append(place)

        assert places == [0, 1, 1, 0, 0]
        assert [(one.time_ms, one.event) for one in facts.every(kept)] == [
            (1, 9),
            (5, 3),
            (5, 5),
            (5, 7),
            (9, 1),
        ]
        assert (facts.count(kept), SIZE) == (5, 36)
        assert facts.time_at(kept, 4) == 9
        assert facts.fact_at(kept, 1) == fact(5, event=3)

    def test_looking_by_time_and_event(self) -> None:
        """The first later one; the one of an event, or none."""
        kept = packed(fact(1, event=2), fact(5, event=3), fact(5, event=4))

        assert [facts.first_after(kept, time_ms) for time_ms in (0, 1, 4, 5)] == [0, 1, 1, 3]
        assert facts.find_event(kept, 4) == fact(5, event=4)
        assert facts.find_event(kept, 5) is None
        assert facts.without(kept, 3) == packed(fact(1, event=2), fact(5, event=4))

    def test_orders_are_told_from_bytes_that_look_alike(self) -> None:
        """An order's eight bytes may stand in another field, or across two."""
        order = 0x0102030405060708
        elsewhere = packed(fact(order, order=3, event=order), fact(order + 1, order, 5, 6))

        assert not facts.has_order(elsewhere, order)
        assert not facts.has_order(elsewhere, 0)
        assert facts.find_event(elsewhere, order) == fact(order, order=3, event=order)
        assert facts.is_alone(elsewhere, order)
        real = elsewhere + packed(fact(order + 2, 7, order, 8))
        assert facts.has_order(real, order)
        assert facts.is_alone(real, order)
        assert not facts.is_alone(real + packed(fact(order + 3, -7, order, 9)), order)
        assert facts.is_alone(packed(fact(1), fact(2)), 0)
        assert not facts.is_alone(packed(fact(1, order=4), fact(2, order=4)), 4)

    def test_the_other_sales_of_a_local_day(self) -> None:
        """On both sides, up to midnight, returns left out."""
        midnight = at(0) // DAY_MS * DAY_MS
        kept = packed(
            fact(midnight - 1, event=1),
            fact(midnight, event=2),
            fact(midnight + 5, -3, event=3),
            fact(midnight + 6, 0, event=4),
            fact(midnight + 7, event=5),
            fact(midnight + DAY_MS - 1, event=6),
            fact(midnight + DAY_MS, event=7),
        )

        assert [(at_, one.event) for at_, one in facts.sales_of_the_day(kept, 4, POLICY)] == [
            (3, 4),
            (1, 2),
            (5, 6),
        ]
        assert not any(facts.sales_of_the_day(packed(fact(midnight)), 0, POLICY))

    def test_a_sale_of_nothing_is_a_sale(self) -> None:
        """A return is always below zero."""
        assert fact(1, 0).is_sale
        assert not fact(1, -1).is_sale

    def test_a_return_is_known_by_the_order_it_names(self) -> None:
        """A sale by its own; without one by none."""
        named = facts.fact_of(returned(at(0), 5, order="o"), 1, 2, POLICY)
        loose = facts.fact_of(returned(at(0), 5), 1, 2, POLICY)

        assert facts.fact_of(sale(at(0), 5, order="o"), 1, 2, POLICY) == (at(0), 5, stable_hash("o"), 1, 2)
        assert named == (at(0), -5, stable_hash("o"), 1, 2)
        assert loose == (at(0), -5, 0, 1, 2)


class TestContacts:
    """The index of silences, and the times that are kept whole."""

    def test_a_contact_is_its_time_and_its_kind(self) -> None:
        """A sale is even, a response odd, so the sale is first."""
        assert (contacts.sale_contact(7), contacts.response_contact(7)) == (14, 15)
        assert [contacts.contact_ms(one) for one in (14, 15)] == [7, 7]
        assert [contacts.cause_of(one) for one in (14, 15)] == [EpisodeEnd.PURCHASE, EpisodeEnd.RESPONSE]

    @pytest.mark.parametrize(
        ("known", "contact", "kept"),
        [
            pytest.param((), 20, (20,), id="the first"),
            pytest.param((20,), 21, (20,), id="of two at one instant the sale stays"),
            pytest.param((21,), 20, (20,), id="and replaces the response"),
            pytest.param((0, 40), 20, (0, 20, 40), id="further apart than 10: it stays"),
            pytest.param((0, 20), 8, (0, 20), id="neighbours no further apart than 10: it goes"),
            pytest.param((0, 22), 8, (0, 8, 22), id="11 apart: it stays"),
            pytest.param((0, 10), 20, (0, 20), id="its left neighbour goes"),
            pytest.param((20, 40), 30, (20, 40), id="in between, close"),
            pytest.param((10, 22), 2, (2, 22), id="1 to 11 ms is no further than 10: 5 goes"),
            pytest.param((10, 20), 2, (2, 20), id="its right neighbour goes"),
            pytest.param((0, 20, 24, 60), 22, (0, 20, 24, 60), id="itself goes first"),
            pytest.param((0, 16, 40, 60), 30, (0, 16, 30, 40, 60), id="nobody goes"),
        ],
    )
    def test_thinning(self, known: tuple[int, ...], contact: int, kept: tuple[int, ...]) -> None:
        """With a shortest silence of 10 ms; contacts are twice the time."""
        assert contacts.with_contact(known, contact, 10) == kept

    def test_times_are_kept_once_and_in_order(self) -> None:
        """All of them: any may end an episode."""
        life = Life().happens(sale(at(0)), *(response(at(day)) for day in (5, 3, 4, 9, 3)))
        assert list(contacts.times(life.known.responses)) == [at(day) for day in (3, 4, 5, 9)]
        state = State(customer_id="c", settled_ms=0)
        for time_ms in range(1, 515):
            contacts.note_response(state, time_ms, POLICY)
        assert list(contacts.times(state.responses)) == list(range(1, 515))
        contacts.note_response(state, 1, POLICY)
        assert list(contacts.times(state.responses)) == list(range(1, 515))

    def test_the_first_contact_after_an_instant(self) -> None:
        """Sales, answers and, where they count, openings; a return is no contact."""
        life = Life(policy=OPENED).happens(
            sale(at(0)),
            returned(at(1), 5),
            response(at(2), "opened"),
            response(at(3)),
            sale(at(4)),
            response(at(4)),
        )

        def first(day: float, *, openings: bool) -> int | None:
            return contacts.first_after(life.known, at(day), openings=openings)

        assert first(-1, openings=False) == contacts.sale_contact(at(0))
        assert first(0, openings=False) == contacts.response_contact(at(3))
        assert first(0, openings=True) == contacts.response_contact(at(2))
        assert first(2, openings=True) == contacts.response_contact(at(3))
        assert first(3, openings=True) == contacts.sale_contact(at(4))
        assert first(4, openings=True) is None

    def test_openings_are_heard_only_where_they_count(self) -> None:
        """The default policy keeps their times and no index of them."""
        events = (sale(at(0)), response(at(50), "opened"))

        assert Life().happens(*events).known.heard == ()
        assert list(contacts.times(Life().happens(*events).known.openings)) == [at(50)]
        heard = (contacts.sale_contact(at(0)), contacts.response_contact(at(50)))
        assert Life(policy=OPENED).happens(*events).known.heard == heard
        assert Life(policy=OPENED).happens(*events).known.contacts == heard[:1]

    def test_forgetting_keeps_the_anchor_before_the_horizon(self) -> None:
        """A silence may begin at it; times before the horizon go."""

        def state() -> State:
            return State(
                customer_id="c",
                settled_ms=100,
                contacts=(20, 40, 60, 80),
                heard=(20, 40, 61, 80),
                responses=b"".join(time_ms.to_bytes(8, "little") for time_ms in (10, 30, 31)),
                openings=b"".join(time_ms.to_bytes(8, "little") for time_ms in (29, 30)),
            )

        old = state()
        contacts.forget(old, 30)
        assert (old.contacts, old.heard) == ((40, 60, 80), (40, 61, 80))
        assert list(contacts.times(old.responses)) == [30, 31]
        assert list(contacts.times(old.openings)) == [30]
        young = state()
        contacts.forget(young, 10)
        assert young == state()
        later = state()
        contacts.forget(later, 31)
        assert later.contacts == (60, 80)

    def test_silences_begin_with_the_first_sale(self) -> None:
        """Each anchor with what came next."""
        index = (11, 20, 31, 50)

        assert list(contacts.silences(index, 10)) == [(10, 31), (15, 50), (25, None)]
        assert next(iter(contacts.silences(index, 5))) == (5, 20)
        assert list(contacts.silences(index, None)) == []

    def test_a_correction_makes_the_index_anew(self) -> None:
        """From sales, answers and openings; of what was forgotten the contact that the index kept is an anchor."""
        gone = sale(at(100))
        life = Life(policy=OPENED).happens(sale(at(0)), response(at(200)), response(at(300), "opened"), gone)
        life.happens(corrected(gone, 1, at_ms=at(301)))

        assert life.known.contacts == (contacts.sale_contact(at(0)), contacts.response_contact(at(200)))
        assert life.known.heard == (*life.known.contacts, contacts.response_contact(at(300)))
        life.known.contacts = (contacts.response_contact(at(-400)), *life.known.contacts)
        contacts.rebuild(life.known, at(-90), OPENED)
        assert life.known.contacts[0] == life.known.heard[0] == contacts.response_contact(at(-400))
        contacts.rebuild(life.known, at(-90), POLICY)
        assert not life.known.heard


class TestFormat1:
    """A state of the first format gets what it did not keep by itself."""

    def test_answers_openings_and_mentions_are_filled_in(self) -> None:
        """From the thinned contacts, the latest opening and the recent browses."""
        known = State(
            customer_id="c",
            settled_ms=100,
            contacts=(20, 31, 40, 61),
            last_opened_ms=7,
            recent=(Sighting(3, 1, "viewed", "s", "X", 1), Sighting(4, 2, "viewed", "s", "", 1)),
        )
        found = decode_state(b"\x01" + encode_state(known)[1:])

        assert list(contacts.times(found.responses)) == [15, 30]
        assert list(contacts.times(found.openings)) == [7]
        assert found.mentions == (Mention(3, "X"),)
        known.last_opened_ms = None
        assert decode_state(b"\x01" + encode_state(known)[1:]).openings == b""


class TestWindow:
    """Net spend, orders and days of the last 365 days."""

    def test_the_window_is_open_at_its_old_end(self) -> None:
        """A fact is in to the millisecond before it is 365 days old."""
        life = Life().happens(sale(at(0), 1_000), sale(at(0.2), 200), sale(at(10), 30))

        assert life.facts == (1_230, 3, 2)
        assert life.until(at(365) - 1).facts == (1_230, 3, 2)
        assert life.until(at(365)).facts == (230, 2, 2)
        assert life.until(at(365.2)).facts == (30, 1, 1)
        assert window.next_expiry_ms(life.known, POLICY) == at(375)
        assert life.until(at(375)).facts == (0, 0, 0)
        assert window.next_expiry_ms(life.known, POLICY) == NEVER_MS

    def test_a_return_goes_with_its_order(self) -> None:
        """Taken from the order's day; the order counts until all of it is back."""
        life = Life().happens(sale(at(0), 1_000, order="o"), sale(at(5), 1_000, order="p"))

        assert life.happens(returned(at(20), 999, order="o")).facts == (1_001, 2, 2)
        assert life.happens(returned(at(21), 1, order="o")).facts == (1_000, 1, 1)
        assert life.happens(returned(at(22), 500, order="o")).facts == (500, 1, 1)
        assert life.until(at(365)).facts == (1_000, 1, 1)

    def test_a_return_has_a_year(self) -> None:
        """To the millisecond; later it is a negative amount of its own day."""
        early = Life().happens(sale(at(0), 1_000, order="o"), returned(at(365), 400, order="o"))
        late = Life().happens(sale(at(0), 1_000, order="o"), returned(at(365) + 1, 400, order="o"))

        assert early.facts == (0, 0, 0)
        assert late.facts == (-400, 0, 0)

    def test_a_gift_is_an_order(self) -> None:
        """An amount of 0 counts; sales of one order are one order at its first day."""
        life = Life().happens(sale(at(0), 0), sale(at(3), 100, order="o"), sale(at(4), 50, order="o"))

        assert life.facts == (150, 2, 2)
        orders = window.counted_orders(life.known.purchases, at(4), POLICY)
        assert [(one.time_ms, one.net_minor, one.counts) for one in orders] == [
            (at(0), 0, True),
            (at(3), 150, True),
        ]
        assert [one.time_ms for one in window.counted_orders(life.known.purchases, at(365), POLICY)] == [
            at(3)
        ]
        assert window.counted_orders(life.known.purchases, at(2), POLICY)[-1].time_ms == at(0)

    def test_a_lifetime_is_counted_once(self) -> None:
        """Orders, days, net spend, first and last sale; returns change only the spend."""
        life = Life().happens(
            sale(at(5), 100, order="o"),
            sale(at(5.1), 10, order="o"),
            sale(at(1), 5),
            sale(at(1.1), 6),
            returned(at(9), 50),
        )
        state = life.known

        assert (state.lifetime_orders, state.lifetime_days, state.lifetime_net_minor) == (3, 2, 71)
        assert (state.first_purchase_ms, state.last_purchase_ms) == (at(1), at(5.1))

    def test_a_corrected_sale_was_never_there(self) -> None:
        """It leaves the lifetime too; a companion of its order or of its day keeps these."""
        first, twin, same_day = sale(at(0), 100, order="o"), sale(at(2), 10, order="o"), sale(at(0.1), 5)
        life = Life().happens(first, twin, same_day).happens(corrected(first, 1, at_ms=at(3)))
        state = life.known

        assert (state.lifetime_orders, state.lifetime_days, state.lifetime_net_minor) == (2, 2, 15)
        assert (state.first_purchase_ms, state.last_purchase_ms) == (at(0.1), at(2))
        life.happens(corrected(twin, 1, at_ms=at(4)), corrected(same_day, 1, at_ms=at(5)))
        state = life.known
        assert (state.lifetime_orders, state.lifetime_days, state.lifetime_net_minor) == (0, 0, 0)
        assert (state.first_purchase_ms, state.last_purchase_ms) == (None, None)
        assert life.facts == (0, 0, 0)
        assert facts.count(state.purchases) == 0

    def test_another_window_counts_anew(self) -> None:
        """A policy with 30 days sees the last 30 days only."""
        life = Life().happens(sale(at(0), 1_000), sale(at(40), 100))
        state = life.known
        window.reopen(state, at(50), Policy(window_days=30, churn=()))

        assert (state.settled_ms, state.outside, life.facts) == (at(50), 1, (100, 1, 1))
