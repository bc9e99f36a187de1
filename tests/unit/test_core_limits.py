"""Every list in a state has an end, and what happens there is said in words."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from schemas.events import CustomerDescribed, PurchaseLine, ReferralMade
from schemas.times import HOUR_MS, from_ms
from schemas.wire import Reason, Refused
from services.scorer.core import contacts, limits, notes
from services.scorer.core.policy import CompetitorRule, DisengagedRule, Policy, SilenceRule
from tests.unit.core_given import T0, Life, at, browse, contact, corrected, referral, response, sale

if TYPE_CHECKING:
    from schemas.events import Input

COUNTS = Policy(tags=True, rates={"KWD": Decimal("1e9")})


def refused(life: Life, event: Input) -> tuple[Reason, str]:
    """Return why an event is refused; the state stays as it was."""
    before = life.known
    with pytest.raises(Refused) as caught:
        life.happens(event)
    assert life.known == before
    return caught.value.reason, str(caught.value)


HEEDS = Policy(churn=(SilenceRule(name="silence", days=90, opened_counts=True),))


class TestAnswers:
    """Answers and openings: 2,048 of each inside the memory."""

    @pytest.mark.parametrize(("kind", "called"), [("clicked", "answers"), ("opened", "openings")])
    def test_one_more_is_refused(self, kind: str, called: str) -> None:
        """It might end an episode, so it is not dropped silently; the other kind has room of its own."""
        most = contacts.TIMES_MAX
        life = Life(policy=HEEDS).happens(sale(T0), *(response(T0 + 1 + n, kind) for n in range(most)))  # type: ignore[arg-type]
        reason, why = refused(life, response(at(1), kind))  # type: ignore[arg-type]
        assert reason == Reason.HOT
        assert f"{most} remembered {called}" in why
        life.happens(response(at(1), "opened" if kind == "clicked" else "clicked"))
        life.happens(response(T0 + 1, kind))  # type: ignore[arg-type]  # an instant that is known needs no room

    def test_openings_that_no_rule_heeds_are_not_refused(self) -> None:
        """The newest are kept, should a policy ask for them later."""
        most = contacts.TIMES_MAX
        life = Life().happens(sale(T0), *(response(T0 + 1 + n, "opened") for n in range(most + 1)))
        assert list(contacts.times(life.known.openings)) == [T0 + 2 + n for n in range(most)]

    def test_what_is_forgotten_makes_room(self) -> None:
        """Whenever anybody last looked."""
        life = Life().happens(sale(T0), *(response(T0 + 1 + n) for n in range(contacts.TIMES_MAX)))
        life.happens(response(at(396)))
        assert list(contacts.times(life.known.responses)) == [at(396)]

    def test_all_of_them_end_what_they_ended(self) -> None:
        """A late sale derives everything anew: the first answer is still there."""
        policy = Policy(churn=(SilenceRule(name="silence", days=90),))
        life = Life(policy=policy).happens(sale(T0)).until(at(95))
        life.happens(*(response(at(95) + n * 60_000) for n in range(1, contacts.TIMES_MAX + 1)))
        life.happens(sale(at(-1)))
        assert [(what, when) for _, what, _, when in life.churn] == [
            ("warned", at(90)),
            ("response", at(95) + 60_000),
        ]


def test_unsubscriptions_have_an_end() -> None:
    """64 of them, of two years none is forgotten too early."""
    life = Life(policy=Policy(churn=(DisengagedRule(name="disengaged"),))).happens(sale(T0))
    life.happens(*(response(T0 + n * HOUR_MS, "unsubscribed") for n in range(limits.UNSUBSCRIBED_MAX)))
    assert refused(life, response(at(10), "unsubscribed"))[0] == Reason.HOT
    life.happens(response(at(400), "unsubscribed"))
    assert life.known.unsubscribed == (at(400),)


def test_complaints_have_an_end_and_none_is_lost() -> None:
    """The 65th is refused; another word on a known one, a solution and another kind of contact are not."""
    policy = Policy(churn=(DisengagedRule(name="disengaged"),))
    life = Life(policy=policy).happens(sale(T0))
    life.happens(*(contact(T0 + n * HOUR_MS, f"k{n}") for n in range(limits.COMPLAINTS_MAX)))
    reason, why = refused(life, contact(at(4), "one-more"))
    assert reason == Reason.HOT
    assert "64 remembered complaints" in why
    life.happens(contact(at(4), "a-ticket", kind="ticket"))
    life.happens(contact(at(5), "k0", status="answered"), contact(at(6), "k1", status="solved"))
    assert len(life.known.cases) == limits.COMPLAINTS_MAX
    assert min(one.opened_ms for one in life.known.cases) == T0
    assert refused(life, contact(at(7), "a-ticket"))[0] == Reason.HOT  # the ticket turns out to be one


def test_corrections_have_an_end() -> None:
    """As many purchases as may be; a higher revision of one of them needs no room."""
    policy = replace(Policy.default(), purchases_max=5)
    sales = [sale(T0 + n) for n in range(6)]
    life = Life(policy=policy).happens(*(corrected(one, 1, at_ms=at(1)) for one in sales[:5]))
    assert refused(life, corrected(sales[5], 1, at_ms=at(1)))[0] == Reason.HOT
    life.happens(corrected(sales[0], 2, at_ms=at(2), amount_minor=7))
    assert life.facts == (7, 1, 1)
    life.happens(corrected(sale(at(400), event="later"), 1, at_ms=at(400)))
    assert len(life.known.revisions) == 1


def test_referrals_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each pair counts once, ever, so none is forgotten; an earlier time of a known pair needs no room."""
    monkeypatch.setattr(limits, "REFERRALS_MAX", 3)
    life = Life().happens(*(referral(at(1), f"friend-{n}") for n in range(3)))
    assert refused(life, referral(at(2), "one-more"))[0] == Reason.HOT
    life.happens(referral(T0, "friend-1"))
    assert sorted(one.time_ms for one in life.known.referrals) == [T0, at(1), at(1)]
    assert life.happens(referral(at(3), "friend-1")).steps[-1].duplicate


def test_of_the_referrers_the_newest_are_known() -> None:
    """Each is told once; who names a hundred has the oldest forgotten, and told again it counts once."""
    life = Life()
    for n in range(70):
        life.happens(replace(sale(T0 + n), referred_by=f"friend-{n}"))
    told = [one.customer_id for one in life.effects if isinstance(one, ReferralMade)]
    assert told == [f"friend-{n}" for n in range(70)]
    assert sorted(one.time_ms for one in life.known.referrers) == [
        T0 + n for n in range(70 - notes.REFERRERS_MAX, 70)
    ]
    life.happens(replace(sale(at(1)), referred_by="friend-69"))
    assert sum(isinstance(one, ReferralMade) for one in life.effects) == 70


def test_lines_that_no_sum_holds_are_refused() -> None:
    """By the policies that add them up; the total of a basket, discounts included."""
    line = PurchaseLine(sku="x", category="a", brand="b", quantity=1, amount_minor=600_000)
    bought = replace(sale(T0, 1_000, currency="KWD"), lines=(line, replace(line, amount_minor=-600_000)))
    life = Life(policy=COUNTS).happens(sale(T0))
    assert refused(life, bought)[0] == Reason.RANGE
    assert "lines" in refused(life, corrected(bought, 1, lines=bought.lines))[1]
    plain = replace(COUNTS, tags=False)
    assert Life(policy=plain).happens(bought).known.orders == 1


def test_assets_that_no_sum_holds_are_refused() -> None:
    """Like any other amount; without a rate they are left out, as before."""
    told = CustomerDescribed(
        event_id="d", customer_id="c", occurred_at=from_ms(T0), assets_minor=10**12, assets_currency="KWD"
    )
    reason, why = refused(Life(policy=COUNTS).happens(sale(T0)), told)
    assert reason == Reason.RANGE
    assert "assets" in why
    assert Life().happens(told).known.attributes == ()


def test_competitors_and_what_passed_have_an_end() -> None:
    """Hundreds of mentions under a rule for other tiers: 64 of them, and no more starts than those."""
    policy = Policy(churn=(CompetitorRule(name="competitor", tiers=("high_value",)),))
    life = Life(policy=policy).happens(sale(T0))
    life.happens(*(browse(T0 + n * HOUR_MS, competitor="Rival") for n in range(1, 300)))
    assert len(life.known.mentions) == 64
    assert len(life.known.passed) <= 12 * 65
    assert life.known.episodes == ()
