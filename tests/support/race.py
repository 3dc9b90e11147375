"""Writers that race for one contact, over any log: each acts on its last reading.

A script says which writer reads and which acts, in which order; afterwards a new reader audits the
log. `test_pause.py` plays scripts over two of the logs.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

from campaigns.domain.campaign import Campaign
from campaigns.domain.contact import Contact, evolve_contact
from campaigns.domain.decider import Decision, Reason, Rejected
from campaigns.domain.evolution import evolve
from campaigns.domain.facts import (
    Abandonment,
    AnyFact,
    CallAbandoned,
    CallEnded,
    CallLate,
    CallRequested,
    CallStarted,
    CampaignCreated,
    CampaignFact,
    CampaignPaused,
    CampaignResumed,
    CampaignStarted,
)
from campaigns.domain.moves import Move
from campaigns.domain.values.campaign_settings import CampaignSettings
from campaigns.domain.values.stream_names import Stream, campaign_stream, contact_stream
from campaigns.gates.room import Reading
from campaigns.log.port import EventLog
from campaigns.records.ledger import Ledger
from campaigns.records.log_entry import Recorded
from campaigns.records.record import AppendCondition, Envelope, Record
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition, campaign_partition
from dialer.decisions.request_call import REQUEST_CALL, RequestCall
from tests.support.sample_facts import campaign_created

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CONTACT_ID = 1
WRITERS = ("dialer-a", "dialer-b", "api", "api-b")
TURNS = ("look", "act", "give back")  # A dialer gives its open permission back.
Script = Sequence[tuple[str, str]]
Streams = Callable[[RequestCall], tuple[Stream, ...]]


class BrokenPromiseError(AssertionError):
    """The audit has found a broken promise."""


@dataclass
class Seen:
    """One writer's fold, as of its last look."""

    partition: Partition
    ledger: Ledger = field(default_factory=Ledger)
    position: int = 0
    campaign: Campaign | None = None
    contact: Contact = field(default_factory=lambda: Contact(CONTACT_ID))
    mine: set[str] = field(default_factory=set)  # Calls that this writer requested.

    async def look(self, log: EventLog) -> None:
        """Fold all that the log holds now."""
        for recorded in await everything(log, self.partition, self.position):
            self.position = recorded.position
            if isinstance(recorded.envelope, Envelope) and self.ledger.admit(recorded.envelope):
                for fact in recorded.facts:
                    self._fold(fact, recorded.position)

    def _fold(self, fact: AnyFact, position: int) -> None:
        assert isinstance(fact, CampaignFact)
        self.campaign = evolve(self.campaign, fact, position)
        assert self.campaign is not None
        if isinstance(fact, CallRequested | CallStarted | CallAbandoned | CallEnded | CallLate):
            self.contact = evolve_contact(self.contact, self.campaign, fact)
            self.contact.due_at = None  # The test's clock stands still: no rest would end.


async def everything(log: EventLog, partition: Partition, after: int = 0) -> list[Recorded]:
    """Read the log up to its end as of now."""
    end = (await log.ends([partition]))[partition]
    found: list[Recorded] = []
    while (position := found[-1].position if found else after) < end:
        found += await log.read(partition, position, 256)
    return found


def created(campaign_id: int) -> CampaignCreated:
    """Make a campaign of one contact."""
    settings = CampaignSettings(calls_per_minute=60_000)  # All of a race is at one instant.
    return campaign_created(campaign_id, NOON, name="a race", rows=1, settings=settings)


def started(campaign_id: int) -> CampaignStarted:
    """Start its run."""
    return CampaignStarted(campaign_id=campaign_id, run=1, started_at=NOON)


def record(facts: tuple[AnyFact, ...], condition: AppendCondition, record_id: str) -> Record:
    """Return a record of facts and their condition."""
    return Record(record_id, NOON, "race/1", "race", record_id, None, condition, facts)


def pause_or_resume(campaign: Campaign) -> Decision:
    """Decide a pause or a resume, whichever the writer's reading allows."""
    campaign_id = campaign.campaign_id
    if campaign.allows(Move.PAUSE):
        return (CampaignPaused(campaign_id=campaign_id, reason=None, paused_at=NOON),)
    if campaign.allows(Move.RESUME):
        return (CampaignResumed(campaign_id=campaign_id, reason=None, resumed_at=NOON),)
    return Rejected(Reason.WRONG_STATUS, f"campaign is {campaign.status}")


def request(seen: Seen, campaign: Campaign, call_id: str, streams: Streams) -> Record | None:
    """Have a dialer decide on its reading; None when it rejects."""
    command = RequestCall(call_id, campaign.campaign_id, CONTACT_ID, NOON, 0.3, 0.5, True)
    decision = REQUEST_CALL.decide(Reading(campaign, seen.contact), command)
    if not isinstance(decision, tuple):
        return None
    return record(decision, seen.ledger.condition(streams(command)), call_id)


def give_back(seen: Seen, campaign: Campaign) -> Record | None:
    """Have a dialer abandon its own permission, if it has read it as accepted."""
    open_calls = [call for call in campaign.permissions() if call.call_id in seen.mine]
    if not open_calls:
        return None
    (call,) = open_calls
    fact = CallAbandoned(
        campaign_id=campaign.campaign_id,
        contact_id=call.contact_id,
        call_id=call.call_id,
        run=call.run,
        attempt=call.attempt,
        reason=Abandonment.LEASE_OVER,
        abandoned_at=NOON,
    )
    return record((fact,), seen.ledger.condition([fact.stream]), uuid4().hex)


def decided(seen: Seen, name: str, turn: str, streams: Streams) -> Record | None:
    """Return what a writer would append on its reading; None when it rejects."""
    campaign = seen.campaign
    assert campaign is not None, "play() has created it"
    if not name.startswith("dialer"):
        decision = pause_or_resume(campaign)
        if not isinstance(decision, tuple):
            return None
        guards = [campaign_stream(campaign.campaign_id)]
        return record(decision, seen.ledger.condition(guards), uuid4().hex)
    if turn == "give back":
        return give_back(seen, campaign)
    call_id = uuid4().hex
    seen.mine.add(call_id)
    return request(seen, campaign, call_id, streams)


async def play(
    log: EventLog, script: Script, campaign_id: int = 42, *, streams: Streams = REQUEST_CALL.streams
) -> list[AnyFact]:
    """Have each writer read or act, in the script's order; return the accepted facts.

    `log` is open, and has no record of this campaign yet. `streams` is what a request rests on.

    Raises:
        BrokenPromiseError: there is a call after a pause, or two for one contact.

    """
    partition = campaign_partition(campaign_id, log.partitions(CAMPAIGN_RECORDS))
    lifecycle = campaign_stream(campaign_id)
    begun = (await log.ends([partition]))[partition]
    facts = (created(campaign_id), started(campaign_id))
    await log.append(partition, record(facts, {lifecycle: 0}, uuid4().hex), campaign_id)
    await _shown(log, partition, begun + 1)
    writers = {name: Seen(partition) for name in WRITERS}
    for seen in writers.values():
        seen.position = begun
        await seen.look(log)
    appended = begun + 1
    for name, turn in script:
        seen = writers[name]
        if turn == "look":
            await seen.look(log)
        elif offered := decided(seen, name, turn, streams):
            await log.append(partition, offered, campaign_id)  # It may be refused: the log rules.
            appended += 1
            await _shown(log, partition, appended)
    return audit(await everything(log, partition, begun))


async def _shown(log: EventLog, partition: Partition, position: int) -> None:
    """Wait until an append can be read: some logs take a record before it is in its place."""
    async with asyncio.timeout(20):
        while (await log.ends([partition]))[partition] < position:
            await asyncio.sleep(0.001)


def audit(records: Sequence[Recorded]) -> list[AnyFact]:
    """Rule on the records as a new reader; return the accepted facts.

    Raises:
        BrokenPromiseError: they break a promise.

    """
    ledger, running = Ledger(), False
    open_calls: dict[Stream, str] = {}  # Contact → call.
    accepted: list[AnyFact] = []
    for recorded in records:
        if not isinstance(recorded.envelope, Envelope) or not ledger.admit(recorded.envelope):
            continue
        for fact in recorded.facts:
            accepted.append(fact)
            match fact:
                case CampaignStarted() | CampaignResumed():
                    running = True
                case CampaignPaused():
                    running = False
                case CallRequested():
                    if not running:
                        raise BrokenPromiseError(f"{recorded.where}: a call after a pause")
                    if fact.stream in open_calls:
                        raise BrokenPromiseError(f"{recorded.where}: two calls for one contact")
                    open_calls[fact.stream] = fact.call_id
                case CallAbandoned() | CallEnded():
                    if open_calls.pop(fact.stream, None) != fact.call_id:
                        raise BrokenPromiseError(f"{recorded.where}: resolved twice")
                case _:
                    pass
    return accepted


def unguarded(command: RequestCall) -> tuple[Stream, ...]:
    """Return only the written stream, without the guard: a mistake that the audit must catch."""
    return (contact_stream(command.campaign_id, command.contact_id),)
