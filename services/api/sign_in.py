"""The development sign-in: one click per person. Off by default, refused in production."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from services.api.access import COOKIE, PUBLIC
from services.api.parts import parts_of
from services.api.problems import Problem, ProblemView
from services.api.task_views import Body, View
from services.api.tokens import Tokens

router = APIRouter(prefix="/v1/dev", tags=["sign-in (development)"], dependencies=[Depends(PUBLIC)])


class SignIn(Body):
    """Who to be."""

    user_id: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")]


class Session(View):
    """An access token, also set as the desk's cookie."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 -- RFC 6750's word
    expires_at: datetime
    user_id: str
    name: str
    role: str
    team: str


@router.post("/login", responses={404: {"model": ProblemView, "description": "off, or no such person"}})
async def log_in(request: Request, response: Response, body: SignIn) -> Session:
    """Sign in as anybody, without a password. For demos."""
    parts = parts_of(request)
    tokens: Tokens = request.app.state.tokens
    if not parts.settings.dev_issuer:
        raise Problem(404, "not-found", "There is no development sign-in here; use your company's.")
    person = await parts.people.find(body.user_id)
    if person is None:
        raise Problem(404, "not-found", "There is no active person of that id.")
    token, expires_at = tokens.issue(
        user_id=person.user_id, role=person.role, team=person.team, now=time.time()
    )
    response.set_cookie(
        COOKIE,
        token,
        max_age=parts.settings.token_minutes * 60,
        path="/",
        httponly=True,
        samesite="strict",
        secure=parts.settings.secure_cookie,
    )
    return Session(
        access_token=token,
        expires_at=datetime.fromtimestamp(expires_at, UTC),
        user_id=person.user_id,
        name=person.name,
        role=person.role,
        team=person.team,
    )


@router.post("/logout", status_code=204)
async def log_out(response: Response) -> None:
    """Forget the desk's cookie."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
