"""The application, put together from its settings; nothing is made at import."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from fastapi.routing import APIRouter
from prometheus_client import CollectorRegistry
from starlette.staticfiles import StaticFiles

from services.api import customer_routes, health, ops, pages, policies, problems, sign_in, stream, task_routes
from services.api.access import Gate, Staff, check_every_route
from services.api.compressed import Compressed
from services.api.database import open_engine
from services.api.headers import Outermost
from services.api.hub import cancelled
from services.api.pages import Pages
from services.api.parts import assemble
from services.api.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from services.api.settings import ApiSettings

_DESCRIPTION: Final = """
What advisors, managers and their tools read and do. Errors are RFC 9457 problems: `type` is stable, `detail`
is for people. Give the access token as `Authorization: Bearer`; pages use a cookie, and then every change
must come from our own pages (`Origin`), or carry `X-Tierstream: desk`.
"""


def build(settings: ApiSettings, registry: CollectorRegistry | None = None) -> FastAPI:
    """Return the application. It connects when first asked, so PostgreSQL may be away at the start.

    Raises:
        RuntimeError: a route has no policy.
        ValueError: settings that can't be.
    """
    engine = open_engine(settings)
    parts = assemble(settings, engine, registry or CollectorRegistry())

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        reader = asyncio.create_task(parts.hub.run(), name="feed")
        try:
            yield
        finally:
            parts.hub.close()
            await cancelled(reader)
            parts.outlooks.close()
            await engine.dispose()

    app = FastAPI(
        title="Tierstream",
        version=version("tierstream"),
        description=_DESCRIPTION,
        lifespan=lifespan,
        openapi_url=None,  # our own route has a policy; the interactive pages would load foreign scripts
        docs_url=None,
        redoc_url=None,
        max_body_size=settings.body_bytes_max,
    )
    tokens = Tokens(settings)
    app.state.parts = parts
    app.state.tokens = tokens
    app.state.gate = Gate(settings, tokens, parts.people)
    app.state.pages = Pages()
    problems.install(app)
    for router in (health.router, sign_in.router, task_routes.router, ops.router):
        app.include_router(router)
    app.include_router(customer_routes.below)  # before the customers: their ids may hold slashes
    app.include_router(customer_routes.router)
    app.include_router(policies.router)
    app.include_router(stream.router)
    app.include_router(_own_description(app))
    app.include_router(pages.router)
    app.mount("/static", StaticFiles(directory=str(pages.STATIC)), name="static")
    app.add_middleware(Compressed)
    app.add_middleware(Outermost, metrics=parts.metrics, allowed_hosts=settings.allowed_hosts)
    check_every_route(app)
    return app


def _own_description(app: FastAPI) -> APIRouter:
    router = APIRouter(tags=["description"])

    @router.get("/v1/openapi.json", response_class=JSONResponse)
    async def describe_api(_me: Staff) -> Any:
        """Describe this API as OpenAPI."""
        return app.openapi()

    return router
