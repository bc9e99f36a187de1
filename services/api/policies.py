"""Policies: read them, check one, put one in force. A version stays; the lanes follow the highest one."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import Field
from sqlalchemy import text

from services.api.access import Principal, require
from services.api.parts import parts_of
from services.api.problems import Problem, ProblemView, not_found, response
from services.api.task_views import View
from services.scorer.core.policy import Policy
from services.scorer.policies import PolicyError, read_policy, write_policy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Row

_TRIES_MAX: Final = 5
_YAML: Final = "application/yaml"
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "the policy as YAML 1.2, in UTF-8",
        "content": {_YAML: {"schema": {"type": "string"}}},
    }
}
_LIST: Final = text("""
SELECT version, body->>'name' AS name, body->>'currency' AS currency, body->>'time_zone' AS time_zone,
       activated_at, note,
       (SELECT count(*) FROM lanes WHERE service = 'scorer') AS lanes,
       (SELECT count(*) FROM lanes WHERE service = 'scorer' AND versions[2] = version) AS lanes_here
FROM policies ORDER BY version DESC LIMIT :limit""")
_ONE: Final = text("SELECT version, body, source, note, activated_at FROM policies WHERE version = :version")
# One statement: nothing is written when the newest version says the same, and of two people who activate
# at once the second one's row waits for the next number.
_ACTIVATE: Final = text("""
INSERT INTO policies (version, body, source, note)
SELECT coalesce(max(version), 0) + 1, CAST(:body AS jsonb), :source, :note FROM policies
HAVING (SELECT body FROM policies ORDER BY version DESC LIMIT 1) IS DISTINCT FROM CAST(:body AS jsonb)
ON CONFLICT DO NOTHING
RETURNING version""")
_NEWEST: Final = text("""
SELECT version, body = CAST(:body AS jsonb) AS same FROM policies ORDER BY version DESC LIMIT 1""")

Version = Annotated[int, Path(ge=1, le=2**31 - 1)]
# No person has the analyst's role yet; the route is ready for it.
Editor = Annotated[Principal, Depends(require("analyst", "manager"))]
router = APIRouter(
    prefix="/v1/policies",
    tags=["policies"],
    responses={401: {"model": ProblemView}, 403: {"model": ProblemView}},
)


class PolicyLine(View):
    """One version in the list."""

    version: int
    name: str
    currency: str
    time_zone: str
    activated_at: datetime
    note: str
    lanes: int = Field(description="lanes there are")
    lanes_here: int = Field(description="lanes that decide by this version now")


class PolicyView(View):
    """One version, whole."""

    version: int
    activated_at: datetime
    note: str
    source: str = Field(description="the YAML as it was given")
    body: dict[str, Any] = Field(description="every key, with the defaults of its time")


class MistakeView(View):
    """One mistake in a policy."""

    line: int = Field(description="from 1")
    column: int = Field(description="from 1")
    path: str = Field(description="the part of the policy, such as `churn[1].days`; empty for the whole")
    what: str
    remedy: str


class Checked(View):
    """What a check found."""

    valid: bool
    mistakes: list[MistakeView]
    body: dict[str, Any] | None = Field(description="the policy with its defaults, when it is valid")


class Activated(View):
    """What became of a policy that was to be put in force."""

    version: int
    is_new: bool = Field(description="false: the newest version said the same, nothing was written")


@router.get("")
async def list_policies(
    request: Request, _me: Editor, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> list[PolicyLine]:
    """List versions, the newest first, and how many lanes decide by each."""
    rows = await _fetch(request, _LIST, limit=limit)
    return [PolicyLine.model_validate(dict(row._mapping)) for row in rows]  # noqa: SLF001 -- SQLAlchemy's public name


@router.get("/{version}", responses={404: {"model": ProblemView}})
async def get_policy(request: Request, _me: Editor, version: Version) -> PolicyView:
    """Read a version."""
    rows = await _fetch(request, _ONE, version=version)
    if not rows:
        raise not_found("policy")
    row = rows[0]
    source = row.source or write_policy(Policy.from_json(row.body))
    return PolicyView(
        version=row.version, activated_at=row.activated_at, note=row.note, source=source, body=row.body
    )


@router.post("/check", openapi_extra=_BODY)
async def check_policy(request: Request, _me: Editor) -> Checked:
    """Check a policy without putting it in force: every mistake with line, column and remedy."""
    try:
        policy, _ = await _policy_of(request)
    except PolicyError as error:
        return Checked(valid=False, mistakes=_mistakes(error), body=None)
    return Checked(valid=True, mistakes=[], body=policy.to_json())


@router.post(
    "",
    status_code=201,
    openapi_extra=_BODY,
    response_model=Activated,
    responses={
        200: {"model": Activated, "description": "The newest version says the same; nothing was written."},
        409: {
            "model": ProblemView,
            "description": "Others activate at the same moment; nothing was written.",
        },
        422: {"model": ProblemView, "description": "No policy; `errors` has a line for each mistake."},
    },
)
async def activate_policy(
    request: Request,
    me: Editor,
    answer: Response,
    note: Annotated[str, Query(max_length=500, description="why; it stands in the list")] = "",
) -> Any:
    """Put a policy in force: every customer is rescored beside the old one, then all lanes switch together.

    A policy with a mistake changes nothing. Tiers that differ move silently: no tasks are made for them.
    """
    try:
        policy, source = await _policy_of(request)
    except PolicyError as error:
        problem = Problem(
            422, "policy-invalid", "Correct the lines that `errors` names; nothing was written."
        )
        return response(problem, error.lines())
    body = msgspec.json.encode(policy.to_json()).decode()
    who = f"{me.user_id}: {note}" if note else me.user_id
    for _ in range(_TRIES_MAX):
        written = await _fetch(request, _ACTIVATE, body=body, source=source, note=who)
        if written:
            return Activated(version=written[0].version, is_new=True)
        newest = await _fetch(request, _NEWEST, body=body)
        if newest and newest[0].same:
            answer.status_code = 200
            return Activated(version=newest[0].version, is_new=False)
    raise Problem(409, "policy-race", "Others activate policies right now; look at the list and try again.")


async def _policy_of(request: Request) -> tuple[Policy, str]:
    """Return the policy in the request's body, and its text.

    Raises:
        PolicyError: it holds none.
        Problem: it is no UTF-8.
    """
    body = await request.body()
    try:
        source = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Problem(422, "no-utf-8", "The body is no UTF-8; save the policy as UTF-8.") from None
    # In a thread: a long file takes the parser some tenths of a second, and streams wait meanwhile.
    return await asyncio.to_thread(read_policy, source, source="policy"), source


def _mistakes(error: PolicyError) -> list[MistakeView]:
    return [
        MistakeView(line=one.line, column=one.column, path=one.path, what=one.what, remedy=one.remedy)
        for one in error.mistakes[:200]
    ]


async def _fetch(request: Request, statement: Any, **values: Any) -> Sequence[Row[Any]]:
    async with parts_of(request).engine.connect() as connection:
        return (await connection.execute(statement, values)).all()
