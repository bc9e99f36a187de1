"""How a child begins: it arranges to die with us, drops root if asked to, and becomes the server by ``exec``.

Run as ``python -I -S launcher.py <our pid> <uid:gid or -> <read end of a pipe or -> <program> ..``, so it
knows nothing but the standard library. A ``preexec_fn`` would do the same inside a forked copy of a threaded
program, where any lock may be held for ever.
"""

import contextlib
import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def launch(parent_pid: int, identity: str, lifeline: str, argv: list[str]) -> None:
    """Become the server. Runs in the child, in a fresh interpreter without our packages."""
    if identity != "-":
        uid, gid = map(int, identity.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if lifeline != "-":
        _watch(int(lifeline))
    else:  # after setuid: a change of user clears the setting
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent_pid:  # it died before the line above
            os._exit(1)
    try:
        os.execv(argv[0], argv)  # noqa: S606 - a list of our own, no shell
    except OSError as error:
        sys.exit(f"can't run {argv[0]}: {error}")


def _watch(lifeline: int) -> None:
    """Leave a watcher behind that kills our process group when the parent's end of the pipe closes.

    Forked twice, so that the server has no child that it does not know of.
    """
    group = os.getpgrp()
    middle = os.fork()
    if middle:
        os.waitpid(middle, 0)
        os.close(lifeline)
        return
    if os.fork():
        os._exit(0)
    os.setsid()  # out of the group: SIGSTOP to the group must not freeze the watcher
    os.read(lifeline, 1)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    os._exit(0)


if __name__ == "__main__":
    launch(int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:])
