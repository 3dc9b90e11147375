"""Work that must not end unseen: where its failure is raised, and what ending means for it.

A task or a callback that nobody awaits tells a `Watch`, and the part awaits the watch: whoever
woke it, an exception ends the part. ADR-0019.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn, TypeVarTuple

Ts = TypeVarTuple("Ts")


class EndedError(Exception):
    """Work that goes on for ever has ended by itself, or was cancelled by nobody who may."""


class Watch:
    """Raises, where it is awaited, the first failure of what nobody awaits."""

    def __init__(self) -> None:
        self._failed = asyncio.Event()
        self.failure: BaseException | None = None

    def fail(self, failure: BaseException) -> None:
        """Note a failure; the first one is what `wait` raises."""
        self.failure = self.failure or failure
        self._failed.set()

    def guarded(self, callback: Callable[[*Ts], object]) -> Callable[[*Ts], None]:
        """Return a callback of the event loop whose exception is noted."""

        def run(*args: *Ts) -> None:
            try:
                callback(*args)
            except Exception as exc:
                self.fail(exc)

        return run

    def keep(self, task: "asyncio.Task[Any]") -> None:  # Any: nobody looks at what it returns.
        """Note when a task that goes on for ever ends otherwise than by being cancelled."""
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        if not task.cancelled():
            self.fail(task.exception() or EndedError(f"{task.get_name()} has ended"))

    async def wait(self) -> NoReturn:
        """Wait until something has failed, and raise that."""
        await self._failed.wait()
        assert self.failure is not None, "something has failed"
        raise self.failure


async def lasting(work: Coroutine[Any, Any, None], name: str) -> NoReturn:
    """Carry work that goes on until it is cancelled: a TaskGroup does not mind if it just ends.

    Raises:
        EndedError: it has returned, or something in it was cancelled (an answer, say), not itself.

    """
    try:
        await work
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise EndedError(f"{name} was cancelled from within") from None
    raise EndedError(f"{name} has ended")
