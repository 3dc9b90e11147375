"""Brokers refuse records for a while: waiting requests are answered at once; then all continues.

A client of Kafka spends a sequence number on what is refused; the brokers take nothing behind the
hole, and one refusal silenced a partition in that process for ever, while it said it was ready.
"""

import asyncio
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self
from uuid import uuid4

import pytest

from campaigns.domain.facts import CampaignPaused
from campaigns.kafka.kafka_log import KafkaLog
from campaigns.log.reader import Reader, Ruling
from campaigns.log.writer import Origin, Writer
from campaigns.process.clock import SystemClock
from campaigns.process.errors import LogUnavailableError
from campaigns.records.topics import (
    CAMPAIGN_RECORDS,
    ORGANIZATION_RECORDS,
    Partition,
    campaign_partitions,
)
from tests.support.on_kafka import NOON, Folded, altered, opened
from tests.support.waiting import until

pytestmark = pytest.mark.kafka

FIRST, SECOND, THIRD = campaign_partitions(3)
SETTINGS = {  # By what the brokers say: a setting that makes them say it.
    "MessageSizeTooLargeError": {"max_message_bytes": "1"},
    "InvalidTimestampError": {"message_timestamp_before_max_ms": "0"},
}


class Writing:
    """A writer with its reader on a log, and how to make the brokers refuse what it writes."""

    def __init__(self, servers: str, namespace: str) -> None:
        self.servers, self.namespace = servers, namespace
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self.log: KafkaLog = await self._stack.enter_async_context(
            opened(self.servers, self.namespace)
        )
        self.reader = Reader(self.log, Folded())
        self.writer = Writer(self.reader, None, SystemClock(), "t")
        following = asyncio.create_task(self.reader.follow(campaign_partitions(3)))
        self._stack.callback(following.cancel)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, no: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def put(self, partition: Partition) -> Ruling:
        """Append one record that the rule accepts."""
        campaign_id = 3 * (uuid4().int % 10**9) + partition.number
        fact = CampaignPaused(campaign_id=campaign_id, reason=None, paused_at=NOON)
        record = self.writer.record((fact,), {fact.stream: 0}, Origin("a", "c"))
        return await self.writer.append(partition, record, campaign_id)

    async def alter(self, **settings: str) -> None:
        await altered(self.servers, self.log.kafka.topic(CAMPAIGN_RECORDS), **settings)

    async def put_until_refused(self, partition: Partition) -> LogUnavailableError:
        async with asyncio.timeout(30):
            while True:
                try:
                    await self.put(partition)
                except LogUnavailableError as exc:
                    return exc

    async def put_until_taken(self, partition: Partition) -> Ruling:
        async with asyncio.timeout(30):
            while True:
                try:
                    return await self.put(partition)
                except LogUnavailableError:
                    await asyncio.sleep(0.05)


@pytest.mark.parametrize("said", SETTINGS)
async def test_who_waits_for_a_refused_record_is_told_at_once_that_nothing_takes_effect(
    kafka_servers: str, namespace: str, said: str
) -> None:
    async with Writing(kafka_servers, namespace) as w:
        assert (await w.put(FIRST)).accepted
        await w.alter(**SETTINGS[said])
        began = asyncio.get_running_loop().time()
        no = await w.put_until_refused(FIRST)
        assert asyncio.get_running_loop().time() - began < w.writer.ruling_s / 2
        assert said in str(no)
        assert not no.may_still_take_effect
        assert not w.reader.on_ruling, "no request waits for it"


@pytest.mark.parametrize("said", SETTINGS)
async def test_commands_are_answered_again_once_the_cause_has_gone(
    kafka_servers: str, namespace: str, said: str
) -> None:
    async with Writing(kafka_servers, namespace) as w:
        await asyncio.gather(*(w.put(one) for one in (FIRST, SECOND, THIRD)))
        await w.alter(**SETTINGS[said])
        for _ in range(5):
            await w.put_until_refused(FIRST)
        await w.alter()
        for one in (FIRST, SECOND, THIRD, FIRST):
            assert (await w.put_until_taken(one)).accepted
        assert w.log._appender.refused == w.log._appender.unacknowledged > 0, "all fates are known"


async def test_many_records_at_once_are_all_accounted_for(
    kafka_servers: str, namespace: str
) -> None:
    """What is in flight when one is refused, on its partition and on others."""
    async with Writing(kafka_servers, namespace) as w:
        await asyncio.gather(*(w.put(one) for one in (FIRST, SECOND, THIRD)))
        taken, refused, over = 3, 0, False

        async def work(partition: Partition) -> None:
            nonlocal taken, refused
            while not over:
                try:
                    assert (await w.put(partition)).accepted
                    taken += 1
                except LogUnavailableError:
                    refused += 1

        async with asyncio.TaskGroup() as tasks:
            for partition in (FIRST, SECOND, THIRD):
                for _ in range(20):
                    tasks.create_task(work(partition))
            await until(lambda: taken > 500)
            await w.alter(max_message_bytes="1")
            await until(lambda: refused > 500)
            await w.alter()
            before = taken
            await until(lambda: taken > before + 500)
            over = True
        await w.reader.catch_up([FIRST, SECOND, THIRD], within_s=20)
        assert w.reader.counts.accepted == taken, "what was refused never came"


async def test_readiness_sees_what_is_refused_and_that_it_is_over(
    kafka_servers: str, namespace: str
) -> None:
    async with Writing(kafka_servers, namespace) as w:
        await w.put(FIRST)
        assert not w.log.troubles([CAMPAIGN_RECORDS])
        await w.alter(max_message_bytes="1")
        await w.put_until_refused(FIRST)
        (trouble,) = w.log.troubles([CAMPAIGN_RECORDS])
        assert "campaign.records/0 refuses records: MessageSizeTooLargeError" in trouble
        assert not w.log.troubles([ORGANIZATION_RECORDS]), "who does not write there is well"
        await w.alter()
        await w.put_until_taken(FIRST)
        assert not w.log.troubles([CAMPAIGN_RECORDS])


async def test_one_refusal_costs_one_client_however_many_records_it_held(
    kafka_servers: str, namespace: str
) -> None:
    async with Writing(kafka_servers, namespace) as w:
        await w.put(FIRST)
        first = w.log._appender._producer
        await w.alter(max_message_bytes="1")
        await asyncio.gather(*(w.put(FIRST) for _ in range(300)), return_exceptions=True)
        await w.alter()
        await w.put_until_taken(FIRST)
        assert w.log._appender._producer is not first
        assert 1 <= w.log._appender.renewed <= 6, "no storm of clients"
