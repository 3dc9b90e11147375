"""A carrier that answers garbage about some contacts: those end as unknown, the others as ever."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, ClassVar

import pytest

from campaigns.domain.facts import CallEnded, CallStarted, Disposition
from campaigns.domain.moves import Status
from campaigns.log.port import MemoryLog, OnRefusal
from campaigns.process.errors import (
    CarrierNonsenseError,
    CarrierUnavailableError,
    UnreadableRecordError,
)
from campaigns.process.virtual_time import VirtualClock, run_virtually
from campaigns.records.record import Record
from campaigns.records.topics import Partition
from dialer.calls.inputs import Answered, Input, LookedUp, Reported
from dialer.carrier.port import CallOrder, Ended, Found, NoRing, Placed, Rung
from dialer.carrier_requests import CarrierRequests
from dialer.service import Dialer
from tests.simulation.scripted_carrier import ScriptedCarrier
from tests.simulation.test_dialing import SETTINGS, Bench, dialing

FAR = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
WEST = timezone(timedelta(hours=-12))
CONTACTS, BAD = 12, (2, 3, 9)
Say = Callable[[datetime], Any]  # Any: what a carrier may say, at an instant of its own.


def ended(at: datetime, **other: Any) -> Ended:  # Any: as above.
    said: dict[str, Any] = {
        "began_at": at,
        "ended_at": at,
        "disposition": Disposition.BUSY,
        "duration_s": 0.0,
    }
    return Ended(**said | other)


@dataclass
class Poisonous(ScriptedCarrier):
    """It says `say` of the calls to BAD contacts, when it is asked `where`; else the truth."""

    say: Say = lambda at: None
    where: str = "nowhere"
    placed: dict[str, CallOrder] = field(default_factory=dict)

    def bad(self, call: CallOrder, where: str) -> bool:
        return call.contact_id in BAD and self.where in (where, "everywhere")

    async def place(self, call: CallOrder, ring_by: datetime) -> Placed:
        self.placed[call.call_id] = call
        answer = await super().place(call, ring_by)
        said: Placed = self.spoken() if self.bad(call, "place") else answer
        return said

    async def look_up(self, call_id: str) -> Found:
        if self.bad(self.placed[call_id], "look-up"):
            await asyncio.sleep(0.01)
            said: Found = self.spoken()
            return said
        return await super().look_up(call_id)

    def _end(self, call: CallOrder, began_at: datetime, how: Disposition) -> None:
        if not self.bad(call, "report"):
            super()._end(call, began_at, how)
            return
        self.calls[call.call_id] = Ended(began_at, self.clock.now(), how, self.talk_s)
        if not isinstance(said := self.say(self.clock.now()), Exception):
            self._report(call.call_id, said)

    def spoken(self) -> Any:  # Any: as above.
        said = self.say(self.clock.now())
        if isinstance(said, Exception):
            raise said
        return said


GARBAGE: dict[str, Say] = {
    "infinite": lambda at: ended(at, duration_s=float("inf")),
    "enormous": lambda at: ended(at, duration_s=1e308),
    "no number": lambda at: ended(at, duration_s="long"),
    "year 9999": lambda at: ended(at, ended_at=FAR),
    "9999 in the west": lambda at: Rung(FAR.replace(tzinfo=WEST)),
    "ended before it began": lambda at: ended(at, ended_at=at - timedelta(hours=1)),
    "long ago": lambda at: ended(at - timedelta(days=400)),
    "naive": lambda at: Rung(at.replace(tzinfo=None)),
    "nothing": lambda at: None,
    "a word": lambda at: "ringing",
    "no disposition": lambda at: ended(at, disposition="bored"),
    "no reason": lambda at: NoRing(None),  # type: ignore[arg-type]
    "nonsense": lambda at: CarrierNonsenseError("simulated: <html>"),
    "an error": lambda at: CarrierUnavailableError("simulated: 500"),
}


@pytest.mark.parametrize("where", ["place", "report", "look-up", "everywhere"])
@pytest.mark.parametrize("what", GARBAGE)
def test_garbage_about_some_contacts_is_theirs_alone(what: str, where: str) -> None:
    async def scenario() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        carrier = Poisonous(clock, silence_s=3.0)
        carrier.say, carrier.where = GARBAGE[what], where
        b = Bench(MemoryLog(), clock, carrier)
        await b.campaign(CONTACTS, max_concurrent_calls=4, max_attempts=2)
        async with dialing(b) as dialer:
            await asyncio.sleep(30)
            campaign = dialer.campaigns.by_id[42]
            good = {call.contact_id for _, call in b.carrier.rings} - set(BAD)
            assert len(good) == CONTACTS - len(BAD), "no other contact waits for the bad ones"
            await asyncio.sleep(1200)
            assert campaign.status is Status.COMPLETED
            assert campaign.counters.completed >= CONTACTS - len(BAD)
            assert not dialer.state.calls
            assert dialer.remarks() or where != "everywhere", "an operator is told"
        unknown = [fact for fact in b.of(CallEnded) if fact.disposition is Disposition.UNKNOWN]
        assert {fact.contact_id for fact in unknown} <= set(BAD)
        if where == "everywhere":
            assert len(unknown) == len(BAD)
            assert all(fact.error == "outcome unknown" for fact in unknown)
        rung = [call.contact_id for _, call in b.carrier.rings]
        assert len(rung) == len(set(rung)), "no phone rings twice for it"

    run_virtually(scenario())


def test_long_and_odd_texts_of_a_carrier_are_recorded_bounded() -> None:
    async def scenario() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        b = Bench(MemoryLog(), clock, ScriptedCarrier(clock))
        b.carrier.outcome = lambda call: NoRing(
            ("\ud800" if call.contact_id == 1 else "x") * 400_000
        )
        await b.campaign(2)
        async with dialing(b) as dialer:
            await asyncio.sleep(30)
            assert dialer.campaigns.by_id[42].status is Status.COMPLETED
        assert all(len(fact.error or "") == 500 for fact in b.of(CallEnded))

    run_virtually(scenario())


class Odd(Rung):
    """A ring that passes for one, and cannot be decided upon."""

    reads: ClassVar[int] = 0

    def __getattribute__(self, name: str) -> Any:  # Any: a field of whatever type.
        if name == "began_at":
            Odd.reads += 1
            raise ArithmeticError("nobody foresaw this")
        return super().__getattribute__(name)


class Unforeseeing(CarrierRequests):
    """One that lets an unforeseen error through."""

    tell: Callable[[Input], None]
    contact_of: Callable[[str], int]
    reports: bool

    def look_at(self, news: Input) -> None:
        if (
            isinstance(news, Answered | LookedUp | Reported)
            and self.contact_of(news.call_id) in BAD
        ):
            odd = object.__new__(Odd)
            if isinstance(news, Reported) and not self.reports:
                return
            if isinstance(news, Answered):
                news = replace(news, answer=odd)
            elif isinstance(news, LookedUp):
                news = replace(news, found=odd)
        self.tell(news)


@pytest.mark.parametrize("reports", [False, True])
def test_what_nobody_foresaw_about_one_call_ends_it_as_unknown_and_is_remarked_on(
    reports: bool,
) -> None:
    async def scenario() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        b = Bench(MemoryLog(), clock, ScriptedCarrier(clock))
        await b.campaign(CONTACTS, max_concurrent_calls=4)
        async with dialing(b) as dialer:
            talk = dialer.reactions.requests = Unforeseeing(
                b.carrier, clock, 5.0, lambda news: None
            )
            talk._tell, talk.tell = talk.look_at, dialer.reactions.take
            talk.contact_of = lambda call_id: dialer.state.calls[call_id].contact_id
            talk.reports = reports
            await asyncio.sleep(300)
            campaign = dialer.campaigns.by_id[42]
            assert campaign.status is Status.COMPLETED
            assert campaign.counters.completed == CONTACTS - (0 if reports else len(BAD))
            assert not await dialer.troubles(), "it is ready: the others are called"
            (remark,) = dialer.remarks()
            assert "3 calls" in remark
            assert "nobody foresaw this" in remark
            assert Odd.reads
        ends = {fact.contact_id: fact.disposition for fact in b.of(CallEnded)}
        assert {who for who, how in ends.items() if how is Disposition.UNKNOWN} == (
            set() if reports else set(BAD)
        ), "what can be used after all, is"

    run_virtually(scenario())


class Strict(MemoryLog):
    """A log that finds some records unreadable."""

    def __init__(self, refuses: Callable[[Record], bool]) -> None:
        super().__init__()
        self.refuses, self.refused = refuses, 0

    async def append(
        self, partition: Partition, record: Record, key: int, refused: OnRefusal | None = None
    ) -> None:
        if self.refuses(record):
            self.refused += 1
            raise UnreadableRecordError("simulated: no reader could read it")
        await super().append(partition, record, key, refused)


@pytest.mark.parametrize("kind", [CallStarted, CallEnded])
def test_a_record_that_nobody_could_read_ends_its_call_as_unknown(kind: type[Any]) -> None:
    def refuses(record: Record) -> bool:
        fact = record.facts[0]
        unknown = isinstance(fact, CallEnded) and fact.disposition is Disposition.UNKNOWN
        return isinstance(fact, kind) and fact.contact_id in BAD and not unknown

    async def scenario() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        log = Strict(refuses)
        b = Bench(log, clock, ScriptedCarrier(clock))
        await b.campaign(CONTACTS, max_concurrent_calls=4)
        async with dialing(b) as dialer:
            await asyncio.sleep(120)
            campaign = dialer.campaigns.by_id[42]
            assert campaign.status is Status.COMPLETED
            assert campaign.counters.completed == CONTACTS - len(BAD)
            assert log.refused == 4 * len(BAD), "a bounded number of tries each"
            assert not dialer.reader.on_ruling
        ends = {fact.contact_id: fact.disposition for fact in b.of(CallEnded)}
        assert {who for who, how in ends.items() if how is Disposition.UNKNOWN} == set(BAD)

    run_virtually(scenario())


def test_a_request_that_nobody_could_read_is_a_bug_of_everybodys_and_ends_the_dialer() -> None:
    async def scenario() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        log = Strict(lambda record: record.source.startswith("dialer/"))
        b = Bench(log, clock, ScriptedCarrier(clock))
        await b.campaign(CONTACTS)
        dialer = Dialer(log, clock, SETTINGS, None, b.carrier)
        await dialer.open()
        with pytest.raises(ExceptionGroup) as group:
            await dialer.run()
        assert isinstance(group.value.exceptions[0], UnreadableRecordError)
        await dialer.close()

    run_virtually(scenario())


def test_a_call_of_which_the_carrier_never_says_the_end_is_over_after_a_day() -> None:
    async def scenario() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        b = Bench(MemoryLog(), clock, ScriptedCarrier(clock, talk_s=3e5, silence_s=600.0))
        await b.campaign(1)
        async with dialing(b) as dialer:
            await asyncio.sleep(86_000)
            assert dialer.campaigns.by_id[42].calling(), "it may still talk"
            await asyncio.sleep(2_000)
            assert dialer.campaigns.by_id[42].status is Status.COMPLETED
        assert [fact.disposition for fact in b.of(CallEnded)] == [Disposition.UNKNOWN]

    run_virtually(scenario())


def test_a_carrier_that_answers_nobody_for_an_hour_costs_nobody_his_call() -> None:
    async def scenario() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        carrier = Poisonous(clock, silence_s=3.0)
        carrier.say, carrier.where = GARBAGE["an error"], "nowhere"
        b = Bench(MemoryLog(), clock, carrier)
        await b.campaign(40, max_concurrent_calls=4)
        async with dialing(b) as dialer:
            await asyncio.sleep(3)

            def away(call: CallOrder, where: str) -> bool:
                return True

            truly = carrier.bad
            carrier.bad = away  # type: ignore[method-assign]
            await asyncio.sleep(3600)
            carrier.bad = truly  # type: ignore[method-assign]
            await asyncio.sleep(300)
            assert dialer.campaigns.by_id[42].status is Status.COMPLETED
            assert dialer.campaigns.by_id[42].counters.completed == 40
        assert len(b.carrier.rings) == 40

    run_virtually(scenario())
