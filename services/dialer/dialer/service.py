"""The dialer as a part of a process: its fold, its checkpoint, its partitions and its end."""

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from secrets import token_hex

from fastapi import APIRouter

from campaigns.domain.campaigns import Campaigns
from campaigns.domain.decider import Rejected
from campaigns.domain.facts import CampaignFact
from campaigns.log.installation_log import founded
from campaigns.log.port import EventLog
from campaigns.log.reader import Reader
from campaigns.process.clock import Clock
from campaigns.process.watch import lasting
from campaigns.records.log_entry import Recorded
from campaigns.records.topics import (
    CAMPAIGN_RECORDS,
    INSTALLATION_RECORDS,
    Partition,
    campaign_partitions,
)
from campaigns.stores.checkpoint import SAVE_S, CheckpointStore
from campaigns.stores.contacts import Contacts
from campaigns.stores.fold import fold_contacts
from campaigns.stores.host import Host
from dialer.assignment import Assignment
from dialer.calls.inputs import Folded, Stopping, Working
from dialer.carrier.port import Carrier, Watched
from dialer.reactions import Reactions
from dialer.reactor.state import State
from dialer.readability import KeyPresence
from dialer.settings import DialerSettings
from dialer.tenure import Tenure

_DRAIN_POLL_S = 0.01


class Dialer:
    """One dialer. Any number may run; the rule and the carrier keep them from ringing twice."""

    name = "dialer"

    def __init__(
        self,
        log: EventLog,
        clock: Clock,
        settings: DialerSettings,
        data_dir: Path | None,
        carrier: Carrier,
        *,
        new_id: Callable[[], str] = lambda: token_hex(16),  # As uuid4, in a quarter of the time.
        save_s: float = SAVE_S,  # Between two checkpoints.
        host: Host | None = None,  # The part that folds for this one. None: it folds by itself.
    ) -> None:
        self._log, self._clock, self._settings = log, clock, settings
        self._data_dir, self._carrier = data_dir, carrier
        self._save_s = save_s
        self._source = f"dialer/{socket.gethostname()}-{os.getpid()}-{new_id()[:6]}"
        self._host = host
        self.campaigns = host.campaigns if host else Campaigns()
        self.reader = host.reader if host else Reader(log, self)
        self.reactions = Reactions(log, clock, settings, carrier, self.reader, self._source, new_id)
        self._assignment = Assignment(self.reader, settings.catch_up_s)
        self._tenure = Tenure(
            log, clock, self.reader, carrier, self._source, self.reactions, self._assignment
        )

    @property
    def carrier(self) -> Carrier:
        """Return the carrier, for metrics."""
        return self._carrier

    @property
    def state(self) -> State:
        """Return what the reactor knows."""
        return self.reactions.state

    @property
    def idle(self) -> dict[int, Rejected]:
        """Return why each running campaign that this dialer works asks for no call now, by id."""
        if not self.reactions.restored:
            return {}
        idle = self.state.idle
        return {one: shut for one, shut in idle.items() if self.state.works(one)}

    def routers(self) -> Sequence[APIRouter]:
        """Return no route: a dialer answers no requests."""
        return ()

    async def open(self) -> None:
        """Restore the checkpoint and open the carrier, unless the log is a copy.

        Raises:
            CarrierUnavailableError: the carrier cannot be opened.
            LevelBeyondError: this build is too old for this installation.

        """
        self._partitions = self._log.partitions(CAMPAIGN_RECORDS)
        if self._host is None:
            await self._open_fold()
        else:
            self.store, self.contacts = self._host.store, self._host.contacts
            self._host.guests.append(self)
        self._keys_there = KeyPresence(self.contacts, self._log.list_keys, self.campaigns)
        await self._tenure.open()
        await self.reactions.backlog.look(self._log, self.reader)
        self.reactions.restore(self.campaigns, self.contacts)

    async def _open_fold(self) -> None:
        await self.reader.begin(await founded(self._log, self._clock, self._source))
        path = self._data_dir / "dialer.db" if self._data_dir else None
        self.store = CheckpointStore(path, self._log.id, self.reader.installation)
        self.contacts = Contacts(self.store.db)
        self.store.restore(self.reader, self.campaigns)
        await self.reader.check()

    async def run(self) -> None:
        """Follow and dial until cancelled.

        Raises:
            Exception: a fold step, a reaction or a task has raised: what is in memory may be wrong,
                and no decision may rest on it.

        """
        partitions = campaign_partitions(self._partitions)
        try:
            with self.store.in_use():
                async with asyncio.TaskGroup() as tasks:
                    self.reactions.begin(tasks)
                    if self._host is None:
                        follows = partial(self.reader.follow, partitions)
                        tasks.create_task(lasting(follows, "dialer follows"))
                    tasks.create_task(lasting(self._work, "dialer works"))
                    tasks.create_task(lasting(self._tenure.reside, "dialer is at home"))
                    tasks.create_task(lasting(self._tenure.end, "dialer is replaced"))
                    tasks.create_task(lasting(self._save_regularly, "dialer saves"))
                    tasks.create_task(self.reactions.watch.wait())
                    if isinstance(self._carrier, Watched):
                        tasks.create_task(self._carrier.watch())
        finally:
            self.reactions.stop()

    def shares_partitions(self, troubles: Callable[[], Sequence[str]]) -> None:
        """Work no partition until `assigned` names some: there may be other dialers.

        `troubles` says why none are assigned.
        """
        self._assignment.join(troubles)
        self._tenure.alone = False

    def assigned(self, partitions: frozenset[int]) -> None:
        """Work these partitions, once the fold has caught up; stop to work all others now."""
        self._assignment.assign(partitions)
        if self.reactions.restored:
            self.reactions.take(Working(partitions & self.state.working))

    def refused(self, why: Exception) -> None:
        """Fail: the other dialers do not share their partitions with this one."""
        self.reactions.watch.fail(why)

    async def _work(self) -> None:
        await self._assignment.follow(
            self._partitions, lambda numbers: self.reactions.take(Working(numbers))
        )

    # -- the fold ------------------------------------------------------------------------------

    def fold(self, recorded: Recorded) -> None:
        """Fold one accepted record, and keep its facts as inputs of the reactor."""
        fold_contacts(self.campaigns, self.contacts, recorded)
        self.note(recorded)

    def folded(self, partition: Partition, position: int) -> None:
        """React at once: the batch may hold a pause, or permissions whose lease runs."""
        self.contacts.flush()
        self.noted(partition, position)

    def note(self, recorded: Recorded) -> None:
        """Keep a folded record's facts as inputs of the reactor.

        What the log held when this dialer was opened is no input: the reactor begins with what it
        comes to, as after a restart. It could ask for nothing, and ring nobody, before that.
        """
        if self.reactions.backlog:
            return
        at = self._clock.boottime()
        for fact in recorded.facts:
            if isinstance(fact, CampaignFact):
                self.reactions.inputs.append(Folded(fact, at))

    def noted(self, partition: Partition, position: int) -> None:
        """React to the batch; or begin to, once all that the log held has been folded."""
        backlog = self.reactions.backlog
        if backlog and backlog.folded(partition, position):
            self.reactions.restore(self.campaigns, self.contacts)
        self.reactions.react()

    # -- health, drain and close --------------------------------------------------------------

    async def _save_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._save_s)
            sender = self.reactions.sender
            for record_id in sender.offered.forgotten(self._clock.boottime()):
                sender.forget(record_id)
                self.state.forget(record_id)
            if self._host is None:
                await self.store.save_in_slices(self.reader, self.campaigns, self._partitions)

    async def troubles(self) -> Sequence[str]:
        """Return why it is not ready: the log does not answer, or the fold lags behind it."""
        read = [CAMPAIGN_RECORDS, INSTALLATION_RECORDS]
        found = [*self._log.troubles([CAMPAIGN_RECORDS], read), *self._assignment.troubles()]
        found += self._keys_there.troubles()
        if found:  # Known troubles need no wait.
            return [f"dialer: {trouble}" for trouble in found]
        partitions = campaign_partitions(self._partitions)
        ready = await self.reader.ready(partitions, within_s=self._settings.catch_up_s)
        return () if ready else ("dialer: the log is away, or too far ahead",)

    def remarks(self) -> Sequence[str]:
        """Return what an operator should know although it is ready."""
        return self.reactions.undecided.remarks()

    async def drain(self) -> None:
        """Request no more calls, give back unused permissions, wait a little for the others."""
        self.reactions.take(Stopping())
        until = self._clock.monotonic() + self._settings.calls_drain_s
        while self.reactions.restored and self._clock.monotonic() < until:
            await asyncio.sleep(_DRAIN_POLL_S)
            if not (self.state.asking or self.state.placing):
                break
        self.reactions.stop()

    async def close(self) -> None:
        """Write the checkpoint; close carrier and store."""
        self.reactions.stop()
        await self._carrier.close()
        if self._host is None:
            self.store.save(self.reader, self.campaigns, self._partitions)
            self.store.close()
