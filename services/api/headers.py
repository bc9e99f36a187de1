"""Outermost: host check, security headers and request metrics, as plain ASGI so that streams pass untouched."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers, MutableHeaders

from services.api.problems import Problem, response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from services.api.metrics import ApiMetrics

_CSP: Final = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'; "
    "img-src 'self' data:"
)
_ALWAYS: Final = {
    "Content-Security-Policy": _CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_UNMEASURED: Final = frozenset({"/v1/stream"})


class Outermost:
    """Every answer passes here."""

    def __init__(self, app: ASGIApp, *, metrics: ApiMetrics, allowed_hosts: tuple[str, ...]) -> None:
        """``allowed_hosts`` without ports."""
        self._app = app
        self._metrics = metrics
        self._allowed_hosts = frozenset(host.lower() for host in allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 500

        async def with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _ALWAYS.items():
                    headers[name] = value
                # Our own files are asked for again by their ETag; everything else is kept nowhere.
                headers.setdefault(
                    "Cache-Control", "no-cache" if scope["path"].startswith("/static/") else "no-store"
                )
            await send(message)

        try:
            if self._is_ours(scope):
                await self._app(scope, receive, with_headers)
            else:
                refused = Problem(421, "host", "This name is not served here; add it to API_ALLOWED_HOSTS.")
                await response(refused)(scope, receive, with_headers)
        finally:
            self._count(scope, status, time.perf_counter() - began)

    def _is_ours(self, scope: Scope) -> bool:
        """Whether the Host is one of ours: a foreign name that resolves to us is an attack by DNS rebinding."""
        host = Headers(scope=scope).get("host", "").lower()
        name = host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]
        return name in self._allowed_hosts

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        template = _template(scope)
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.requests.labels(method, template, f"{status // 100}xx").inc()
        if template not in _UNMEASURED:
            self._metrics.request_seconds.labels(template).observe(seconds)


def _template(scope: Scope) -> str:
    """Return the route's template: an address would make a label per customer."""
    if scope["path"].startswith("/static/"):
        return "/static"
    return str(getattr(scope.get("route"), "path", "unmatched"))
