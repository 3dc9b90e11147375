"""Those who wait for a position of a partition. Waiting is for a position, never for a time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from campaigns.records.topics import Partition


@dataclass
class PositionWaiters:
    """Everyone who waits for one reader. True while somebody does."""

    on_waiting: Callable[[], None] = lambda: None  # Somebody has begun to wait.
    _waiting: dict[Partition, list[tuple[int, asyncio.Future[None]]]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Say whether somebody waits."""
        return bool(self._waiting)

    async def wait(self, partition: Partition, position: int) -> None:
        """Wait until `wake` is called with this position, or a later one."""
        woken = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(partition, []).append((position, woken))
        self.on_waiting()
        await woken

    def wake(self, partition: Partition, position: int) -> None:
        """Wake those who wait for a position up to this one."""
        waiting = self._waiting.get(partition)
        if not waiting:
            return
        for wanted, woken in waiting:
            if wanted <= position and not woken.done():
                woken.set_result(None)
        if left := [(n, f) for n, f in waiting if not f.done()]:
            self._waiting[partition] = left
        else:
            del self._waiting[partition]
