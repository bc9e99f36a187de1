"""Probes and metrics."""

from __future__ import annotations

import asyncio
import hmac
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text

from services.api.access import PUBLIC, Access
from services.api.parts import parts_of
from services.api.problems import Problem

router = APIRouter(tags=["health"])
_READY_SECONDS: Final = 1.0
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})


class _Scrape(Access):
    """Prometheus: by its token; without one set, whoever is on this machine and came by no proxy."""

    def __init__(self) -> None:
        super().__init__(frozenset())

    async def __call__(self, request: Request) -> None:
        token = parts_of(request).settings.metrics_token
        if token is not None:
            given = request.headers.get("authorization", "").removeprefix("Bearer ").encode()
            if hmac.compare_digest(given, token.get_secret_value().encode()):
                return
        elif request.client and request.client.host in _LOOPBACK and not _was_proxied(request):
            return
        raise Problem(
            401, "metrics-token", "Give API_METRICS_TOKEN as Bearer token, or ask from this machine."
        )


def _was_proxied(request: Request) -> bool:
    return any(name in request.headers for name in ("forwarded", "x-forwarded-for", "x-real-ip"))


@router.get("/livez", response_class=PlainTextResponse, dependencies=[Depends(PUBLIC)])
async def livez() -> str:
    """Say that the event loop turns; never asks a dependency."""
    return "ok\n"


@router.get("/readyz", response_class=PlainTextResponse, dependencies=[Depends(PUBLIC)])
async def readyz(request: Request) -> Response:
    """Say whether PostgreSQL answers within a second."""
    try:
        async with asyncio.timeout(_READY_SECONDS), parts_of(request).engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
    except Exception:  # noqa: BLE001 -- whatever it is, we are not ready
        return PlainTextResponse("the database does not answer\n", 503)
    return PlainTextResponse("ok\n")


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request, _scrape: Annotated[None, Depends(_Scrape())]) -> Response:
    """Figures for Prometheus."""
    return Response(generate_latest(parts_of(request).metrics.registry), media_type=CONTENT_TYPE_LATEST)
