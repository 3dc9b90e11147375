"""Work in slices: what is long lets others have the event loop, and threads their turn."""

import asyncio
from collections.abc import Generator
from time import perf_counter
from typing import TypeVar

T = TypeVar("T")
Steps = Generator[None, None, T]  # Work that may be interrupted at each yield: some 2 ms apart.

SLICE_S = 0.005  # So long, and one step, the event loop is held by one piece of work.
# Between two slices. Threads get a turn too: a log that has one waits 5 ms for each
# (sys.getswitchinterval) while the loop is never idle, and a pause needs many.
REST_S = 0.001


async def in_slices(steps: Steps[T]) -> T:
    """Do all steps, and return what they come to. Work that is short is not interrupted."""
    began_s = perf_counter()
    while True:
        try:
            next(steps)
        except StopIteration as done:
            found: T = done.value
            return found
        if perf_counter() - began_s >= SLICE_S:
            await asyncio.sleep(REST_S)
            began_s = perf_counter()
