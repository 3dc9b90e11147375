"""Dialers share the partitions by a consumer group, on a real broker."""

import asyncio
import sys

import pytest

from campaigns.kafka.membership import Membership
from tests.support.broker import Broker
from tests.support.on_kafka import opened
from tests.support.waiting import until

pytestmark = pytest.mark.kafka

MEMBER = """
import asyncio, sys
from campaigns.kafka.clients import Kafka
from campaigns.kafka.membership import Membership
async def main():
    kafka, told = Kafka(sys.argv[1], sys.argv[2]), lambda one: print(len(one), flush=True)
    await Membership(kafka, "dialers", told, float(sys.argv[3]), 0.3, "one").open()
    await asyncio.sleep(60)
asyncio.run(main())
"""


async def test_members_share_the_partitions(kafka_servers: str, namespace: str) -> None:
    async with opened(kafka_servers, namespace, partitions=4) as log:
        changes: list[frozenset[int]] = []
        one = Membership(log.kafka, "dialers", changes.append, 6.0, 0.3)
        other = Membership(log.kafka, "dialers", lambda _: None, 6.0, 0.3)
        await one.open()
        await until(lambda: one.assigned == {0, 1, 2, 3})
        await other.open()
        await until(lambda: len(one.assigned) == len(other.assigned) == 2)
        assert one.assigned | other.assigned == {0, 1, 2, 3}
        await other.close()
        await until(lambda: one.assigned == {0, 1, 2, 3})
        await one.close()
        assert [len(each) for each in changes] == [4, 2, 4]


async def test_a_member_survives_an_outage(broker: Broker, namespace: str) -> None:
    async with opened(broker.servers, namespace, partitions=4) as log:
        one = Membership(log.kafka, "dialers", lambda _: None, 6.0, 0.3)
        other = Membership(log.kafka, "dialers", lambda _: None, 6.0, 0.3)
        await one.open()
        await until(lambda: len(one.assigned) == 4)
        await asyncio.to_thread(broker.restart)
        assert len(one.assigned) == 4
        await other.open()
        await until(lambda: len(one.assigned) == len(other.assigned) == 2)
        await asyncio.gather(one.close(), other.close())


async def test_a_member_that_was_killed_goes_on_at_once(kafka_servers: str, namespace: str) -> None:
    """Under its name it need not wait until the group misses its earlier life."""
    async with opened(kafka_servers, namespace, partitions=4) as log:
        session_s = 30.0
        killed = await asyncio.create_subprocess_exec(
            sys.executable, "-c", MEMBER, kafka_servers, namespace, str(session_s),
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert killed.stdout is not None
        assert await killed.stdout.readline() == b"4\n"
        killed.kill()
        await killed.wait()
        again = Membership(log.kafka, "dialers", lambda _: None, session_s, 0.3, "one")
        await again.open()
        await until(lambda: len(again.assigned) == 4, session_s / 3)
        other = Membership(log.kafka, "dialers", lambda _: None, session_s, 0.3, "other")
        await other.open()
        await until(lambda: len(again.assigned) == len(other.assigned) == 2, session_s / 3)
        await again.close()
        await until(lambda: len(other.assigned) == 4, session_s / 3)
        await other.close()
