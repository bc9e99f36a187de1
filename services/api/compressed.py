"""Pages and our own files go out compressed; answers of the API and the event stream as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.middleware.gzip import GZipMiddleware

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_LEVEL: Final = 6  # 9 takes twice the time for one part in a hundred
_SMALL_BYTES: Final = 500  # below it a packet is a packet
_PAGES: Final = frozenset({"/", "/desk"})


class Compressed:
    """Compresses by the address, not by the kind of content.

    Answers below ``/v1`` may hold lease tokens. Compressed together with something that a stranger can put
    into them, their length would give a secret away (BREACH); pages and files hold none.
    """

    def __init__(self, app: ASGIApp) -> None:
        """``app`` answers."""
        self._app = app
        self._gzip = GZipMiddleware(app, minimum_size=_SMALL_BYTES, compresslevel=_LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope.get("path", "")
        fits = scope["type"] == "http" and (path in _PAGES or path.startswith("/static/"))
        await (self._gzip if fits else self._app)(scope, receive, send)
