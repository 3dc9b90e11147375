"""Projectors on one store share the webhooks: a place is one projector's, and moves with it."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from campaigns.process.clock import SystemClock
from projector.deliveries.delivery_state import STANDING, Standing
from projector.deliveries.delivery_store import DeliveryStore
from tests.support.deliveries import (
    FAST,
    PATIENT,
    Open,
    Projection,
    a_webhook,
    ids,
    in_order,
    opening,
    stored_cursor,
)
from tests.support.list_feed import ListFeed
from tests.support.postgres import Server
from tests.support.receiver import receiving
from tests.support.waiting import until


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("postgres"))
    server.start()
    yield server
    server.crash()


@pytest.fixture(params=["sqlite", "postgres"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    url = request.getfixturevalue("postgres").url if request.param == "postgres" else None
    with opening(url, tmp_path) as another:
        yield another


@pytest.fixture
def store(opened: Open) -> DeliveryStore:
    return opened()


async def test_projectors_share_the_webhooks_and_send_none_twice(opened: Open) -> None:
    feed = ListFeed()
    async with (
        receiving() as receiver,
        Projection(feed, opened(), PATIENT).running() as one,
        Projection(feed, opened(), PATIENT).running() as other,
        Projection(feed, opened(), PATIENT).running() as third,
    ):
        names = [f"wh_{n}" for n in range(6)]
        for _ in range(20):
            feed.add(1)

        def shares() -> tuple[int, ...]:
            return tuple(len(here.deliverer._running) for here in (one, other, third))

        for here in (one, other, third):
            for name in names:
                here.put(a_webhook(receiver, feed, name))
        async with asyncio.timeout(30.0):
            while shares() != (2, 2, 2):
                for here in (one, other, third):
                    here.deliverer.changed("")  # They look at once, and not a third of a lease on.
                await asyncio.sleep(0.02)
        await until(lambda: len(receiver.requests) >= 120)
        for _ in range(20):
            feed.add(2)
        await until(lambda: len(receiver.requests) >= 240)
        assert len(receiver.requests) == 240


def test_where_deliveries_stand_survives_its_store_being_opened_anew(opened: Open) -> None:
    store = opened()
    assert store.hold("a", ["wh_1"], 1_000, 500).states == {"wh_1": None}
    assert store.save("a", {"wh_1": b"{}"}) == set()
    store.close()
    store = opened()
    assert store.hold("b", ["wh_1"], 1_200, 500).states == {}
    assert store.hold("b", ["wh_1"], 1_600, 500).states == {"wh_1": b"{}"}
    assert store.save("a", {"wh_1": b"[]"}) == {"wh_1"}
    assert store.states(["wh_1"]) == {"wh_1": b"{}"}


async def test_what_ends_while_places_are_stored_is_stored_before_others_have_it(
    store: DeliveryStore,
) -> None:
    """Its last events came again: it was let go with the place that was being stored."""
    feed, over, stuck = ListFeed(), threading.Event(), threading.Event()
    saving = store.save

    def slow(owner: str, states: Mapping[str, bytes]) -> set[str]:
        lost = saving(owner, states)
        stuck.set()
        over.wait(30.0)
        return lost

    async with receiving() as receiver, Projection(feed, store, PATIENT).running() as here:
        here.put(a_webhook(receiver, feed))
        feed.add(1)
        await until(lambda: stored_cursor(store) == feed.at(1))
        store.save = slow  # type: ignore[method-assign]
        feed.add(1)
        await until(stuck.is_set)
        feed.add(1)
        await until(lambda: here.standing().cursor == feed.at(3))
        courier = here.deliverer._couriers["wh_1"]
        courier.stop()
        await until(lambda: not here.deliverer._running)
        over.set()
        await until(lambda: here.deliverer._couriers.get("wh_1") not in (None, courier))
        await until(lambda: stored_cursor(store) == feed.at(3))
    assert ids(receiver.requests) == ["0@1/0", "0@2/0", "0@3/0"]


class Frozen(SystemClock):
    """A clock of a process that was frozen for a while, or of a machine whose time is another."""

    ahead_s = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.ahead_s)

    def boottime(self) -> float:
        return super().boottime() + self.ahead_s


async def test_thawed_past_its_lease_it_goes_on_where_others_were_and_repeats_nothing(
    opened: Open,
) -> None:
    """It had its own idea of the place, sent all again from there, and stored that."""
    feed, clock = ListFeed(), Frozen()
    first = Projection(feed, opened(), PATIENT, clock=clock)
    store = opened()
    async with receiving() as receiver, first.running():
        webhook = a_webhook(receiver, feed)
        first.put(webhook)
        feed.add(1)
        await until(lambda: stored_cursor(store) == feed.at(1))
        # Frozen: another took it, delivered up to 5, and left.
        further = STANDING.dump(Standing(cursor=feed.at(5), replayed=0))
        clock.ahead_s = PATIENT.lease_s + 1
        permits = first.deliverer.tools.permits
        assert not permits.valid, "nothing begins before it has looked"
        for _ in range(6):
            feed.add(1)
        now_ms = store.now_ms(clock.now()) + int(1000 * PATIENT.lease_s) + 1_000
        assert "wh_1" in store.hold("another", ["wh_1"], now_ms, 1_000).states
        assert store.save("another", {"wh_1": further}) == set()
        store.leave("another")
        first.deliverer.changed("")
        await until(lambda: stored_cursor(store) == feed.at(7))
    assert ids(receiver.requests) == ["0@1/0", "0@6/0", "0@7/0"]


def test_leases_run_out_by_postgresqls_clock_not_by_a_projectors(opened: Open) -> None:
    store, hour_ms = opened(), 3_600_000
    here = datetime.now(UTC)
    ahead = store.now_ms(here + timedelta(hours=1)) - int(here.timestamp() * 1000)
    on_file = store._connected.dialect.name == "sqlite"
    assert (ahead == hour_ms) if on_file else (abs(ahead) < hour_ms / 2)


async def test_while_postgresql_is_away_what_is_held_is_delivered_and_after_it_all(
    postgres: Server,
) -> None:
    """A lease that cannot be renewed runs out: then nothing begins until it is back."""
    feed, store = ListFeed(), DeliveryStore(postgres.url, None)
    settings = FAST.model_copy(update={"lease_s": 1.5})
    async with receiving() as receiver, Projection(feed, store, settings).running() as here:
        for n in range(50):
            feed.add(1 + n % 5)
        here.put(a_webhook(receiver, feed, "wh_away"))
        await until(lambda: len(receiver.requests) > 10)
        postgres.crash()
        try:
            await until(lambda: not here.deliverer.tools.permits.valid)
            for n in range(50):
                feed.add(1 + n % 5)
            held_at = len(receiver.requests)
            await asyncio.sleep(2 * FAST.fresh_s)  # What may not happen has had its time.
            assert len(receiver.requests) <= held_at + 1, "what was on its way, and nothing else"
        finally:
            postgres.start()
        await until(lambda: here.standing("wh_away").cursor == feed.at(100))
        in_order(feed, receiver.requests)
    stored = store.states(["wh_away"])["wh_away"]
    assert STANDING.load(stored).cursor == feed.at(100)
    store.close()
