"""The same replay with the customers spread over processes; only histograms and cuts go between them.

This process reads the history, deals its lines out, and draws the cuts; the others hold the customers. At
every midnight each sends its histograms (40 kB for each policy) and waits for the cuts, while the next
day's lines are read already.
"""

from __future__ import annotations

import multiprocessing
import signal
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any, Final, NamedTuple

from services.scorer.core.cuts import Cuts
from services.scorer.core.policy import Policy
from services.scorer.core.products import NO_PRODUCTS, Products
from services.scorer.offline.replay import Counts, Crowd, Outcome, Runner, Stretch, Watcher

ANSWER_SECONDS_MAX: Final = 600.0  # for the events of one day
LEAVE_SECONDS_MAX: Final = 5.0


class ProcessLostError(RuntimeError):
    """A process of the replay ended or stopped answering; the message says what to try."""


class Adoption(NamedTuple):
    """The cuts of each policy, to be adopted before anything else happens."""

    cuts: list[Cuts | None]
    version: int
    at_ms: int
    complete: bool


class Order(NamedTuple):
    """What a process does next, in the order of the fields; at an instant it answers with histograms."""

    adoption: Adoption | None
    lines: list[bytes]
    ends_ms: int | None
    complete: bool


class Worker:
    """The far end of one process."""

    def __init__(
        self, policies: Sequence[Policy], make_watcher: Callable[[], Watcher], products: Products
    ) -> None:
        """Start it; it holds nobody yet."""
        context = multiprocessing.get_context("spawn")  # fork would copy threads' locks, of the bar for one
        self._pipe, theirs = context.Pipe()
        told = theirs, policies, make_watcher, dict(products)
        self._process = context.Process(target=_serve, args=told, daemon=True)
        with _interrupts_held():
            self._process.start()
        theirs.close()

    def send(self, order: Order | None) -> None:
        """Give it work; None asks for what it came to."""
        try:
            self._pipe.send(order)
        except OSError:
            self.receive()  # it failed before, and said why
            raise ProcessLostError(_LOST) from None

    def receive(self) -> Any:
        """Return its answer.

        Raises:
            ProcessLostError: there is none.
        """
        try:
            if not self._pipe.poll(ANSWER_SECONDS_MAX):
                raise ProcessLostError(f"a process did not answer for {ANSWER_SECONDS_MAX:.0f} s; {_REMEDY}")
            answer = self._pipe.recv()
        except (EOFError, OSError):
            raise ProcessLostError(_LOST) from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def leave(self) -> None:
        """End it, whatever it does."""
        self._pipe.close()
        self._process.terminate()
        self._process.join(LEAVE_SECONDS_MAX)


_REMEDY: Final = "try fewer --processes, they hold the customers in memory"
_LOST: Final = f"a process of the replay was lost; {_REMEDY}"


def replay_in_processes(
    stretches: Iterable[Stretch],
    policies: Sequence[Policy],
    make_watcher: Callable[[], Watcher],
    *,
    processes: int,
    products: Products = NO_PRODUCTS,
    progress: Callable[[int], None] | None = None,
) -> Outcome:
    """Replay a history whose stretches have ``processes`` shares; it comes to what one process would.

    Args:
        stretches: taken while the processes work.
        policies: in step, each with cuts of its own.
        make_watcher: called in every process, so it must pickle.
        processes: at least 1.
        products: in force from the first event to the last.
        progress: called with every instant that everybody passed.

    Raises:
        Refused: a line is no event.
        ProcessLostError: a process was killed or hangs.
    """
    crowd, adoption = Crowd(policies), None
    with _workers(processes, policies, make_watcher, products) as workers:
        ahead = iter(stretches)
        stretch = next(ahead, None)
        while stretch is not None:
            for worker, lines in zip(workers, stretch.lines, strict=True):
                worker.send(Order(adoption, lines, stretch.ends_ms, stretch.complete))
            adoption, at_ms, complete = None, stretch.ends_ms, stretch.complete
            stretch = next(ahead, None)  # read while they work
            if at_ms is not None:
                cuts = crowd.compute([_histograms(worker) for worker in workers], at_ms)
                adoption = Adoption(cuts, crowd.version, at_ms, complete)
                if progress is not None:
                    progress(at_ms)
        for worker in workers:
            if adoption is not None:
                worker.send(Order(adoption, [], None, complete=False))
            worker.send(None)
        return _together(crowd, [worker.receive() for worker in workers])


def _together(crowd: Crowd, results: list[tuple[Counts, Any]]) -> Outcome:
    counts = Counts()
    for one, _ in results:
        counts.add(one)
    return Outcome(counts, crowd.cut_rows, [watched for _, watched in results])


def _histograms(worker: Worker) -> list[array[int]]:
    return [array("I", stored) for stored in worker.receive()]


@contextmanager
def _workers(
    processes: int, policies: Sequence[Policy], make_watcher: Callable[[], Watcher], products: Products
) -> Iterator[list[Worker]]:
    workers: list[Worker] = []
    try:
        for _ in range(processes):
            # No comprehension: those that started must end.
            workers.append(Worker(policies, make_watcher, products))  # noqa: PERF401
        yield workers
    finally:
        for worker in workers:
            worker.leave()


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back while a process starts: it inherits that, and can't be interrupted half imported."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # starting, it would let Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(
    pipe: Connection, policies: Sequence[Policy], make_watcher: Callable[[], Watcher], products: Products
) -> None:
    """Follow orders until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who gives the orders
    try:
        runner = Runner(policies, make_watcher(), products)
        while (order := pipe.recv()) is not None:
            _follow(runner, order, pipe)
        pipe.send((runner.counts, runner.watcher.result()))
    except (EOFError, ConnectionError):
        return  # nobody gives orders any more, or waits for an answer
    except Exception as error:  # noqa: BLE001 -- it is raised where the orders come from
        with suppress(ConnectionError):
            pipe.send(error)


def _follow(runner: Runner, order: Order, pipe: Connection) -> None:
    if order.adoption is not None:
        cuts, version, at_ms, complete = order.adoption
        runner.adopt(cuts, version, at_ms, complete=complete)
    runner.take(order.lines)
    if order.ends_ms is not None:
        histograms = runner.pass_time(order.ends_ms, complete=order.complete)
        pipe.send([one.tobytes() for one in histograms])
