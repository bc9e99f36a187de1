"""Who may do what, at the route: denied unless a route names its roles, or stands on a short public list.

Pages carry the token in a cookie (``HttpOnly; SameSite=Strict``), machines as ``Bearer``. A request that
changes something and brings no ``Authorization`` header must come from our own pages: its ``Origin`` must
be ours or, without one, the header ``X-Tierstream: desk`` must be there, which other sites can't send. So a
foreign site can neither act with somebody's cookie nor sign them in as somebody else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.routing import iter_route_contexts
from fastapi.security.base import SecurityBase

from services.api.problems import Problem
from services.api.tokens import Tokens, unauthorized

if TYPE_CHECKING:
    from fastapi import FastAPI
    from fastapi.dependencies.models import Dependant

    from services.api.people import People
    from services.api.settings import ApiSettings

COOKIE: Final = "tierstream_session"
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# Nothing else may be public: the list is short so that it can be read.
PUBLIC_PATHS: Final = frozenset({"/", "/livez", "/readyz", "/v1/dev/login", "/v1/dev/logout"})
PUBLIC_MOUNTS: Final = frozenset({"/static"})


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever asks. Repositories take it first, and put it into their SQL."""

    user_id: str
    name: str
    role: str
    team: str
    expires_at: float  # seconds since 1970

    @property
    def is_manager(self) -> bool:
        """Whether every team's work is visible."""
        return self.role == "manager"


class Gate:
    """Finds out who asks."""

    def __init__(self, settings: ApiSettings, tokens: Tokens, people: People) -> None:
        """Hold what a request is checked against."""
        self._tokens = tokens
        self._people = people
        self._scheme = "https" if settings.secure_cookie else None
        self.dev_issuer = settings.dev_issuer

    async def principal(self, request: Request) -> Principal:
        """Return who asks.

        Raises:
            Problem: 401 without a valid token of an active person; 403 for a foreign page's request.
        """
        kind, _, bearer = request.headers.get("authorization", "").partition(" ")
        if kind:
            if kind.lower() != "bearer" or not bearer:
                raise unauthorized("Give the access token as `Authorization: Bearer <token>`.")
            return await self.of_token(bearer)
        self.check_origin(request)
        cookie = request.cookies.get(COOKIE)
        if not cookie:
            raise unauthorized("Sign in first.")
        return await self.of_token(cookie)

    async def of_token(self, token: str) -> Principal:
        """Return whom a token stands for, as the people table has them now."""
        claims = self._tokens.verify(token)
        person = await self._people.find(claims.user_id)
        if person is None or (person.role, person.team) != (claims.role, claims.team):
            raise unauthorized("Your account or its role has changed; sign in again.")
        return Principal(person.user_id, person.name, person.role, person.team, claims.expires_at)

    async def still(self, principal: Principal, now: float) -> bool:
        """Whether an open stream's owner may go on reading."""
        person = await self._people.find(principal.user_id)
        unchanged = person is not None and (person.role, person.team) == (principal.role, principal.team)
        return unchanged and now < principal.expires_at

    def check_origin(self, request: Request) -> None:
        """Refuse a change that another site's page asked for."""
        if request.method in _SAFE_METHODS:
            return
        origin = request.headers.get("origin")
        if origin is None:
            if request.headers.get("x-tierstream") == "desk":
                return
        elif origin == f"{self._scheme or request.url.scheme}://{request.headers.get('host', '')}":
            return
        where = urlsplit(origin).netloc[:100] if origin else "an unnamed place"
        raise Problem(
            403,
            "foreign-page",
            f"This change was asked for by a page of {where}, not by the desk; open the desk.",
        )


class Access(SecurityBase):
    """A route's policy: the roles that may use it. Made by ``require``, ``watch`` and ``public``."""

    def __init__(self, roles: frozenset[str], *, is_public: bool = False) -> None:
        """An empty set of roles lets nobody in but where the route is public."""
        self.roles = roles
        self.is_public = is_public
        self.model = HTTPBearerModel(
            bearerFormat="JWT (at+jwt, EdDSA)",
            description="Access token; pages use a cookie of the same token.",
        )
        self.scheme_name = "token"


class _Require(Access):
    async def __call__(self, request: Request) -> Principal:
        principal = await _gate(request).principal(request)
        if principal.role not in self.roles:
            allowed = " or ".join(sorted(self.roles))
            raise Problem(
                403, "role", f"Only a {allowed} may do this; you are signed in as {principal.role}."
            )
        return principal


class _Watch(_Require):
    """As ``_Require``; while the development issuer is on, also whoever has not signed in yet."""

    async def __call__(self, request: Request) -> Principal | None:  # type: ignore[override]
        anonymous = COOKIE not in request.cookies and "authorization" not in request.headers
        if _gate(request).dev_issuer and anonymous:
            return None
        return await super().__call__(request)


class _Public:
    is_public = True

    async def __call__(self, request: Request) -> None:
        _gate(request).check_origin(request)


def require(*roles: str) -> _Require:
    """Return the policy "one of these roles"."""
    return _Require(frozenset(roles))


STAFF: Final = require("advisor", "manager")
MANAGERS: Final = require("manager")
# Figures without names. Whoever could sign in as anybody with one click may see them before the click.
WATCHERS: Final = _Watch(STAFF.roles)
PUBLIC: Final = _Public()

Staff = Annotated[Principal, Depends(STAFF)]
Manager = Annotated[Principal, Depends(MANAGERS)]
Watcher = Annotated[Principal | None, Depends(WATCHERS)]


def _gate(request: Request) -> Gate:
    gate: Gate = request.app.state.gate
    return gate


def policy_of(dependant: Dependant) -> Access | _Public | None:
    """Return the policy that a route depends on, or None."""
    for dependency in dependant.dependencies:
        if isinstance(dependency.call, (Access, _Public)):
            return dependency.call
        found = policy_of(dependency)
        if found is not None:
            return found
    return None


def check_every_route(app: FastAPI) -> None:
    """Refuse to start when a route has no policy, or is public without standing on the list.

    Raises:
        RuntimeError: it names the route.
    """
    for route in iter_route_contexts(app.routes):
        path = route.path or ""
        dependant = getattr(route, "dependant", None)
        if dependant is None:
            if path not in PUBLIC_MOUNTS:
                raise RuntimeError(
                    f"{path} is not a route with a policy; only {sorted(PUBLIC_MOUNTS)} may be mounted"
                )
            continue
        policy = policy_of(dependant)
        if policy is None:
            raise RuntimeError(f"{path} has no policy: add Depends(require(..)) or one of access.py")
        if policy.is_public and path not in PUBLIC_PATHS:
            raise RuntimeError(f"{path} is public but does not stand in access.PUBLIC_PATHS")
