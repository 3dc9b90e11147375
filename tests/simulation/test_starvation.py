"""Contacts that cannot be placed rest, come behind the others, and end: no other waits for them."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from campaigns.domain.carrier_refusals import Unplaced, again
from campaigns.domain.facts import CallAbandoned, CallEnded, Disposition
from campaigns.domain.moves import Status
from campaigns.log.port import MemoryLog
from campaigns.process.errors import CarrierUnavailableError
from campaigns.process.virtual_time import NOON, VirtualClock, run_virtually
from dialer.carrier.port import CallOrder, Found, Placed, RefusedLate
from dialer.settings import DialerSettings
from tests.simulation.scripted_carrier import ScriptedCarrier
from tests.simulation.test_dialing import SETTINGS, Bench, dialing

HASTY = DialerSettings(lease_s=0.5, carrier_timeout_s=0.5)
NOBODY: frozenset[int] = frozenset()


@dataclass
class Picky(ScriptedCarrier):
    """It answers 500 to the orders for some contacts, and knows nothing of them afterwards."""

    refused: Collection[int] = NOBODY
    late: bool = False  # It says that they come too late instead.
    deaf_to_questions: bool = False
    orders: list[tuple[float, int]] = field(default_factory=list)

    async def place(self, call: CallOrder, ring_by: datetime) -> Placed:
        self.orders.append((self.clock.boottime(), call.contact_id))
        if call.contact_id not in self.refused:
            return await super().place(call, ring_by)
        if self.late:
            return RefusedLate()
        raise CarrierUnavailableError("simulated: 500")

    async def look_up(self, call_id: str) -> Found:
        if self.deaf_to_questions:
            raise CarrierUnavailableError("simulated: away")
        return await super().look_up(call_id)

    def times(self, contact_id: int) -> list[float]:
        return [at for at, who in self.orders if who == contact_id]


def picky(refused: Collection[int], *, late: bool = False) -> tuple[Bench, Picky]:
    clock = VirtualClock(asyncio.get_running_loop())
    carrier = Picky(clock, refused=refused, late=late)
    return Bench(MemoryLog(), clock, carrier), carrier


def failed(b: Bench) -> dict[int, str]:
    ends = [fact for fact in b.of(CallEnded) if fact.disposition is Disposition.FAILED]
    return {fact.contact_id: fact.error or "" for fact in ends}


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("at_once", [1, 2])
def test_who_can_be_placed_is_called_at_once_and_the_others_end_saying_why(
    at_once: int, late: bool
) -> None:
    async def scenario() -> None:
        b, carrier = picky({1, 2, 3, 4}, late=late)
        await b.campaign(8, max_concurrent_calls=at_once, max_attempts=3)
        async with dialing(b, HASTY) as dialer:
            await asyncio.sleep(20)
            assert {call.contact_id for _, call in b.carrier.rings} == {5, 6, 7, 8}
            first = {who: carrier.times(who)[0] for who in range(1, 9)}
            again = min(carrier.times(who)[1] for who in range(1, 5))
            assert all(at < again for at in first.values()), "the untouched come first"
            await asyncio.sleep(400)
            campaign = dialer.campaigns.by_id[42]
            assert campaign.status is Status.COMPLETED
            assert (campaign.counters.completed, campaign.counters.failed) == (4, 4)
            contact = dialer.contacts.get(campaign, 1)
            assert contact.last_outcome is Disposition.FAILED
            assert contact.error == failed(b)[1]
        assert failed(b).keys() == {1, 2, 3, 4}
        assert all(
            "could not be placed" in why and "5 requests" in why for why in failed(b).values()
        )
        for who in (1, 2, 3, 4):
            waits = [later - at for at, later in pairwise(carrier.times(who))]
            assert len(waits) == 4
            assert all(wait > 0.999 * rest for wait, rest in zip(waits, (1, 3, 9, 27), strict=True))

    run_virtually(scenario())


def test_a_contact_that_can_be_placed_after_all_starts_its_row_over() -> None:
    async def scenario() -> None:
        b, carrier = picky({1})
        carrier.outcome = lambda call: (
            Disposition.BUSY if call.contact_id == 1 else Disposition.ANSWERED
        )
        await b.campaign(
            12, max_concurrent_calls=2, max_attempts=2, calls_per_minute=60, retry_delay_minutes=5
        )
        async with dialing(b, HASTY) as dialer:
            await asyncio.sleep(40)
            assert 2 <= len(carrier.times(1)) < 5
            carrier.refused = NOBODY
            await asyncio.sleep(300)
            carrier.refused = {1}
            await asyncio.sleep(70)
            campaign = dialer.campaigns.by_id[42]
            unplaced = dialer.contacts.get(campaign, 1).unplaced
            assert unplaced is not None
            assert unplaced.since > NOON + timedelta(minutes=5), "those before count no more"
            carrier.refused = NOBODY
            await asyncio.sleep(600)
            assert campaign.status is Status.COMPLETED
        rung = [call.contact_id for _, call in b.carrier.rings]
        assert rung.count(1) == 2
        assert set(failed(b)) == set()

    run_virtually(scenario())


def test_a_carrier_that_takes_nobodys_call_for_an_hour_ends_nobody() -> None:
    """The carrier answers look-ups but takes no order: the contacts rest, and none fails."""

    async def scenario() -> None:
        b, carrier = picky(NOBODY)
        await b.campaign(40, max_concurrent_calls=4, calls_per_minute=60)
        async with dialing(b) as dialer:
            await asyncio.sleep(10)
            assert 0 < len(b.carrier.rings) < 40
            carrier.refused = range(1, 41)
            await asyncio.sleep(3600)
            assert len(carrier.orders) > 80, "it was tried again and again"
            assert not failed(b)
            carrier.refused = NOBODY
            await asyncio.sleep(3600)
            assert dialer.campaigns.by_id[42].status is Status.COMPLETED
            assert dialer.campaigns.by_id[42].counters.completed == 40
        assert not failed(b)

    run_virtually(scenario())


def test_a_carrier_that_is_away_for_an_hour_costs_nobody_a_try() -> None:
    async def scenario() -> None:
        b, carrier = picky(NOBODY)
        await b.campaign(40, max_concurrent_calls=4, calls_per_minute=60)
        async with dialing(b) as dialer:
            await asyncio.sleep(10)
            carrier.refused, carrier.deaf_to_questions = range(1, 41), True
            await asyncio.sleep(3600)
            carrier.refused, carrier.deaf_to_questions = NOBODY, False
            await asyncio.sleep(300)
            assert dialer.campaigns.by_id[42].status is Status.COMPLETED
            assert dialer.campaigns.by_id[42].counters.completed == 40
        assert len(b.of(CallAbandoned)) <= 4, "those that were on their way"

    run_virtually(scenario())


def test_a_campaign_of_which_nobody_can_be_placed_ends_in_hours_and_says_so() -> None:
    async def scenario() -> None:
        b, carrier = picky({1, 2, 3})
        await b.campaign(3, max_concurrent_calls=2, max_attempts=3)
        async with dialing(b) as dialer:
            await asyncio.sleep(3 * 3600)
            campaign = dialer.campaigns.by_id[42]
            assert not failed(b), "it may be the carrier's trouble"
            await asyncio.sleep(3 * 3600)
            assert campaign.status is Status.COMPLETED
            assert campaign.counters.failed == 3
        assert all("16 requests" in why for why in failed(b).values())
        assert len(carrier.orders) == 3 * 16

    run_virtually(scenario())


def test_due_retries_come_before_those_that_cannot_be_placed() -> None:
    async def scenario() -> None:
        b, carrier = picky({1})
        seen = set[int]()

        def how(call: CallOrder) -> Disposition:
            first = call.contact_id not in seen
            seen.add(call.contact_id)
            return Disposition.BUSY if first else Disposition.ANSWERED

        carrier.outcome = how
        await b.campaign(4, max_concurrent_calls=1, max_attempts=2, retry_delay_minutes=5)
        async with dialing(b, SETTINGS) as dialer:
            await asyncio.sleep(700)
            assert dialer.campaigns.by_id[42].counters.completed == 3
            due = [at for who in (2, 3, 4) for at in carrier.times(who)[1:]]
            assert max(due) - min(due) < 30, "one after the other, whatever waits besides"

    run_virtually(scenario())


def test_a_row_is_the_contacts_own_only_while_others_are_rung() -> None:
    at: Callable[[int], datetime] = lambda s: NOON.replace(minute=s // 60, second=s % 60)  # noqa: E731
    row = again(None, at(10), at(9))
    assert row == Unplaced(at(10), 1)
    assert again(row, at(20), None).its_own == 0
    assert again(row, at(20), at(9)).its_own == 0, "that was before"
    assert again(row, at(20), at(12)).its_own == 1
    assert again(row, at(20 + 600), at(12)).its_own == 0, "too long ago"
