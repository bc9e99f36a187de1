"""What keeps or lifts a tier: the questions at the edge, and purchases that somebody could really make."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from schemas.events import Input
from schemas.times import DAY_MS
from services.scorer.core import what_if
from services.scorer.core.lift import Clearing, clearing, keep, keeps, lift, outlook
from services.scorer.core.policy import Ladder, Level, Policy, Weight
from services.scorer.core.state import NEVER_MS
from tests.unit.core_given import CUTS, POLICY, Life, at, browse, contact, cuts_at, pinned, sale

METALS = (Level(name="gold", at_least=200.0), Level(name="silver", at_least=100.0), Level(name="base"))
GOLD = Policy(
    tiers=Ladder(by="spend", levels=METALS, margin_percent=10, dwell_days=30), churn=POLICY.churn[:1]
)


def spent(*amounts_minor: int, policy: Policy = GOLD) -> Life:
    """Return somebody who spent these amounts on day 0, 1, 2.."""
    return Life(CUTS, policy).happens(*(sale(at(day), minor) for day, minor in enumerate(amounts_minor)))


class TestOutlook:
    """All answers at one instant."""

    def test_it_says_of_when_it_is(self) -> None:
        """Of the moment asked about, or of the customer's own clock where that is later."""
        life = spent(20_000).until(at(91))

        assert outlook(life.known, life.moment(at(100)), GOLD).as_of_ms == at(100)
        assert outlook(life.known, life.moment(at(1)), GOLD).as_of_ms == at(91)

    def test_it_says_what_clears_the_shown_tier(self) -> None:
        """Beside what keeps and lifts."""
        life = spent(20_000).until(at(91))
        found = outlook(life.known, life.moment(at(91)), GOLD)

        assert found.clearing == Clearing(shown="at_risk", ranked="gold", by=("purchase", "response"))
        assert found.cut_offs_version == 1


class TestLift:
    """The way up."""

    def test_at_the_top_the_usual_amount_is_still_told(self) -> None:
        """An average order of USD 225."""
        life = spent(20_000, 25_000)
        found = lift(life.known, life.moment(at(1)), GOLD)

        assert found is not None
        assert (found.tier, found.better, found.usual_minor) == ("gold", None, 22_500)

    def test_when_no_single_purchase_does_it_the_next_level_is_named(self) -> None:
        """The one just above, not the best and not the one below."""
        points = {"a": 9_500.0, "b": 7_200.0, "c": 1.0, "d": None}
        levels = tuple(Level(name=name, at_least=least) for name, least in points.items())
        policy = replace(POLICY, churn=(), tiers=Ladder(by="score", levels=levels))
        life = spent(10_000, policy=policy)
        found = lift(life.known, life.moment(at(1)), policy)

        assert found is not None
        assert (found.tier, found.better, found.amount_minor) == ("c", "b", None)


class TestUsual:
    """The average order value."""

    def test_of_the_window_else_of_the_whole_life(self) -> None:
        """An order that is a year old counts only for who has no other."""
        life = spent(8_000, 4_000)

        assert what_if.usual_minor(life.known) == 6_000
        assert what_if.usual_minor(life.until(at(365.5)).known) == 4_000
        assert what_if.usual_minor(life.until(at(400)).known) == 6_000

    def test_at_least_the_smallest_unit(self) -> None:
        """A gift of nothing makes no usual purchase of nothing."""
        assert what_if.usual_minor(spent(0).known) == 1
        assert what_if.usual_minor(Life(CUTS, GOLD).happens(browse(at(0))).known) == 1


class TestSmallest:
    """The search for an amount."""

    def test_nobody_is_advised_to_buy_for_nothing(self) -> None:
        """Where anything is enough, one unit is."""
        assert what_if.smallest(lambda _: True) == 1
        assert what_if.smallest(lambda minor: minor >= 1_237) == 1_237
        assert what_if.smallest(lambda _: False) is None

    def test_who_has_no_tier_has_no_level(self) -> None:
        """It is a mistake of the caller to ask."""
        prospect = Life(CUTS, GOLD).happens(browse(at(0)))

        with pytest.raises(AssertionError, match=r"^only who has a ranked tier has a level$"):
            what_if.level_of(prospect.known, GOLD)


class TestPurchase:
    """What is asked about is what a publisher could send."""

    def test_a_purchase_is_a_valid_event_of_the_customer(self) -> None:
        """It survives the wire, and so do an answer and a solution; no two are one event or one order."""
        life = spent(20_000).happens(contact(at(1), "k1"), contact(at(1), "k2"))
        made = [event for _, event in what_if.remedies(life.known, at(2), GOLD)]
        made += [what_if.purchase(life.known, at(2), GOLD, amount_minor=5, number=1)]

        assert [msgspec.json.decode(msgspec.json.encode(one), type=Input) for one in made] == made
        assert {one.customer_id for one in made} == {"c"}

    def test_what_is_solved_or_was_no_complaint_needs_no_solution(self) -> None:
        """A solution is offered for each open complaint, by its own name, and for nothing else."""
        life = spent(20_000).happens(
            contact(at(1), "open"),
            contact(at(1), "done"),
            contact(at(2), "done", status="solved"),
            contact(at(1), "asked", kind="inquiry"),
        )
        offered = what_if.remedies(life.known, at(3), GOLD)

        assert [name for name, _ in offered] == ["purchase", "response", "solution"]
        assert getattr(offered[-1][1], "contact_id", "") == "open"


class TestKeep:
    """The date of the fall and the purchase that prevents it."""

    def test_to_the_millisecond_of_the_latest_instant(self) -> None:
        """The last moment may begin a new local day, which counts for more than the day before it."""
        life = Life(cuts_at((9_990, 9_980, 9_970), (2_840, 2_820, 2_800)), replace(POLICY, churn=()))
        first_ms = at(-0.5) + 1  # a millisecond after midnight
        life.happens(sale(first_ms, 100_000), sale(at(364), 1_000))
        moment = life.moment(at(364.1))
        found = keep(life.known, moment, life.policy)

        assert found is not None
        assert (found.falls_ms, found.latest_ms) == (first_ms + 365 * DAY_MS, at(364.5))
        assert found.amount_minor is not None
        assert found.amount_minor > 1

        def kept(minor: int) -> bool:
            return keeps(
                life.known, moment, life.policy,
                amount_minor=minor, at_ms=at(364.5), falls_ms=first_ms + 365 * DAY_MS,
            )  # fmt: skip

        assert (kept(found.amount_minor - 1), kept(found.amount_minor)) == (False, True)

    def test_a_purchase_after_the_fall_keeps_nothing(self) -> None:
        """A day too late, whatever is spent."""
        life = spent(20_000)

        assert not keeps(
            life.known, life.moment(at(10)), GOLD, amount_minor=10**9, at_ms=at(366), falls_ms=at(365)
        )

    def test_who_may_not_buy_any_more_keeps_nothing_by_it(self) -> None:
        """A purchase that would be refused is no advice."""
        policy = replace(GOLD, purchases_max=1)
        life = spent(20_000, policy=policy)
        found = keep(life.known, life.moment(at(10)), policy)

        assert found is not None
        assert (found.falls_ms, found.amount_minor, found.amount_now_minor) == (at(365), None, None)
        assert not keeps(
            life.known, life.moment(at(10)), policy, amount_minor=20_000, at_ms=at(10), falls_ms=at(365)
        )

    def test_a_dwell_of_years_is_waited_for(self) -> None:
        """Long after everything has left the window: ten years to the day."""
        policy = replace(GOLD, tiers=replace(GOLD.tiers, dwell_days=3_650))
        life = spent(20_000, policy=policy)
        found = keep(life.known, life.moment(at(1)), policy)

        assert found is not None
        assert (found.falls_ms, found.falls_to) == (at(3_650), "silver")

    @pytest.mark.parametrize("levels", [2, 12])
    def test_without_a_dwell_the_window_is_waited_for(self, levels: int) -> None:
        """A purchase made now leaves in a year, and the tier falls then, on a ladder of any length."""
        rungs = tuple(Level(name=f"l{n}", at_least=float(200 - n)) for n in range(levels - 1))
        policy = replace(GOLD, tiers=Ladder(by="spend", levels=(*rungs, Level(name="rest")), dwell_days=0))
        life = spent(30_000, policy=policy)
        found = keep(life.known, life.moment(at(0)), policy)

        assert found is not None
        assert (found.falls_ms, found.falls_to) == (at(365), "l1" if levels > 2 else "rest")

    @pytest.mark.parametrize("levels", [2, 12])
    def test_without_a_dwell_the_ledger_of_months_is_waited_for(self, levels: int) -> None:
        """What is counted by month leaves a month later than the window is long."""
        rungs = tuple(Level(name=f"l{n}", at_least=float(1_000 - n)) for n in range(levels - 1))
        policy = Policy(
            score=(Weight(metric="interactions", weight=1.0, normaliser="linear", reference=10.0),),
            tiers=Ladder(
                by="score", levels=(*rungs, Level(name="rest")), dwell_days=0, soft_landing=False,
                margin_percent=0,
            ),
            churn=(),
        )  # fmt: skip
        life = Life(None, policy).happens(sale(at(0)), browse(at(0)), browse(at(0.1)))
        found = keep(life.known, life.moment(at(0.1)), policy)

        assert found is not None
        assert found.falls_to == "rest"
        assert found.falls_ms == at(396.5)


class TestClearing:
    """What changes a shown tier."""

    def test_by_a_pin_both_tiers_are_named(self) -> None:
        """The pinned one, the one behind it, and until when."""
        life = spent(1_000).happens(pinned(at(1), "gold", until_ms=at(31)))

        assert clearing(life.known, life.moment(at(2)), GOLD) == Clearing(
            shown="gold", ranked="base", pinned_until_ms=at(31)
        )
        life.happens(pinned(at(3), "silver"))
        assert clearing(life.known, life.moment(at(4)), GOLD) == Clearing(
            shown="silver", ranked="base", pinned_until_ms=NEVER_MS
        )

    def test_who_may_not_buy_any_more_can_still_answer(self) -> None:
        """A purchase would be refused; an answer takes the warning back."""
        policy = replace(GOLD, purchases_max=1)
        life = spent(20_000, policy=policy).until(at(91))
        found = clearing(life.known, life.moment(at(91)), policy)

        assert found is not None
        assert (found.shown, found.by) == ("at_risk", ("response",))
