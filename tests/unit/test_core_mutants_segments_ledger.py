"""Attributes and tags at their edges: ages, what most was spent on, runs of months, looks without a purchase."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from services.scorer.core.months import number_of
from services.scorer.core.segments import Tag
from services.scorer.core.segments.attributes import age_years, attributes
from services.scorer.core.segments.tags import tags
from services.scorer.core.state import Interest, Month, State
from tests.unit.core_given import POLICY, T0, Life, at, returned, sale
from tests.unit.test_core_segments import bought, described, nobody, state_of

TAGGED = replace(POLICY, tags=True)
NOW = number_of(at(200), POLICY)  # 2024-07


def kept(*ledger: tuple[int, tuple[Interest, ...]], brands: bool = False) -> State:
    """Return a state with categories, or brands, in each of these months, counted back from the present one."""
    months = tuple(
        Month(NOW - back, brands=lines) if brands else Month(NOW - back, categories=lines)
        for back, lines in sorted(ledger, key=lambda month: -month[0])
    )
    return replace(state_of(0, now=200), months=months)


def had(name: str, amount_minor: int, purchases: int) -> Interest:
    """Return what was bought of a category or brand in a month."""
    return Interest(name, amount_minor, purchases, 0, 0)


def seen(name: str, browses: int) -> Interest:
    """Return how often a category was looked at in a month."""
    return Interest(name, 0, 0, browses, 0)


class TestAttributes:
    """Ages, and what most was spent on."""

    def test_a_birthday_comes_when_it_is_day_there(self) -> None:
        """T0 is noon of 1 January in UTC; in Auckland the second has begun."""
        state = described(state_of(0, now=0), birthday="1999-01-02")

        assert age_years(state, POLICY) == 24
        assert age_years(state, replace(POLICY, time_zone="Pacific/Auckland")) == 25

    def test_the_first_year_of_a_life_is_an_age(self) -> None:
        """Born today is 0 years old, in the first band."""
        state = described(state_of(0, now=0), birthday="2024-01-01")

        assert age_years(state, POLICY) == 0
        assert attributes(state, POLICY).age_band == "<18"

    def test_the_main_category_is_the_one_most_was_spent_on(self) -> None:
        """Not the first in the alphabet; that decides between equals only."""
        more = kept((1, (had("bags", 4_000, 1), had("shoes", 9_000, 1))))
        equal = kept((1, (had("shoes", 4_000, 1),)), (2, (had("bags", 4_000, 1),)))

        assert attributes(more, POLICY).category == "shoes"
        assert attributes(equal, POLICY).category == "bags"

    def test_what_was_sent_back_whole_was_not_bought(self) -> None:
        """Neither is it a preference; one cent is."""
        back = kept((1, (had("bags", 0, 0), had("shoes", -5, -1))))
        cent = kept((1, (had("bags", 1, 1),)))

        assert attributes(back, POLICY).category is None
        assert attributes(cent, POLICY).category == "bags"

    def test_of_who_never_bought_there_is_nothing_to_say(self) -> None:
        """No segment and no evidence, not even an empty one."""
        found = attributes(nobody(), POLICY)

        assert (found.category, found.brand, found.price_band, found.evidence) == (None, None, None, ())

    def test_the_average_is_cut_to_the_cent_as_its_band_is(self) -> None:
        """USD 199.995 is below 200, and is not shown as 200.00."""
        life = Life().happens(sale(at(0), 20_000), sale(at(1), 19_999))
        found = attributes(life.known, POLICY)

        assert found.price_band == "50-200"
        assert found.evidence == ("Average order value USD 199.99, of 2 orders.",)

    def test_more_sent_back_than_bought_is_an_average_of_nothing(self) -> None:
        """Never a negative price, and not a cent either."""
        found = attributes(bought(0).happens(returned(at(1), 9_000)).known, POLICY)

        assert found.evidence == ("Average order value USD 0.00, of 1 order.",)


class TestRunning:
    """Months in a row."""

    def test_the_longest_run_comes_first(self) -> None:
        """Then the alphabet; a run may end with the month before."""
        runs = {"zebra": range(5), "mango": range(1, 6), "berry": range(1, 4), "apple": range(3)}
        ledger = [
            (back, tuple(seen(name, 1) for name, months in sorted(runs.items()) if back in months))
            for back in range(6)
        ]

        assert [tag.text for tag in tags(kept(*ledger), TAGGED) if tag.kind == "running"] == [
            "mango 5 months running",
            "zebra 5 months running",
            "apple 3 months running",
            "berry 3 months running",
        ]

    def test_a_month_in_which_all_came_back_ends_a_run(self) -> None:
        """Nothing was bought in it after all, and nothing looked at."""
        ledger = [(0, (had("skis", 900, 1),)), (1, (had("skis", 0, 0),)), (2, (had("skis", 900, 1),))]

        assert all(tag.kind != "running" for tag in tags(kept(*ledger), TAGGED))

    def test_the_whole_tag(self) -> None:
        """Kind and subject are for machines, text and evidence for people."""
        state = kept(*((back, (had("skis", 900, 1) if back == 1 else seen("skis", 1),)) for back in range(3)))

        assert tags(state, TAGGED) == (
            Tag(
                kind="running",
                subject="skis",
                text="skis 3 months running",
                evidence="Bought or browsed in every month from 2024-05 to 2024-07.",
            ),
        )


class TestMostly:
    """What most was spent on, more than once."""

    def test_a_brand(self) -> None:
        """Amounts and purchases of all months count; the others need not stand behind it in the alphabet."""
        state = kept(
            (1, (had("acme", 1_000, 2), had("zeta", 1_000, 1))), (2, (had("zeta", 8_000, 1),)), brands=True
        )

        assert tags(state, TAGGED) == (
            Tag(
                kind="mostly_brand",
                subject="zeta",
                text="mostly brand zeta",
                evidence="90 % of what was bought, USD 90.00 in 2 purchases.",
            ),
        )

    def test_a_category(self) -> None:
        """The same, under another kind."""
        found = tags(kept((1, (had("bags", 1, 2),))), TAGGED)

        assert found == (
            Tag(
                kind="mostly_category",
                subject="bags",
                text="mostly bags",
                evidence="100 % of what was bought, USD 0.01 in 2 purchases.",
            ),
        )

    @pytest.mark.parametrize(("amount_minor", "is_most"), [(600, True), (599, False)])
    def test_exactly_the_share_is_enough(self, amount_minor: int, is_most: bool) -> None:  # noqa: FBT001
        """60 % of ten dollars."""
        state = kept((1, (had("bags", amount_minor, 2), had("shoes", 1_000 - amount_minor, 2))))

        assert ("mostly bags" in {tag.text for tag in tags(state, TAGGED)}) == is_most

    def test_what_was_free_or_came_back_is_no_preference(self) -> None:
        """Two gifts say nothing of what he likes to spend on."""
        assert tags(kept((1, (had("gifts", 0, 2),))), TAGGED) == ()


class TestOnlyBrowses:
    """Looks without a purchase."""

    def test_looks_of_all_months_add_up(self) -> None:
        """Three and two are five."""
        state = kept((4, (seen("seats", 3),)), (1, (seen("seats", 2),)))

        assert tags(state, TAGGED) == (
            Tag(
                kind="only_browses",
                subject="seats",
                text="browses seats often, never buys",
                evidence="Looked at 5 times in the months of the window, bought never.",
            ),
        )

    def test_the_most_looked_at_comes_first(self) -> None:
        """Then the alphabet, whichever was looked at first."""
        state = kept((3, (seen("tyres", 6),)), (1, (seen("doors", 6), seen("seats", 5), seen("wheels", 9))))

        assert [tag.subject for tag in tags(state, TAGGED)] == ["wheels", "doors", "tyres", "seats"]

    @pytest.mark.parametrize(
        "purchase",
        [
            pytest.param(had("seats", 0, 1), id="for nothing"),
            pytest.param(had("seats", 1, 0), id="and as many dearer ones came back"),
        ],
    )
    def test_a_month_with_any_purchase_is_enough(self, purchase: Interest) -> None:
        """Who got one for nothing, or paid a cent more than he got back, did not only browse."""
        assert tags(kept((1, (seen("seats", 9),)), (3, (purchase,))), TAGGED) == ()


def test_the_ledgers_present_is_the_customers_own() -> None:
    """The tests' months count back from the clock of the customer, half a year after T0."""
    assert number_of(T0, POLICY) + 6 == NOW
