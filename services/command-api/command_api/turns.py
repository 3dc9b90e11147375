"""Turns at something that one does at a time: organizations in a circle, each in its own order."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Turns:
    """Who waits, by organization: who has just had a turn comes behind all others."""

    waiting_max: int  # Of one organization.
    _waiting: dict[int, deque[asyncio.Future[None]]] = field(default_factory=dict)  # In a circle.
    _busy: bool = False

    def full(self, organization_id: int) -> bool:
        """Say whether an organization has as many waiting as it may."""
        return len(self._waiting.get(organization_id, ())) >= self.waiting_max

    @asynccontextmanager
    async def turn(self, organization_id: int) -> AsyncIterator[None]:
        """Wait for a turn, and have it for as long as this lasts."""
        if self._busy:
            mine = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(organization_id, deque()).append(mine)
            try:
                await mine
            except asyncio.CancelledError:
                self._leave(organization_id, mine)
                raise
        self._busy = True
        try:
            yield
        finally:
            self._next()

    def _leave(self, organization_id: int, mine: "asyncio.Future[None]") -> None:
        if not mine.cancelled():  # It was its turn just now.
            self._next()
        elif mine in (waiting := self._waiting.get(organization_id, deque())):
            waiting.remove(mine)
            if not waiting:
                del self._waiting[organization_id]

    def _next(self) -> None:
        """Let the next one have a turn; who is not there any more is passed over."""
        self._busy = False
        while self._waiting and not self._busy:
            organization_id = next(iter(self._waiting))
            waiting = self._waiting.pop(organization_id)
            first = waiting.popleft()
            if waiting:
                self._waiting[organization_id] = waiting  # Behind all others.
            if not first.done():
                self._busy = True
                first.set_result(None)
