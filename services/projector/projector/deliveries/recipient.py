"""One webhook's receiver: each event is posted until it is taken, and no faster than is polite.

One that is down is asked by one request at a time, ever more rarely; one that fails for too long,
or answers 410, is parked.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime

from campaigns.domain.webhooks import Webhook
from campaigns.events.feed import EventFeed
from campaigns.process.clock import Clock
from campaigns.process.metrics import WEBHOOK_DELIVERIES
from campaigns.records.cloud_event import CloudEvent
from campaigns.secrets.key_place import KeyPlace
from campaigns.secrets.master_key import MasterKeyError
from campaigns.webhooks.address_guard import AddressRefusedError
from campaigns.webhooks.endpoint import Endpoint, WebhookAnswer
from campaigns.webhooks.webhook_endpoint import endpoint_of
from campaigns.webhooks.webhook_settings import WebhookSettings
from projector.deliveries.delivery_state import LastResponse, Standing
from projector.deliveries.permits import Permits

LANES = 4  # Requests of one webhook at once, each for another campaign.
DOWN_AFTER = LANES  # Failures in a row; then one request at a time asks whether it is up again.
SLOW_S = 2.0  # An answer that takes longer makes a receiver a suspect.


@dataclass
class Tools:
    """What every courier of a projector works with."""

    feed: EventFeed
    permits: Permits
    settings: WebhookSettings
    keys: KeyPlace
    clock: Clock
    jitter: Callable[[], float]  # 0 to 1.
    on_moved: Callable[[str], None]  # Told the webhook whose standing has changed.
    tls: ssl.SSLContext | None = None


@dataclass
class Recipient:
    """The receiver of one webhook."""

    webhook: Webhook
    standing: Standing
    tools: Tools
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _failing: dict[int, datetime] = field(default_factory=dict)  # By campaign: since when.
    _failures: int = 0  # In a row, of all campaigns.
    _slow: bool = False
    _probing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self._carried = self.standing.failing_since  # Failing since before this process.
        self._idle: asyncio.LifoQueue[_Slot] = asyncio.LifoQueue()
        for _ in range(LANES):
            self._idle.put_nowait(_Slot())
        self._quiet_until, self._quiet_s = 0.0, self.tools.settings.retry_wait_s
        self._up = asyncio.Event()  # Set, and another one made, when the receiver is up again.

    def stop(self) -> None:
        """Begin nothing more; what is on its way ends."""
        self._stop.set()

    @property
    def stopping(self) -> bool:
        """Say whether nothing more is begun."""
        return self._stop.is_set()

    async def taken(self, event: CloudEvent, first: Callable[[], bool]) -> bool:
        """Post an event until it is taken. False: stopped, or parked, before it was.

        `first`: whether the webhook's cursor waits for this event.
        """
        settings, clock = self.tools.settings, self.tools.clock
        wait_s = settings.retry_wait_s
        while True:
            answer = await self._tried(event)
            if answer is None:
                return False
            self.say(answer)
            WEBHOOK_DELIVERIES.labels("taken" if answer.delivered else "failed").inc()
            if answer.delivered:
                self._sound()
                self._failing.pop(event.campaign_id, None)
                if first():
                    self._carried = None
                self._tell_failing()
                return True
            self._failed()
            since = self._carried if self._carried and first() else clock.now()
            since = self._failing.setdefault(event.campaign_id, since)
            self._tell_failing()
            failing_s = (clock.now() - since).total_seconds()
            if answer.gone or failing_s >= settings.retry_s:
                self._park()
                return False
            asked_s = max(wait_s * (0.75 + 0.5 * self.tools.jitter()), answer.retry_after_s or 0.0)
            await self.pause(min(asked_s, settings.retry_s - failing_s), self._up)
            wait_s = min(2 * wait_s, settings.retry_wait_max_s)

    def _sound(self) -> None:
        if self._failures >= DOWN_AFTER:
            self._up.set()
            self._up = asyncio.Event()
        self._failures, self._quiet_s = 0, self.tools.settings.retry_wait_s

    def _failed(self) -> None:
        self._failures += 1
        if self._failures >= DOWN_AFTER:
            settings = self.tools.settings
            self._quiet_until = self.tools.clock.monotonic() + self._quiet_s
            self._quiet_s = min(2 * self._quiet_s, settings.retry_wait_max_s)

    async def _tried(self, event: CloudEvent) -> WebhookAnswer | None:
        """Post an event once. None: nothing was begun, since this courier is stopping."""
        while not self.stopping:
            down = self._failures >= DOWN_AFTER
            async with AsyncExitStack() as held:
                if down:  # One request at a time, ever rarer.
                    await held.enter_async_context(self._probing)
                    if self._failures >= DOWN_AFTER:
                        await self.pause(self._quiet_until - self.tools.clock.monotonic())
                slot = await self._idle.get()
                held.callback(self._idle.put_nowait, slot)
                sound = self._failures == 0 and not self._slow
                await held.enter_async_context(self.tools.permits.place(sound=sound))
                if not self.tools.permits.valid:
                    await self.or_stop(self.tools.permits.granted())
                elif (down or self._failures < DOWN_AFTER) and (
                    answer := await self._posted(slot, event)
                ) is not None:
                    return answer
        return None

    async def _posted(self, slot: "_Slot", event: CloudEvent) -> WebhookAnswer | None:
        """Post an event by an endpoint that signs by today's secrets. None: it may not begin."""
        tools = self.tools
        now, began = tools.clock.now(), tools.clock.monotonic()
        try:
            if slot.sealed != (sealed := self.webhook.sealed(now)):
                await slot.close()
                slot.endpoint = endpoint_of(
                    self.webhook, tools.keys, tools.settings, now, tools.tls
                )
                slot.sealed = sealed
            assert slot.endpoint is not None, "made above"
            # No await between this and the request: whoever ends the webhook counts on it.
            if self.stopping or not tools.permits.valid:
                return None
            return await slot.endpoint.post(str(event.id), event.body, now)
        except (AddressRefusedError, MasterKeyError) as exc:
            return WebhookAnswer(None, str(exc))
        finally:
            self._slow = tools.clock.monotonic() - began > SLOW_S

    def _park(self) -> None:
        self.standing.parked_at = self.webhook.active_at
        self.stop()

    def say(self, answer: WebhookAnswer) -> None:
        """Note what the receiver answered, or why it was not asked."""
        now = self.tools.clock.now()
        self.standing.last_response = LastResponse(answer.status, now, answer.error)
        self.tools.on_moved(self.webhook.webhook_id)

    def _tell_failing(self) -> None:
        every = [*self._failing.values(), *([self._carried] if self._carried else [])]
        self.standing.failing_since = min(every, default=None)

    async def pause(self, seconds: float, until: asyncio.Event | None = None) -> None:
        """Wait; less if this courier stops, or `until` is set."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self.or_stop((until or self._stop).wait())

    async def or_stop(self, work: Awaitable[object]) -> None:
        """Await something, or the stop: what comes first."""
        tasks = [asyncio.ensure_future(work), asyncio.ensure_future(self._stop.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if tasks[0].done():
                tasks[0].result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def close(self) -> None:
        """Close its connections."""
        while not self._idle.empty():
            await self._idle.get_nowait().close()


@dataclass
class _Slot:
    """One connection to the receiver."""

    endpoint: Endpoint | None = None  # Made when it is needed.
    sealed: tuple[str, ...] = ()  # The secrets that it signs by.

    async def close(self) -> None:
        if self.endpoint is not None:
            await self.endpoint.close()
        self.endpoint, self.sealed = None, ()
