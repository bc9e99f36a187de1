"""Errors as RFC 9457 problem details: what happened and what to do, in words, and nothing of the inside."""

from __future__ import annotations

import http
import traceback
from typing import TYPE_CHECKING, Any, Final

import structlog
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI, Request

MEDIA_TYPE = "application/problem+json"
# SQLSTATE classes: connection, rollback by conflict, resources, wrong moment, operator.
_AWAY: Final = frozenset({"08", "40", "53", "55", "57"})
_log = structlog.get_logger(__name__)


class Problem(Exception):  # noqa: N818 -- RFC 9457's word
    """An answer that is not the one asked for. ``code`` is stable, for programs; ``detail`` is for people."""

    def __init__(self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        """``detail`` says what happened and what to do next; it never holds a stack, SQL or a path."""
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})


class ProblemView(BaseModel):
    """An RFC 9457 problem."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(description="`urn:tierstream:problem:` and the code; stable, for programs")
    title: str = Field(description="the status in words")
    status: int
    detail: str = Field(description="what happened and what to do next, for people")
    errors: list[str] | None = Field(default=None, description="one line per field that is wrong")


def not_found(what: str) -> Problem:
    """Return the 404 that an unknown and a forbidden object share, so that it tells nothing about either."""
    return Problem(404, "not-found", f"There is no such {what} that you may see.")


def response(problem: Problem, errors: list[str] | None = None) -> JSONResponse:
    """Return the problem as an answer."""
    body: dict[str, Any] = {
        "type": f"urn:tierstream:problem:{problem.code}",
        "title": http.HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
    }
    if errors:
        body["errors"] = errors
    return JSONResponse(body, problem.status, problem.headers, media_type=MEDIA_TYPE)


async def _of_problem(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)  # noqa: S101 -- registered for it
    return response(error)


async def _of_validation(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 -- registered for it
    lines = [f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()[:20]]
    return response(Problem(422, "invalid", "Correct the fields that `errors` names."), lines)


_HINTS = {
    404: ("not-found", "There is nothing at this address; /v1/openapi.json lists what there is."),
    405: ("method", "This address does not take that method; /v1/openapi.json lists what it takes."),
    413: ("too-large", "The body is larger than this API takes (64 KiB); send less at a time."),
}


async def _of_http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 -- registered for it
    code, detail = _HINTS.get(error.status_code, ("refused", str(error.detail)))
    return response(Problem(error.status_code, code, detail, error.headers))


async def _of_database(_request: Request, error: Exception) -> JSONResponse:
    """A dependency that is away: say so and when to come back, and keep its text out of the answer."""
    if isinstance(error, DBAPIError) and not _is_away(error):
        return await _of_unexpected(_request, error)
    _log.warning("database_unavailable", error=type(error).__name__)
    return response(
        Problem(
            503,
            "unavailable",
            "The database did not answer; try again in a few seconds.",
            {"Retry-After": "3"},
        )
    )


def _is_away(error: DBAPIError) -> bool:
    """Whether PostgreSQL is away, full, busy or stopping, and not at odds with our statement."""
    if isinstance(error, (OperationalError, InterfaceError)) or error.connection_invalidated:
        return True
    return str(getattr(error.orig, "sqlstate", None))[:2] in _AWAY


async def _of_bug(_request: Request, _error: Exception) -> JSONResponse:
    """Answer only: the server logs the stack of what passes here, once."""
    return response(_internal())


async def _of_unexpected(_request: Request, error: Exception) -> JSONResponse:
    # As text: a renderer that shows local variables would put them into the log.
    _log.error("request_failed", stack="".join(traceback.format_exception(error)))
    return response(_internal())


def _internal() -> Problem:
    return Problem(500, "internal", "Something went wrong on our side; the log has the cause.")


def install(app: FastAPI) -> None:
    """Make every error of ``app`` a problem."""
    app.add_exception_handler(Problem, _of_problem)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http)
    for unavailable in (DBAPIError, PoolTimeoutError, OSError, TimeoutError):
        app.add_exception_handler(unavailable, _of_database)
    app.add_exception_handler(Exception, _of_bug)
