"""What the simulation found, each as one named story that is told without chance."""

import asyncio
from datetime import datetime, timedelta

from campaigns.domain.facts import (
    Abandonment,
    AnyFact,
    CallAbandoned,
    CallEnded,
    CallLate,
    CallStarted,
    ContactsAdded,
    ContactsReplaced,
    Disposition,
    ImportCompleted,
    ImportSource,
)
from campaigns.domain.moves import Status
from campaigns.domain.values.rows import Row
from campaigns.log.port import OnRefusal
from campaigns.process.errors import CarrierUnavailableError
from campaigns.process.virtual_time import NOON, VirtualClock, run_virtually
from campaigns.records.record import Record
from campaigns.records.topics import Partition
from dialer.calls.lease import may_begin
from dialer.carrier.port import CallOrder, Found, NotFound, Placed, Taken
from tests.simulation.test_dialing import bench, dialing


def test_contacts_that_were_read_ahead_and_replaced_do_not_stop_the_run() -> None:
    """Found by the simulation: all that were looked at were gone, and nothing woke the dialer."""

    async def scenario() -> None:
        b = bench()
        b.carrier.talk_s = 0.5
        await b.campaign(30, max_concurrent_calls=2)
        async with dialing(b) as dialer:
            await asyncio.sleep(1)
            await b.pause()
            await asyncio.sleep(5)
            rows = tuple(Row(phone_number=f"+1666{n:07}") for n in range(5))
            await b.offer(*replacing(b.clock.now(), rows, through=30))
            await b.resume()
            await asyncio.sleep(60)
            assert dialer.campaigns.by_id[42].status is Status.COMPLETED
        assert {31, 32, 33, 34, 35} <= {call.contact_id for _, call in b.carrier.rings}

    run_virtually(scenario())


def test_contacts_that_were_asked_for_and_then_replaced_do_not_starve_those_that_wait() -> None:
    """Found by the simulation: the contact due longest was gone, and held the only place."""

    async def scenario() -> None:
        b = bench()
        unreachable = {1, 2}
        b.carrier.outcome = lambda call: (
            None if call.contact_id in unreachable else Disposition.ANSWERED
        )
        b.carrier.talk_s = 0.5
        await b.campaign(2, max_concurrent_calls=2)
        async with dialing(b) as dialer:
            await asyncio.sleep(1)
            await b.pause()
            await asyncio.sleep(30)  # Both are given back: no phone rang.
            rows = (Row(phone_number="+16660000001"),)
            await b.offer(*replacing(b.clock.now(), rows, through=2))
            unreachable.add(3)
            await b.resume()
            await asyncio.sleep(1)
            unreachable.clear()
            await asyncio.sleep(60)
            assert dialer.campaigns.by_id[42].status is Status.COMPLETED
        assert [call.contact_id for _, call in b.carrier.rings] == [3]

    run_virtually(scenario())


def test_a_ring_that_began_too_late_is_on_the_record_whoever_hears_of_it() -> None:
    """Found by the simulation: only the answer to the request itself was looked at."""

    async def scenario() -> None:
        b = bench()
        b.carrier.refuses_late = False
        b.carrier.talk_s = 30.0
        await b.campaign(1)
        place = b.carrier.place

        async def lost(call: CallOrder, ring_by: datetime) -> Placed:
            b.carrier.calls[call.call_id] = Taken()
            b.carrier.set_up_s = 8.0  # Lease and carrier timeout are 7 s.
            ringing.append(asyncio.create_task(place(call, ring_by)))
            raise CarrierUnavailableError("the answer was lost")

        ringing: list[asyncio.Task[Placed]] = []
        b.carrier.place = lost  # type: ignore[method-assign]
        async with dialing(b) as dialer:
            await asyncio.sleep(60)
            assert dialer.campaigns.by_id[42].status is Status.COMPLETED
        (late,) = b.of(CallLate)
        assert late.call_id == b.carrier.rings[0][1].call_id
        assert [fact.reason for fact in b.of(CallAbandoned)] == [Abandonment.RANG_LATE]
        assert b.carrier.hung_up == [late.call_id]

    run_virtually(scenario())


def test_a_call_that_ended_as_unknown_and_rang_in_time_after_all_is_not_late() -> None:
    """Found by the simulation: one ring in time was counted as two attempts, one of them late."""

    async def scenario() -> None:
        b = bench()
        b.carrier.lookup_lag_s = None  # It never says "not found" for certain.
        b.carrier.talk_s = 20.0
        await b.campaign(1, max_attempts=2)
        place, found = b.carrier.place, b.carrier.look_up

        async def lost(call: CallOrder, ring_by: datetime) -> Placed:
            await place(call, ring_by)
            raise CarrierUnavailableError("the answer was lost")

        async def unseen(call_id: str) -> Found:
            return NotFound() if b.clock.monotonic() < 20.0 else await found(call_id)

        b.carrier.place, b.carrier.look_up = lost, unseen  # type: ignore[method-assign]
        async with dialing(b):
            await asyncio.sleep(60)
        assert [fact.disposition for fact in b.of(CallEnded)] == [Disposition.UNKNOWN]
        assert not b.of(CallLate)
        assert not b.carrier.hung_up

    run_virtually(scenario())


def test_a_ring_that_was_heard_of_in_time_is_not_found_late_when_it_ends() -> None:
    """Found by the simulation: a good call was called late by the time that it had taken."""

    async def scenario() -> None:
        b = bench()
        b.carrier.refuses_late = False
        b.carrier.talk_s = 30.0
        await b.campaign(1)
        begin = NOON + timedelta(seconds=8)  # Ahead of ours: lease and timeout are 7 s.
        b.carrier.clock = VirtualClock(asyncio.get_running_loop(), begin)
        resolving = b.log.append

        async def held_up(
            partition: Partition, record: Record, key: int, refused: OnRefusal | None = None
        ) -> None:
            if isinstance(record.facts[0], CallStarted):
                await asyncio.sleep(60)
            await resolving(partition, record, key, refused)

        b.log.append = held_up  # type: ignore[method-assign]
        async with dialing(b):
            await asyncio.sleep(200)
        assert b.of(CallStarted)
        assert not b.of(CallLate)
        assert not b.carrier.hung_up

    run_virtually(scenario())


def test_a_permission_that_is_not_read_back_is_given_up_at_the_very_end_of_its_lease() -> None:
    """Found by the simulation: by a rounding the alarm came too early, and never again."""
    sent_at = 1000.3700000000001
    for lease_s in (0.3, 0.6, 0.7, 1.1, 2.0):
        for step in range(1000):
            at = sent_at + step / 997
            assert not may_begin(at, lease_s, at + lease_s)


def replacing(now: datetime, rows: tuple[Row, ...], *, through: int) -> tuple[AnyFact, ...]:
    """Return what a replacing import records."""
    return (
        ContactsReplaced(campaign_id=42, import_id="new", through=through, replaced_at=now),
        ContactsAdded(import_id="new", first_row=1, rows=rows),
        ImportCompleted(
            campaign_id=42, import_id="new", number=1, source=ImportSource.CSV,
            file_name=None, first_contact_id=through + 1, rows=len(rows), skipped=0, failed=0,
            errors=(), variable_mappings={}, available_variables=(), completed_at=now,
        ),
    )  # fmt: skip
