"""Turns at an exclusive resource: round-robin over organizations, first come first within one."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Turns:
    """Waiting requests by organization: one that has had its turn goes behind all others."""

    waiting_max: int  # Of one organization.
    _waiting: dict[int, deque[asyncio.Future[None]]] = field(default_factory=dict)  # Round-robin.
    _busy: bool = False

    def full(self, organization_id: int) -> bool:
        """Say whether as many requests of an organization wait as may."""
        return len(self._waiting.get(organization_id, ())) >= self.waiting_max

    @asynccontextmanager
    async def turn(self, organization_id: int) -> AsyncIterator[None]:
        """Wait for a turn, and hold it until the context ends."""
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
        if not mine.cancelled():  # It has just been given its turn.
            self._next()
        elif mine in (waiting := self._waiting.get(organization_id, deque())):
            waiting.remove(mine)
            if not waiting:
                del self._waiting[organization_id]

    def _next(self) -> None:
        """Give the next waiting request its turn; cancelled ones are passed over."""
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
