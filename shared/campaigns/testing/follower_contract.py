"""The part of the log's contract about readers: followers, single reads and the read index."""

# ruff: noqa: D102  (a test's name is its sentence)

import asyncio

from campaigns.process.errors import LogCutError
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import (
    ORGANIZATIONS,
)
from campaigns.testing.adapter_hooks import AdapterHooks
from campaigns.testing.sample_records import FIRST, close, followed, ids


class FollowerContract(AdapterHooks):
    """Each follower gets every record, in order, wherever it begins."""

    async def test_a_follower_waits_for_what_is_appended_later(self) -> None:
        async with self.open_log(1) as log:
            following = asyncio.create_task(followed(log, FIRST, 0, 12))
            records = []
            for _ in range(3):
                await asyncio.sleep(0.01)
                records += await self.fill(log, FIRST, 4)
            assert ids(await following) == [record.id for record in records]

    async def test_a_follower_begins_in_the_middle(self) -> None:
        async with self.open_log(1) as log:
            records = await self.fill(log, FIRST, 10)
            found = await followed(log, FIRST, 6, 4)
            assert [one.position for one in found] == [7, 8, 9, 10]
            assert ids(found) == [record.id for record in records[6:]]

    async def test_a_follower_begins_at_the_end(self) -> None:
        async with self.open_log(1) as log:
            await self.fill(log, FIRST, 3)
            await followed(log, FIRST, 0, 3)
            following = asyncio.create_task(followed(log, FIRST, 3, 1))
            await asyncio.sleep(0.02)
            (record,) = await self.fill(log, FIRST, 1)
            (found,) = await following
            assert (ids([found]), found.position) == ([record.id], 4)

    async def test_followers_get_the_same(self) -> None:
        async with self.open_log(1) as log:
            met = asyncio.Barrier(3)

            async def follow() -> list[Recorded]:
                found: list[Recorded] = []
                batches = log.batches(FIRST, 0)
                async for batch in batches:
                    waited = not found
                    found += batch
                    if waited:
                        await met.wait()
                    if len(found) >= 11:
                        break
                await close(batches)
                return found

            async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
                one, other = tasks.create_task(follow()), tasks.create_task(follow())
                await self.fill(log, FIRST, 1)
                await met.wait()
                await self.fill(log, FIRST, 10)
            assert [(r.position, r.raw) for r in one.result()] == [
                (r.position, r.raw) for r in other.result()
            ]
            if self.shares:
                pairs = zip(one.result()[1:], other.result()[1:], strict=True)
                assert all(mine is yours for mine, yours in pairs)

    async def test_a_late_follower_gets_everything_that_an_early_one_read(self) -> None:
        async with self.open_log(1) as log:
            await self.fill(log, FIRST, 30)
            early = await followed(log, FIRST, 0, 30)
            late = await followed(log, FIRST, 0, 30, batch_max=7)
            assert [one.raw for one in late] == [one.raw for one in early]

    async def test_a_slow_follower_misses_nothing_and_delays_no_other(self) -> None:
        async with self.open_log(1) as log:
            await self.fill(log, FIRST, 5)
            slow = log.batches(FIRST, 0, batch_max=1)
            found = list(await anext(slow))
            records = await asyncio.gather(*(self.fill(log, FIRST, 1) for _ in range(100)))
            assert len(await followed(log, FIRST, 0, 105)) == 105
            async with asyncio.timeout(20):
                while len(found) < 105:
                    found += await anext(slow)
            await close(slow)
            assert [one.position for one in found] == list(range(1, 106))
            assert set(ids(found[5:])) == {record.id for (record,) in records}

    async def test_a_follower_may_leave_and_come_back(self) -> None:
        async with self.open_log(1) as log:
            await self.fill(log, FIRST, 4)
            first = await followed(log, FIRST, 0, 2, batch_max=2)
            await self.fill(log, FIRST, 4)
            rest = await followed(log, FIRST, first[-1].position, 6)
            assert [one.position for one in [*first, *rest]] == list(range(1, 9))

    async def test_a_follower_beyond_the_end_is_stopped(self) -> None:
        async with self.open_log(1) as log:
            await self.fill(log, FIRST, 2)
            await followed(log, FIRST, 0, 2)
            try:
                found = await followed(log, FIRST, 3, 1)
            except LogCutError as exc:
                message = str(exc)
            else:
                raise AssertionError(f"expected LogCutError, found {found}")
            assert str(FIRST) in message

    async def test_the_ends_are_never_below_what_was_read_back(self) -> None:
        async with self.open_log(1) as log:
            assert await log.ends([FIRST, ORGANIZATIONS]) == {FIRST: 0, ORGANIZATIONS: 0}
            for count in range(1, 6):
                await self.fill(log, FIRST, 1)
                await followed(log, FIRST, count - 1, 1)
                assert await log.ends([FIRST, ORGANIZATIONS]) == {FIRST: count, ORGANIZATIONS: 0}

    async def test_many_may_ask_for_the_ends_at_once(self) -> None:
        async with self.open_log(1) as log:
            await self.fill(log, FIRST, 3)
            await followed(log, FIRST, 0, 3)
            answers = await asyncio.gather(*(log.ends([FIRST]) for _ in range(50)))
            assert all(answer == {FIRST: 3} for answer in answers)

    async def test_read_returns_a_bounded_stretch(self) -> None:
        async with self.open_log(1) as log:
            records = await self.fill(log, FIRST, 10)
            await followed(log, FIRST, 0, 10)
            assert ids(await log.read(FIRST, 3, 4)) == [record.id for record in records[3:7]]
            assert [one.position for one in await log.read(FIRST, 8, 100)] == [9, 10]
            assert list(await log.read(FIRST, 10, 100)) == []
