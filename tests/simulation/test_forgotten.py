"""Records that never come back leave nothing behind, and may come back after all."""

import asyncio
from collections import Counter
from random import Random

import pytest

from campaigns.domain.facts import CallAbandoned, CallRequested
from campaigns.domain.moves import Status
from campaigns.log.port import MemoryLog, OnRefusal
from campaigns.process.errors import OutcomeUnknownError
from campaigns.process.virtual_time import VirtualClock, run_virtually
from campaigns.records.record import Record
from campaigns.records.topics import Partition
from dialer.offers import FORGET_S, OFFERED_MAX, Offers
from tests.simulation.scripted_carrier import ScriptedCarrier
from tests.simulation.test_dialing import Bench, dialing


class Forgetful(MemoryLog):
    """A log that loses every third record of a dialer, silently or with an unknown outcome."""

    def __init__(self, *, says: bool) -> None:
        super().__init__()
        self.says, self.dice = says, Random(7)
        self.lost: list[tuple[Partition, Record, int]] = []

    async def append(
        self, partition: Partition, record: Record, key: int, refused: OnRefusal | None = None
    ) -> None:
        if record.source.startswith("dialer/") and self.dice.random() < 1 / 3:
            self.lost.append((partition, record, key))
            if self.says:
                raise OutcomeUnknownError("simulated: no acknowledgement")
            return
        await super().append(partition, record, key, refused)


@pytest.mark.parametrize("says", [False, True])
def test_what_never_comes_back_leaves_nothing_behind(says: bool) -> None:
    async def scenario() -> None:
        clock, log = VirtualClock(asyncio.get_running_loop()), Forgetful(says=says)
        b = Bench(log, clock, ScriptedCarrier(clock))
        await b.campaign(60, max_concurrent_calls=5)
        async with dialing(b) as dialer:
            await asyncio.sleep(300)
            assert dialer.campaigns.by_id[42].status is Status.COMPLETED
            assert len(log.lost) > 30
            assert dialer.reader.on_ruling, "they are waited for"
            await asyncio.sleep(2 * FORGET_S)
            assert not dialer.reader.on_ruling
            assert not dialer.state.offers
            assert not dialer.state.calls
            assert not dialer.reactions.sender.offered
        assert Counter(call.contact_id for _, call in b.carrier.rings) == Counter(range(1, 61))

    run_virtually(scenario())


def test_a_request_that_comes_back_after_it_was_forgotten_rings_nobody() -> None:
    async def scenario() -> None:
        clock, log = VirtualClock(asyncio.get_running_loop()), Forgetful(says=False)
        b = Bench(log, clock, ScriptedCarrier(clock, talk_s=2 * FORGET_S, silence_s=3 * FORGET_S))
        await b.campaign(40, max_concurrent_calls=3)
        async with dialing(b) as dialer:
            await asyncio.sleep(2 * FORGET_S)
            requests = [one for one in log.lost if isinstance(one[1].facts[0], CallRequested)]
            assert requests
            rings = len(b.carrier.rings)
            for partition, record, key in log.lost[:]:
                await MemoryLog.append(log, partition, record, key)
            await asyncio.sleep(0.5)
            assert len(b.carrier.rings) <= rings + 3, "but for those whose turn it was"
            log.dice = Random(0)
            log.dice.random = lambda: 1.0  # type: ignore[method-assign]  # It loses nothing more.
            await asyncio.sleep(30 * FORGET_S)
            assert dialer.campaigns.by_id[42].status is Status.COMPLETED
        rung = Counter(call.contact_id for _, call in b.carrier.rings)
        assert rung == Counter(range(1, 41)), "no phone rings twice"
        assert b.of(CallAbandoned) is not None

    run_virtually(scenario())


def test_what_is_on_its_way_is_bounded_in_time_and_number() -> None:
    offered = Offers()
    for n in range(OFFERED_MAX + 5):
        offered.add(str(n), 100.0)
    assert list(offered.forgotten(101.0)) == [str(n) for n in range(5)]
    offered.done("7")
    assert len(offered) == OFFERED_MAX - 1
    assert next(iter(offered.forgotten(100.0 + FORGET_S))) == "5"
    assert not list(offered.forgotten(100.0)) or len(offered) == 0
