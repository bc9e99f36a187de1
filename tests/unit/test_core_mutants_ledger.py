"""The metrics one by one, the ledger of months they read, and what the quieter topics leave in a state."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.events import (
    ChurnReasonCorrected,
    CustomerDescribed,
    FeedbackGiven,
    ProductBrowsed,
    PurchaseLine,
    PurchaseRecorded,
    ReferralMade,
)
from schemas.times import DAY_MS, from_ms
from services.scorer.core import months
from services.scorer.core.identity import stable_hash
from services.scorer.core.metrics import MEASURES
from services.scorer.core.models.parameters import Model, PurchaseModel, SpendModel
from services.scorer.core.notes import ANSWERS_MAX
from services.scorer.core.policy import Bonus, Policy, Weight
from services.scorer.core.referral import referral_id, referral_of
from services.scorer.core.score import parts_of, score_of
from services.scorer.core.state import (
    NEVER_MS,
    Attribute,
    Case,
    Correction,
    Interest,
    Mention,
    Month,
    State,
)
from tests.unit.core_given import T0, Life, at, browse, contact, referral, response, returned, sale

JANUARY = 12 * 2024  # the month of T0

LEDGER = Policy(
    accepts=("USD", "EUR"),
    rates={"EUR": Decimal(2)},
    score=(
        Weight(metric="spend", weight=0.5, reference=20_000, unit=10),
        Weight(metric="category_share", weight=0.2, normaliser="linear", of=("wine", "beer")),
        Weight(metric="brand_share", weight=0.1, normaliser="linear", of=("Acme",)),
        Weight(metric="browse_interest", weight=0.1, normaliser="linear", reference=10, of=("wine",)),
        Weight(metric="interactions", weight=0.1, normaliser="linear", reference=10),
    ),
    bonus=(
        Bonus(metric="referrals", points=100, points_max=250),
        Bonus(metric="browse_interest", points=7, of=("beer",)),
    ),
)


def line(category: str, brand: str, amount_minor: int) -> PurchaseLine:
    return PurchaseLine(sku="s", category=category, brand=brand, quantity=1, amount_minor=amount_minor)


def basket(
    time_ms: int, *lines: PurchaseLine, kind: str = "sale", currency: str = "USD", **more: Any
) -> PurchaseRecorded:
    """Return a purchase of these lines."""
    return PurchaseRecorded(
        event_id=f"basket-{time_ms}-{kind}-{len(lines)}",
        customer_id="c",
        occurred_at=from_ms(time_ms),
        kind=kind,  # type: ignore[arg-type]
        order_id=f"order-{time_ms}",
        amount_minor=sum(one.amount_minor for one in lines),
        currency=currency,
        channel="store",
        store_id="s",
        lines=lines,
        **more,
    )


def looked(time_ms: int, category: str, brand: str = "Acme", seconds: int | None = None) -> ProductBrowsed:
    return ProductBrowsed(
        event_id=f"browse-{time_ms}",
        customer_id="c",
        occurred_at=from_ms(time_ms),
        sku="s",
        category=category,
        brand=brand,
        action="viewed",
        dwell_seconds=seconds,
    )


def described(time_ms: int, event: str, **attributes: Any) -> CustomerDescribed:
    return CustomerDescribed(event_id=event, customer_id="c", occurred_at=from_ms(time_ms), **attributes)


def nobody(**known: Any) -> State:
    return State(customer_id="c", settled_ms=at(10), **known)


def measured(state: State, metric: str, *of: str, policy: Policy = LEDGER) -> float:
    return MEASURES[metric](state, policy, of)


class TestMetrics:
    """Each metric measures what its sentence says."""

    def test_shares_are_of_the_amount_bought(self) -> None:
        """Wine and beer: 40 of 100; a discount below zero takes nothing from the rest."""
        state = nobody(
            months=(
                Month(JANUARY - 1, 0, 0, (Interest("beer", 1_000, 1, 0, 0), Interest("tea", 6_000, 1, 0, 0))),
                Month(JANUARY, 0, 0, (Interest("rebate", -500, 1, 0, 0), Interest("wine", 3_000, 1, 0, 0))),
            )
        )

        assert measured(state, "category_share", "wine", "beer") == pytest.approx(0.4)
        assert measured(state, "category_share", "rebate") == 0.0
        assert measured(state, "brand_share", "wine") == 0.0

    def test_brands_have_shares_of_their_own(self) -> None:
        """A brand is not a category."""
        state = nobody(
            months=(Month(JANUARY, 0, 0, (), (Interest("Acme", 1, 1, 0, 0), Interest("B", 3, 1, 0, 0))),)
        )

        assert measured(state, "brand_share", "Acme") == 0.25
        assert measured(state, "category_share", "Acme") == 0.0

    def test_the_window_is_twelve_months_and_the_current_one(self) -> None:
        """What is older, or still to come, is not counted."""
        every = tuple(Month(JANUARY + month, 1, 250) for month in (-13, -12, -1, 0, 1))
        state = nobody(months=every)

        assert measured(state, "interactions") == 3
        assert measured(state, "margin") == 7.5

    def test_a_loss_is_no_margin(self) -> None:
        """Nobody falls below zero by a margin."""
        assert measured(nobody(months=(Month(JANUARY, 0, -1),)), "margin") == 0.0
        assert measured(nobody(months=(Month(JANUARY, 0, 50),)), "margin") == 0.5

    def test_browse_interest_counts_named_categories(self) -> None:
        """Browses, not purchases, and of the named ones only."""
        kept = (Interest("beer", 0, 0, 2, 0), Interest("tea", 9, 9, 4, 0), Interest("wine", 0, 0, 3, 0))

        assert measured(nobody(months=(Month(JANUARY, 0, 0, kept),)), "browse_interest", "wine", "beer") == 5

    def test_assets_are_told_or_nothing(self) -> None:
        """In major units; another attribute, or one that was cleared, is none."""
        assert measured(nobody(), "assets") == 0.0
        assert measured(nobody(attributes=(Attribute("assets_minor", 12_345, 1, 1),)), "assets") == 123.45
        assert measured(nobody(attributes=(Attribute("assets_minor", None, 1, 1),)), "assets") == 0.0
        assert measured(nobody(attributes=(Attribute("birth_year", 1_970, 1, 1),)), "assets") == 0.0

    def test_recency_counts_local_days(self) -> None:
        """From the last purchase to the clock, at most the window's length."""
        assert measured(nobody(), "recency") == 365
        assert measured(nobody(last_purchase_ms=at(0)), "recency") == 10
        assert measured(nobody(last_purchase_ms=at(10)), "recency") == 0
        assert measured(nobody(last_purchase_ms=at(-600)), "recency") == 365

    def test_the_purchase_cycle_is_the_mean_gap(self) -> None:
        """Three purchase days over 30 days are 15 days apart; with one day nobody knows."""
        state = Life().happens(sale(at(0)), sale(at(10)), sale(at(30))).known

        assert measured(state, "purchase_cycle") == 15
        assert measured(Life().happens(sale(at(0)), sale(at(0.01))).known, "purchase_cycle") == 365
        assert measured(Life().happens(sale(at(0)), sale(at(2))).known, "purchase_cycle") == 2

    def test_the_largest_order_is_after_its_returns(self) -> None:
        """In major units; nothing bought is nothing."""
        life = Life().happens(
            sale(at(0), 9_000, order="o"), sale(at(1), 5_000), returned(at(2), 6_000, order="o")
        )

        assert measured(life.known, "largest_order") == 50.0
        assert measured(nobody(), "largest_order") == 0.0

    def test_referrals_count_within_the_window(self) -> None:
        """One for each person; after 365 days to the millisecond one counts no longer."""
        life = Life(policy=LEDGER).happens(sale(at(0)), referral(at(1), "d"), referral(at(2), "e"))

        assert measured(life.known, "referrals") == 2
        assert measured(life.until(at(366) - 1).known, "referrals") == 2
        assert measured(life.until(at(366)).known, "referrals") == 1

    def test_predicted_value_needs_a_model_and_a_purchase(self) -> None:
        """Without either it is zero; with both it rests on days, not on hours."""
        model = Model(
            purchases=PurchaseModel(r=0.5, alpha=20.0, a=0.8, b=2.4),
            spend=SpendModel(p=6.25, q=3.74, gamma_minor=1_544, mean_minor=4_000),
        )
        policy = Policy(model=model)
        state = Life(policy=policy).happens(sale(at(0)), sale(at(20)), sale(at(20.1))).until(at(40)).known
        twin = Life(policy=policy).happens(sale(at(0.4)), sale(at(20.2), 10_000)).until(at(40.3)).known

        assert measured(nobody(), "predicted_value", policy=policy) == 0.0
        assert measured(state, "predicted_value") == 0.0
        value = measured(state, "predicted_value", policy=policy)
        assert value > 40
        assert value == measured(twin, "predicted_value", policy=policy)
        assert value == round(value * 100) / 100  # whole minor units
        later = Life(policy=policy).happens(sale(at(0)), sale(at(20)), sale(at(20.1))).until(at(80)).known
        assert measured(later, "predicted_value", policy=policy) < value


class TestScore:
    """The score adds the metrics up by weight and name."""

    def test_names_reach_the_metrics_and_bonuses(self) -> None:
        """Half the amount is wine, all is Acme, two looks at wine, one at beer, two referrals."""
        life = Life(policy=LEDGER).happens(
            basket(at(0), line("wine", "Acme", 5_000), line("tea", "Acme", 5_000)),
            looked(at(1), "wine"),
            looked(at(2), "wine"),
            looked(at(3), "beer"),
            response(at(4)),
            response(at(5), "delivered"),
            referral(at(6), "d"),
            referral(at(7), "e"),
        )
        parts = parts_of(life.known, LEDGER)
        found = [(one.metric, one.value, one.points) for one in parts.points]

        assert found[1:] == [
            ("category_share", 0.5, pytest.approx(1_000)),
            ("brand_share", 1.0, pytest.approx(1_000)),
            ("browse_interest", 2, pytest.approx(200)),
            ("interactions", 4, pytest.approx(400)),
            ("referrals", 2, 200),
            ("browse_interest", 1, 7),
        ]
        assert score_of(life.known, LEDGER) == round(sum(one.points for one in parts.points))
        assert (parts.spend_minor, parts.orders, parts.purchase_days) == (10_000, 1, 1)

    def test_a_bonus_has_its_most(self) -> None:
        """Three referrals at 100 points each, 250 at most; and no score is above 10,000."""
        life = Life(policy=LEDGER).happens(sale(at(0)), *(referral(at(1 + n), f"d{n}") for n in range(3)))
        before = Life(policy=LEDGER).happens(sale(at(0)))

        assert life.known.score - before.known.score == 250
        everything = Policy(
            score=(Weight(metric="orders", weight=1.0, normaliser="linear", reference=1),),
            bonus=(Bonus(metric="referrals", points=100),),
        )
        assert Life(policy=everything).happens(sale(at(0)), referral(at(1), "d")).known.score == 10_000


class TestLedger:
    """Months hold sums, so the order of what is noted can't show."""

    def test_a_month_gets_its_place(self) -> None:
        """Between its neighbours, or on top of itself."""
        kept: tuple[Month, ...] = ()
        for number, more in ((5, 1), (3, 2), (9, 4), (5, 8)):
            kept = months.noted(kept, number, interactions=more, margin_minor=-more)

        assert kept == (Month(3, 2, -2), Month(5, 9, -9), Month(9, 4, -4))
        assert months.noted(kept, 5) == kept

    def test_interests_add_up_by_name(self) -> None:
        """Amounts, purchases, browses and seconds, each by itself; names in order."""
        kept = months.noted((), 5, categories=[Interest("b", 1, 2, 3, 4)], brands=[Interest("x", 1, 1, 1, 1)])
        kept = months.noted(kept, 5, categories=[Interest("a", 7, 0, 0, 0), Interest("b", 10, 20, 30, 40)])

        assert kept == (
            Month(
                5,
                0,
                0,
                (Interest("a", 7, 0, 0, 0), Interest("b", 11, 22, 33, 44)),
                (Interest("x", 1, 1, 1, 1),),
            ),
        )

    def test_a_month_keeps_so_many_names(self) -> None:
        """The first 64 in the alphabet, whoever came first."""
        names = [f"n{number:03d}" for number in range(70)]
        kept = months.noted((), 5, brands=[Interest(name, 1, 0, 0, 0) for name in reversed(names)])

        assert [one.name for one in kept[0].brands] == names[:64]

    def test_months_are_kept_for_fourteen(self) -> None:
        """The current one and thirteen before it."""
        every = tuple(Month(number) for number in range(30))

        assert [one.number for one in months.forgotten(every, 29)] == list(range(16, 30))
        assert months.forgotten(every[16:], 29) == every[16:]
        assert months.forgotten((), 29) == ()

    def test_months_are_local(self) -> None:
        """Midnight of New Year in UTC is still December in New York."""
        new_year = T0 - DAY_MS // 2

        assert months.number_of(new_year, Policy()) == JANUARY
        assert months.number_of(new_year - 1, Policy()) == JANUARY - 1
        assert months.number_of(new_year, Policy(time_zone="America/New_York")) == JANUARY - 1

    def test_baskets_and_browses_are_kept_by_month(self) -> None:
        """A basket counts once for a category, whatever its lines; a return takes it out; euros are converted."""
        life = Life(policy=LEDGER).happens(
            basket(
                at(0),
                line("wine", "Acme", 300),
                line("wine", "B", 200),
                line("tea", "B", 100),
                currency="EUR",
            ),
            looked(at(1), "wine", "B", 40),
            looked(at(2), "wine", "B"),
            browse(at(40)),
            basket(at(45), line("wine", "Acme", 150), kind="return", returned_order_id=f"order-{at(0)}"),
        )
        january, february = life.known.months

        assert january.categories == (Interest("tea", 200, 1, 0, 0), Interest("wine", 1_000, 1, 2, 40))
        assert january.brands == (Interest("Acme", 600, 1, 0, 0), Interest("B", 600, 1, 2, 40))
        assert february.categories == (Interest("seats", 0, 0, 1, 0), Interest("wine", -150, -1, 0, 0))
        assert february.brands == (Interest("Acme", -150, -1, 0, 0), Interest("acme", 0, 0, 1, 0))
        assert (january.number, february.number) == (JANUARY, JANUARY + 1)
        assert (january.interactions, february.interactions) == (2, 1)

    def test_no_months_where_nobody_asks_for_them(self) -> None:
        """The default policy keeps none."""
        life = Life().happens(
            basket(at(0), line("wine", "Acme", 300)), looked(at(1), "wine"), response(at(2))
        )

        assert life.known.months == ()


class TestNotes:
    """Attributes, reasons, answers and referrals: the latest by event time, whatever came first."""

    def test_attributes_are_taken_over_one_by_one(self) -> None:
        """Days as ISO dates, assets in the base currency; an older word changes nothing."""
        newer = described(
            at(2), "n", city="Oslo", assets_minor=100, assets_currency="EUR", do_not_contact=False
        )
        older = described(at(1), "o", city="Rome", region="Lazio", birthday=from_ms(at(0)).date())
        for events in ((newer, older), (older, newer)):
            kept = Life(policy=LEDGER).happens(*events).known.attributes

            assert [(one.name, one.value, one.time_ms) for one in kept] == [
                ("assets_minor", 200, at(2)),
                ("birthday", "2024-01-01", at(1)),
                ("city", "Oslo", at(2)),
                ("do_not_contact", False, at(2)),
                ("region", "Lazio", at(1)),
            ]

    def test_an_attribute_is_cleared_by_name(self) -> None:
        """It is remembered as cleared, so that an older word does not bring it back."""
        told = described(at(1), "t", city="Rome", assets_minor=100, assets_currency="USD")
        cleared = described(at(2), "u", cleared=("city", "assets"))
        for events in ((told, cleared), (cleared, told)):
            kept = Life().happens(*events).known.attributes

            assert [(one.name, one.value, one.time_ms) for one in kept] == [
                ("assets_minor", None, at(2)),
                ("city", None, at(2)),
            ]

    def test_assets_in_an_unknown_currency_are_not_known(self) -> None:
        """No rate, no amount."""
        told = described(at(1), "t", city="Rome", assets_minor=100, assets_currency="CHF")

        assert [one.name for one in Life().happens(told).known.attributes] == ["city"]

    def test_the_latest_reason_counts(self) -> None:
        """For each episode by itself, in order of rule and start."""

        def reason(
            time_ms: int, why: str, rule: str = "early_silence", start: float = 0
        ) -> ChurnReasonCorrected:
            return ChurnReasonCorrected(
                event_id=f"{time_ms}-{why}-{rule}",
                customer_id="c",
                occurred_at=from_ms(time_ms),
                rule=rule,
                started_at=from_ms(at(start)),
                reason=why,  # type: ignore[arg-type]
                cause="asked",
                decided_by="a",
            )

        words = [reason(at(5), "price"), reason(at(3), "service"), reason(at(4), "service", "disengaged", 2)]
        for order in (words, words[::-1]):
            kept = Life().happens(*order).known.corrections

            assert [(one.rule, one.start_ms, one.reason, one.time_ms) for one in kept] == [
                ("disengaged", at(2), "service", at(4)),
                ("early_silence", at(0), "price", at(5)),
            ]
            assert all(isinstance(one, Correction) and one.event for one in kept)

    def test_corrections_of_the_last_64_episodes_are_kept(self) -> None:
        """Whoever sends more can't make the state grow, and the order in which they come does not show."""

        def correction(number: int) -> ChurnReasonCorrected:
            return ChurnReasonCorrected(
                event_id=f"r{number}",
                customer_id="c",
                occurred_at=from_ms(at(number / 10)),
                rule="early_silence",
                started_at=from_ms(at(number)),
                reason="price",
                cause="Said so.",
                decided_by="ann",
            )

        said = [correction(number) for number in range(70)]
        kept = Life(policy=LEDGER).happens(*said).known.corrections
        assert [one.start_ms for one in kept] == [at(number) for number in range(6, 70)]
        assert Life(policy=LEDGER).happens(*reversed(said)).known.corrections == kept

    def test_answers_are_kept_by_time(self) -> None:
        """The newest sixteen, each once."""

        def answer(day: int) -> FeedbackGiven:
            return FeedbackGiven(
                event_id=f"f{day}", customer_id="c", occurred_at=from_ms(at(day)), kind="nps", score=day % 11
            )

        life = Life(policy=LEDGER).happens(*(answer(day) for day in reversed(range(20))), answer(19))
        kept = life.known.answers

        assert [one.time_ms for one in kept] == [at(day) for day in range(20 - ANSWERS_MAX, 20)]
        assert [one.score for one in kept] == [day % 11 for day in range(20 - ANSWERS_MAX, 20)]
        assert {one.kind for one in kept} == {"nps"}
        assert life.known.months[0].interactions == 20


class TestContacts:
    """A service contact is put together from its events, in whatever order they come."""

    def test_a_contact_is_the_sum_of_its_events(self) -> None:
        """The earliest opening and solution, all topics, the worst severity; a named competitor is a mention."""
        events = [
            replace(contact(at(2), topics=("price",)), severity="minor"),
            replace(contact(at(1), topics=("delivery", "price"), competitor="X"), severity="medium"),
            contact(at(3), status="answered"),
            contact(at(5), status="solved"),
            contact(at(4), status="solved"),
        ]
        for order in (events, events[::-1]):
            state = Life(policy=LEDGER).happens(*order).known

            whole = Case("t1", "complaint", at(1), at(4), ("delivery", "price"), "medium", told_ms=at(5))
            assert state.cases == (whole,)
            assert state.mentions == (Mention(at(1), "X"),)
            assert state.months[0].interactions == 5
            assert len(state.seen) == 5

    def test_contacts_are_in_order_of_their_ids(self) -> None:
        """The 64 that were heard of last are kept."""
        life = Life().happens(
            *(contact(at(day), f"t{day:03d}", kind="ticket") for day in reversed(range(70)))
        )

        assert [one.contact_id for one in life.known.cases] == [f"t{day:03d}" for day in range(6, 70)]
        assert {(one.kind, one.solved_ms, one.severity) for one in life.known.cases} == {
            ("ticket", NEVER_MS, "")
        }


class TestReferral:
    """A purchase tells who sent the customer."""

    def test_a_referral_is_told_once_and_again_when_older(self) -> None:
        """A second purchase with the same referrer says nothing new; an earlier one dates it earlier."""
        life = Life()
        for day in (5, 9, 2):
            life.happens(basket(at(day), line("tea", "B", 10), referred_by="d"))
        life.happens(basket(at(1), line("tea", "B", 10), referred_by="c"))
        told = [one for one in life.effects if isinstance(one, ReferralMade)]

        assert [(one.customer_id, one.referred_customer_id, one.occurred_at) for one in told] == [
            ("d", "c", from_ms(at(5))),
            ("d", "c", from_ms(at(2))),
        ]
        assert {one.event_id for one in told} == {referral_id("d", "c")}
        assert [one.purchase_event_id for one in told] == [f"basket-{at(5)}-sale-1", f"basket-{at(2)}-sale-1"]
        assert [(one.referred, one.time_ms) for one in life.known.referrers] == [(stable_hash("d"), at(2))]

    def test_who_makes_none(self) -> None:
        """No name, oneself, a return."""
        wine = line("wine", "Acme", 10)

        assert referral_of(basket(at(0), wine)) is None
        assert referral_of(basket(at(0), wine, referred_by="c")) is None
        assert referral_of(basket(at(0), wine, kind="return", referred_by="d")) is None
        assert referral_of(basket(at(0), wine, referred_by="d")) is not None

    def test_the_id_is_of_the_pair(self) -> None:
        """The same in every run and on every machine, another for another pair."""
        assert referral_id("a", "b") == referral_id("a", "b") != referral_id("b", "a")
        assert referral_id("a", "b") == "b29e28672a065adeab00e26797b83bcc"
