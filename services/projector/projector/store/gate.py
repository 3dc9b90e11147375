"""Lets transactions pass one beside the other, and shuts while a store is exchanged under them."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

from campaigns.process.errors import StoreUnavailableError


class Gate:
    """Who passes holds it open; who shuts it waits for them, and lets nobody in meanwhile."""

    def __init__(self) -> None:
        """Begin open."""
        self._changed = Condition()
        self._inside, self._closing = 0, False

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Be inside; wait while it is shut."""
        with self._changed:
            self._changed.wait_for(lambda: not self._closing)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextmanager
    def shut(self, within_s: float) -> Iterator[None]:
        """Be alone.

        Raises:
            StoreUnavailableError: somebody was still inside after `within_s`; it is open again.

        """
        with self._changed:
            self._closing = True
        try:
            with self._changed:
                if not self._changed.wait_for(lambda: not self._inside, within_s):
                    raise StoreUnavailableError(f"the views were being read for {within_s} s")
            yield
        finally:
            with self._changed:
                self._closing = False
                self._changed.notify_all()
