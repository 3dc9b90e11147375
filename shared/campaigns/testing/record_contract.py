"""The part of the log's contract about records: what is appended is kept, and nothing else."""

# ruff: noqa: D102  (a test's name is its sentence)

import asyncio
from dataclasses import replace
from itertools import pairwise

from campaigns.domain.values.stream_names import Stream
from campaigns.process.errors import UnreadableRecordError
from campaigns.records.record import RECORD_BYTES_MAX, Foreign
from campaigns.records.topics import (
    CAMPAIGN_RECORDS,
    INSTALLATION,
    ORGANIZATION_RECORDS,
    ORGANIZATIONS,
    Partition,
    campaign_partition,
)
from campaigns.testing.adapter_hooks import AdapterHooks
from campaigns.testing.sample_records import FIRST, followed, ids, some_record


class RecordContract(AdapterHooks):
    """Appended records are kept, in order, as the same bytes; unusable ones are refused."""

    async def test_positions_count_from_one_without_gaps_in_the_order_of_appends(self) -> None:
        async with self.open_log(1) as log:
            records = await self.fill(log, FIRST, 20)
            found = await followed(log, FIRST, 0, 20)
            assert [one.position for one in found] == list(range(1, 21))
            assert ids(found) == [record.id for record in records]
            assert {one.partition for one in found} == {FIRST}

    async def test_a_record_is_read_back_as_the_same_bytes(self) -> None:
        async with self.open_log(1) as log:
            (record,) = await self.fill(log, FIRST, 1)
            (found,) = await followed(log, FIRST, 0, 1)
            assert found.raw == record.encode()
            assert found.facts == record.facts

    async def test_both_topics_keep_records(self) -> None:
        async with self.open_log(1) as log:
            (pause,) = await self.fill(log, FIRST, 1)
            (key,) = await self.fill(log, ORGANIZATIONS, 1)
            assert ids(await followed(log, FIRST, 0, 1)) == [pause.id]
            assert ids(await followed(log, ORGANIZATIONS, 0, 1)) == [key.id]
            assert log.partitions(CAMPAIGN_RECORDS) == log.partitions(ORGANIZATION_RECORDS) == 1

    async def test_partitions_are_independent(self) -> None:
        async with self.open_log(3) as log:
            assert log.partitions(CAMPAIGN_RECORDS) == 3
            every = [Partition(CAMPAIGN_RECORDS, number) for number in range(3)]
            appended = {}
            for count, partition in enumerate(every, start=1):
                appended[partition] = await self.fill(log, partition, count, partitions=3)
            for count, partition in enumerate(every, start=1):
                found = await followed(log, partition, 0, count)
                assert [one.position for one in found] == list(range(1, count + 1))
                assert ids(found) == [record.id for record in appended[partition]]
            assert await log.ends(every) == {every[0]: 1, every[1]: 2, every[2]: 3}

    async def test_concurrent_appends_all_appear_exactly_once(self) -> None:
        async with self.open_log(1) as log:
            following = asyncio.create_task(followed(log, FIRST, 0, 500))
            appended = await asyncio.gather(*(self.fill(log, FIRST, 5) for _ in range(100)))
            place = {name: at for at, name in enumerate(ids(await following))}
            assert set(place) == {record.id for mine in appended for record in mine}
            assert await log.ends([FIRST]) == {FIRST: 500}
            for mine in appended:  # One caller's records in its order.
                assert all(place[one.id] < place[next_.id] for one, next_ in pairwise(mine))

    async def test_foreign_bytes_are_delivered_as_foreign_and_disturb_no_follower(self) -> None:
        strange = [b"", b"\x00\xff", b"{}", b'{"dialgate": true}', b"[" * 5_000]
        async with self.open_log(1) as log:
            (before,) = await self.fill(log, FIRST, 1)
            await followed(log, FIRST, 0, 1)
            for raw in strange:
                await self.append_bytes(log, FIRST, raw)
            (after,) = await self.fill(log, FIRST, 1)
            found = await followed(log, FIRST, 0, 2 + len(strange))
            assert ids(found) == [before.id, *["foreign"] * len(strange), after.id]
            assert [one.raw or b"" for one in found[1:-1]] == strange
            assert all(isinstance(one.envelope, Foreign) for one in found[1:-1])

    async def test_a_record_whose_stream_belongs_elsewhere_is_refused_and_leaves_no_trace(
        self,
    ) -> None:
        async with self.open_log(3) as log:
            ours, another = campaign_partition(1, 3), campaign_partition(2, 3)
            record, key = some_record(ours, 3)
            key_made, organization_id = some_record(ORGANIZATIONS)
            guarded = replace(record, condition={**record.condition, Stream("campaign/2"): 0})
            for misplaced, its_key, partition in (
                (record, key, another),
                (record, key, ORGANIZATIONS),
                (record, key, INSTALLATION),
                (key_made, organization_id, ours),
                (guarded, key, ours),  # A guard is a stream too.
            ):
                try:
                    await log.append(partition, misplaced, its_key)
                except UnreadableRecordError as exc:
                    assert not exc.may_still_take_effect  # noqa: PT017  (no pytest in here)
                else:
                    raise AssertionError(f"{partition} took it")
            nothing = dict.fromkeys((ours, another, ORGANIZATIONS, INSTALLATION), 0)
            assert await log.ends(list(nothing)) == nothing
            await log.append(ours, record, key)
            await log.append(ORGANIZATIONS, key_made, organization_id)
            assert ids(await followed(log, ours, 0, 1)) == [record.id]
            assert ids(await followed(log, ORGANIZATIONS, 0, 1)) == [key_made.id]

    async def test_a_record_that_no_reader_could_read_is_refused_and_leaves_no_trace(self) -> None:
        async with self.open_log(1) as log:
            (before,) = await self.fill(log, FIRST, 1)
            record, key = some_record(FIRST)
            for spoilt in (
                replace(record, actor="\ud800"),
                replace(record, condition={}),
                replace(record, correlation_id="x" * RECORD_BYTES_MAX),
            ):
                try:
                    await log.append(FIRST, spoilt, key)
                except UnreadableRecordError as exc:
                    assert not exc.may_still_take_effect  # noqa: PT017  (no pytest in here)
                else:
                    raise AssertionError("it was taken")
            (after,) = await self.fill(log, FIRST, 1)
            assert ids(await followed(log, FIRST, 0, 2)) == [before.id, after.id]
            assert await log.ends([FIRST]) == {FIRST: 2}

    async def test_a_log_that_is_opened_again_has_kept_everything(self) -> None:
        async with self.open_log(2) as log:
            places = [campaign_partition(1, 2), campaign_partition(2, 2), ORGANIZATIONS]
            records = {place: await self.fill(log, place, 5, partitions=2) for place in places}
            for place in places:
                await followed(log, place, 0, 5)
            async with self.reopen(log) as again:
                assert again.id == log.id
                assert await again.ends(places) == dict.fromkeys(places, 5)
                for place in places:
                    found = await followed(again, place, 0, 5)
                    assert ids(found) == [record.id for record in records[place]]
                (more,) = await self.fill(again, places[0], 1, partitions=2)
                (found_more,) = await followed(again, places[0], 5, 1)
                assert (ids([found_more]), found_more.position) == ([more.id], 6)
