"""The real dialer on a log in memory and virtual time, judged by a new reader."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TypeVar
from uuid import uuid4

import pytest

from campaigns.domain.facts import (
    Abandonment,
    AnyFact,
    CallAbandoned,
    CallEnded,
    CallLate,
    CallRequested,
    CallStarted,
    CampaignCompleted,
    CampaignPaused,
    CampaignResumed,
    CampaignStarted,
    CampaignStopped,
    ContactsAdded,
    Disposition,
)
from campaigns.domain.levels import needed
from campaigns.domain.moves import Status
from campaigns.domain.values.campaign_settings import CampaignSettings
from campaigns.domain.values.rows import Row
from campaigns.domain.values.stream_names import Stream, campaign_stream
from campaigns.log.port import MemoryLog
from campaigns.process.errors import CarrierUnavailableError, ContractError
from campaigns.process.virtual_time import VirtualClock, run_virtually
from campaigns.records.ledger import Ledger
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope, Record
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition
from dialer.carrier.port import (
    CallOrder,
    Placed,
)
from dialer.service import Dialer
from dialer.settings import DialerSettings
from tests.simulation.scripted_carrier import ScriptedCarrier
from tests.support.sample_facts import campaign_created

F = TypeVar("F")
HERE = Partition(CAMPAIGN_RECORDS, 0)
SETTINGS = DialerSettings(lease_s=2.0, carrier_timeout_s=5.0)


@dataclass
class Bench:
    """A log, a carrier, and methods that append what the command API would."""

    log: MemoryLog
    clock: VirtualClock
    carrier: ScriptedCarrier

    async def offer(self, *facts: AnyFact, guards: tuple[str, ...] = ()) -> None:
        ledger = self.ledger()
        streams = {fact.stream for fact in facts} | {Stream(guard) for guard in guards}
        record = Record(
            uuid4().hex, self.clock.now(), "test", "test", "test", None,
            ledger.condition(streams), facts, level=max(map(needed, facts)),
        )  # fmt: skip
        await self.log.append(HERE, record, 42)

    def ledger(self) -> Ledger:
        ledger = Ledger()
        for recorded in self.log._records[HERE]:
            if isinstance(recorded.envelope, Envelope):
                ledger.admit(recorded.envelope)
        return ledger

    def accepted(self) -> list[AnyFact]:
        """Fold as an auditor would."""
        ledger, facts = Ledger(), list[AnyFact]()
        for recorded in self.log._records[HERE]:
            if isinstance(recorded.envelope, Envelope) and ledger.admit(recorded.envelope):
                facts.extend(recorded.facts)
        return facts

    def of(self, kind: type[F]) -> list[F]:
        return [fact for fact in self.accepted() if isinstance(fact, kind)]

    async def campaign(self, contacts: int, **settings: int) -> None:
        import_id = uuid4().hex
        rows = tuple(Row(phone_number=f"+1555{n:07}") for n in range(contacts))
        await self.offer(
            ContactsAdded(import_id=import_id, first_row=1, rows=rows),
            campaign_created(
                42,
                self.clock.now(),
                settings=CampaignSettings.validated(
                    {"max_attempts": 1, "calls_per_minute": 6000} | settings
                ),
                import_id=import_id,
                rows=contacts,
            ),
        )
        await self.offer(CampaignStarted(campaign_id=42, run=1, started_at=self.clock.now()))

    async def pause(self) -> None:
        await self.offer(CampaignPaused(campaign_id=42, reason=None, paused_at=self.clock.now()))

    async def resume(self) -> None:
        await self.offer(CampaignResumed(campaign_id=42, reason=None, resumed_at=self.clock.now()))


@asynccontextmanager
async def dialing(bench: Bench, settings: DialerSettings = SETTINGS) -> AsyncIterator[Dialer]:
    dialer = Dialer(bench.log, bench.clock, settings, None, bench.carrier)
    await dialer.open()
    running = asyncio.create_task(dialer.run())
    try:
        yield dialer
        await dialer.drain()
    finally:
        running.cancel()
        await asyncio.wait([running])
    if not running.cancelled() and running.exception():
        raise running.exception()  # type: ignore[misc]  # It is not None.
    await dialer.close()


def bench() -> Bench:
    clock = VirtualClock(asyncio.get_running_loop())
    return Bench(MemoryLog(), clock, ScriptedCarrier(clock))


def test_every_contact_is_rung_once_and_the_campaign_completes() -> None:
    async def scenario() -> None:
        b = bench()
        await b.campaign(200)
        async with dialing(b) as dialer:
            await asyncio.sleep(60)
            campaign = dialer.campaigns.by_id[42]
            assert campaign.status is Status.COMPLETED
            assert campaign.counters.completed == 200
            assert not dialer.state.calls
            assert not dialer.state.offers
            assert not dialer.reader.on_ruling
        assert Counter(call.contact_id for _, call in b.carrier.rings) == Counter(range(1, 201))
        assert len(b.of(CallRequested)) == len(b.of(CallStarted)) == len(b.of(CallEnded)) == 200
        assert len(b.of(CampaignCompleted)) == 1

    run_virtually(scenario())


def test_no_ring_begins_after_a_pause_is_settled_and_the_rest_is_rung_after_a_resume() -> None:
    async def scenario() -> None:
        b = bench()
        await b.campaign(100, max_concurrent_calls=10)
        async with dialing(b) as dialer:
            await asyncio.sleep(3)
            await b.pause()
            paused_at = b.clock.boottime()
            assert 0 < len(b.carrier.rings) < 100
            await asyncio.sleep(0.1)
            campaign = dialer.campaigns.by_id[42]
            assert not campaign.permissions()
            await asyncio.sleep(30)
            assert all(at <= paused_at + b.carrier.set_up_s for at, _ in b.carrier.rings)
            await b.resume()
            await asyncio.sleep(60)
            assert campaign.status is Status.COMPLETED
        assert Counter(call.contact_id for _, call in b.carrier.rings) == Counter(range(1, 101))

    run_virtually(scenario())


def test_who_has_met_an_unknown_fact_asks_for_nothing_more() -> None:
    """The unknown fact may forbid calls; the rule counts it, and would accept a request."""

    async def scenario() -> None:
        b = bench()
        await b.campaign(100, max_concurrent_calls=5)
        async with dialing(b) as dialer:
            await asyncio.sleep(3)
            condition = dialer.reader.ledger(HERE).condition([campaign_stream(42)])
            fact = CampaignPaused(campaign_id=42, reason=None, paused_at=b.clock.now())
            raw = Record("r", b.clock.now(), "t", "t", "t", None, condition, (fact,)).encode()
            unknown = raw.replace(b"campaign-paused.v1", b"hold-placed.v1")
            position = dialer.reader.positions[HERE]
            with pytest.raises(ContractError):
                dialer.reader.step(HERE, [Recorded(HERE, position + 1, unknown, 1)])
            await asyncio.sleep(0)  # What was on its way.
            records = len(b.log._records[HERE])
            await asyncio.sleep(30)
            assert len(b.log._records[HERE]) == records

    run_virtually(scenario())


def test_the_limit_of_calls_at_once_and_the_rate_a_minute_hold() -> None:
    async def scenario() -> None:
        b = bench()
        b.carrier.talk_s = 5.0
        await b.campaign(400, max_concurrent_calls=7, calls_per_minute=120)
        async with dialing(b):
            await asyncio.sleep(300)
        requests = [fact.requested_at for fact in b.of(CallRequested)]
        for first in range(len(requests)):
            minute = [at for at in requests[first:] if at - requests[first] < timedelta(minutes=1)]
            assert len(minute) <= 120
        ends = sorted((at + 5.0) for at, _ in b.carrier.rings)
        for at, _ in b.carrier.rings:
            open_now = sum(1 for began, _ in b.carrier.rings if began <= at < began + 5.0)
            assert open_now <= 7
        assert len(ends) > 300

    run_virtually(scenario())


def test_busy_contacts_are_retried_after_the_delay_up_to_max_attempts() -> None:
    async def scenario() -> None:
        b = bench()
        b.carrier.outcome = lambda call: (
            Disposition.BUSY if call.contact_id == 1 else Disposition.VOICEMAIL
        )
        await b.campaign(2, max_attempts=3, retry_delay_minutes=5)
        async with dialing(b) as dialer:
            await asyncio.sleep(3600)
            assert dialer.campaigns.by_id[42].status is Status.COMPLETED
        tries = [at for at, call in b.carrier.rings if call.contact_id == 1]
        assert len(tries) == 3
        assert all(later - at >= 300 for at, later in pairwise(tries))
        assert [call.attempt for _, call in b.carrier.rings if call.contact_id == 1] == [1, 2, 3]
        assert len([1 for _, call in b.carrier.rings if call.contact_id == 2]) == 1

    run_virtually(scenario())


def test_a_silent_carrier_is_asked_and_a_call_it_does_not_know_is_given_back() -> None:
    async def scenario() -> None:
        b = bench()
        silent = {1}
        b.carrier.outcome = lambda call: None if call.contact_id in silent else Disposition.ANSWERED
        await b.campaign(2)
        async with dialing(b) as dialer:
            await asyncio.sleep(3)
            assert dialer.campaigns.by_id[42].permissions(), "not found is not believed at once"
            silent.clear()
            await asyncio.sleep(30)
            assert dialer.campaigns.by_id[42].status is Status.COMPLETED
        assert [fact.reason for fact in b.of(CallAbandoned)] == [Abandonment.NOT_PLACED]
        assert len(b.carrier.rings) == 2

    run_virtually(scenario())


def test_a_dead_dialers_calls_are_recovered_and_nobody_is_rung_twice() -> None:
    async def scenario() -> None:
        b = bench()
        b.carrier.talk_s = 20.0
        await b.campaign(20, max_concurrent_calls=5)
        dead = Dialer(b.log, b.clock, SETTINGS, None, b.carrier)
        await dead.open()
        running = asyncio.create_task(dead.run())
        await asyncio.sleep(0.03)  # Some rung and not started, some asked.
        running.cancel()
        await asyncio.wait([running])
        dead.reactions.stop()
        assert b.carrier.rings
        async with dialing(b) as dialer:
            await asyncio.sleep(300)
            assert dialer.campaigns.by_id[42].status is Status.COMPLETED
        await dead.close()
        assert Counter(call.contact_id for _, call in b.carrier.rings) == Counter(range(1, 21))

    run_virtually(scenario())


def test_two_dialers_on_one_partition_ring_nobody_twice() -> None:
    async def scenario() -> None:
        b = bench()
        await b.campaign(300, max_concurrent_calls=50)
        async with dialing(b) as one, dialing(b):
            await asyncio.sleep(120)
            assert one.campaigns.by_id[42].status is Status.COMPLETED
        assert Counter(call.contact_id for _, call in b.carrier.rings) == Counter(range(1, 301))

    run_virtually(scenario())


def test_a_stop_abandons_what_is_not_placed_and_the_rest_is_cancelled() -> None:
    async def scenario() -> None:
        b = bench()
        await b.campaign(100, max_concurrent_calls=5)
        async with dialing(b) as dialer:
            await asyncio.sleep(2)
            await b.offer(CampaignStopped(campaign_id=42, reason=None, stopped_at=b.clock.now()))
            rung = len(b.carrier.rings)
            await asyncio.sleep(30)
            counters = dialer.campaigns.by_id[42].counters
            assert len(b.carrier.rings) <= rung + 5
            assert counters.cancelled > 0
            assert counters.pending == counters.in_progress == 0
            assert counters.total == counters.completed + counters.cancelled + counters.failed

    run_virtually(scenario())


def test_a_carrier_that_cannot_refuse_and_answers_too_late_is_hung_up_and_on_the_record() -> None:
    async def scenario() -> None:
        b = bench()
        b.carrier.refuses_late = False
        await b.campaign(1, max_attempts=2)

        first = b.carrier.place

        async def lost_on_the_way(call: CallOrder, ring_by: datetime) -> Placed:
            b.carrier.place = first  # type: ignore[method-assign]
            arriving.append(asyncio.create_task(arrive(call, ring_by)))
            raise CarrierUnavailableError("no answer")

        async def arrive(call: CallOrder, ring_by: datetime) -> None:
            await asyncio.sleep(8.0)
            await first(call, ring_by)

        arriving: list[asyncio.Task[None]] = []
        b.carrier.place = lost_on_the_way  # type: ignore[method-assign]
        async with dialing(b) as dialer:
            await asyncio.sleep(60)
            # Look-ups said "not found" until lease and timeout had passed: given back.
            assert [fact.reason for fact in b.of(CallAbandoned)] == [Abandonment.NOT_PLACED]
            late = b.of(CallLate)
            assert [fact.call_id for fact in late] == [b.of(CallAbandoned)[0].call_id]
            assert dialer.campaigns.by_id[42].status is Status.COMPLETED

    run_virtually(scenario())
