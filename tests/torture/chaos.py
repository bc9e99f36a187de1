"""The hand that kills, freezes and cuts off, as the schedule says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import asyncpg
import psutil

from deploy.local.postgres import Postgres
from deploy.local.process import Child
from deploy.local.services import Process, Supervisor
from tests.torture.faults import Fault, FaultKind, Stroke
from tests.torture.observe import AWAY, Watch

ALIVE_SECONDS_MAX: Final = 30.0  # a supervisor starts a dead worker again long before
HOLD_SECONDS_MAX: Final = 3.0
LOCKED_SECONDS: Final = 0.03  # long enough for a lane to come to its next read
ZOMBIE_SECONDS: Final = 3.0  # what a worker that lost its lanes wants to write, it has written by then
POLL_SECONDS: Final = 0.02

_WAITING: Final = r"""
SELECT client_port FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND query ~* '^\s*select.*customer_id = any' AND application_name = 'tierstream-lanes'"""


@dataclass(slots=True)
class Chaos:
    """Carries a schedule out; ``strokes`` is what really happened, in order."""

    supervisor: Supervisor
    postgres: Postgres
    watch: Watch
    rng: Random
    say: Callable[[str], None]
    started_at: float = field(default_factory=time.monotonic)
    strokes: list[Stroke] = field(default_factory=list)
    _frozen: dict[str, Child] = field(default_factory=dict)
    _thaws: list[asyncio.Task[None]] = field(default_factory=list)

    async def run(self, faults: tuple[Fault, ...]) -> None:
        """Do every fault when its share of the log is applied; ends when the last frozen worker went on."""
        try:
            for fault in faults:
                if not fault.doubles:
                    await self.watch.until_share(fault.at_share)
                await asyncio.sleep(fault.pause_seconds)
                await self._strike(fault)
            await asyncio.gather(*self._thaws)
            await asyncio.sleep(ZOMBIE_SECONDS)
        finally:
            for thaw in self._thaws:
                thaw.cancel()
            for child in self._frozen.values():
                child.cont()

    async def _strike(self, fault: Fault) -> None:
        if fault.kind is FaultKind.KILL_POSTGRES:
            self._log(fault.kind, "postgres", f"down for {fault.seconds:.1f} s")
            await asyncio.to_thread(self.postgres.kill9)
            await asyncio.sleep(fault.seconds)
            await asyncio.to_thread(self.postgres.start)
            return
        if fault.kind is FaultKind.FREEZE_SCORER:
            process, child, held = await self._freeze_in_a_turn()
            self._frozen[process.name] = child
            note = f"{self._lanes_of(process)} for {fault.seconds:.1f} s, {held} turns half done"
            self._log(fault.kind, process.name, note)
            self._thaws.append(asyncio.create_task(self._thaw(process.name, child, fault.seconds)))
            return
        service = "alerter" if fault.kind is FaultKind.KILL_ALERTER else "scorer"
        process, child = self.rng.choice(await self._alive(service, owning=not fault.doubles))
        self._log(fault.kind, process.name, self._lanes_of(process) if service == "scorer" else "")
        await asyncio.to_thread(child.kill9)

    async def _alive(self, service: str, *, owning: bool) -> list[tuple[Process, Child]]:
        """Return the workers that run and are not frozen, at least one; ``owning``: that own a lane, if any does."""
        until = time.monotonic() + ALIVE_SECONDS_MAX
        while time.monotonic() < until:
            alive = [
                (process, process.child)
                for process in self.supervisor.processes()
                if process.name.startswith(service) and process.name not in self._frozen
                if process.child is not None and process.child.poll() is None
            ]
            busy = [pair for pair in alive if self.watch.owned_by(_slot(pair[0]))]
            if alive:
                return busy if owning and service == "scorer" and busy else alive
            await asyncio.sleep(POLL_SECONDS)
        raise TimeoutError(f"no {service} came back within {ALIVE_SECONDS_MAX:.0f} s; look at its log")

    def _lanes_of(self, process: Process) -> str:
        return f"lanes {self.watch.owned_by(_slot(process))}"

    async def _freeze_in_a_turn(self) -> tuple[Process, Child, int]:
        """Stop a scorer between reading customers and writing them; return in how many turns it stands.

        The table is locked for a moment, so reads wait; the worker with most of them is frozen, and then
        they are answered. When it goes on, it decides on what was true before others took its lanes.
        """
        workers = await self._alive("scorer", owning=True)
        process, child, held = *self.rng.choice(workers), 0
        until = time.monotonic() + HOLD_SECONDS_MAX
        try:
            holder = await asyncpg.connect(self.watch.database_url, timeout=HOLD_SECONDS_MAX)
            asker = await asyncpg.connect(self.watch.database_url, timeout=HOLD_SECONDS_MAX)
            try:
                async with asyncio.timeout(2 * HOLD_SECONDS_MAX):
                    while not held and time.monotonic() < until:
                        await asyncio.sleep(self.rng.uniform(0.0, 0.05))
                        async with holder.transaction():
                            await holder.execute("LOCK TABLE customers IN ACCESS EXCLUSIVE MODE")
                            await asyncio.sleep(LOCKED_SECONDS)
                            process, child, held = await _most_in_turns(asker, workers) or (process, child, 0)
                            if held:
                                child.stop_signal()
            finally:
                holder.terminate()
                asker.terminate()
        except AWAY as error:
            self.say(f"  frozen without a turn in hand: {type(error).__name__}")
        child.stop_signal()
        return process, child, held

    async def _thaw(self, name: str, child: Child, seconds: float) -> None:
        await asyncio.sleep(seconds)
        child.cont()
        self._frozen.pop(name, None)
        self.say(f"{self._now():7.1f} s  {self.watch.share:5.1%}  {name} goes on")

    def _log(self, kind: FaultKind, target: str, note: str) -> None:
        stroke = Stroke(kind, target, self.watch.share, self._now(), note)
        self.strokes.append(stroke)
        self.say(f"{stroke.at_seconds:7.1f} s  {stroke.share:5.1%}  {kind}: {target} {note}")

    def _now(self) -> float:
        return time.monotonic() - self.started_at


async def _most_in_turns(
    asker: Any, workers: list[tuple[Process, Child]]
) -> tuple[Process, Child, int] | None:
    """Return the worker most of whose reads of customers wait for the lock; None when no read waits."""
    waiting = {row[0] for row in await asker.fetch(_WAITING)}
    counts = [(len(waiting & _ports_of(child.pid)), process, child) for process, child in workers]
    held, process, child = max(counts, key=lambda count: count[0])
    return (process, child, held) if held else None


def _ports_of(pid: int) -> set[int]:
    try:
        return {one.laddr.port for one in psutil.Process(pid).net_connections("tcp") if one.laddr}
    except psutil.Error:
        return set()


def _slot(process: Process) -> str:
    return process.name.split("-")[1]
