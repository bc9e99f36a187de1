"""The order of arrival must not show: pairs of events that once told different stories."""

from __future__ import annotations

import msgspec

from schemas.events import Input, PurchaseLine, ReferralMade
from schemas.times import from_ms
from services.scorer.core import explain
from services.scorer.core.due import next_due_ms
from services.scorer.core.models.parameters import Model, PurchaseModel
from services.scorer.core.policy import DisengagedRule, ModelRule, Policy, SilenceRule, Weight
from services.scorer.core.segments.stage import stage
from tests.unit.core_given import CUTS, T0, Life, at, contact, corrected, pinned, response, sale

SILENCE = Policy(churn=(SilenceRule(name="silence", days=90),))


def test_a_purchase_and_an_answer_of_one_instant() -> None:
    """The purchase ends the silence, though the clock went on between the two."""
    lived = Life(policy=SILENCE).happens(sale(T0)).until(at(100))
    lived.happens(response(at(101))).until(at(101) + 5).happens(sale(at(101)))
    assert lived.known.episodes[0].ended_by == "purchase"


def test_an_old_contact_id_that_comes_back_is_another_contact_in_both_orders() -> None:
    """Whether the old complaint was forgotten already depended on what came before the new one."""
    policy = Policy(churn=(DisengagedRule(name="disengaged"),))
    again, later = contact(at(491), "t", kind="complaint"), sale(at(495))
    told: list[Input] = [sale(T0), contact(T0, "t", kind="complaint"), sale(at(91))]
    straight = Life(policy=policy).happens(*told, again, later).until(at(600))
    crooked = Life(policy=policy).happens(*told, later, again).until(at(600))
    assert straight.known.cases == crooked.known.cases
    assert [one.opened_ms for one in straight.known.cases] == [at(491)]
    assert [one.start_ms for one in straight.known.episodes] == [
        one.start_ms for one in crooked.known.episodes
    ]
    soon = Life(policy=policy).happens(*told, contact(at(485), "t", kind="complaint"))
    assert [one.opened_ms for one in soon.known.cases] == [T0]


def test_an_answer_that_comes_before_its_complaint_is_kept() -> None:
    """What the answer says of the contact (a complaint, about the price) counts in both orders."""
    policy = Policy(churn=(DisengagedRule(name="disengaged"),))
    opened = contact(at(1), "t", kind="ticket")
    answered = contact(at(2), "t", status="answered", topics=("price",))
    straight = Life(policy=policy).happens(sale(T0), opened, answered).until(at(60))
    crooked = Life(policy=policy).happens(sale(T0), answered).until(at(3)).happens(opened).until(at(60))
    assert crooked.known.cases == straight.known.cases
    assert crooked.churn == straight.churn
    assert straight.churn


def test_a_purchase_that_is_later_than_its_correction_counts() -> None:
    """Clocks differ; another order's second sale must not lose the corrected one."""
    first = sale(T0)
    moved = corrected(first, 1, at_ms=at(1), occurred_at=from_ms(at(20)))
    lived = Life().happens(first, moved, sale(at(2), 100, order="o"), sale(at(3), 100, order="o"))
    assert lived.until(at(25)).facts == (5_200, 2, 2)


def _with_lines(category: str) -> tuple[PurchaseLine, ...]:
    return (PurchaseLine(sku="x", category=category, brand="b", quantity=1, amount_minor=5_000),)


def test_a_corrected_basket_counts_the_same_in_both_orders() -> None:
    """Category share after a correction: what was corrected away counts nowhere, in either order."""
    policy = Policy(
        score=(Weight(metric="category_share", weight=1.0, normaliser="linear", reference=1, of=("a",)),)
    )
    bought = msgspec.structs.replace(sale(T0, event="s"), lines=_with_lines("a"))
    told: list[Input] = [bought, corrected(bought, 1, at_ms=at(1), lines=_with_lines("b"))]
    scores = [Life(policy=policy).happens(*order).known.score for order in (told, told[::-1])]
    assert scores == [0, 0]


def test_a_referral_is_told_in_both_orders() -> None:
    """A purchase that names its referrer makes the referral even if its correction came first."""
    bought = msgspec.structs.replace(sale(T0, event="s"), referred_by="friend")
    told: list[Input] = [bought, corrected(bought, 1, at_ms=at(1), amount_minor=4)]
    for order in (told, told[::-1]):
        life = Life().happens(*order, bought)
        assert sum(isinstance(one, ReferralMade) for one in life.effects) == 1
        assert life.steps[-1].duplicate


def test_a_referral_too_old_to_be_told_stays_untold() -> None:
    """A purchase that would be refused LATE tells nothing by being a repeat."""
    bought = msgspec.structs.replace(sale(T0, event="s"), referred_by="friend")
    life = Life().happens(corrected(bought, 1, at_ms=at(1), occurred_at=from_ms(at(1))))
    life.happens(sale(at(395.5)), bought)
    assert life.steps[-1].duplicate
    assert not any(isinstance(one, ReferralMade) for one in life.effects)


def test_a_void_that_comes_first_leaves_the_same_tier() -> None:
    """Somebody whose only purchase never was is a prospect: no tier, nothing bought, nothing to wait for."""
    bought = sale(T0, event="s")
    told: list[Input] = [bought, corrected(bought, 1, at_ms=at(1))]
    straight, crooked = (Life().happens(response(T0), *order).until(at(200)) for order in (told, told[::-1]))
    assert straight.known.tier is None
    fields = (
        "ranked ranked_since_ms tier tier_since_ms net_minor orders purchase_days first_purchase_ms "
        "last_purchase_ms lifetime_orders lifetime_net_minor lifetime_days contacts responses starts score"
    )
    for field in fields.split():
        assert getattr(straight.known, field) == getattr(crooked.known, field), field
    for life in (straight, crooked):
        assert next_due_ms(life.known, life.policy, None) is None
        assert stage(life.known, life.policy).name == "prospect"


def test_a_void_takes_back_what_was_said_of_a_purchase() -> None:
    """Who heard of the tier and the warning hears that both are over; the next purchase is a first one."""
    bought = sale(T0, event="s")
    life = Life(policy=SILENCE).happens(bought).until(at(100))
    life.happens(corrected(bought, 1, at_ms=at(101)))
    assert [what for _, what, _, _ in life.churn] == ["warned", "retracted"]
    assert [one.current for one in life.tier_changes] == ["regular", "at_risk", "lapsed"]

    life.happens(sale(at(102))).until(at(200))
    assert [(one.previous, one.current) for one in life.tier_changes[3:]] == [
        (None, "regular"),
        ("regular", "at_risk"),
    ]
    changes = life.tier_changes
    for number, change in enumerate(changes):
        assert explain.flaws(change, changes[:number], SILENCE) == []


def test_a_void_of_the_only_purchase_tells_everybody_at_once() -> None:
    """Pinned or not, within a dwell or not: who heard of a top customer hears that there is none."""
    bought = sale(T0, 9_000_000, event="s")
    for pins in ((), (pinned(at(1), "high_value", until_ms=at(20)),)):
        life = Life(cuts=CUTS).happens(bought, *pins, corrected(bought, 1, at_ms=at(2))).until(at(100))
        last = life.tier_changes[-1]
        assert (last.current, last.ranked_current, last.proof.pin) == ("lapsed", "at_risk", None)
        assert last.proof.never_bought
        assert explain.flaws(last, life.tier_changes[:-1], life.policy) == []
        assert (life.known.tier, life.known.ranked) == (None, None)


def test_nothing_stands_of_somebody_whose_every_purchase_was_voided() -> None:
    """A warning that was decided long ago stands still less: who never bought can't churn."""
    model = Model(purchases=PurchaseModel(unit="week", r=0.52, alpha=6.2, a=0.89, b=1.62))
    policy = Policy(churn=(ModelRule(name="model", threshold=0.7),), model=model)
    first, second = sale(T0), sale(at(94))
    life = Life(policy=policy).happens(first).until(at(61))
    life.happens(corrected(first, 1, at_ms=at(61)), second, corrected(second, 1, at_ms=at(115))).until(
        at(200)
    )
    assert [what for _, what, _, _ in life.churn] == ["warned", "retracted"]


def test_a_void_of_one_purchase_of_two_leaves_a_customer() -> None:
    """And one whose earlier purchases were forgotten has bought once."""
    bought = sale(at(30), event="s")
    life = Life().happens(sale(T0), bought, corrected(bought, 1, at_ms=at(31)))
    assert (life.known.tier, life.known.lifetime_orders) == ("regular", 1)
    late = sale(at(420), event="late")
    life.happens(late, corrected(late, 1, at_ms=at(421)))
    assert (life.known.tier, life.known.first_purchase_ms, life.known.purchases) == ("lapsed", T0, b"")
