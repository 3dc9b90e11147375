"""Virtual time, for what-if runs and tests: an event loop that never waits, and its clock.

The real code runs on it unchanged: every sleep and timer of asyncio is on the loop's time, and
when nothing is left to do now, time jumps to the next timer. No threads, no sockets.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class StalledError(Exception):
    """No task can continue, no timer is set, and the main task has not ended."""


class NoNetworkError(Exception):
    """Something on virtual time tried to reach the network, which does not exist there."""


class _Jumping(selectors.DefaultSelector):
    """A selector that lets time pass instead of waiting."""

    passed_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise StalledError("every task waits, and no timer is set")
            self.passed_s += max(0.0, timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual time."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return self._jumping.passed_s

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse: what runs here must reach nobody.

        Raises:
            NoNetworkError: always.

        """
        raise NoNetworkError("expected no connection on virtual time")

    async def create_datagram_endpoint(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse, as `create_connection`."""
        raise NoNetworkError("expected no datagram on virtual time")

    async def getaddrinfo(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse, as `create_connection`."""
        raise NoNetworkError("expected no name to be resolved on virtual time")


class VirtualClock:
    """The clocks of one process on a virtual loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, begin: datetime = NOON) -> None:
        self._loop, self._begin = loop, begin

    def now(self) -> datetime:
        """Return the wall clock."""
        return self._begin + timedelta(seconds=self._loop.time())

    def monotonic(self) -> float:
        """Return virtual seconds."""
        return self._loop.time()

    def boottime(self) -> float:
        """Return virtual seconds."""
        return self._loop.time()


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a new virtual loop.

    Raises:
        StalledError: every task waits indefinitely.

    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
