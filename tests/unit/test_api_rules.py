"""The API's rules that need no database: policies, visibility, places, words, settings."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, Depends, FastAPI
from pydantic import ValidationError
from sqlalchemy import select
from starlette.staticfiles import StaticFiles

import services.api
from schemas.tasks import TaskState
from schemas.tiers import ChurnKind, EpisodeEnd, WinBackReason
from services.api import task_sql
from services.api.access import MANAGERS, PUBLIC, Principal, check_every_route
from services.api.app import build
from services.api.customer_view import CURVE_BANDS, Base
from services.api.cuts_view import cuts_view
from services.api.feed import BEGINNING, Change, Place, place_of
from services.api.hub import CLOSED, Client, shows, told
from services.api.ops import escaped
from services.api.problems import Problem
from services.api.settings import ApiSettings
from services.api.stale import stale
from services.api.task_views import TaskCard
from services.api.texts import LANGUAGES, texts_of
from services.scorer.core.cuts import empty_histogram, histogram_to_bytes
from services.scorer.core.policy import Ladder, Level, Policy

PACKAGE = Path(services.api.__file__).parent
NOW = datetime(2026, 3, 12, tzinfo=UTC)


def somebody(user_id: str = "diego", role: str = "advisor", team: str = "service") -> Principal:
    """Return a principal."""
    return Principal(user_id, user_id.title(), role, team, 2e9)


def card(**other: Any) -> TaskCard:
    """Return a card."""
    plain: dict[str, Any] = {
        "id": 7, "customer_id": "C-1", "playbook": "call_back_silent", "kind": "call", "team": "service",
        "urgency": 2, "tier": "at_risk", "title": "Call", "state": "open", "created_at": NOW, "due_at": NOW,
        "assigned_to": None, "assigned_name": None, "lease_until": None, "version": 1,
    }  # fmt: skip
    return TaskCard(**{**plain, **other})


def changed(assigned_to: str | None = None) -> Change:
    """Return a row of the feed."""
    return Change(Place(10, 3), "task-changed", "C-1", 7, assigned_to)


def test_the_application_has_a_policy_on_every_route() -> None:
    """It would not start otherwise."""
    build(ApiSettings(dev_issuer=True))


def test_an_application_with_an_open_route_does_not_start() -> None:
    """Forgetting is an error at the start, not a hole in production."""

    async def nothing() -> None:
        """Answer nothing."""

    def app(*dependencies: Any, path: str = "/v1/secret") -> FastAPI:
        made, router = FastAPI(openapi_url=None), APIRouter()
        router.add_api_route(path, nothing, dependencies=[Depends(one) for one in dependencies])
        made.include_router(router)
        return made

    check_every_route(app(MANAGERS))
    check_every_route(app(PUBLIC, path="/livez"))
    with pytest.raises(RuntimeError, match="/v1/secret has no policy"):
        check_every_route(app())
    with pytest.raises(RuntimeError, match="PUBLIC_PATHS"):
        check_every_route(app(PUBLIC))
    mounted = app(MANAGERS)
    mounted.mount("/files", StaticFiles(directory=PACKAGE))
    with pytest.raises(RuntimeError, match="/files"):
        check_every_route(mounted)


def test_production_refuses_the_development_issuer() -> None:
    """Off by default, and not to be switched on by accident."""
    assert not ApiSettings().dev_issuer
    with pytest.raises(ValidationError, match="API_DEV_ISSUER"):
        ApiSettings(dev_issuer=True, environment="prod")


@pytest.mark.parametrize(
    ("who", "assigned", "team", "told_of", "hears", "sees"),
    [
        pytest.param(somebody(), "diego", "service", "diego", True, True, id="mine"),
        pytest.param(somebody(), None, "service", None, True, True, id="nobody's in my team"),
        pytest.param(somebody(), "leila", "service", "leila", False, False, id="a colleague's"),
        pytest.param(somebody(), None, "senior", None, False, False, id="another team's"),
        pytest.param(somebody(), "leila", "service", "diego", True, False, id="was mine"),
        pytest.param(somebody(), "leila", "service", None, True, False, id="a colleague of my team took it"),
        pytest.param(
            somebody(), "amara", "senior", None, False, False, id="somebody of another team took it"
        ),
        pytest.param(
            somebody(role="manager"), "amara", "senior", "amara", True, True, id="a manager sees all"
        ),
        pytest.param(None, None, "service", None, False, False, id="not signed in"),
    ],
)
def test_who_hears_of_a_change_and_who_sees_the_task(
    who: Principal | None, assigned: str | None, team: str, told_of: str | None, *, hears: bool, sees: bool
) -> None:
    """Whoever loses a task hears that it is gone; nobody else hears of it."""
    now = card(assigned_to=assigned, team=team)

    assert shows(who, changed(told_of), now) == (hears, sees)
    block = told(changed(told_of), now).to(who)
    assert (block is not None) is hears
    if block is not None:
        data = json.loads(block.decode().split("data: ")[1])
        assert (data["task"] is not None) is sees


async def test_a_client_that_reads_too_slowly_is_closed_and_holds_nothing() -> None:
    """Its queue is dropped at once: memory is bounded by the queue, never by its patience."""
    client = Client(somebody(), asyncio.Queue(2), BEGINNING, BEGINNING)
    assert client.offer(b"a")
    assert client.offer(b"b")
    assert not client.offer(b"c")
    assert not client.open
    assert client.queue.get_nowait() == CLOSED
    assert client.queue.empty()


@pytest.mark.parametrize(
    "text", ["", "7", "7.", ".7", "7.8.9", "-1.2", "1e3.4", "7.8\n", "٣.٤", "9" * 30 + ".1"]
)
def test_a_place_is_two_numbers_and_nothing_else(text: str) -> None:
    """Whatever else comes as Last-Event-ID begins afresh."""
    assert place_of(text) is None
    assert place_of(str(Place(17, 4))) == Place(17, 4)


@dataclass(frozen=True)
class Row:
    """A task's row as ``stale`` reads it."""

    state: str
    team: str = "service"
    assigned_to: str | None = "diego"
    outcome: str | None = None
    closed_by: str | None = None


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (Row("open"), "lease-over"),
        (Row("claimed"), "lease-elsewhere"),
        (Row("claimed", assigned_to="leila"), "task-taken"),
        (Row("withdrawn", closed_by="purchase"), "task-withdrawn"),
        (Row("withdrawn", closed_by="something new"), "task-withdrawn"),
        (Row("done", closed_by="diego", outcome="lost"), "task-done"),
        (Row("history", closed_by="replay"), "task-history"),
        (Row("open", assigned_to="leila"), "not-found"),
        (Row("claimed", assigned_to="amara", team="senior"), "not-found"),
        (Row("open", assigned_to=None, team="senior"), "not-found"),
        (None, "not-found"),
    ],
)
def test_being_late_is_explained(row: Row | None, code: str) -> None:
    """A sentence of its own for each way of losing a task; what one may not see stays unknown."""
    problem = stale(somebody(), row)

    assert problem.code == code
    assert problem.status == (404 if code == "not-found" else 409)
    assert problem.detail.endswith(".")


def test_every_state_is_explained() -> None:
    """A new state without words would fall through to the wrong ones."""
    told_states = {TaskState.OPEN, TaskState.CLAIMED, TaskState.WITHDRAWN, TaskState.DONE, TaskState.HISTORY}
    assert set(TaskState) == told_states


@pytest.mark.parametrize(
    "cursor", ["", "x", "é", base64.urlsafe_b64encode(b"[1]").decode(), base64.urlsafe_b64encode(b'["a",1,2]').decode(),
               base64.urlsafe_b64encode(b"[1,1e300,2]").decode(), base64.urlsafe_b64encode(b"{}").decode()]
)  # fmt: skip
def test_a_cursor_that_is_not_ours_is_refused(cursor: str) -> None:
    """In words, never as an error of the server."""
    with pytest.raises(Problem, match="next_cursor"):
        task_sql.after(select(task_sql.t.id), cursor)


def test_the_crowd_counts_everybody_once() -> None:
    """The curve holds all, both ends included, and better_than counts those strictly below."""
    lane = empty_histogram()
    for score in (0, 199, 200, 5000, 5000, 9999, 10_000):
        lane[score] += 1
    base = Base([histogram_to_bytes(lane), histogram_to_bytes(lane)])

    assert (base.active, len(base.curve), sum(base.curve)) == (14, CURVE_BANDS, 14)
    assert (base.curve[0], base.curve[1], base.curve[-1]) == (4, 2, 4)
    assert base.crowd(5000).better_than == 6 / 14
    assert base.crowd(None).better_than is None
    assert Base([]).crowd(5000).better_than is None


@dataclass(frozen=True)
class CutRow:
    """A row of ``cut_offs`` as ``cuts_view`` reads it."""

    cuts: list[int] | None
    tied: list[int]
    version: int = 3
    at_ms: int = 0
    active: int = 9


def ladder_of(by: str, *levels: Level) -> Policy:
    """Return a policy with this ladder."""
    return Policy(churn=(), tiers=Ladder(by=by, levels=levels))  # type: ignore[arg-type]


def test_cut_offs_are_named_by_their_policy() -> None:
    """Each edge names who is above it and who below, and whether it counts from the top."""
    policy = ladder_of(
        "percentile",
        *(Level(name="gold", percent=5), Level(name="silver", percent=15)),
        *(Level(name="tin"), Level(name="dust", percent=10)),
    )
    view = cuts_view(CutRow([9, 8, 7, 6, 5, 4, 3, 2, 1], [4, 0, 2]), policy)

    assert [(one.above, one.below, one.from_top) for one in view.cuts] == [
        ("gold", "silver", True),
        ("silver", "tin", True),
        ("tin", "dust", False),
    ]
    assert [(one.enter, one.plain, one.leave, one.tied) for one in view.cuts] == [
        (9, 8, 7, 4), (6, 5, 4, 0), (3, 2, 1, 2),
    ]  # fmt: skip
    assert cuts_view(CutRow(None, []), policy).cuts == []


def test_fixed_cut_offs_need_no_crowd() -> None:
    """Thresholds stand in the policy; nobody ties at them, and money is in minor units."""
    policy = ladder_of("spend", Level(name="gold", at_least=20_000), Level(name="plain"))
    (edge,) = cuts_view(CutRow(None, []), policy).cuts

    assert (edge.above, edge.below, edge.plain, edge.leave) == ("gold", "plain", 2_000_000, 1_960_000)
    assert (edge.from_top, edge.tied) == (True, None)


def test_every_end_of_a_warning_has_words() -> None:
    """Wherever it is shown: on the task, in the timeline, and to whoever came too late."""
    english = texts_of("en")
    for end in EpisodeEnd:
        assert f"closed.{end}" in english
        assert f"cause.{end}" in english
        detail = stale(somebody(), Row("withdrawn", closed_by=str(end))).detail
        assert "its reason is over" not in detail
    assert all(f"reason.{reason}" in english for reason in WinBackReason if reason != "unknown")
    bases = {kind.value for kind in ChurnKind} - {"disengaged"} | {"unsubscribed", "complaint"}
    assert all(f"basis.{basis}" in english for basis in bases)


def test_bytes_are_shown_without_letting_them_act() -> None:
    """Control characters and backslashes are escaped, so that the text is unambiguous."""
    assert escaped(b"a\x00\x1b[2J\\\xff\n") == "a\\x00\\x1b[2J\\x5c\\xff\\x0a"
    assert escaped(None) is None


def test_every_text_is_there_and_every_one_is_used() -> None:
    """In every language the same keys; what the scripts and templates ask for, literally or by a prefix."""
    english = texts_of("en")
    for language in LANGUAGES:
        assert texts_of(language).keys() == english.keys()
    sources = [*PACKAGE.glob("static/*.js"), *PACKAGE.glob("templates/*.html")]
    source = "\n".join(path.read_text() for path in sources)
    asked = set(re.findall(r'\bt\("([a-z0-9_. ]+)"(?! \+)', source))
    counted = set(re.findall(r'\btn\("([a-z0-9_.]+)"', source))
    assert asked <= english.keys()
    assert all(f"{key}.{form}" in english for key in counted for form in ("one", "other"))
    literal = set(re.findall(r'"([a-z0-9_.]+)"', source))
    prefixes = tuple(set(re.findall(r"`([a-z_]+\.(?:[a-z_]+[._])?)\$\{", source)) | {"team.", "role."})
    plural = {f"{key}.{form}" for key in counted for form in ("one", "other")}
    unused = {key for key in english if key not in literal | plural and not key.startswith(prefixes)}
    assert unused == set()


def test_pages_hold_no_script_and_no_style_of_their_own() -> None:
    """The content policy would stop them; all markup is made of text nodes."""
    for path in PACKAGE.glob("templates/*.html"):
        text = path.read_text()
        assert "style=" not in text
        assert not re.search(r"\son[a-z]+=", text)
        assert all("src=" in tag or "application/json" in tag for tag in re.findall(r"<script[^>]*>", text))
    for path in PACKAGE.glob("static/*.js"):
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", path.read_text()
        ), path
