"""Work in slices, done at once or looked at slice by slice. No test in here."""

import gc
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from campaigns.domain.values.rows import Row
from command_api.imports import rows
from command_api.imports.phone import REGION
from command_api.slices import Steps

T = TypeVar("T")
HOLD_MAX_S = 0.02  # Of processor time, what a piece of work is cut to.


def whole(steps: Steps[T]) -> T:
    """Do all steps, and return what they come to."""
    return Holds().of(steps)


class Holds:
    """How much of this thread's processor time the longest step took: what it costs itself,
    however busy the machine is.
    """

    def __init__(self) -> None:
        self.most_s = 0.0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Measure one step, whatever comes of it."""
        gc.disable()  # It looks at all that stands in the process: dialgate.process bounds that.
        began_s = time.thread_time()
        try:
            yield
        finally:
            self.most_s = max(self.most_s, time.thread_time() - began_s)
            gc.enable()

    def of(self, steps: Steps[T]) -> T:
        """Do all steps, and return what they come to."""
        while True:
            try:
                with self.one():
                    next(steps)
            except StopIteration as done:
                found: T = done.value
                return found


def parse_contacts(contacts: Iterable[Any], region: str = REGION) -> list[Row]:
    """Return the rows of a request's contacts, at once."""
    return whole(rows.parse_contacts(contacts, region))
