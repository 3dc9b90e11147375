"""Long work in slices, so that it holds neither the event loop nor the threads up."""

import asyncio
from collections.abc import Generator
from time import perf_counter
from typing import TypeVar

T = TypeVar("T")
Steps = Generator[None, None, T]  # Work that may be interrupted at each yield, every 2 ms or so.

SLICE_S = 0.005  # How long one slice holds the event loop, plus one step.
# Between two slices. Threads run too: while the loop is never idle, a log's thread waits 5 ms for
# each switch (sys.getswitchinterval), and a pause needs many.
REST_S = 0.001


async def in_slices(steps: Steps[T]) -> T:
    """Do all steps, and return their result. Short work is not interrupted."""
    began_s = perf_counter()
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: T = done.value
            return result
        if perf_counter() - began_s >= SLICE_S:
            await asyncio.sleep(REST_S)
            began_s = perf_counter()
