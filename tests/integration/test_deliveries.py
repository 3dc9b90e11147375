"""Webhooks are delivered in order, at least once, and no receiver holds up another."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from campaigns.domain.webhooks import Repetition
from campaigns.secrets.key_place import KeyPlace
from projector.deliveries.courier import PAGE, WINDOW
from projector.deliveries.delivery_store import DeliveryStore
from projector.deliveries.webhook_pages import BEHIND_MAX, WebhookPages
from tests.support.deliveries import (
    FAST,
    KEYS,
    PATIENT,
    Projection,
    a_webhook,
    ids,
    in_order,
    opening,
    stored_cursor,
)
from tests.support.list_feed import ListFeed
from tests.support.postgres import postgres_url
from tests.support.receiver import NEVER, RESET, receiving
from tests.support.waiting import until


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres_url(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DeliveryStore]:
    url = request.getfixturevalue("postgres") if request.param == "postgres" else None
    with opening(url, tmp_path) as another:
        yield another()


async def test_events_come_signed_in_order_within_a_campaign_and_as_they_are(
    store: DeliveryStore,
) -> None:
    feed = ListFeed()
    async with receiving() as receiver, Projection(feed, store, PATIENT).running() as here:
        for n in range(300):
            feed.add(1 + n % 7)
        here.put(a_webhook(receiver, feed))
        await until(lambda: len(receiver.requests) == 300)
        late = feed.add(3)
        await until(lambda: len(receiver.requests) == 301)
        in_order(feed, receiver.requests)
        assert receiver.requests[-1].checked() == late.body
        await until(lambda: here.standing().cursor == feed.at(301))


async def test_events_are_read_by_the_page_also_while_one_campaign_has_them_all(
    store: DeliveryStore,
) -> None:
    feed, many = ListFeed(), 5 * PAGE + WINDOW
    async with receiving() as receiver, Projection(feed, store, PATIENT).running() as here:
        for _ in range(many):
            feed.add(1)
        here.put(a_webhook(receiver, feed))
        await until(lambda: here.standing().cursor == feed.at(many))
        in_order(feed, receiver.requests)
        assert feed.pages <= many // PAGE + 2


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
        await until(lambda: len(good.requests) >= 100)
        failing = here.standing()
        assert failing.status(here.webhooks.by_id["wh_1"]) == "failing"
        assert failing.last_response
        assert failing.last_response.status == 500
        assert len(bad.requests) < 100  # It is asked ever more rarely.


@pytest.mark.parametrize("more", [{"types": ("call-ended.v1",)}, {"campaign_ids": (1, 2)}])
async def test_what_nobody_wants_takes_no_room_beside_an_event_that_is_not_taken(
    store: DeliveryStore, more: dict[str, Any]
) -> None:
    """A campaign that is held up holds up the others after that many *wanted* events alone."""
    feed = ListFeed()
    async with receiving() as receiver, Projection(feed, store).running() as here:
        here.put(a_webhook(receiver, feed, **more))
        held = feed.add(1)
        receiver.refuses = lambda body: body == held.body
        await until(lambda: here.standing().failing_since is not None)
        for _ in range(2 * WINDOW):  # Each is read by itself, as it comes.
            feed.add(3, "campaign-paused.v1")
            read = feed.pages
            await until(lambda read=read: feed.pages > read)  # type: ignore[misc]
        other = feed.add(2)
        await until(lambda: other.body in [one.body for one in receiver.requests])
        assert here.standing().failing_since is not None, "the first one is still held"


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
    async with receiving() as receiver, Projection(feed, store, PATIENT).running() as here:
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
        await until(lambda: len(receiver.requests) >= 1)


async def test_operators_see_how_many_webhooks_fail_or_are_parked(store: DeliveryStore) -> None:
    feed = ListFeed()
    async with (
        receiving() as good,
        receiving(*["500"] * 10_000) as bad,
        receiving("410") as gone,
        Projection(feed, store).running() as here,
    ):
        feed.add(1)
        for name, receiver in (("wh_1", good), ("wh_2", bad), ("wh_3", gone)):
            here.put(a_webhook(receiver, feed, name))
        await until(lambda: here.deliverer.counts() == {"active": 1, "failing": 1, "parked": 1})


async def test_behind_is_never_0_while_something_waits_further_on(store: DeliveryStore) -> None:
    feed = ListFeed()
    async with receiving() as receiver, Projection(feed, store).running() as here:
        resting = a_webhook(receiver, feed, types=("campaign-paused",), paused=True)
        here.put(resting)
        shown = WebhookPages(here.deliverer)

        async def behind() -> object:
            (shape,) = await shown.shapes([resting])
            return shape["behind"]

        assert await behind() == 0
        feed.add(1, "campaign-paused.v1")
        assert await behind() == 1
        feed.events.clear()
        for _ in range(12 * BEHIND_MAX):
            feed.add(1)
        assert await behind() is None, "it did not look to the end"
        feed.events.clear()
        for _ in range(2 * BEHIND_MAX):
            feed.add(1, "campaign-paused.v1")
        assert await behind() == BEHIND_MAX
