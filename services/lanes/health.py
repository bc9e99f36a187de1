"""/livez, /readyz and /metrics from a thread of their own, so that they answer while the loop is busy."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

BEAT_SECONDS_MAX: Final = 10.0


class Health:
    """Serves health of one process. ``beat`` is called by its event loop, ``ready`` asked per request."""

    def __init__(
        self, ready: Callable[[], bool], refresh: Callable[[], None], registry: CollectorRegistry = REGISTRY
    ) -> None:
        """``refresh`` brings gauges up to date before they are shown."""
        self._ready = ready
        self._refresh = refresh
        self._registry = registry
        self._beat = time.monotonic()

    def beat(self) -> None:
        """Say that the event loop turns."""
        self._beat = time.monotonic()

    def start(self, host: str, port: int) -> int:
        """Serve from a daemon thread; return the port."""
        health = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, content_type, body = health.answer(self.path)
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: object) -> None:
                """Keep access out of the log."""

        server = ThreadingHTTPServer((host, port), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
        return int(server.server_address[1])

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Return status, content type and body for a path."""
        if path == "/metrics":
            self._refresh()
            return 200, CONTENT_TYPE_LATEST, generate_latest(self._registry)
        if path == "/livez":  # never a dependency: else PostgreSQL away is a restart storm
            alive = time.monotonic() - self._beat < BEAT_SECONDS_MAX
            return (200, "text/plain", b"ok\n") if alive else (503, "text/plain", b"event loop is stuck\n")
        if path == "/readyz":
            ready = self._ready()
            return (200, "text/plain", b"ok\n") if ready else (503, "text/plain", b"owns no lanes\n")
        return 404, "text/plain", b"try /livez, /readyz or /metrics\n"
