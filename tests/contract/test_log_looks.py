"""What happens while the embedded log looks into its file."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from campaigns.records.topics import Partition
from campaigns.sqlite.committer import Round
from campaigns.sqlite.file import Stretch
from campaigns.sqlite.sqlite_log import SqliteLog
from campaigns.testing.sample_records import FIRST, some_record


class Meanwhile(SqliteLog):
    """A log in which something happens between a look into the file and what is made of it.

    What a commit tells the loop is held back until then.
    """

    meanwhile: Callable[[], Awaitable[object]] | None = None
    told: list[Round]

    def _publish(self, turn: Round) -> None:
        if self.meanwhile:
            self.told.append(turn)
        else:
            super()._publish(turn)

    async def _stretch(
        self, partition: Partition, after: int, limit: int, bytes_max: int | None = None
    ) -> Stretch:
        found = await super()._stretch(partition, after, limit, bytes_max)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            for turn in self.told:
                self._publish(turn)
            await meanwhile()
        return found


async def test_what_is_committed_during_a_look_is_no_cut(tmp_path: Path) -> None:
    """Seen under a flood: the loop was held between a commit and what it tells the readers."""
    path = tmp_path / "log.db"
    log, other = Meanwhile(path, exclusive=False), SqliteLog(path, exclusive=False)
    await log.open()
    await other.open()
    try:
        for _ in range(2):
            await log.append(FIRST, *some_record(FIRST))
        batches = log.batches(FIRST, 0)
        found = list(await anext(batches))
        assert len(found) == 2

        async def grown() -> None:
            await appended  # The third is told now, from memory; the look had found it too.
            await other.append(FIRST, *some_record(FIRST))
            assert (await log.ends([FIRST]))[FIRST] == 4, "the look had not found this one"

        log.meanwhile, log.told = grown, []
        following = asyncio.ensure_future(anext(batches))
        appended = asyncio.create_task(log.append(FIRST, *some_record(FIRST)))
        while not log.told:
            await asyncio.sleep(0)
        assert (await log.ends([FIRST]))[FIRST] == 3, "so a look begins before it is told"
        async with asyncio.timeout(20):
            found += await following
            while len(found) < 4:
                found += await anext(batches)
        assert log.meanwhile is None, "a look was under way"
        assert [one.position for one in found] == [1, 2, 3, 4]
    finally:
        await log.close()
        await other.close()
