"""Runs a recorded campaign once more: the real dialer, on virtual time and the simulated carrier.

People do what they did, when they did it; the dialer decides anew. No socket is ever opened: a
virtual loop refuses connections, and the log is in memory.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec.structs import replace

from campaigns.audit.rulings import PartitionRuling, ruled_batches
from campaigns.domain.campaign import Campaign
from campaigns.domain.facts import (
    AnyFact,
    CampaignDeleted,
    CampaignFact,
    CampaignPaused,
    CampaignResumed,
    CampaignScheduled,
    CampaignStarted,
    CampaignStopped,
    CampaignUnscheduled,
    CampaignUpdated,
    ContactsFact,
)
from campaigns.domain.moves import FINAL, Move, Status
from campaigns.log.port import MemoryLog
from campaigns.log.writer import Origin, Writer
from campaigns.process.virtual_time import VirtualClock, run_virtually
from campaigns.records.topics import campaign_partition
from dialer.carrier.simulated.rings import MEMORY
from dialer.carrier.simulated.simulated_carrier import SimulatedCarrier
from dialer.service import Dialer
from dialer.settings import DialerSettings
from dialgate.what_if.campaign_history import CampaignHistory, Deed
from dialgate.what_if.comparison import RunSummary
from dialgate.what_if.overrides import Overrides

DAYS_MAX = 60  # After the last deed: a campaign whose hours never open does not end.
LOOK_S, LOOK_MAX_S = 1.0, 3600.0  # Virtual. Waits between looks whether it is over: they double.
SAVE_S = 86_400.0  # Virtual. Nobody reads its checkpoints.
PARTITIONS = 1
_MOVES: dict[type[CampaignFact], Move] = {
    CampaignUpdated: Move.UPDATE,
    CampaignDeleted: Move.DELETE,
    CampaignScheduled: Move.SCHEDULE,
    CampaignUnscheduled: Move.UNSCHEDULE,
    CampaignStarted: Move.START,
    CampaignPaused: Move.PAUSE,
    CampaignResumed: Move.RESUME,
    CampaignStopped: Move.STOP,
}
OnProgress = Callable[[int], None]  # Contacts that are done.


@dataclass
class Simulation:
    """One run. `not_done` says which recorded deeds had become impossible, and why."""

    recording: CampaignHistory
    overrides: Overrides
    seed: int = 0
    days_max: int = DAYS_MAX
    on_progress: OnProgress = lambda _: None
    not_done: list[str] = field(default_factory=list)
    finished: bool = False  # Nothing was left to do, within `days_max`.

    def run(self) -> RunSummary:
        """Run it to its end, on a virtual loop of its own."""
        return run_virtually(self._run())

    async def _run(self) -> RunSummary:
        recording, loop = self.recording, asyncio.get_running_loop()
        log = MemoryLog(PARTITIONS)
        self.clock = VirtualClock(loop, recording.deeds[0].at)
        terms = recording.carrier_terms(self.seed)
        carrier = SimulatedCarrier(
            MEMORY, terms, self.clock, fates=lambda order: recording.fate_of(terms, order)
        )
        self.partition = campaign_partition(recording.campaign_id, PARTITIONS)
        self.dialer = Dialer(log, self.clock, self._settings(), None, carrier, save_s=SAVE_S)
        await self.dialer.open()
        self.writer = Writer(self.dialer.reader, None, self.clock, "what-if")
        dialing = loop.create_task(self.dialer.run())
        try:
            for deed in recording.deeds:
                await self._do(deed)
            await self._end(recording.deeds[-1].at + timedelta(days=self.days_max), dialing)
        finally:
            dialing.cancel()
            await asyncio.wait([dialing])
            await self.dialer.close()
        return await self._summary(log)

    def _settings(self) -> DialerSettings:
        """Return the recorded dialer's settings, as far as its permissions tell them."""
        settings, terms = DialerSettings(), self.recording.terms
        if terms is None:
            return settings
        told = {"lease_s": terms.lease_s, "carrier_timeout_s": terms.carrier_timeout_s}
        return settings.model_copy(update=told)

    @property
    def campaign(self) -> Campaign | None:
        """Return the campaign as the dialer has folded it."""
        return self.dialer.campaigns.get(self.recording.campaign_id)

    async def _do(self, deed: Deed) -> None:
        """Record what people did, at the same instant, if it is still possible."""
        ahead_s = (deed.at - self.clock.now()).total_seconds()
        await asyncio.sleep(max(0.0, ahead_s))
        campaign = self.campaign
        if campaign is not None:
            self._progress(campaign)
            if why := _impossible(campaign, deed):
                self.not_done.append(f"{deed.at.isoformat()}: {why}")
                return
        facts = tuple(self.overrides.to(_of_run(fact, campaign)) for fact in deed.facts)
        condition = self.dialer.reader.ledger(self.partition).condition(deed.streams)
        record = self.writer.record(facts, condition, Origin(deed.actor, "what-if"))
        await self.writer.append(self.partition, record, self.recording.campaign_id)

    async def _end(self, give_up_at: datetime, dialing: "asyncio.Task[None]") -> None:
        """Wait until nothing is left to do, or for `days_max`."""
        wait_s, position = LOOK_S, 0
        while self.clock.now() < give_up_at and not dialing.done():
            campaign, before = self.campaign, position
            if campaign is not None:
                self._progress(campaign)
                waits = campaign.status in (Status.RUNNING, Status.SCHEDULED)
                if not campaign.calls and (campaign.status in FINAL or not waits):
                    self.finished = True
                    return
            position = self.dialer.reader.positions.get(self.partition, 0)
            wait_s = LOOK_S if position > before else min(LOOK_MAX_S, 2 * wait_s)
            await asyncio.sleep(wait_s)
        if dialing.done():
            await dialing  # Raises what ended it.

    def _progress(self, campaign: Campaign) -> None:
        counters = campaign.counters
        self.on_progress(counters.total - counters.pending - counters.in_progress)

    async def _summary(self, log: MemoryLog) -> RunSummary:
        again = CampaignHistory(self.recording.campaign_id)
        async for batch in ruled_batches(log, self.partition, PartitionRuling()):
            for ruled in batch:
                if ruled.accepted:
                    again.take(ruled.recorded)
        status = self.campaign.status if self.campaign else Status.DRAFT
        return RunSummary(status, again.courses, again.moments)


def _impossible(campaign: Campaign, deed: Deed) -> str | None:
    """Say why a deed cannot be done to the campaign as it is now. None: it can."""
    for fact in deed.facts:
        move = _MOVES.get(type(fact)) if isinstance(fact, CampaignFact) else None
        if isinstance(fact, ContactsFact):
            move = Move.APPEND
        if move is not None and not campaign.allows(move):
            return f"{fact.TYPE} was not repeated: the campaign is {campaign.status} already"
    return None


def _of_run(fact: AnyFact, campaign: Campaign | None) -> AnyFact:
    """Return a start with the number that its run has now."""
    if isinstance(fact, CampaignStarted) and campaign is not None:
        return replace(fact, run=campaign.run + 1)
    return fact
