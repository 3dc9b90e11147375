"""Simulated processes on one virtual loop: each step of one can be held, or never be made.

A process is a context: whatever runs in it, tasks and timers that its own code makes included,
belongs to it. Killed, nothing of it is ever run again, no `finally` either; frozen, all of it
waits. Its timers are on its own clock.
"""

import asyncio
import contextvars
import heapq
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple, Unpack

from campaigns.process.virtual_time import StalledError, VirtualLoop
from tests.simulation.clocks import SimClock

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

OWNER: "contextvars.ContextVar[Process]" = contextvars.ContextVar("OWNER")
NOBODY = contextvars.Context()  # The world outside: networks, carriers, clients.
_EARLY_S = 1e-7
TURN_S = 1e-6  # What a turn of the loop takes: as in life, no two are at one instant.
TURNS_MAX = 50_000  # In a row without any wait.


class Process:
    """One life of one service."""

    def __init__(self, name: str, clock: SimClock) -> None:
        self.name, self.clock = name, clock
        self.context = contextvars.Context()
        self.context.run(OWNER.set, self)
        self.part: Any = None  # Any: a CommandApi or a Dialer, once it is open.
        self.opening: Any = None  # The same, from when it begins to open.
        self.life: asyncio.Task[Any] | None = None
        self.stopping = self.closed = False
        self.dead = False
        self.died_at = float("inf")
        self.opened_at_s = float("inf")
        self.requests: list[asyncio.Task[Any]] = []  # That it is answering.
        self.steps_left: int | None = None  # Until `on_last_step`.
        self.on_last_step: Callable[[], None] = lambda: None
        self.held: list[asyncio.Handle] | None = None  # None: it runs.

    @property
    def running(self) -> bool:
        """Say whether it makes steps."""
        return self.held is None

    @property
    def serving(self) -> bool:
        """Say whether it accepts connections."""
        return self.part is not None and not (self.dead or self.stopping)

    def step(self, handle: asyncio.Handle) -> bool:
        """Say whether a step may be made now; if not, keep it."""
        if self.held is None and self.steps_left is not None:
            self.steps_left -= 1
            if self.steps_left <= 0:
                self.on_last_step()
        if self.held is not None:
            self.held.append(handle)
            return False
        return True

    def hold(self) -> None:
        """Make no further step."""
        if self.held is None:
            self.held = []

    def release(self, loop: "SimLoop") -> None:
        """Make the steps that were held, and all others."""
        if self.held is not None:
            held, self.held = self.held, None
            loop._ready.extend(held)  # type: ignore[attr-defined]  # asyncio's own queue.


class _Step(asyncio.Handle):
    owner: Process | None

    def _run(self) -> None:
        if self.owner is None or self.owner.step(self):
            super()._run()


class _Timer(asyncio.TimerHandle):
    owner: Process | None
    own_when: float  # By its owner's clock.

    def _run(self) -> None:
        owner = self.owner
        if owner is not None:
            if not owner.step(self):
                return
            if owner.clock.monotonic() < self.own_when - _EARLY_S:  # Its clock stood still.
                self._when = owner.clock.true_at(self.own_when)
                self._scheduled = True
                heapq.heappush(self._loop._scheduled, self)  # type: ignore[attr-defined]
                return
        super()._run()


class _NoFiles:
    """A selector that lets time pass: the simulation has no files and no sockets."""

    passed_s = 0.0
    turns = 0  # Since time passed last.

    def __init__(self, real: Any) -> None:
        self._real = real

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise StalledError("every task waits, and no timer is set")
        self.turns += 1
        self.passed_s += max(timeout, TURN_S)
        if timeout > 0:
            self.turns = 0
        elif self.turns > TURNS_MAX:
            raise StalledError("a hot loop: no end of steps, and nothing is waited for")
        return []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class SimLoop(VirtualLoop):
    """A virtual loop that knows whose step it makes."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = self._files = _NoFiles(self._selector)  # type: ignore[has-type]

    def true(self) -> float:
        """Return the true time, seconds."""
        return self._files.passed_s

    def time(self) -> float:
        """Return the monotonic clock of the calling process."""
        owner = OWNER.get(None)
        return self._files.passed_s if owner is None else owner.clock.monotonic()

    def _call_soon(
        self, callback: Any, args: Any, context: contextvars.Context | None
    ) -> asyncio.Handle:
        handle = _Step(callback, args, self, context)
        handle.owner = handle._context.get(OWNER)  # type: ignore[attr-defined]  # Not in typeshed.
        self._ready.append(handle)  # type: ignore[attr-defined]
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call back when the clock of the calling process shows this time."""
        owner = OWNER.get(None)
        true = when if owner is None else owner.clock.true_at(when)
        timer = _Timer(true, callback, args, self, context)
        timer.own_when = when
        timer.owner = timer._context.get(OWNER)  # type: ignore[attr-defined]  # Not in typeshed.
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined]
        timer._scheduled = True
        return timer

    def outside(self, after_s: float, callback: Callable[..., None], *args: Any) -> None:
        """Call back after this much true time, as no process's step: no death prevents it."""
        timer = _Timer(self.true() + max(0.0, after_s), callback, args, self, NOBODY)
        timer.owner, timer.own_when = None, 0.0
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined]
        timer._scheduled = True

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> "asyncio.Future[T]":
        """Run at once: there are no threads in here."""
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as exc:
            done.set_exception(exc)
        return done

    def bury(self, processes: list[Process]) -> None:
        """End all that is left, unseen, and close."""
        self.set_exception_handler(lambda loop, context: None)
        for process in processes:
            process.steps_left = None
            process.release(self)
        left = asyncio.all_tasks(self)
        for task in left:
            task.cancel()
        try:
            if left:
                self.run_until_complete(asyncio.wait(left, timeout=60.0))
            self.run_until_complete(self.shutdown_asyncgens())
        except StalledError:
            return  # It does not even end; the auditor was told.
        finally:
            self.close()

    def spawn(self, process: Process | None, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run something as a step of a process, or of none."""
        context = process.context.copy() if process else contextvars.Context()
        return self.create_task(work, context=context)
