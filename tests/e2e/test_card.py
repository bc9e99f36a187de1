"""The customer card under a policy with a model and a frequency rule: what is expected, and what can't be told."""

from __future__ import annotations

from collections.abc import Callable
from math import floor
from typing import Any

import pytest
from msgspec import structs
from playwright.sync_api import Locator, Page, expect

from services.scorer.core.models.parameters import Model, PurchaseModel, SpendModel
from services.scorer.core.policy import FrequencyRule, Policy
from tests.e2e.conftest import OUT, Visit
from tests.e2e.test_desk import overflow, violations
from tests.e2e.world import POLICY

INGRID = "ingrid.moreau"  # a manager: sees every customer
Open = Callable[..., Visit]
Answer = dict[str, Any]
FITTED = Model(
    purchases=PurchaseModel(kind="mbg_nbd", unit="day", r=1.9, alpha=38.0, a=0.35, b=6.0),
    spend=SpendModel(p=3.0, q=4.0, gamma_minor=6_000.0, mean_minor=6_000),
)


@pytest.fixture
def policy() -> Policy:
    """Return the world's policy with a fitted model, and a rule that compares customers with themselves."""
    churn = (*POLICY.churn, FrequencyRule(name="buys_less"))
    return structs.replace(POLICY, model=FITTED, churn=churn)


def outlooks(window: Visit) -> dict[int, Answer]:
    """Return the outlooks of the first customers in the queue, by task."""
    window.sign_in(INGRID)
    ask = window.page.context.request
    tasks = ask.get(f"{window.site.address}/v1/tasks?limit=40").json()["tasks"]
    return {
        one["id"]: ask.get(f"{window.site.address}/v1/customers/{one['customer_id']}/outlook").json()
        for one in tasks
    }


def open_card(window: Visit, task: int) -> Page:
    """Open a task with its customer, on any width."""
    page = window.page
    page.goto(f"{window.site.address}/desk#task={task}")
    page.wait_for_selector(".chips", state="attached")
    if page.locator(".task .pane-nav").is_visible():
        page.locator(".task .pane-nav button").last.click()
    expect(page.locator(".customer-head")).to_be_visible()
    return page


def too_little(answer: Answer) -> Answer | None:
    """Return what the rule lacks, None where it can judge."""
    (rule,) = (one for one in answer["rules"] if one["rule"] == "buys_less")
    assert (rule["too_little"] is not None) == (rule["word"] == "insufficient history")
    found: Answer | None = rule["too_little"]
    return found


def counted(n: int, word: str) -> str:
    """Return a count in words."""
    return f"{n} {word}" if n == 1 else f"{n} {word}s"


def chip(page: Page, label: str) -> Locator:
    """Return the chip with a label, among those of the predictions."""
    return page.locator(".expected li", has=page.locator("span", has_text=label))


def share(of_1: float) -> str:
    """Return a share as the desk says it."""
    if 0 < of_1 < 0.005:
        return "under 1%"
    return "over 99%" if 0.995 <= of_1 < 1 else f"{floor(100 * of_1 + 0.5)}%"


def test_a_rule_that_can_t_judge_says_what_it_has_and_what_it_would_take(visit: Open) -> None:
    """In the API's own numbers, apart from the warnings; and nothing where every rule can judge."""
    window = visit()
    answers = outlooks(window)
    lacking = {task: found for task, answer in answers.items() if (found := too_little(answer))}
    task, found = next((task, one) for task, one in lacking.items() if one["past_days"])
    section = open_card(window, task).locator(".unjudged")
    expect(section.locator("h3")).to_contain_text("be told yet")
    expect(section.locator("li strong")).to_have_text("Buys less")
    recent = f"{counted(found['recent_orders'], 'order')} in the last {found['recent_days']} days"
    before = f"{found['past_orders']} in the {counted(found['past_days'], 'day')} before."
    expect(section.locator("li")).to_contain_text(f"{recent}, {before}")
    expect(section.locator("li")).to_contain_text(
        f"To judge, it takes at least {found['needed_orders']} in the time before."
    )
    expect(window.page.locator(".open-warnings", has_text="Buys less")).to_have_count(0)

    judged = next(task for task in answers if task not in lacking)
    window.page.goto("about:blank")
    expect(open_card(window, judged).locator(".unjudged")).to_be_hidden()


def test_the_card_says_what_the_model_expects(visit: Open) -> None:
    """P(alive), the next purchase, purchases and value of 12 months, as the API gives them, and by which model."""
    window = visit()
    answers = outlooks(window)
    by_alive = sorted(answers, key=lambda task: answers[task]["predictions"]["alive"])
    for task in (by_alive[0], by_alive[len(by_alive) // 2], by_alive[-1]):
        found = answers[task]["predictions"]
        window.page.goto("about:blank")
        page = open_card(window, task)
        expect(chip(page, "Still a customer")).to_have_text(f"Still a customer{share(found['alive'])}")
        buys = f"Buys within {found['within_days']} days"
        expect(chip(page, buys)).to_have_text(buys + share(1 - found["no_purchase"]))
        n = floor(10 * found["expected_purchases"] + 0.5) / 10
        expect(chip(page, "Purchases in 12 months")).to_contain_text(f"{n:g}" if n else "under 0.1")
        expect(chip(page, "Value in 12 months")).to_contain_text(
            f"${floor(found['value_minor'] / 100 + 0.5):,}"
        )
        expect(page.locator(".expected .quiet")).to_contain_text("By MBG/NBD")


def test_a_degenerate_fit_does_not_say_who_is_alive(visit: Open) -> None:
    """Where nobody ever drops out, P(alive) is no news; the rest is told."""
    window = visit()
    window.site.sql("UPDATE policies SET body = jsonb_set(body::jsonb, '{model,purchases,a}', '0.001')")
    answers = outlooks(window)
    page = open_card(window, next(iter(answers)))
    expect(chip(page, "Still a customer")).to_contain_text("the fit can")
    expect(chip(page, "Buys within 180 days")).to_contain_text("%")
    expect(page.locator(".expected .quiet")).to_contain_text("nobody ever drops out")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (360, 740)])
def test_both_are_readable_and_accessible(visit: Open, width: int, height: int, scheme: Any) -> None:
    """axe-core finds nothing, nothing overflows; the pictures are in out/ to be looked at."""
    OUT.mkdir(exist_ok=True)
    window = visit(width, height, scheme)
    answers = outlooks(window)
    task = next(task for task, answer in answers.items() if too_little(answer))
    page = open_card(window, task)
    for place in ("unjudged", "expected"):
        page.locator(f".{place}").evaluate("place => place.scrollIntoView({ block: 'center' })")
        page.wait_for_timeout(450)  # transitions
        page.screenshot(path=OUT / f"{place}-told-{width}-{scheme}.png")
        assert overflow(page) <= 0, place
        assert violations(page) == [], place
