"""A copy of a log rings nobody until it is adopted; then its original rings nobody."""

import asyncio
from uuid import uuid4

from campaigns.domain.facts import CallAbandoned, HomeChosen
from campaigns.log.installation_log import Author, decided, founded, whole
from campaigns.log.port import MemoryLog
from campaigns.process.virtual_time import run_virtually
from campaigns.records import home
from campaigns.records.home import LogPlace
from dialer.service import Dialer
from tests.simulation.scripted_carrier import ScriptedCarrier
from tests.simulation.test_dialing import HERE, SETTINGS, Bench, bench, dialing

BY = Author("test", "operator")


def copied(log: MemoryLog) -> MemoryLog:
    """Return a copy of a log, at another place."""
    copy = MemoryLog(log.partitions(HERE.topic))
    for partition, records in log._records.items():
        copy._records[partition] = list(records)
    copy.place = LogPlace({"log": uuid4().hex}, "another place")
    return copy


async def at_home(contacts: int) -> Bench:
    """Return a bench whose log knows its home, with a campaign that runs."""
    b = bench()
    await founded(b.log, b.clock, "command-api/1")
    await b.campaign(contacts, max_concurrent_calls=1, calls_per_minute=60)
    return b


async def choose(b: Bench, fact: HomeChosen | None) -> None:
    assert fact is not None, "it is not so already"
    await decided(b.log, lambda now: None if now.home == fact else fact, BY, b.clock)


async def adopted(b: Bench) -> None:
    await choose(b, home.adopt(await whole(b.log), b.log.place, b.clock.now(), uuid4().hex))


async def retired(b: Bench) -> None:
    fact = home.retire(await whole(b.log), b.log.place, "retired", b.clock.now(), uuid4().hex)
    await choose(b, fact)


def test_a_copy_rings_nobody_and_says_why_while_its_original_goes_on() -> None:
    async def scenario() -> None:
        b = await at_home(100)
        async with dialing(b):
            await asyncio.sleep(10)
            other = Bench(copied(b.log), b.clock, ScriptedCarrier(b.clock))
            rung = len(b.carrier.rings)
            async with dialing(other) as copy:
                await asyncio.sleep(30)
                assert "a copy of the log at memory" in (copy.reader.home.read_only or "")
                assert not copy.state.working
        assert not other.carrier.rings
        assert not hasattr(other.carrier, "_report"), "its carrier is not even opened"
        assert len(other.log._records[HERE]) < len(b.log._records[HERE]), "and it writes nothing"
        assert len(b.carrier.rings) > rung > 5

    run_virtually(scenario())


def test_a_copy_rings_once_it_is_adopted_under_way_and_what_is_retired_no_more() -> None:
    async def scenario() -> None:
        b = await at_home(100)
        async with dialing(b):
            await asyncio.sleep(10)
            await retired(b)
            await asyncio.sleep(5)  # What was permitted before resolves.
            rung = len(b.carrier.rings)
            other = Bench(copied(b.log), b.clock, ScriptedCarrier(b.clock))
            async with dialing(other):
                await asyncio.sleep(10)
                assert not other.carrier.rings
                await adopted(other)
                await asyncio.sleep(30)
                assert len(other.carrier.rings) > 10
                assert len(b.carrier.rings) == rung
                numbers = [call.to for _, call in (*b.carrier.rings, *other.carrier.rings)]
                assert len(set(numbers)) == len(numbers), "nobody twice"
                await retired(other)
                await adopted(other)  # Both at once: the later one counts.
                await asyncio.sleep(1)
                rung = len(other.carrier.rings)
                await asyncio.sleep(10)
                assert len(other.carrier.rings) > rung

    run_virtually(scenario())


def test_a_permission_that_was_not_used_before_the_log_was_retired_is_given_back() -> None:
    """An order is the last step: no other check stands between a retired log and a ring."""

    async def scenario() -> None:
        b = await at_home(1)
        dialer = Dialer(b.log, b.clock, SETTINGS, None, b.carrier)
        await dialer.open()
        dialer.reader.home.read_only = "retired between the request and the order"
        running = asyncio.create_task(dialer.run())
        dialer.assigned(frozenset({0}))
        dialer._assignment.hold(False)
        await asyncio.sleep(5)
        assert not b.carrier.rings
        assert b.of(CallAbandoned)
        running.cancel()
        await asyncio.wait([running])
        await dialer.close()

    run_virtually(scenario())
