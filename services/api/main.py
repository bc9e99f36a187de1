"""Run the API: one process, one port, until it is told to stop."""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import TYPE_CHECKING, Final

import uvicorn

from services.api.app import build
from services.api.settings import ApiSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.api.hub import Hub

# A reader that stalls holds at most this much of the kernel's memory: 100 of them 14 MB instead of 378.
_SEND_BYTES: Final = 64 * 1024
_STALLED_MS: Final = 30_000  # then the kernel closes the connection
_CONNECTIONS_WAITING: Final = 512


class _Server(uvicorn.Server):
    """Ends the event streams first: they would hold the shutdown up until its bound."""

    hub: Hub

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.hub.close()
        # uvicorn would raise the signal again afterwards; a stop that was asked for ends with 0.
        self._captured_signals.clear()
        await super().shutdown(sockets)


def listen(host: str, port: int) -> socket.socket:
    """Return a bound socket whose connections can't hold much memory; port 0 takes any free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)  # connections inherit both
    if sys.platform == "linux":
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _STALLED_MS)
    listening.bind((host, port))
    listening.listen(_CONNECTIONS_WAITING)
    return listening


async def run(settings: ApiSettings, *, started: Callable[[str], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; ``started`` is told the address."""
    app = build(settings)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,  # addresses name customers; the metrics count
        server_header=False,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=settings.shutdown_seconds,
        h11_max_incomplete_event_size=32 * 1024,
    )
    server = _Server(config)
    server.hub = app.state.parts.hub
    with listen(settings.host, settings.port) as listening:
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        if started is not None:
            started(f"http://{host}:{listening.getsockname()[1]}")
        await server.serve([listening])


def serve(settings: ApiSettings, *, started: Callable[[str], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT, on uvloop where there is one."""
    if sys.platform == "win32":
        asyncio.run(run(settings, started=started))
        return
    import uvloop  # noqa: PLC0415 -- not on Windows

    uvloop.run(run(settings, started=started))
