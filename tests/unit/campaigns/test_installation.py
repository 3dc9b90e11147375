"""The level of an installation: its start, its raise, and which builds are refused."""

import asyncio
from dataclasses import dataclass, field

import pytest

from campaigns.domain.facts import LevelRaised
from campaigns.domain.levels import LEVEL_NEWEST
from campaigns.log.installation_log import Author, decided, founded, whole
from campaigns.log.port import MemoryLog, OnRefusal
from campaigns.log.reader import Reader
from campaigns.process.errors import LevelBeyondError, LogUnavailableError
from campaigns.process.virtual_time import VirtualClock, run_virtually
from campaigns.records.installation import Installation, raise_level
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Record
from campaigns.records.topics import INSTALLATION, INSTALLATION_KEY, ORGANIZATIONS, Partition
from campaigns.testing.sample_records import FIRST, NOON, offered, some_record


@dataclass
class Ids:
    """A fold that keeps the ids."""

    ids: list[str] = field(default_factory=list)

    def fold(self, recorded: Recorded) -> None:
        """Keep one."""
        self.ids.append(recorded.envelope.id)  # type: ignore[union-attr]  # Accepted.

    def folded(self, partition: Partition, position: int) -> None:
        """Nothing to store."""


class Unsteady(MemoryLog):
    """A log that takes one record in three, and loses another one without a word."""

    tries = 0

    async def append(
        self, partition: Partition, record: Record, key: int, refused: OnRefusal | None = None
    ) -> None:
        self.tries += 1
        if self.tries % 3 == 1:
            raise LogUnavailableError("away")
        if self.tries % 3 == 2:
            return
        await super().append(partition, record, key, refused)


def raised(level: int, version: int = 0) -> Record:
    return offered(LevelRaised(level=level, raised_at=NOON), condition_version=version)


async def begun(log: MemoryLog) -> Installation:
    return await founded(log, VirtualClock(asyncio.get_running_loop()), "command-api/1")


@pytest.mark.parametrize("kind", [MemoryLog, Unsteady])
def test_a_log_in_which_nothing_stands_begins_at_our_newest_level(kind: type[MemoryLog]) -> None:
    async def main() -> None:
        log = kind(3)
        every = await asyncio.gather(*(begun(log) for _ in range(4)))
        assert {one.level for one in every} == {LEVEL_NEWEST}
        installation = await whole(log)
        assert (installation.level, len(installation.records)) == (LEVEL_NEWEST, 1)
        assert await log.ends([FIRST]) == {FIRST: 0}, "positions of campaigns are what they were"

    run_virtually(main())


@pytest.mark.parametrize("partition", [FIRST, ORGANIZATIONS])
def test_a_log_that_does_not_say_is_of_level_1(partition: Partition) -> None:
    async def main() -> None:
        log = MemoryLog()
        record, key = some_record(partition)
        await log.append(partition, record, key)
        assert (await begun(log)).level == 1
        assert await log.ends([INSTALLATION]) == {INSTALLATION: 0}

    run_virtually(main())


def test_a_level_is_raised_once_and_never_lowered() -> None:
    async def main() -> None:
        log = MemoryLog()
        await log.append(FIRST, *some_record(FIRST))
        clock = VirtualClock(asyncio.get_running_loop())
        by = Author("test", "operator")

        async def to(level: int) -> Installation:
            return await decided(log, lambda now: raise_level(now, level, clock.now()), by, clock)

        every = await asyncio.gather(*(to(LEVEL_NEWEST) for _ in range(3)))
        assert {one.level for one in every} == {LEVEL_NEWEST}
        assert (await to(1)).level == LEVEL_NEWEST
        assert len((await whole(log)).records) == 1

    run_virtually(main())


def test_a_build_that_is_too_old_does_not_begin() -> None:
    async def main() -> None:
        log = MemoryLog()
        await log.append(INSTALLATION, raised(LEVEL_NEWEST + 1), INSTALLATION_KEY)
        for beginning in (begun(log), whole(log), Reader(log, Ids()).begin()):
            with pytest.raises(LevelBeyondError, match="this build is too old") as no:
                await beginning
            assert "installation.records/0@1" in str(no.value)

    run_virtually(main())


def test_a_running_reader_learns_of_a_level_and_stops_at_one_that_it_does_not_know() -> None:
    async def main() -> None:
        log, fold = MemoryLog(), Ids()
        await log.append(FIRST, *some_record(FIRST))
        reader = Reader(log, fold)
        await reader.begin()
        following = asyncio.create_task(reader.follow([FIRST]))
        await reader.reached(FIRST, 1)
        assert reader.installation.level == 1
        await log.append(INSTALLATION, raised(LEVEL_NEWEST), INSTALLATION_KEY)
        await asyncio.sleep(1)
        assert reader.installation.level == LEVEL_NEWEST
        await log.append(INSTALLATION, raised(LEVEL_NEWEST + 1, 0), INSTALLATION_KEY)
        await asyncio.sleep(1)
        assert not following.done(), "it was refused: decided on what was no longer so"
        await log.append(INSTALLATION, raised(LEVEL_NEWEST + 1, 1), INSTALLATION_KEY)
        with pytest.raises(ExceptionGroup) as stopped:
            await following
        assert stopped.group_contains(LevelBeyondError)
        assert len(fold.ids) == 1

    run_virtually(main())


def test_what_holds_is_read_before_anything_is_followed() -> None:
    async def main() -> None:
        log, fold = MemoryLog(), Ids()
        await log.append(FIRST, *some_record(FIRST))
        await log.append(INSTALLATION, raised(LEVEL_NEWEST + 1), INSTALLATION_KEY)
        with pytest.raises(LevelBeyondError):
            await Reader(log, fold).follow([FIRST])
        assert not fold.ids

    run_virtually(main())
