"""What a process of ours says, waited for in a bounded time: one that died says nothing."""

from multiprocessing.connection import Connection
from typing import Any

ANSWER_S = 180.0  # Far above what any of them measures.


def answer_of(pipe: Connection, within_s: float = ANSWER_S) -> Any:  # Any: whatever was sent.
    """Return the next thing that a process sends.

    Raises:
        TimeoutError: it sends nothing in time.
        EOFError: it ended.

    """
    if not pipe.poll(within_s):
        raise TimeoutError(f"expected an answer of a process within {within_s} s, found none")
    return pipe.recv()
