"""Webhooks are delivered in order, at least once, and no receiver holds up another."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from campaigns.domain.webhooks import Repetition, Webhook, Webhooks
from campaigns.process.clock import SystemClock
from campaigns.process.errors import LogUnavailableError
from campaigns.secrets.key_place import KeyPlace
from campaigns.webhooks.webhook_endpoint import about
from campaigns.webhooks.webhook_settings import WebhookSettings
from projector.deliveries.deliverer import Deliverer
from projector.deliveries.delivery_state import STANDING, Standing
from projector.deliveries.delivery_store import DeliveryStore
from projector.deliveries.permits import Permits
from projector.deliveries.recipient import Tools
from tests.support.list_feed import ListFeed
from tests.support.receiver import NEVER, RESET, SECRET, Delivered, Receiver, receiving

KEYS = KeyPlace(bytes(range(32)))
FAST = WebhookSettings(
    private=True,
    timeout_s=0.5,
    retry_wait_s=0.01,
    retry_wait_max_s=0.05,
    fresh_s=0.3,
    lease_s=1.0,
)
# Nothing is sent again because a machine is slow: a timeout, or a lease that ran out.
PATIENT = FAST.model_copy(update={"timeout_s": 10.0, "lease_s": 3.0})
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DeliveryStore]:
    found = DeliveryStore(None, tmp_path)
    yield found
    found.close()


def a_webhook(receiver: Receiver, feed: ListFeed, name: str = "wh_1", **more: Any) -> Webhook:
    sealed = KEYS.sealing().seal(SECRET.encode(), about(1, name))
    made = Webhook(1, name, receiver.url, (), (), None, feed.at(0), sealed, NOW, "r", active_at=1)
    return replace(made, **more)


@dataclass
class Projection:
    """What a projector has of webhooks, with its deliverer."""

    feed: ListFeed
    store: DeliveryStore
    settings: WebhookSettings = FAST
    webhooks: Webhooks = field(default_factory=Webhooks)
    away: bool = False  # The log does not say where it ends.

    def __post_init__(self) -> None:
        clock = SystemClock()
        permits = Permits(clock, self.settings, self._look)
        tools = Tools(self.feed, permits, self.settings, KEYS, clock, lambda: 0.5, lambda _: None)
        self.deliverer = Deliverer(self.webhooks, self.store, tools)

    async def _look(self, within_s: float) -> None:
        if self.away:
            raise LogUnavailableError("the log is away")

    def put(self, webhook: Webhook) -> None:
        self.webhooks.by_id[webhook.webhook_id] = webhook
        self.deliverer.changed(webhook.webhook_id)

    def end(self, webhook_id: str) -> None:
        del self.webhooks.by_id[webhook_id]
        self.deliverer.changed(webhook_id)

    @asynccontextmanager
    async def running(self, *, drained: bool = True) -> AsyncIterator["Projection"]:
        """Deliver until the end of the block; not `drained`: it is killed there."""
        running = asyncio.create_task(self.deliverer.run())
        try:
            yield self
            if drained:
                await self.deliverer.drain()
        finally:
            running.cancel()
            await asyncio.wait([running])
            for task in self.deliverer._running.values():
                task.cancel()
            self.deliverer._thread.shutdown()
        if not running.cancelled() and (failure := running.exception()):
            raise failure

    def standing(self, webhook_id: str = "wh_1") -> Standing:
        if (found := self.deliverer.standing(webhook_id)) is not None:
            return found
        stored = self.store.states([webhook_id]).get(webhook_id)
        return STANDING.load(stored) if stored else Standing("", 0)


async def until(true: Callable[[], bool], within_s: float = 5.0) -> None:
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.005)


def stored_cursor(store: DeliveryStore) -> str:
    stored = store.states(["wh_1"]).get("wh_1")
    return STANDING.load(stored).cursor if stored else ""


def ids(requests: list[Delivered]) -> list[str]:
    return [one.headers["webhook-id"] for one in requests]


def in_order(feed: ListFeed, requests: list[Delivered]) -> None:
    """Check that each campaign's events came in order, repeats aside, and none is missing."""
    campaign = {str(one.id): one.campaign_id for one in feed.events}
    by_campaign: dict[int, list[str]] = {}
    for name in ids(requests):
        by_campaign.setdefault(campaign[name], []).append(name)
    for campaign_id, came in by_campaign.items():
        firsts = list(dict.fromkeys(came))
        assert firsts == [str(e.id) for e in feed.events if e.campaign_id == campaign_id]
    assert set(ids(requests)) == {str(one.id) for one in feed.events}


async def test_events_come_signed_in_order_within_a_campaign_and_as_they_are(
    store: DeliveryStore,
) -> None:
    feed = ListFeed()
    async with receiving() as receiver, Projection(feed, store).running() as here:
        for n in range(300):
            feed.add(1 + n % 7)
        here.put(a_webhook(receiver, feed))
        await until(lambda: len(receiver.requests) == 300)
        late = feed.add(3)
        await until(lambda: len(receiver.requests) == 301)
        in_order(feed, receiver.requests)
        assert receiver.requests[-1].checked() == late.body
        await until(lambda: here.standing().cursor == feed.at(301))


async def test_whatever_a_receiver_does_nothing_is_lost_or_out_of_order(
    store: DeliveryStore,
) -> None:
    script = ("500", NEVER, RESET, "302 Found\r\nlocation: /elsewhere", "200", "429", "200", "503")
    feed = ListFeed()
    async with receiving(*script) as receiver, Projection(feed, store).running() as here:
        for n in range(30):
            feed.add(1 + n % 3)
        here.put(a_webhook(receiver, feed))
        await until(lambda: here.standing().cursor == feed.at(30))
        in_order(feed, receiver.requests)
        assert here.standing().failing_since is None
        assert here.standing().status(here.webhooks.by_id["wh_1"]) == "active"


async def test_a_receiver_that_is_down_holds_up_nobody_else(store: DeliveryStore) -> None:
    feed = ListFeed()
    down = ["500"] * 10_000
    async with (
        receiving(*down) as bad,
        receiving() as good,
        Projection(feed, store, FAST.model_copy(update={"deliveries_max": 1})).running() as here,
    ):
        for n in range(100):
            feed.add(n + 1)
        here.put(a_webhook(bad, feed))
        await until(lambda: here.standing().failing_since is not None)
        here.put(a_webhook(good, feed, "wh_2"))
        await until(lambda: len(good.requests) == 100)
        failing = here.standing()
        assert failing.status(here.webhooks.by_id["wh_1"]) == "failing"
        assert failing.last_response
        assert failing.last_response.status == 500
        assert len(bad.requests) < 100  # It is asked ever more rarely.


async def test_a_killed_projector_goes_on_where_it_stood(store: DeliveryStore) -> None:
    feed = ListFeed()
    async with receiving() as receiver:
        for n in range(400):
            feed.add(1 + n % 5)
        webhook = a_webhook(receiver, feed)
        async with Projection(feed, store).running(drained=False) as first:
            first.put(webhook)
            await until(
                lambda: stored_cursor(store) not in ("", feed.at(0)) and len(receiver.requests) > 50
            )
        killed_at = len(receiver.requests)
        async with Projection(feed, store).running() as second:
            second.put(webhook)
            await until(lambda: second.deliverer.standing("wh_1") is not None)
            assert second.standing().cursor != feed.at(0)
            await until(lambda: second.standing().cursor == feed.at(400))
        in_order(feed, receiver.requests)
        assert killed_at < len(receiver.requests) < 800


async def test_after_410_nothing_comes_until_the_owner_asks_for_it(store: DeliveryStore) -> None:
    feed = ListFeed()
    async with receiving("200", "410") as receiver, Projection(feed, store).running() as here:
        for _ in range(5):
            feed.add(1)
        webhook = a_webhook(receiver, feed)
        here.put(webhook)
        await until(lambda: here.standing().status(webhook) == "parked")
        assert ids(receiver.requests) == ["0@1/0", "0@2/0"]
        active = replace(webhook, active_at=2)
        here.put(active)
        await until(lambda: here.standing().cursor == feed.at(5))
        in_order(feed, receiver.requests)
        assert here.standing().status(active) == "active"


async def test_what_is_never_taken_is_parked_and_nothing_of_it_dropped(
    store: DeliveryStore,
) -> None:
    feed = ListFeed()
    settings = FAST.model_copy(update={"retry_s": 0.2})
    async with (
        receiving(*["500"] * 200) as receiver,
        Projection(feed, store, settings).running() as here,
    ):
        feed.add(1)
        feed.add(1)
        webhook = a_webhook(receiver, feed)
        here.put(webhook)
        await until(lambda: here.standing().status(webhook) == "parked")
        assert set(ids(receiver.requests)) == {"0@1/0"}
        receiver.script.clear()
        here.put(replace(webhook, active_at=2))
        await until(lambda: here.standing().cursor == feed.at(2))


async def test_only_wanted_events_come_and_the_cursor_passes_over_the_others(
    store: DeliveryStore,
) -> None:
    feed = ListFeed()
    async with receiving() as receiver, Projection(feed, store).running() as here:
        for tag in ("call-ended.v1", "campaign-paused.v1", "campaign-paused.v2"):
            for campaign_id in (1, 2, 3):
                feed.add(campaign_id, tag)
        wanted: dict[str, Any] = {"types": ("campaign-paused",), "campaign_ids": (2, 3)}
        here.put(a_webhook(receiver, feed, **wanted))
        await until(lambda: here.standing().cursor == feed.at(9))
        assert sorted(ids(receiver.requests)) == ["0@5/0", "0@6/0", "0@8/0", "0@9/0"]


async def test_a_replay_delivers_its_stretch_again_before_going_on(store: DeliveryStore) -> None:
    feed = ListFeed()
    async with receiving() as receiver, Projection(feed, store).running() as here:
        for _ in range(10):
            feed.add(1)
        webhook = a_webhook(receiver, feed)
        here.put(webhook)
        await until(lambda: here.standing().cursor == feed.at(10))
        receiver.requests.clear()
        asked = (Repetition(5, feed.at(2), feed.at(6)), Repetition(6, feed.at(8), None))
        here.put(replace(webhook, replays=asked))
        feed.add(1)
        await until(lambda: here.standing().replayed == 6)
        await until(lambda: here.standing().cursor == feed.at(11))
        again = [f"0@{n}/0" for n in (3, 4, 5, 6, 9, 10, 11)]
        came = ids(receiver.requests)
        came = came[1:] if came[0] == "0@11/0" else came  # It was on its way already.
        assert [name for name, _ in groupby(came)] in (again, again[:-1])


async def test_nothing_is_begun_after_an_end_that_is_known(store: DeliveryStore) -> None:
    feed = ListFeed()
    async with receiving() as receiver, Projection(feed, store).running() as here:
        for _ in range(200):
            feed.add(1)
        here.put(a_webhook(receiver, feed))
        await until(lambda: len(receiver.requests) >= 5)
        here.end("wh_1")
        came = len(receiver.requests)
        await until(lambda: not here.deliverer._running)
        assert came <= len(receiver.requests) <= came + 1  # That on its way, of one campaign.


async def test_nothing_is_begun_while_ends_cannot_be_known(store: DeliveryStore) -> None:
    """As long as a projector is cut off from the log, a DELETE may have been answered."""
    feed = ListFeed()
    async with receiving() as receiver, Projection(feed, store).running() as here:
        here.put(a_webhook(receiver, feed))
        feed.add(1)
        await until(lambda: len(receiver.requests) == 1)
        here.away = True
        permits = here.deliverer.tools.permits
        await until(lambda: not permits.valid)
        feed.add(1)
        await asyncio.sleep(2 * FAST.fresh_s)  # What may not happen has had its time.
        assert len(receiver.requests) == 1
        here.away = False
        await until(lambda: len(receiver.requests) == 2)


async def test_projectors_share_the_webhooks_and_send_none_twice(store: DeliveryStore) -> None:
    feed = ListFeed()
    async with (
        receiving() as receiver,
        Projection(feed, store, PATIENT).running() as one,
        Projection(feed, store, PATIENT).running() as other,
    ):
        names = [f"wh_{n}" for n in range(6)]
        for _ in range(20):
            feed.add(1)

        def shares() -> tuple[int, int]:
            return len(one.deliverer._running), len(other.deliverer._running)

        for here in (one, other):
            for name in names:
                here.put(a_webhook(receiver, feed, name))
        await until(lambda: shares() == (3, 3))
        await until(lambda: len(receiver.requests) >= 120)
        for _ in range(20):
            feed.add(2)
        await until(lambda: len(receiver.requests) >= 240)
        assert len(receiver.requests) == 240


@pytest.mark.parametrize("keys", [KeyPlace(), KeyPlace(bytes(32))], ids=["none", "another"])
async def test_without_its_key_a_webhook_fails_and_says_why(
    store: DeliveryStore, keys: KeyPlace
) -> None:
    feed = ListFeed()
    async with receiving() as receiver, Projection(feed, store).running() as here:
        here.deliverer.tools.keys = keys
        feed.add(1)
        here.put(a_webhook(receiver, feed))
        await until(lambda: here.standing().failing_since is not None)
        last = here.standing().last_response
        assert last
        assert "expected" in (last.error or "")
        assert "master" in (last.error or "").lower()
        here.deliverer.tools.keys = KEYS
        await until(lambda: len(receiver.requests) == 1)


def test_where_deliveries_stand_survives_its_file_being_opened_anew(
    tmp_path: Path, store: DeliveryStore
) -> None:
    assert store.hold("a", ["wh_1"], 1_000, 500).states == {"wh_1": None}
    assert store.save("a", {"wh_1": b"{}"}) == set()
    store.close()
    store = DeliveryStore(None, tmp_path)
    assert store.hold("b", ["wh_1"], 1_200, 500).states == {}
    assert store.hold("b", ["wh_1"], 1_600, 500).states == {"wh_1": b"{}"}
    assert store.save("a", {"wh_1": b"[]"}) == {"wh_1"}
    assert store.states(["wh_1"]) == {"wh_1": b"{}"}
    store.close()
