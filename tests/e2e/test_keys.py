"""Keys that come before the answer: none is dropped, and each means the task that was selected."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, Route, expect

from tests.e2e.conftest import Site, Visit
from tests.e2e.test_desk import DIEGO, shown_task

Open = Callable[..., Visit]


class Held:
    """Requests that don't reach the server until the test lets them."""

    def __init__(self, page: Page, path: str | re.Pattern[str]) -> None:
        """Hold every request of a path."""
        self._page, self._routes = page, list[Route]()

        def hold(route: Route) -> None:
            self._routes.append(route)

        page.route(path, hold)

    def next(self) -> Route:
        """Return the oldest that is held, and hold it no longer; the page may be about to ask."""
        for _ in range(100):
            if self._routes:
                break
            self._page.wait_for_timeout(50)
        return self._routes.pop(0)

    def go_on(self) -> None:
        """Let the oldest that is held go on."""
        self.next().continue_()


def state_of(site: Site, task: int) -> tuple[str, str | None]:
    """Return a task's state and outcome."""
    (row,) = site.sql("SELECT state, outcome FROM tasks WHERE id = $1", task)
    return row["state"], row["outcome"]


def test_a_whole_round_typed_before_the_claim_is_answered(visit: Open) -> None:
    """C, the note, Ctrl+Enter, Enter at once: the outcome waits, says so, and is done with the claim."""
    window = visit()
    window.open_desk(DIEGO)
    page, task = window.page, shown_task(window.page)
    claims = Held(page, "**/claim")
    page.keyboard.press("c")
    page.keyboard.type("Wants the spring catalogue.")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".lease")).to_have_text("Claiming …")
    expect(page.locator(".outcome").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".is-chosen")).to_contain_text("Reached")
    expect(page.locator(".is-chosen")).to_contain_text("as soon as the task is yours")
    expect(page.locator(".outcome").first).to_be_focused()
    assert state_of(window.site, task) == ("open", None)

    claims.go_on()
    expect(page.locator("#status")).to_contain_text("Done: Reached")
    assert state_of(window.site, task) == ("done", "reached")
    (note,) = window.site.sql("SELECT body FROM task_notes WHERE task_id = $1", task)
    assert note["body"] == "Wants the spring catalogue."


def test_another_outcome_may_be_chosen_while_one_waits(visit: Open) -> None:
    """By its number or by the pointer; the last one counts, once."""
    window = visit()
    window.open_desk(DIEGO)
    page, task = window.page, shown_task(window.page)
    claims = Held(page, "**/claim")
    page.keyboard.press("c")
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    expect(page.locator(".is-chosen")).to_contain_text("Reached")
    page.locator(".outcome").nth(3).click()
    expect(page.locator(".is-chosen")).to_have_count(1)
    expect(page.locator(".is-chosen")).to_contain_text("Lost")

    claims.go_on()
    expect(page.locator("#status")).to_contain_text("Done: Lost")
    assert state_of(window.site, task) == ("done", "lost")


def test_what_waits_for_a_claim_that_is_refused_is_not_done(visit: Open) -> None:
    """A colleague was faster: said in words, nothing completed, the note kept; the keys work on."""
    window = visit()
    window.open_desk(DIEGO)
    page, task = window.page, shown_task(window.page)
    claims = Held(page, "**/claim")
    page.keyboard.press("c")
    page.keyboard.type("My note")
    page.keyboard.press("Control+Enter")
    page.keyboard.press("Enter")
    expect(page.locator(".is-chosen")).to_have_count(1)
    refusal = {"type": "urn:tierstream:task-taken", "detail": "A colleague holds this task now."}
    claims.next().fulfill(status=409, json=refusal)
    expect(page.locator(".problem:not(:empty)")).to_contain_text("A colleague holds this task")
    expect(page.locator(".kept")).to_contain_text("My note")
    expect(page.locator(".is-chosen")).to_have_count(0)
    assert state_of(window.site, task) == ("open", None)
    window.troubles.clear()  # the browser reports every 409 as an error
    page.keyboard.press("j")
    expect(page).not_to_have_url(re.compile(rf"#task={task}$"))


def test_a_task_that_was_left_is_claimed_and_done_all_the_same(visit: Open) -> None:
    """C, 1, j, c while nothing is answered: the first is done, the second claimed, and the view stays there."""
    window = visit()
    window.open_desk(DIEGO)
    page, first = window.page, shown_task(window.page)
    claims = Held(page, "**/claim")
    page.keyboard.press("c")
    page.keyboard.press("Escape")
    page.keyboard.press("2")
    page.keyboard.press("j")
    expect(page).not_to_have_url(re.compile(rf"#task={first}$"))
    second = shown_task(page)
    page.keyboard.press("c")
    expect(page.locator(".lease")).to_have_text("Claiming …")
    page.keyboard.type("For the second")

    claims.go_on()
    expect(page.locator("#status")).to_contain_text("Done: Not reached")
    expect(page.locator(".lease")).to_have_text("Claiming …")
    claims.go_on()
    expect(page.locator(".lease")).to_contain_text("Yours until")
    expect(page.locator("#note")).to_have_value("For the second")
    expect(page.locator("#note")).to_be_focused()
    assert shown_task(page) == second
    assert state_of(window.site, first) == ("done", "not_reached")
    assert state_of(window.site, second) == ("claimed", None)


def test_a_key_means_the_task_that_was_selected_last(visit: Open) -> None:
    """J and c at once: the next task is claimed, not the one that still stood there."""
    window = visit()
    window.open_desk(DIEGO)
    page, first = window.page, shown_task(window.page)
    tasks = Held(page, re.compile(r"/v1/tasks/\d+$"))
    page.keyboard.press("j")
    page.keyboard.press("c")
    page.wait_for_timeout(200)
    assert state_of(window.site, first) == ("open", None)
    tasks.go_on()
    expect(page.locator(".lease")).to_contain_text("Yours until")
    second = shown_task(page)
    assert second != first
    assert state_of(window.site, second) == ("claimed", None)
    assert state_of(window.site, first) == ("open", None)


def test_a_task_taken_back_while_it_is_claimed_is_seen(visit: Open) -> None:
    """The news comes before the claim's answer, which is older: the task is read again after it."""
    window = visit()
    window.open_desk(DIEGO)
    page, task = window.page, shown_task(window.page)
    claims = Held(page, "**/claim")
    page.keyboard.press("c")
    expect(page.locator(".lease")).to_have_text("Claiming …")
    route = claims.next()
    answer = route.fetch()
    window.site.sql(
        "UPDATE tasks SET state = 'withdrawn', lease_token = NULL, lease_until = NULL, closed_by = 'purchase', "
        "closed_at = now(), version = version + 1 WHERE id = $1",
        task,
    )
    expect(page.locator(".line-item", has=page.locator("[aria-current=true]"))).to_have_count(0)
    route.fulfill(response=answer)
    expect(page.locator(".act")).to_contain_text("Taken back: the customer bought.")
