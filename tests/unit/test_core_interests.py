"""Categories and brands by month: what a correction takes out, whatever came first."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.events import PurchaseLine
from services.scorer.core import earnings, months
from services.scorer.core.policy import Policy, Weight
from services.scorer.core.rescore import rescore
from services.scorer.core.state import Interest, decode_state, encode_state
from tests.unit.core_given import POLICY, T0, Life, at, corrected, returned, sale

if TYPE_CHECKING:
    from schemas.events import Input

SHARE = Policy(
    tags=True,
    score=(
        Weight(metric="category_share", weight=0.5, normaliser="linear", of=("a",)),
        Weight(metric="brand_share", weight=0.5, normaliser="linear", of=("m",)),
    ),
)
NAMES = st.sampled_from(["a", "b", "c"])
AMOUNTS = st.sampled_from([0, 100, 100, 250, -50])


def line(category: str, brand: str, amount_minor: int) -> PurchaseLine:
    """Return a line of a basket."""
    return PurchaseLine(sku="x", category=category, brand=brand, quantity=1, amount_minor=amount_minor)


baskets = st.lists(st.builds(line, NAMES, st.sampled_from(["m", "n"]), AMOUNTS), min_size=1, max_size=3)


@st.composite
def told(draw: st.DrawFn) -> list[Input]:
    """Some purchases and returns with lines, some of them corrected once or twice, or never made."""
    found: list[Input] = []
    for number in range(draw(st.integers(1, 4))):
        time_ms, name = at(draw(st.integers(0, 90))), f"e{number}"
        sold = draw(st.booleans())
        bought = sale(time_ms, 1_000, event=name) if sold else returned(time_ms, 1_000, event=name)
        found.append(replace(bought, lines=tuple(draw(baskets))))
        for revision in range(1, draw(st.integers(0, 2)) + 1):
            changes = draw(st.one_of(st.just({}), baskets.map(lambda lines: {"lines": tuple(lines)})))
            found.append(corrected(bought, revision, at_ms=at(91 + revision), **changes))
    return found


@given(told(), st.data())
def test_order_does_not_show(events: list[Input], data: st.DataObject) -> None:
    """Any permutation of purchases and their corrections ends in the same months, parts and score."""
    straight = Life(policy=SHARE).happens(*events).until(at(120)).known
    crooked = Life(policy=SHARE).happens(*data.draw(st.permutations(events))).until(at(120)).known
    assert (crooked.months, crooked.earned, crooked.score) == (
        straight.months,
        straight.earned,
        straight.score,
    )


@given(told())
def test_the_months_are_the_sum_of_the_parts(events: list[Input]) -> None:
    """What a month says was bought is what the purchases that count put into it, and nothing else."""
    state = Life(policy=SHARE).happens(*events).known
    for which, kind in enumerate(("categories", "brands")):
        sums: dict[tuple[int, str], list[int]] = {}
        for part in state.earned:
            for one in earnings.interests_of(part)[which]:
                total = sums.setdefault((part.month, one.name), [0, 0])
                total[0] += one.bought_minor
                total[1] += one.purchases
        kept = {
            (month.number, one.name): [one.bought_minor, one.purchases]
            for month in state.months
            for one in getattr(month, kind)
        }
        assert kept == {key: total for key, total in sums.items() if total != [0, 0]}


def test_what_never_was_leaves_no_trace() -> None:
    """In every order of a basket, its return and the word that neither was."""
    bought = replace(sale(T0, event="s"), lines=(line("a", "m", 500),))
    back = replace(returned(at(1), 500, event="r"), lines=(line("a", "m", 500),))
    told: list[Input] = [bought, back, corrected(bought, 1, at_ms=at(2)), corrected(back, 1, at_ms=at(2))]
    for order in permutations(told):
        state = Life(policy=SHARE).happens(*order).known
        assert (state.months, state.earned) == ((), ())


def test_a_full_month_gives_back_only_what_it_took() -> None:
    """Of 70 categories 64 are kept; taking a left-out one away makes no debt."""
    filler = replace(sale(T0), lines=tuple(line(f"a{n:02d}", "m", 10) for n in range(64)))
    last = replace(sale(at(1), event="s"), lines=(line("z", "m", 10), line("a00", "m", 5)))
    life = Life(policy=SHARE).happens(filler, last, corrected(last, 1, at_ms=at(2)))
    (month,) = life.known.months
    assert len(month.categories) == months.NAMES_MAX
    assert month.categories[0] == Interest("a00", 10, 1, 0, 0)
    assert month.brands == (Interest("m", 640, 1, 0, 0),)


def test_parts_are_kept_only_where_they_count() -> None:
    """Stored with the state, forgotten with their months; nothing under a policy that asks for no names."""
    bought = replace(sale(T0), lines=(line("a", "m", 500),))
    state = Life(policy=SHARE).happens(bought).known
    assert decode_state(encode_state(state)) == state
    assert Life(policy=SHARE, state=state).until(at(500)).known.earned == ()
    assert Life().happens(bought).known.earned == ()


def test_a_correction_takes_out_what_another_policy_counted() -> None:
    """The months outlive a switch, so does what may be taken out of them."""
    bought = replace(sale(T0, event="s"), lines=(line("a", "m", 500),))
    life = Life(policy=SHARE).happens(bought)
    life.state = rescore(life.known, life.moment(at(1)), POLICY).state
    life.policy = POLICY
    life.happens(corrected(bought, 1, at_ms=at(2)))
    assert (life.known.months, life.known.earned) == ((), ())


def test_what_was_bought_before_the_policy_stays_out_of_its_months() -> None:
    """However late it comes, or is corrected: nobody knows what the months would hold of it."""
    early = replace(sale(T0, event="early"), lines=(line("a", "m", 1_000),))
    late = replace(sale(at(1), event="late"), lines=(line("a", "m", 1_000),))
    life = Life().happens(early).until(at(30))
    life.state, life.policy = rescore(life.known, life.moment(at(30)), SHARE).state, SHARE
    life.happens(late, corrected(early, 1, at_ms=at(31), lines=(line("a", "m", 900),)))
    assert not life.known.months
    life.happens(replace(sale(at(32)), lines=(line("b", "n", 5),)))
    (month,) = life.known.months
    assert [one.name for one in month.categories] == ["b"]
