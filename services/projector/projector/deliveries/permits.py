"""When a delivery may begin: the webhooks are known to be fresh, and there is room for one more.

A look at the log's end, and all of organization.records read up to it, is worth `fresh_s`: whoever
ended a webhook waits as long before the 200, and by then each projector has read that, or begins
nothing (ADR-0038). Durations alone are compared, never two machines' clocks.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from campaigns.process.clock import Clock
from campaigns.process.errors import OperatingError
from campaigns.process.observability import limit_repetitions
from campaigns.webhooks.webhook_settings import WebhookSettings

logger = logging.getLogger(__name__)
limit_repetitions(logger)  # During an outage each look logs the same.


@dataclass
class Permits:
    """Lets deliveries begin."""

    clock: Clock
    settings: WebhookSettings
    look: Callable[[float], Awaitable[None]]  # Reads organization.records up to its end, within.
    # On the boot clock: before both, deliveries may begin.
    fresh_until: float = -1.0
    held_until: float = -1.0  # The leases are ours until then.
    _granted: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        # Receivers that fail or are slow share few places: they take none of the others'.
        self._sound = asyncio.Semaphore(self.settings.deliveries_max)
        self._suspect = asyncio.Semaphore(self.settings.suspect_deliveries_max)

    async def run(self, wanted: Callable[[], bool]) -> None:
        """Look at the log's end again and again, while anything may be delivered."""
        fresh_s = self.settings.fresh_s
        while True:
            if wanted():
                began = self.clock.boottime()
                try:
                    await self.look(fresh_s)
                except OperatingError as exc:
                    logger.warning("no webhook is delivered: %s", exc)
                else:
                    self.fresh_until = began + fresh_s
                    self._granted.set()
                    self._granted = asyncio.Event()
            await asyncio.sleep(fresh_s / 3)

    @property
    def valid(self) -> bool:
        """Say whether a delivery may begin now."""
        return self.clock.boottime() < min(self.fresh_until, self.held_until)

    async def granted(self) -> None:
        """Wait until a delivery may begin."""
        while not self.valid:  # Looks come often: a renewed lease is seen at the next one.
            await self._granted.wait()

    @asynccontextmanager
    async def place(self, *, sound: bool) -> AsyncIterator[None]:
        """Hold one of the places for deliveries under way."""
        async with self._sound if sound else self._suspect:
            yield
