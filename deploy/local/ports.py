"""Free loopback ports for servers that we start ourselves."""

import random
import socket
import threading

LOOPBACK = "127.0.0.1"

# Below 32768, where Linux begins to hand out ports to outgoing connections: a port above it can be
# taken by some client between our look and the server's bind. Above 10000, where few services live.
_PORTS = range(10_001, 32_768)
_ATTEMPTS_MAX = 1_000

_random = random.SystemRandom()  # several test runs at once must not walk through the same sequence
_lock = threading.Lock()
_handed_out: set[int] = set()


def free_port() -> int:
    """Return a free loopback TCP port, 10001 to 32767, that this process was not given before.

    Raises:
        RuntimeError: no free port was found in 1,000 random tries.
    """
    with _lock:
        for _ in range(_ATTEMPTS_MAX):
            port = _random.choice(_PORTS)
            if port not in _handed_out and _can_bind(port):
                _handed_out.add(port)
                return port
    raise RuntimeError(
        f"no free port on {LOOPBACK} in {_ATTEMPTS_MAX} tries: stop servers that are not needed"
    )


def _can_bind(port: int) -> bool:
    """Tell whether a server could listen on this port now.

    Without SO_REUSEADDR on purpose: a port with connections in TIME_WAIT is passed over too.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
