"""Runs a recorded campaign once more: the real dialer, on virtual time and the simulated carrier.

People do what they did, when they did it; the dialer decides anew. No socket is ever opened: a
virtual loop refuses connections, and the log is in memory.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec.structs import replace

from campaigns.domain.campaign import Campaign
from campaigns.domain.facts import (
    AnyFact,
    CampaignDeleted,
    CampaignFact,
    CampaignPaused,
    CampaignRearmed,
    CampaignResumed,
    CampaignScheduled,
    CampaignStarted,
    CampaignStopped,
    CampaignUnscheduled,
    CampaignUpdated,
    ContactsFact,
    Selection,
)
from campaigns.domain.moves import FINAL, Move, Status
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
from dialgate.what_if.run_log import PARTITIONS, RunLog

DAYS_MAX = 60  # After the last deed: a campaign whose hours never open does not end.
LOOK_S, LOOK_MAX_S = 1.0, 3600.0  # Virtual. Waits between looks whether it is over: they double.
SAVE_S = 86_400.0  # Virtual. Nobody reads its checkpoints.
_MOVES: dict[type[CampaignFact], Move] = {
    CampaignUpdated: Move.UPDATE,
    CampaignDeleted: Move.DELETE,
    CampaignScheduled: Move.SCHEDULE,
    CampaignUnscheduled: Move.UNSCHEDULE,
    CampaignStarted: Move.START,
    CampaignPaused: Move.PAUSE,
    CampaignResumed: Move.RESUME,
    CampaignStopped: Move.STOP,
    CampaignRearmed: Move.REARM,
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
        self.clock = VirtualClock(loop, recording.deeds[0].at)
        terms = recording.carrier_terms(self.seed)
        carrier = SimulatedCarrier(
            MEMORY, terms, self.clock, fates=lambda order: recording.fate_of(terms, order)
        )
        self.partition = campaign_partition(recording.campaign_id, PARTITIONS)
        self.log = log = RunLog(self.partition, recording.campaign_id)
        self.dialer = Dialer(log, self.clock, self._settings(), None, carrier, save_s=SAVE_S)
        await self.dialer.open()
        log.read_to = lambda: self.dialer.reader.positions.get(self.partition, 0)
        self.writer = Writer(self.dialer.reader, None, self.clock, "what-if")
        dialing = loop.create_task(self.dialer.run())
        try:
            for deed in recording.deeds:
                await self._do(deed, dialing)
            give_up_at = self.clock.now() + timedelta(days=self.days_max)
            self.finished = await self._over(give_up_at, dialing)
        finally:
            dialing.cancel()
            await asyncio.wait([dialing])
            await self.dialer.close()
        status = self.campaign.status if self.campaign else Status.DRAFT
        return RunSummary(status, log.history.courses, log.history.moments)

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

    async def _do(self, deed: Deed, dialing: "asyncio.Task[None]") -> None:
        """Record what people did, at the same instant, if it is still possible.

        A re-execution waits until the run is over; what follows it is then done later, too.
        """
        ahead_s = (deed.at - self.clock.now()).total_seconds()
        await asyncio.sleep(max(0.0, ahead_s))
        if any(isinstance(fact, CampaignRearmed) for fact in deed.facts):
            await self._over(self.clock.now() + timedelta(days=self.days_max), dialing)
        campaign = self.campaign
        if campaign is not None:
            self._progress(campaign)
            if why := _impossible(campaign, deed):
                self.not_done.append(f"{deed.at.isoformat()}: {why}")
                return
        tried = self.log.history.tried
        facts = tuple(self.overrides.to(_of_run(one, campaign, tried)) for one in deed.facts)
        condition = self.dialer.reader.ledger(self.partition).condition(deed.streams)
        record = self.writer.record(facts, condition, Origin(deed.actor, "what-if"))
        await self.writer.append(self.partition, record, self.recording.campaign_id)

    async def _over(self, give_up_at: datetime, dialing: "asyncio.Task[None]") -> bool:
        """Wait until nothing is left to do; return whether that came before `give_up_at`."""
        wait_s, position = LOOK_S, 0
        while self.clock.now() < give_up_at and not dialing.done():
            campaign, before = self.campaign, position
            if campaign is not None:
                self._progress(campaign)
                waits = campaign.status in (Status.RUNNING, Status.SCHEDULED)
                if not campaign.calls and (campaign.status in FINAL or not waits):
                    return True
            position = self.dialer.reader.positions.get(self.partition, 0)
            wait_s = LOOK_S if position > before else min(LOOK_MAX_S, 2 * wait_s)
            await asyncio.sleep(wait_s)
        if dialing.done():
            await dialing  # Raises what ended it.
        return False

    def _progress(self, campaign: Campaign) -> None:
        counters = campaign.counters
        self.on_progress(counters.total - counters.pending - counters.in_progress)


def _impossible(campaign: Campaign, deed: Deed) -> str | None:
    """Say why a deed cannot be done to the campaign as it is now. None: it can."""
    for fact in deed.facts:
        if (
            isinstance(fact, CampaignRearmed)
            and fact.selection is Selection.FAILED_ONLY
            and not campaign.counters.failed
        ):
            return f"{fact.TYPE} was not repeated: no contact has failed"
        move = _MOVES.get(type(fact)) if isinstance(fact, CampaignFact) else None
        if isinstance(fact, ContactsFact):
            move = Move.APPEND
        if move is not None and not campaign.allows(move):
            return f"{fact.TYPE} was not repeated: the campaign is {campaign.status} already"
    return None


def _of_run(fact: AnyFact, campaign: Campaign | None, tried: Callable[[], set[int]]) -> AnyFact:
    """Return a start, or a re-execution, with the numbers that it has in this run.

    `tried`: the contacts that were attempted in it.
    """
    if campaign is None:
        return fact
    if isinstance(fact, CampaignStarted):
        return replace(fact, run=campaign.run + 1)
    if isinstance(fact, CampaignRearmed):
        counters = campaign.counters
        match fact.selection:  # As command_api.commands.re_execute decides.
            case Selection.ALL:
                contacts, untouched = counters.total + counters.skipped, campaign.never_tried
            case Selection.FAILED_ONLY:
                contacts, untouched = counters.failed, 0
            case Selection.CONTACTS:
                contacts = len(fact.contact_ids)
                untouched = contacts - len(tried().intersection(fact.contact_ids))
        return replace(fact, contacts=contacts, untouched=untouched)
    return fact
