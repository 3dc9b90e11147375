"""An Idempotency-Key of a create gives the first answer, also on a log with other partitions."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from campaigns.log.port import BATCH_MAX, MemoryLog
from campaigns.process.virtual_time import VirtualClock
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import Partition, campaign_partition
from command_api.commands.create import key_digest, partition_number
from tests.support.exported import planned, written
from tests.support.several_apis import CONTACTS, Instance, Several, virtually
from tests.support.whole_api import BODY

KEYS = [f"key-{number}" for number in range(6)]


class Moved(MemoryLog):
    """A log whose first partition its followers may have to wait for."""

    def __init__(self, partitions: int) -> None:
        super().__init__(partitions)
        self.there = asyncio.Event()
        self.there.set()

    async def batches(
        self, partition: Partition, after: int, *, batch_max: int = BATCH_MAX
    ) -> AsyncIterator[Sequence[Recorded]]:
        if partition == campaign_partition(2, 2):
            await self.there.wait()
        async for batch in super().batches(partition, after, batch_max=batch_max):
            yield batch


async def created(one: Instance, key: str) -> int:
    answer = await one.post("", key=key, json=BODY | {"contacts": CONTACTS})
    assert answer.status_code == 200, answer.text
    return int(answer.json()["id"])


def moved(partitions: int, folder: Path) -> tuple[Moved, dict[str, int]]:
    """Return a log of campaigns that was made with three partitions; and each one's key."""
    log, first = MemoryLog(3), dict[str, int]()

    @virtually
    async def create() -> None:
        world = Several(log, VirtualClock(asyncio.get_running_loop()))
        async with world.instance() as one:
            for key in KEYS:
                first[key] = await created(one, key)

    async def move() -> Moved:
        target = Moved(partitions)
        async with planned(await written(log, folder / "export"), partitions) as plan:
            await plan.check()
            async for record in plan.records():
                target.append_bytes(record.partition, record.raw)
        return target

    create()
    return asyncio.run(move()), first


@pytest.mark.parametrize("partitions", [1, 2, 5])
def test_the_same_key_gives_the_first_answer_in_other_partitions(
    partitions: int, tmp_path: Path
) -> None:
    log, first = moved(partitions, tmp_path)

    @virtually
    async def scenario() -> None:
        there = Several(log, VirtualClock(asyncio.get_running_loop()))
        async with there.instance() as one, there.instance() as other:
            for instance in (one, other):  # At once: nothing was folded yet.
                assert {key: await created(instance, key) for key in KEYS} == first
            new = await created(one, "a new key")
            assert new not in first.values()
            assert await created(other, "a new key") == new
        campaigns = (await there.audit()).campaigns.by_id
        assert campaigns.keys() == {*first.values(), new}

    scenario()


def test_an_instance_answers_no_key_before_it_has_read_all_partitions(tmp_path: Path) -> None:
    """Only the key's own partition was read: a second campaign was created."""
    log, first = moved(2, tmp_path)
    key = next(
        key for key in KEYS if partition_number(key_digest(key), 2) == 1 and not first[key] % 2
    )

    @virtually
    async def scenario() -> None:
        there = Several(log, VirtualClock(asyncio.get_running_loop()))
        log.there.clear()
        async with there.instance() as one:
            creating = asyncio.create_task(created(one, key))
            await asyncio.sleep(5)  # Virtual.
            assert not creating.done()
            log.there.set()
            assert await creating == first[key]
        assert (await there.audit()).campaigns.by_id.keys() == set(first.values())

    scenario()
