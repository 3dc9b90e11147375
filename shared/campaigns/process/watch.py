"""Background work whose failure or end must be noticed, and where it is raised. ADR-0019.

A task or callback that nothing awaits reports to a `Watch`, and the part awaits the watch, so
that an exception in it ends the part.
"""

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn, TypeVarTuple

Ts = TypeVarTuple("Ts")


class EndedError(Exception):
    """Work that should run until it is cancelled has ended by itself, or was cancelled inside."""


class Watch:
    """Raises the first failure of background work in the task that awaits the watch."""

    def __init__(self) -> None:
        self._failed = asyncio.Event()
        self.failure: BaseException | None = None

    def fail(self, failure: BaseException) -> None:
        """Note a failure; `wait` raises the first one."""
        self.failure = self.failure or failure
        self._failed.set()

    def guarded(self, callback: Callable[[*Ts], object]) -> Callable[[*Ts], None]:
        """Return an event-loop callback whose exception is noted."""

        def run(*args: *Ts) -> None:
            try:
                callback(*args)
            except Exception as exc:
                self.fail(exc)

        return run

    def keep(self, task: "asyncio.Task[Any]") -> None:  # Any: its result is not used.
        """Note if a task that should run until cancelled ends in any other way."""
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        if not task.cancelled():
            self.fail(task.exception() or EndedError(f"{task.get_name()} has ended"))

    async def wait(self) -> NoReturn:
        """Wait for the first failure and raise it."""
        await self._failed.wait()
        assert self.failure is not None, "something has failed"
        raise self.failure


async def lasting(work: Callable[[], Coroutine[Any, Any, None]], name: str) -> NoReturn:
    """Run work that should go on until cancelled: a TaskGroup would ignore it if it just returned.

    `work` is called here, so that nothing has begun when this is cancelled before its first step.

    Raises:
        EndedError: it returned, or a future that it awaited was cancelled, not the task itself.

    """
    try:
        await work()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise EndedError(f"{name} was cancelled from within") from None
    raise EndedError(f"{name} has ended")


def belongs_to(package: str, one: object) -> bool:
    """Say whether it is an object of this package, or a task that runs a coroutine of it."""
    if isinstance(one, asyncio.Task):
        code = getattr(one.get_coro(), "cr_code", None)
        return code is not None and f"{os.sep}{package}{os.sep}" in code.co_filename
    return type(one).__module__.startswith(f"{package}.")
