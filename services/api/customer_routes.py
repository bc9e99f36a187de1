"""Customers and the overview."""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from services.api.access import Staff, Watcher
from services.api.customer_views import CustomerView
from services.api.overview import Overview, without_names
from services.api.parts import parts_of
from services.api.problems import ProblemView

router = APIRouter(prefix="/v1", responses={401: {"model": ProblemView}})
CustomerId = Annotated[str, Path(pattern=r"^[A-Za-z0-9._:@/+-]{1,128}$")]


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
    body = view.model_dump_json().encode()
    # The tag leaves `now` out: a page that asks again a second later has the same customer.
    tag = f'"{blake2b(view.model_dump_json(exclude={"now"}).encode(), digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    known = {one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")}
    if tag in known:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


@router.get("/overview", tags=["overview"])
async def get_overview(request: Request, me: Watcher) -> Overview:
    """Read the base at a glance: tier sizes, cut-offs, warnings, tasks, how far a replay is."""
    overview = await parts_of(request).overviews.get()
    return overview if me is None or me.is_manager else without_names(overview)
