"""All descendants of a process, killed together: PostgreSQL's backends leave their parent's group."""

import contextlib
import time

import psutil

_SECONDS_MAX = 10.0
_POLL_SECONDS = 0.01


def family_of(pid: int) -> list[psutil.Process]:
    """Return all descendants that live now."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def kill(family: list[psutil.Process]) -> None:
    """Kill them and wait until they are gone, at most so long."""
    for process in family:  # psutil compares start times: a reused pid is never hit
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    # Not psutil.wait_procs: these are not our children, and one that is dead but that init has not
    # collected yet would count as running. A zombie holds no memory, socket or file.
    deadline = time.monotonic() + _SECONDS_MAX
    while any(_is_alive(process) for process in family) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
