"""Customers and the overview."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path, Request, Response

from services.api.access import Staff, Watcher
from services.api.customer_views import CustomerView
from services.api.outlook_views import OutlookView
from services.api.overview import Overview, without_names
from services.api.parts import parts_of
from services.api.problems import ProblemView
from services.api.stories import StoryView
from services.api.sub_resources import SubResource

if TYPE_CHECKING:
    from services.api.task_views import View

router = APIRouter(prefix="/v1", responses={401: {"model": ProblemView}})
below = APIRouter(
    prefix="/v1",
    tags=["customers"],
    responses={401: {"model": ProblemView}, 404: {"model": ProblemView}},
    route_class=SubResource,
)
CustomerId = Annotated[str, Path(pattern=r"^[A-Za-z0-9._:@/+-]{1,128}$")]
Revision = Annotated[int, Path(ge=1, le=2**63 - 1)]


@below.get(
    "/customers/{customer_id:path}/outlook",
    response_model=OutlookView,
    responses={304: {"description": "as you have it"}, 503: {"model": ProblemView}},
)
async def get_outlook(request: Request, me: Staff, customer_id: CustomerId) -> Response:
    """Read what keeps or lifts a customer's tiers, their segments, and what the model expects of them.

    Exact, found by calling the scoring core: 30 ms as a rule, seconds for who bought thousands of times; 503
    says that it is not ready yet. Write a slash that belongs to the id as `%2F`. Whoever may read the
    customer may read this.
    """
    view = await parts_of(request).outlooks.get(me, customer_id)
    return _unless_known(request, view, leaving_out="as_of")


@below.get("/customers/{customer_id:path}/changes/{revision}/story")
async def get_story(request: Request, me: Staff, customer_id: CustomerId, revision: Revision) -> StoryView:
    """Read why one tier change happened, line by line, and whether its proof agrees with itself.

    `revision` is that of a line of the customer's timeline.
    """
    return await parts_of(request).stories.get(me, customer_id, revision)


@router.get(
    "/customers/{customer_id:path}",
    tags=["customers"],
    response_model=CustomerView,
    responses={304: {"description": "as you have it"}, 404: {"model": ProblemView}},
)
async def get_customer(request: Request, me: Staff, customer_id: CustomerId) -> Response:
    """Read a customer: tier and why, score and its parts, purchases of the window, warnings, timeline.

    An advisor sees customers for whom they hold or held a task, or for whom one of their team waits.
    """
    parts = parts_of(request)
    view = await parts.customers.get(me, customer_id, (await parts.clock.now()).now)
    return _unless_known(request, view, leaving_out="now")


@router.get("/overview", tags=["overview"])
async def get_overview(request: Request, me: Watcher) -> Overview:
    """Read the base at a glance: tier sizes, cut-offs, warnings, tasks, how far a replay is."""
    overview = await parts_of(request).overviews.get()
    return overview if me is None or me.is_manager else without_names(overview)


def _unless_known(request: Request, view: View, *, leaving_out: str) -> Response:
    """Return the view with a tag, or 304 to whoever has it.

    The tag leaves the time out: a page that asks again a second later has the same answer.
    """
    tag = f'"{blake2b(view.model_dump_json(exclude={leaving_out}).encode(), digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    known = {one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")}
    if tag in known:
        return Response(status_code=304, headers=headers)
    return Response(view.model_dump_json().encode(), media_type="application/json", headers=headers)
