"""An advisor's day in a real browser: see, claim, note, complete; live, by keyboard, on any screen."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.e2e.conftest import OUT, Visit

DIEGO = "diego.ferreira"
BYTES_MAX = 100_000
INSERT = (
    "INSERT INTO tasks (task_key, customer_id, lane, playbook, kind, team, urgency, tier, title, why, advice, "
    "evidence, causes, created_at, due_at, assigned_to) SELECT $1, $1, 0, playbook, kind, team, 1, tier, title, why, "
    "advice, evidence, causes, created_at, created_at + interval '1 hour', $2 FROM tasks LIMIT 1 RETURNING id"
)
Open = Callable[..., Visit]


def shown_task(page: Page) -> int:
    """Return the id of the task in the address."""
    page.wait_for_url(re.compile(r"#task=\d+$"))
    return int(page.url.rsplit("=", 1)[1])


def violations(page: Page) -> list[str]:
    """Return what axe-core finds, WCAG 2.2 AA and good practice."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:120]} {node.get('failureSummary', '')}"
        for one in found
        for node in one["nodes"]
    ]


def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


def test_an_advisor_s_round_takes_three_keys_and_a_note(visit: Open) -> None:
    """See, claim, note, complete: c, the note, Ctrl+Enter, Enter; the row says so, the next task is there."""
    window = visit()
    window.open_desk(DIEGO)
    page, task = window.page, shown_task(window.page)
    page.keyboard.press("c")
    expect(page.locator("#note")).to_be_focused()
    page.keyboard.type("Was ill; wants the spring catalogue. c d j 1")
    page.keyboard.press("Control+Enter")
    page.keyboard.press("Enter")

    expect(page.locator("#status")).to_contain_text("Done: Reached")
    (row,) = window.site.sql("SELECT state, outcome, closed_by FROM tasks WHERE id = $1", task)
    assert tuple(row) == ("done", "reached", DIEGO)
    (note,) = window.site.sql("SELECT body, author FROM task_notes WHERE task_id = $1", task)
    assert tuple(note) == ("Was ill; wants the spring catalogue. c d j 1", DIEGO)
    expect(page).not_to_have_url(re.compile(rf"#task={task}$"))
    expect(page.locator(".line[aria-current=true]")).to_have_count(1)
    assert page.evaluate("localStorage.length") == 0


def test_the_start_page_has_one_button_to_the_first_task(visit: Open) -> None:
    """From the first sight to a claimed task in one click, with the figures on the way."""
    window = visit()
    page = window.page
    page.goto(window.site.address)
    expect(page.locator("#now")).to_contain_text("12 March 2026")
    expect(page.locator(".tier-row")).to_have_count(4)
    expect(page.locator("#warnings li")).to_have_count(6)
    page.click("button[value=take]")
    expect(page.locator("#note")).to_be_visible()
    (row,) = window.site.sql("SELECT count(*) FROM tasks WHERE state = 'claimed' AND assigned_to = $1", DIEGO)
    assert row[0] == 1


def test_figures_fill_up_live(visit: Open) -> None:
    """The start page moves by itself."""
    window = visit()
    window.page.goto(window.site.address)
    expect(window.page.locator("#live")).to_have_attribute("data-live", "on")
    window.site.sql(
        "UPDATE lanes SET offsets[1] = offsets[1] + 1000000, clock_ms = clock_ms + 86400000 WHERE service = 'scorer'"
    )
    expect(window.page.locator("#figures")).to_contain_text("2,00")
    expect(window.page.locator("#now")).to_contain_text("13 March 2026")


def test_a_slow_first_count_does_not_make_the_figures_stand_still(visit: Open) -> None:
    """The count waits for a lock, as it may for a processor: how long it took says nothing of the next ones."""
    window = visit()
    site = window.site
    hold = "DO $$ BEGIN LOCK TABLE tier_changes IN ACCESS EXCLUSIVE MODE; PERFORM pg_sleep(0.8); END $$"
    held = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted"
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(site.sql, hold)
        while not site.sql(held)[0][0] and not slow.done():
            pass
        window.page.goto(site.address)
        slow.result()
    expect(window.page.locator("#live")).to_have_attribute("data-live", "on")
    site.sql("UPDATE lanes SET offsets[1] = offsets[1] + 1000000 WHERE service = 'scorer'")
    expect(window.page.locator("#figures")).to_contain_text("2,00")


def test_new_tasks_never_move_what_is_under_the_pointer(visit: Open) -> None:
    """While the pointer is on the queue a new task waits behind a quiet button; then it slides in."""
    window = visit()
    window.open_desk(DIEGO)
    page = window.page
    page.hover(".line-item:nth-child(3)")
    under = page.locator(".line-item:nth-child(3) .line-who").inner_text()
    before = page.locator(".line-item:nth-child(3)").bounding_box()
    (new,) = window.site.sql(INSERT, "C-NEW-1", DIEGO)
    expect(page.locator(".queue-new")).to_have_text("1 new")
    assert page.locator(".line-item:nth-child(3)").bounding_box() == before
    assert page.locator(".line-item:nth-child(3) .line-who").inner_text() == under

    page.mouse.move(900, 300)
    expect(page.locator(".line-item:nth-child(1)")).to_contain_text("C-NEW-1")
    expect(page.locator(".queue-new")).to_be_hidden()
    window.site.sql("UPDATE tasks SET state = 'withdrawn', closed_by = 'purchase' WHERE id = $1", new["id"])
    expect(page.locator(".line-item", has_text="C-NEW-1")).to_have_count(0)


def test_a_task_taken_back_says_so_and_keeps_the_note(visit: Open) -> None:
    """The customer buys while the advisor writes: in words, at once, and nothing written is lost."""
    window = visit()
    window.open_desk(DIEGO)
    page, task = window.page, shown_task(window.page)
    page.keyboard.press("c")
    page.keyboard.type("They said that")
    expect(page.locator(".lease")).to_contain_text("until")
    window.site.sql(
        "UPDATE tasks SET state = 'withdrawn', lease_token = NULL, lease_until = NULL, closed_by = 'purchase', "
        "closed_at = now(), version = version + 1 WHERE id = $1",
        task,
    )
    expect(page.locator(".act")).to_contain_text("Taken back: the customer bought.")
    expect(page.locator(".kept")).to_contain_text("They said that")
    expect(page.locator("#note")).to_have_count(0)


def test_a_lease_that_ran_out_says_so_and_goes_on(visit: Open) -> None:
    """Refused in words; claimed again, the note is still there."""
    window = visit()
    window.open_desk(DIEGO)
    page, task = window.page, shown_task(window.page)
    page.keyboard.press("c")
    page.keyboard.type("Half a sentence")
    expect(page.locator(".lease")).to_contain_text("until")
    # Without the trigger: nobody tells the desk, as when the clock alone moves.
    window.site.sql("ALTER TABLE tasks DISABLE TRIGGER feed_of_tasks")
    window.site.sql("UPDATE tasks SET lease_until = clock_timestamp() - interval '1 s' WHERE id = $1", task)
    page.keyboard.press("Control+Enter")
    page.keyboard.press("Enter")
    expect(page.locator(".act .problem")).to_contain_text("ran out")
    window.troubles.clear()  # the browser reports every 409 as an error
    page.keyboard.press("c")
    expect(page.locator("#note")).to_have_value("Half a sentence")


def test_the_draft_outlives_a_reload(visit: Open) -> None:
    """And so does the claim."""
    window = visit()
    window.open_desk(DIEGO)
    page = window.page
    page.keyboard.press("c")
    page.keyboard.type("Not sent yet")
    expect(page.locator(".lease")).to_contain_text("until")
    page.reload()
    expect(page.locator("#note")).to_have_value("Not sent yet")


def test_keys_move_skip_search_and_explain(visit: Open) -> None:
    """J and k, s, / and ?, none of them while somebody types."""
    window = visit()
    window.open_desk(DIEGO)
    page, first = window.page, shown_task(window.page)
    page.keyboard.press("j")
    expect(page).not_to_have_url(re.compile(rf"#task={first}$"))
    page.keyboard.press("k")
    expect(page).to_have_url(re.compile(rf"#task={first}$"))
    page.keyboard.press("s")
    expect(page).not_to_have_url(re.compile(rf"#task={first}$"))
    who = page.locator(".line-item:last-child .line-who").inner_text()
    page.keyboard.press("/")
    page.keyboard.type(who)
    expect(page.locator(".line-item")).to_have_count(1)
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()


def test_why_opens_the_proof(visit: Open) -> None:
    """The numbers that a tier change rests on, and they add up."""
    window = visit()
    window.open_desk(DIEGO)
    line = window.page.locator(".timeline li", has=window.page.locator(".mark")).first
    line.locator("summary").click()
    # The proof is fetched when it is asked for.
    expect(line.locator(".proof")).to_contain_text("High value: in from")
    cells = [int(text.replace(",", "")) for text in line.locator(".proof td").all_inner_texts()]
    assert abs(sum(cells[:3]) - cells[3]) <= 2
    expect(line.locator(".story")).to_contain_text("The proof checks")
    assert line.locator(".story li").count() > 5


def test_the_desk_weighs_less_than_100_kb(visit: Open) -> None:
    """From a cold cache, over the wire: page, style, scripts, first task and customer with outlook."""
    for user_id in (DIEGO, "ingrid.moreau"):
        window = visit()
        window.sign_in(user_id)
        window.weigh()
        window.page.goto(f"{window.site.address}/desk")
        window.page.wait_for_selector(".chips")
        loaded = window.bytes()
        assert any(path.endswith("/outlook") for path in loaded)
        for path in ("/desk", "/static/style.css", "/static/desk.js"):
            assert loaded[path] > 1_000, "it came from a cache"
        assert sum(loaded.values()) < BYTES_MAX, loaded


def test_the_card_says_what_keeps_and_lifts_the_tier(visit: Open) -> None:
    """In sentences with the amounts that the API gives, and the segments with their reasons."""
    window = visit()
    window.open_desk("ingrid.moreau")
    page = window.page
    outlook = page.locator(".outlook")
    expect(outlook.locator("h3")).to_have_text("What keeps or lifts this tier")
    expect(outlook.locator(".assumed")).to_be_visible()
    for _ in range(6):
        who = page.locator(".customer-head h2").inner_text()
        expect(outlook.locator(".assumed")).to_be_visible()
        answer = page.context.request.get(f"{window.site.address}/v1/customers/{who}/outlook").json()
        lift, keep = answer["lift"], answer["keep"]
        if lift["better"] and (lift["amount_minor"] or 0) > 1:
            said = f"A purchase of ${lift['amount_minor'] / 100:,.2f} today lifts them to "
            expect(outlook).to_contain_text(said)
        if keep["falls_at"] and (keep["amount_minor"] or 0) > 1:
            expect(outlook).to_contain_text("Without a purchase they fall to ")
            expect(outlook).to_contain_text(f"a purchase of ${keep['amount_minor'] / 100:,.2f} ")
        expect(page.locator(".chips")).to_contain_text("Stage")
        page.keyboard.press("j")
        expect(page.locator(".customer-head h2")).not_to_have_text(who)
    page.locator(".segments summary").click()
    expect(page.locator(".reasons")).to_contain_text("Stage: ")


def test_the_next_task_is_there_at_once(visit: Open) -> None:
    """From the key to the new heading: 100 ms is what feels instant; the bound leaves room for a busy machine."""
    window = visit()
    window.open_desk(DIEGO)
    took = window.page.evaluate(
        """async () => {
            const title = () => document.querySelector('.task-body .eyebrow')?.textContent;
            const times = [];
            for (let n = 0; n < 5; n += 1) {
                const before = title(), began = performance.now();
                dispatchEvent(new KeyboardEvent('keydown', { key: 'j', bubbles: true }));
                while (title() === before && performance.now() - began < 3000) await new Promise(requestAnimationFrame);
                times.push(performance.now() - began);
            }
            return times.sort((a, b) => a - b)[2];
        }"""
    )
    assert took < 400


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (768, 1024), (360, 740)])
def test_every_screen_is_readable_and_accessible(visit: Open, width: int, height: int, scheme: Any) -> None:
    """axe-core finds nothing, nothing overflows; the pictures are in out/ to be looked at."""
    OUT.mkdir(exist_ok=True)
    window = visit(width, height, scheme)
    page = window.page

    def look(name: str) -> None:
        page.wait_for_timeout(450)  # transitions
        page.screenshot(path=OUT / f"{name}-{width}-{scheme}.png")
        assert overflow(page) <= 0, name
        assert violations(page) == [], name

    page.goto(window.site.address)
    page.wait_for_selector("#live[data-live=on]")
    look("start")
    window.open_desk(DIEGO)
    look("queue")
    page.locator(".line").first.click()
    look("task")
    page.keyboard.press("c")
    page.keyboard.type("Was ill; wants the spring catalogue.")
    look("claimed")
    if width < 1216:
        page.locator(".task .pane-nav button").last.click()
    expect(page.locator(".outlook .assumed")).to_be_visible()
    look("card")
    page.locator(".segments summary").click()
    page.locator(".segments").evaluate("place => place.scrollIntoView()")
    look("segments")
    page.locator(".timeline > li:has(.mark) summary").first.click()
    expect(page.locator(".story li").first).to_be_visible()
    page.locator(".story").first.evaluate("place => place.scrollIntoView({ block: 'center' })")
    look("customer")
    page.locator("body").evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    look("keys")
