"""Nothing is lost or reordered on campaign.events, whatever fails, dies or is deleted."""

import asyncio
import contextlib
import random
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest
from cloudevents.core.formats.json import JSONFormat

from campaigns.domain.facts import Disposition
from campaigns.process.errors import LogUnavailableError
from campaigns.records.cloud_event import id_of
from campaigns.stores.checkpoint import remove
from projector.advance import Views
from projector.feeds.publisher import Publishing
from projector.store.tables import OUTBOX
from projector.store.view_store import ViewStore
from tests.support.journal import Journal, every_partition


class Topic:
    """campaign.events in memory. Fails as told: before, in the middle, or after the append."""

    def __init__(self, faults: random.Random | None = None) -> None:
        self.events: dict[int, list[tuple[bytes, bytes]]] = {}
        self.id = "first"
        self.faults = faults

    def _fails(self) -> bool:
        return self.faults is not None and self.faults.random() < 0.3

    async def topic_id(self) -> str:
        if self._fails():
            raise LogUnavailableError("away")
        return self.id

    async def last_event(self, number: int) -> bytes | None:
        await asyncio.sleep(0)
        if self._fails():
            raise LogUnavailableError("away")
        events = self.events.get(number)
        return events[-1][1] if events else None

    async def publish(self, number: int, messages: Sequence[tuple[bytes, bytes]]) -> None:
        for message in messages:
            await asyncio.sleep(0)
            if self._fails():
                raise LogUnavailableError("away")
            self.events.setdefault(number, []).append(message)
        if self._fails():
            raise LogUnavailableError("the acknowledgement was lost")

    async def close(self) -> None:
        pass

    def ids(self, partition: int) -> list[str]:
        """Return the ids in order, the repeated ones dropped."""
        values = [orjson.loads(value)["id"] for _, value in self.events.get(partition, [])]
        return list(dict.fromkeys(values))


def projector(journal: Journal, topic: Topic, folder: Path) -> tuple[Views, Publishing]:
    store = ViewStore(None, folder)
    store.belongs_to(journal.log.id, publishes=True)
    views = Views(store, journal.log, True, lambda key: None)
    publishing = Publishing(topic, views, 5, 0.0005, 0.001)
    views.on_moved = publishing.moved
    views.restore(every_partition(journal))
    return views, publishing


async def run(journal: Journal, topic: Topic, folder: Path, until_s: float | None) -> None:
    """Run a projector until the outbox is empty and all is folded, or kill it at a moment."""
    views, publishing = projector(journal, topic, folder)

    def done() -> bool:
        return not any(views.store.dump([OUTBOX]).values()) and all(
            views.reader.positions.get(one, 0) == len(journal.log._records[one])
            for one in every_partition(journal)
        )

    async def work() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(views.reader.follow(every_partition(journal)))
            tasks.create_task(publishing.run(journal.partitions))
            while not done():
                await asyncio.sleep(0.002)
            raise asyncio.CancelledError

    with contextlib.suppress(TimeoutError, asyncio.CancelledError):
        async with asyncio.timeout(until_s):
            await work()
    views.store.close()


def history() -> Journal:
    journal = Journal(partitions=2)
    for campaign_id in (1, 2, 3):
        journal.create(campaign_id, contacts=6)
        journal.start(campaign_id)
        for contact_id in range(1, 6):
            journal.call(contact_id, Disposition.BUSY, campaign_id=campaign_id)
            journal.refused(campaign_id)
    journal.replace(6, 3)
    return journal


def expected(journal: Journal, partition: int) -> list[str]:
    return [
        f"{partition}@{recorded.position}/{n}"
        for recorded in journal.records
        if recorded.partition.number == partition
        for n, fact in enumerate(recorded.facts)
        if fact.TYPE != "contacts-added.v1"
    ]


@pytest.mark.parametrize("seed", range(12))
async def test_nothing_is_lost_or_reordered_by_faults_kills_and_rebuilds(
    seed: int, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    journal, topic = history(), Topic(chance)
    for _ in range(chance.randint(0, 6)):
        await run(journal, topic, tmp_path, chance.uniform(0.001, 0.06))
        if chance.random() < 0.4:
            remove(tmp_path / "projector.db")
    await run(journal, topic, tmp_path, None)
    for partition in (0, 1):
        assert topic.ids(partition) == expected(journal, partition)


async def test_a_rebuilt_store_repeats_nothing(tmp_path: Path) -> None:
    journal, topic = history(), Topic()
    await run(journal, topic, tmp_path, None)
    before = {number: list(events) for number, events in topic.events.items()}
    remove(tmp_path / "projector.db")
    await run(journal, topic, tmp_path, None)
    assert topic.events == before


async def test_an_event_is_a_cloudevent_keyed_by_its_campaign(tmp_path: Path) -> None:
    journal, topic = Journal(), Topic()
    journal.create(7)
    journal.start(7)
    await run(journal, topic, tmp_path, None)
    (created_key, _), (key, value) = topic.events[0]
    assert created_key == key == b"7"
    event = JSONFormat().read(None, value)
    assert (event.get_id(), event.get_type()) == ("0@2/0", "campaign-started.v1")
    assert (event.get_source(), event.get_subject()) == ("test/1", "campaign/7")
    assert event.get_time() == journal.now
    data = event.get_data()
    assert isinstance(data, dict)
    assert data["run"] == 1
    assert event.get_extension("correlationid") == "test"


async def test_no_personal_data_is_published(tmp_path: Path) -> None:
    journal, topic = history(), Topic()
    await run(journal, topic, tmp_path, None)
    assert not any(
        b"+1555" in value or b"Contact" in value
        for events in topic.events.values()
        for _, value in events
    )


async def test_an_event_is_published_within_a_second_of_its_acceptance(tmp_path: Path) -> None:
    journal, topic = history(), Topic()
    views, publishing = projector(journal, topic, tmp_path)
    async with asyncio.TaskGroup() as tasks:
        working = [
            tasks.create_task(views.reader.follow(every_partition(journal))),
            tasks.create_task(publishing.run(2)),
        ]
        await asyncio.sleep(0.2)
        journal.stop(1)
        async with asyncio.timeout(10):  # A second, and what busy cores may add.
            while topic.ids(1)[-1:] != expected(journal, 1)[-1:]:
                await asyncio.sleep(0.005)
        for task in working:
            task.cancel()
    views.store.close()


@pytest.mark.parametrize("strange", [b"", b"[]", b'{"id": 7}', b'{"id": "1@2"}', b"\xff"])
def test_a_strangers_event_has_no_place(strange: bytes) -> None:
    assert id_of(strange) is None
