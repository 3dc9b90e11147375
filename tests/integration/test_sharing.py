"""Members of one group with carriers that know nothing of one another, on a real broker."""

import asyncio

import pytest

from campaigns.kafka.kafka_log import KafkaLog
from campaigns.kafka.membership import Membership
from campaigns.process.errors import CarrierMisfitError
from tests.support.on_kafka import opened
from tests.support.waiting import until

pytestmark = pytest.mark.kafka


class Member(Membership):
    """A member whose carrier can be exchanged, and which remembers that it was refused."""

    def __init__(self, log: KafkaLog, carrier: str | None, check_s: float = 0.5) -> None:
        self.now, self.told = carrier, list[CarrierMisfitError]()
        super().__init__(
            log.kafka, "dialers", lambda _: None, 6.0, 0.3, carrier=lambda: self.now,
            carrier_check_s=check_s, on_refused=self.told.append,
        )  # fmt: skip


async def test_who_has_another_carrier_does_not_start(kafka_servers: str, namespace: str) -> None:
    async with opened(kafka_servers, namespace, partitions=4) as log:
        one, other, third = Member(log, "x"), Member(log, "y"), Member(log, "x")
        await one.open()
        await until(lambda: len(one.assigned) == 4)
        with pytest.raises(CarrierMisfitError, match=r"is y, .* is x, .*DIALGATE_CARRIER_URL"):
            await other.open()
        assert not other.assigned
        assert len(other.told) == 1
        assert len(one.assigned) == 4
        await third.open()
        await until(lambda: len(one.assigned) == len(third.assigned) == 2)
        await asyncio.gather(one.close(), third.close())
        again = Member(log, "y")
        await again.open()
        await until(lambda: len(again.assigned) == 4)
        await again.close()


async def test_the_others_leave_and_it_starts_after_all(kafka_servers: str, namespace: str) -> None:
    async with opened(kafka_servers, namespace, partitions=4) as log:
        one, other = Member(log, "x"), Member(log, "y", check_s=60.0)
        await one.open()
        await until(lambda: len(one.assigned) == 4)
        opening = asyncio.create_task(other.open())
        await until(lambda: bool(other.troubles()))
        assert not opening.done()
        await one.close()
        await asyncio.wait_for(opening, 20)
        assert len(other.assigned) == 4
        assert not other.troubles()
        assert not other.told
        await other.close()


async def test_an_exchanged_carrier_ends_nobody(kafka_servers: str, namespace: str) -> None:
    """One dialer notices before the other; one that never notices is ended."""
    async with opened(kafka_servers, namespace, partitions=4) as log:
        one, other = Member(log, "x"), Member(log, "x")
        await one.open()
        await other.open()
        await until(lambda: len(one.assigned) == len(other.assigned) == 2)
        one.now = "y"
        await until(lambda: bool(one.troubles() or other.troubles()))
        other.now = "y"
        await until(lambda: len(one.assigned) == len(other.assigned) == 2)
        assert not one.told
        assert not other.told
        other.now = "z"
        await until(lambda: bool(one.told or other.told))
        assert {len(one.assigned), len(other.assigned)} == {0, 4}
        await asyncio.gather(one.close(), other.close())
