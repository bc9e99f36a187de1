"""The thread that starts our children; each of them dies with it."""

import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future

from deploy.local.errors import StartError

exiting = threading.Event()  # set when Python ends: from then on nothing is started


class Spawner:
    """One thread that forks every child and lives as long as the process.

    PR_SET_PDEATHSIG fires when the *thread* that forked ends, not the process: a server started from a
    pool's thread would be killed as soon as the pool is done.
    """

    def __init__(self) -> None:
        """Start the thread."""
        self.pid = os.getpid()
        self._requests: queue.SimpleQueue[tuple[Callable[[], None], Future[None]]] = queue.SimpleQueue()
        # A daemon: Python joins other threads before it runs atexit, and our children would be killed
        # before they could be stopped in order.
        threading.Thread(target=self._serve, name="tierstream-spawner", daemon=True).start()

    def submit(self, spawn: Callable[[], None]) -> Future[None]:
        """Run ``spawn`` in the thread."""
        reply: Future[None] = Future()
        self._requests.put((spawn, reply))
        return reply

    def _serve(self) -> None:
        while True:
            spawn, reply = self._requests.get()
            if exiting.is_set():
                reply.set_exception(StartError("this process is about to exit: it starts no servers"))
                continue
            try:
                spawn()
            except BaseException as error:  # noqa: BLE001 - the caller's thread raises it
                reply.set_exception(error)
            else:
                reply.set_result(None)


_spawner_lock = threading.Lock()
_current_spawner: Spawner | None = None


def spawner() -> Spawner:
    """Return this process's spawner; a copy made by ``os.fork`` has no threads and gets its own."""
    global _current_spawner  # noqa: PLW0603 - one per process, by its nature
    with _spawner_lock:
        if _current_spawner is None or _current_spawner.pid != os.getpid():
            _current_spawner = Spawner()
        return _current_spawner
