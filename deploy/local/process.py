"""Child processes that never outlive us: servers of the embedded stack, workers under test.

Every child dies with the process that started it, also when that is killed with ``kill -9``:

- Linux: the kernel kills it (``PR_SET_PDEATHSIG``).
- Elsewhere (macOS): a watcher process holds the read end of a pipe and kills the child's process group
  when the write end, which only we hold, closes. Best effort: a copy of us made by a bare ``os.fork``
  holds that end too, so the children then live until the copy ends as well.

The child itself arranges it, in ``launcher``.
"""

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from deploy.local import launcher
from deploy.local.errors import StartError
from deploy.local.spawner import exiting, spawner

_POLL_SECONDS = 0.02
_REAP_SECONDS = 10.0  # a SIGKILLed process is gone at once, unless it hangs in the kernel (dead disk)

#: True where the kernel can't kill a child on our death; tests set it to run the other way on Linux.
use_watcher = sys.platform != "linux"


class Child:
    """A started process, leader of its own session and process group.

    Ctrl-C in the terminal does not reach it; it is stopped by its owner, by ``atexit``, or with us.

    Args:
        argv: Program (absolute path) and arguments; no shell.
        log_path: File that receives standard output and error, appended, made with mode 0600.
        env: The whole environment; None inherits ours.
        cwd: Working folder; None inherits ours.
        run_as: ``(uid, gid)`` to become, only when we are root; None stays who we are.
        stdin: Bytes given as standard input; at most 4 KiB, so that writing never blocks.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        log_path: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        run_as: tuple[int, int] | None = None,
        stdin: bytes = b"",
    ) -> None:
        """Start it.

        Raises:
            StartError: this process is about to exit.
            OSError: the log can't be written, or no process can be forked.
        """
        self.argv = tuple(argv)
        self.log_path = log_path
        self._owner_pid = os.getpid()
        self._lifeline: int | None = None
        started = spawner().submit(lambda: self._spawn(env, cwd, run_as, stdin))
        try:
            started.result()
        except BaseException:  # Ctrl-C in this very moment: the caller will never see the child
            started.add_done_callback(lambda reply: None if reply.exception() else self.kill9())
            raise

    def _spawn(
        self,
        env: Mapping[str, str] | None,
        cwd: Path | None,
        run_as: tuple[int, int] | None,
        stdin: bytes,
    ) -> None:
        """Start the launcher; runs in the spawner's thread."""
        read_end: int | None = None
        if use_watcher:
            read_end, self._lifeline = os.pipe()
        identity = "-" if run_as is None else f"{run_as[0]}:{run_as[1]}"
        begin = [sys.executable, "-I", "-S", launcher.__file__, str(os.getpid()), identity]
        log = os.open(self.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._process = subprocess.Popen(
                [*begin, "-" if read_end is None else str(read_end), *self.argv],
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
                cwd=cwd,
                start_new_session=True,
                pass_fds=() if read_end is None else (read_end,),
            )
            self.pid = self._process.pid
            _children.add(self)
        finally:
            os.close(log)
            if read_end is not None:
                os.close(read_end)
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError), self._process.stdin as pipe:
                pipe.write(stdin)

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; None while it runs."""
        code = self._process.poll()
        if code is not None:
            self._forget()
        return code

    def wait(self, timeout_seconds: float) -> int | None:
        """Wait for the end, at most so long; return the exit code, or None when it still runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_seconds)
        return self.poll()

    def kill9(self) -> None:
        """Kill the whole process group with SIGKILL and wait; does nothing when it has ended."""
        self._signal_group(signal.SIGKILL)
        self.wait(_REAP_SECONDS)

    def stop_signal(self) -> None:
        """Freeze the process group (SIGSTOP): it keeps its sockets and locks, and does nothing."""
        self._signal_group(signal.SIGSTOP)

    def cont(self) -> None:
        """Let a frozen process group go on (SIGCONT)."""
        self._signal_group(signal.SIGCONT)

    def terminate(self, timeout_seconds: float, *, first: signal.Signals = signal.SIGTERM) -> int | None:
        """Ask the leader to end, then kill what is left of the group; always waits.

        Args:
            timeout_seconds: How long the leader may take before SIGKILL.
            first: The signal that asks; PostgreSQL wants SIGINT for a fast shutdown.

        Returns:
            The leader's exit code; None only when it hangs in the kernel.
        """
        if self.poll() is None and os.getpid() == self._owner_pid:
            self._process.send_signal(first)
            self.wait(timeout_seconds)
        self._signal_group(signal.SIGKILL)
        return self.wait(_REAP_SECONDS)

    def log_tail(self, lines: int = 20) -> str:
        """Return the last lines of the log, at most 64 KiB."""
        try:
            with self.log_path.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - 65_536))
                return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
        except OSError as error:
            return f"(the log can't be read: {error})"

    def _signal_group(self, number: signal.Signals) -> None:
        """Signal the group; a copy of us (``os.fork``) never touches what the original owns."""
        if os.getpid() != self._owner_pid:
            return
        # PermissionError: macOS says so of a group in which only a zombie is left.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def _forget(self) -> None:
        _children.discard(self)
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None


def wait_until_ready(child: Child, ready: Callable[[], bool], *, name: str, timeout_seconds: float) -> None:
    """Return when ``ready()`` is true.

    Raises:
        StartError: the child ended, or was not ready in time; it is killed, and the message has the end
            of its log and the log's path.
    """
    deadline = time.monotonic() + timeout_seconds
    while not ready():
        code = child.poll()
        if code is None and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            continue
        why = f"ended with code {code}" if code is not None else f"did not answer in {timeout_seconds:g} s"
        child.kill9()
        raise StartError(f"{name} {why}. The end of its log {child.log_path}:\n{child.log_tail()}")


def run_to_end(child: Child, *, name: str, timeout_seconds: float) -> None:
    """Wait for a child that should end by itself with code 0.

    Raises:
        StartError: another code, or not in time; it is killed, and the message has the end of its log.
    """
    try:
        code = child.wait(timeout_seconds)
    finally:
        child.kill9()
    if code != 0:
        why = f"took longer than {timeout_seconds:g} s" if code is None else f"ended with code {code}"
        raise StartError(f"{name} {why}. The end of its log {child.log_path}:\n{child.log_tail()}")


_children: set[Child] = set()


@atexit.register
def _kill_all() -> None:
    """Leave nothing behind when Python ends with children still running."""
    exiting.set()
    for child in tuple(_children):
        child.kill9()
