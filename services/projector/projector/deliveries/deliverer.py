"""Delivers the events of all webhooks that this projector holds, each by a courier of its own.

Projectors on one store share the webhooks: each holds those whose leases it has. One that ends, or
is cut off, loses its leases, and others go on from what it stored.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from campaigns.domain.webhooks import Webhook, Webhooks
from campaigns.process.errors import OperatingError, StoreUnreadableError
from campaigns.process.identifiers import random_id
from campaigns.process.observability import limit_repetitions
from campaigns.process.watch import Watch, lasting
from campaigns.webhooks.webhook_settings import WebhookSettings
from projector.deliveries.courier import Courier
from projector.deliveries.delivery_state import STANDING, Standing, standing_of
from projector.deliveries.delivery_store import DeliveryStore
from projector.deliveries.recipient import Tools

logger = logging.getLogger(__name__)
limit_repetitions(logger)  # During an outage each look logs the same.
T = TypeVar("T")

SAVE_S = 0.25  # How much a crash may deliver again.


@dataclass
class Deliverer:
    """The couriers of one projector."""

    webhooks: Webhooks  # As the views have them.
    store: DeliveryStore
    tools: Tools
    owner: str = field(default_factory=lambda: f"projector-{random_id()}")
    _couriers: dict[str, Courier] = field(default_factory=dict)
    _running: dict[str, "asyncio.Task[None]"] = field(default_factory=dict)
    _dirty: set[str] = field(default_factory=set)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _watch: Watch = field(default_factory=Watch)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # One change of leases at a time.
    _leaving: set[str] = field(default_factory=set)  # For others: not begun again before that.
    _parked: frozenset[str] = frozenset()  # Of those that it holds.
    _ending: bool = False
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "deliveries"))

    @property
    def settings(self) -> WebhookSettings:
        """Return the knobs of webhooks."""
        return self.tools.settings

    async def run(self) -> None:
        """Deliver until cancelled.

        Raises:
            Exception: a courier has failed in a way that nobody foresaw.

        """
        self.tools.on_moved = self._dirty.add
        async with asyncio.TaskGroup() as tasks:
            permits = partial(self.tools.permits.run, lambda: bool(self.webhooks.by_id))
            for work, name in (
                (permits, "webhooks are fresh"),
                (self._hold_regularly, "webhooks are held"),
                (self._save_regularly, "deliveries are saved"),
                (self._watch.wait, "webhooks are delivered"),
            ):
                tasks.create_task(lasting(work, name), name=name)

    def changed(self, webhook_id: str) -> None:
        """Note that a webhook has changed, or ended: its courier begins nothing more."""
        courier, found = self._couriers.get(webhook_id), self.webhooks.by_id.get(webhook_id)
        if courier is not None and courier.webhook != found:
            courier.stop()
        self._wake.set()

    async def drain(self) -> None:
        """Let what is on its way end, store where deliveries stand, and let others go on."""
        self._ending = True
        for courier in self._couriers.values():
            courier.stop()
        if self._running:
            await asyncio.wait(self._running.values(), timeout=self.settings.timeout_s)
        try:
            async with self._turn:
                await self._save()
        except OperatingError as exc:  # What was delivered since its last save comes again.
            logger.warning("where deliveries stand is not stored: %s", exc)
        await self._beside(lambda: self.store.leave(self.owner))

    async def close(self) -> None:
        """End what runs still, and close the store."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)
        self._thread.shutdown()
        self.store.close()

    # -- who delivers what ---------------------------------------------------------------------

    async def _hold_regularly(self) -> None:
        while True:
            self._wake.clear()
            try:
                async with self._turn:
                    await self._hold()
            except OperatingError as exc:
                logger.warning("webhooks are not held: %s", exc)
            try:
                async with asyncio.timeout(self.settings.lease_s / 3):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _hold(self) -> None:
        """Renew and take leases; start and stop couriers by them."""
        if self._ending:
            return
        wanted = [one.webhook_id for one in self.webhooks.by_id.values() if not one.paused]
        began, now = self.tools.clock.boottime(), self.tools.clock.now()
        lease_ms, store = int(self.settings.lease_s * 1000), self.store
        held = await self._beside(
            lambda: store.hold(self.owner, wanted, store.now_ms(now), lease_ms)
        )
        self.tools.permits.held_until = began + self.settings.lease_s
        for webhook_id in self._couriers.keys() & held.anew:
            # It was lost for a while, as a frozen process's is: others may have delivered since.
            self._couriers.pop(webhook_id).stop()
        self._leaving &= self._couriers.keys()
        for webhook_id in self._couriers.keys() - held.states.keys():
            self._couriers[webhook_id].stop()
        staying = [one for one in self._couriers if one not in self._leaving]
        for webhook_id in staying[: max(0, held.surplus - len(self._leaving))]:
            self._couriers[webhook_id].stop()
            self._leaving.add(webhook_id)
        for webhook_id, state in held.states.items():
            webhook = self.webhooks.by_id.get(webhook_id)
            if webhook is not None and webhook_id not in self._running.keys() | self._leaving:
                self._begin(webhook, state)
        self._parked = frozenset(held.states.keys() - self._running)

    def _begin(self, webhook: Webhook, state: bytes | None) -> None:
        before = self._couriers.get(webhook.webhook_id)  # It has ended, and is not stored yet.
        try:
            standing = before.standing if before else standing_of(webhook, state)
        except StoreUnreadableError as exc:
            logger.error("webhook %s is not delivered: %s", webhook.webhook_id, exc)
            return
        standing.revive(webhook)
        if standing.parked(webhook):
            return
        courier = Courier(webhook, standing, self.tools)
        self._couriers[webhook.webhook_id] = courier
        running = asyncio.create_task(courier.run(), name=f"webhook {webhook.webhook_id}")
        self._running[webhook.webhook_id] = running
        running.add_done_callback(self._watch.guarded(lambda _: self._ended(courier, running)))

    def _ended(self, courier: Courier, running: "asyncio.Task[None]") -> None:
        webhook_id = courier.webhook.webhook_id
        del self._running[webhook_id]
        self._dirty.add(webhook_id)  # Its courier stays until that is stored.
        if not running.cancelled() and (failure := running.exception()) is not None:
            raise failure
        self._wake.set()

    def standing(self, webhook_id: str) -> Standing | None:
        """Return where a delivery of this projector stands. None: another's, or nobody's."""
        courier = self._couriers.get(webhook_id)
        return courier.standing if courier else None

    def counts(self) -> dict[str, int]:
        """Return how many webhooks this projector holds, by status; paused ones nobody holds."""
        found = Counter({"active": 0, "failing": 0, "parked": len(self._parked)})
        for webhook_id in self._running:
            if (courier := self._couriers.get(webhook_id)) is not None:
                found[courier.standing.status(courier.webhook)] += 1
        return dict(found)

    # -- where deliveries stand ----------------------------------------------------------------

    async def _save_regularly(self) -> None:
        while True:
            await asyncio.sleep(SAVE_S)
            try:
                async with self._turn:
                    await self._save()
            except OperatingError as exc:
                logger.warning("where deliveries stand is not stored: %s", exc)

    async def _save(self) -> None:
        moved, self._dirty = self._dirty, set()
        self.tools.on_moved = self._dirty.add
        couriers = {one: self._couriers[one] for one in moved if one in self._couriers}
        if not couriers:
            return
        states = {one: STANDING.dump(courier.standing) for one, courier in couriers.items()}
        # Known before: one that ends while this is stored has moved since, and is not let go.
        over = [one for one in couriers if one not in self._running]
        try:
            lost = await self._beside(lambda: self.store.save(self.owner, states))
        except OperatingError:
            self._dirty |= moved
            raise
        for webhook_id in lost:
            self._couriers[webhook_id].stop()
        for webhook_id in over:
            del self._couriers[webhook_id]
            self._leaving.discard(webhook_id)
        if over and not self._ending:
            await self._beside(lambda: self.store.release(self.owner, over))
            self._wake.set()

    async def _beside(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
