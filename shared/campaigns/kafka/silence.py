"""Tracks the brokers that do not answer, and asks several in turn. Independent of the client."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import TypeVar

NEXT_S = 0.3  # After so long without an answer, the next broker is asked as well.

T = TypeVar("T")


async def first_of(asks: Collection[Callable[[], Awaitable[T]]], next_s: float) -> T:
    """Return the first answer. The next one is asked when one fails, or after `next_s`.

    The remaining requests are cancelled.

    Raises:
        Exception: all have failed; the last one's exception.

    """
    assert asks, "at least one is asked"
    waiting, asked = list(asks), set[asyncio.Future[T]]()
    failed: BaseException | None = None
    try:
        while waiting or asked:
            if waiting:
                asked.add(asyncio.ensure_future(waiting.pop(0)()))
            done, asked = await asyncio.wait(
                asked,
                timeout=next_s if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for one in done:
                if (failed := one.exception()) is None:
                    return one.result()
    finally:
        for one in asked:
            one.cancel()
        if asked:
            await asyncio.gather(*asked, return_exceptions=True)
    assert failed is not None, "one of them ended"
    raise failed


@dataclass(slots=True)
class Silence:
    """The brokers that do not answer, as observed by all clients of a process."""

    owing: Counter[int] = field(default_factory=Counter)  # Requests unanswered for DOUBT_S.
    gone: set[int] = field(default_factory=set)  # They left the cluster while they owed answers.

    def rank(self, node_id: int) -> tuple[bool, int]:
        """Return a sort key that puts brokers that do not answer last."""
        return node_id in self.gone, self.owing[node_id]

    def heard(self, there: Collection[int]) -> Collection[int]:
        """Note which brokers the cluster has; return those whose answers are given up."""
        self.gone.difference_update(there)
        self.gone.update(one for one, owes in self.owing.items() if owes and one not in there)
        return self.gone
