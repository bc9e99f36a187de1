"""The pages: a shell rendered here, with the first figures in it, so that nothing waits for a second request."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from services.api.access import PUBLIC, STAFF, Access, Gate, Principal
from services.api.overview import without_names
from services.api.parts import parts_of
from services.api.problems import Problem
from services.api.texts import texts_of

if TYPE_CHECKING:
    from services.api.parts import Parts

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
STATIC: Final = files("services.api").joinpath("static")
_LANGUAGE: Final = "en"
_FIRST_TASKS: Final = 60
_UNAUTHORIZED: Final = 401


class _Page(Access):
    """A page for staff; whoever has not signed in is sent to where they can."""

    async def __call__(self, request: Request) -> Principal:
        gate: Gate = request.app.state.gate
        try:
            return await gate.principal(request)
        except Problem as problem:
            if problem.status != _UNAUTHORIZED:
                raise
            raise Problem(303, "sign-in", "Sign in first.", {"Location": "/"}) from None


class Pages:
    """The templates, loaded once."""

    def __init__(self) -> None:
        """Compile lazily, escape always, and stop at a name that nobody gave."""
        self._environment = Environment(
            loader=PackageLoader("services.api", "templates"), autoescape=True, undefined=StrictUndefined
        )
        self._texts = texts_of(_LANGUAGE)

    def render(self, template: str, boot: dict[str, Any], **values: Any) -> HTMLResponse:
        """Return a page; ``boot`` is what its scripts begin with."""
        boot |= {"texts": self._texts, "language": _LANGUAGE}
        page = self._environment.get_template(template)
        return HTMLResponse(page.render(t=self._texts.__getitem__, language=_LANGUAGE, boot=boot, **values))


@router.get("/", dependencies=[Depends(PUBLIC)])
async def start_page(request: Request) -> HTMLResponse:
    """Show what is happening, and who one can be."""
    parts = parts_of(request)
    me = await _whoever(request)
    people = await parts.people.active() if parts.settings.dev_issuer else []
    overview = None
    if me is not None or parts.settings.dev_issuer:
        overview = await _overview(parts, me)
    boot = {"me": _me(me), "overview": overview}
    return _pages(request).render(
        "start.html",
        boot,
        me=me,
        people=people,
        dev_issuer=parts.settings.dev_issuer,
        live=overview is not None,
    )


@router.get("/desk")
async def desk_page(request: Request, me: Annotated[Principal, Depends(_Page(STAFF.roles))]) -> HTMLResponse:
    """Show the advisor's desk."""
    parts = parts_of(request)
    now = (await parts.clock.now()).now
    queue = await parts.tasks.page(me, now=now, limit=_FIRST_TASKS)
    boot = {"me": _me(me), "overview": await _overview(parts, me), "queue": queue.model_dump(mode="json")}
    return _pages(request).render("desk.html", boot, me=me)


async def _whoever(request: Request) -> Principal | None:
    gate: Gate = request.app.state.gate
    try:
        return await gate.principal(request)
    except Problem:
        return None


async def _overview(parts: Parts, me: Principal | None) -> dict[str, Any]:
    overview = await parts.overviews.get()
    return (overview if me is None or me.is_manager else without_names(overview)).model_dump(mode="json")


def _me(me: Principal | None) -> dict[str, str] | None:
    return None if me is None else {"user_id": me.user_id, "name": me.name, "role": me.role, "team": me.team}


def _pages(request: Request) -> Pages:
    pages: Pages = request.app.state.pages
    return pages
