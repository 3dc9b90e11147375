"""The dialer's shell: it follows the log, and performs the effects that the reactor asks for."""

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from secrets import token_hex

from fastapi import APIRouter

from campaigns.domain.campaigns import Campaigns
from campaigns.domain.carrier_refusals import Limits
from campaigns.domain.facts import CampaignFact
from campaigns.log.installation_log import founded
from campaigns.log.port import EventLog
from campaigns.log.reader import Reader
from campaigns.process.clock import Clock
from campaigns.process.watch import Watch, lasting
from campaigns.records.record import Recorded
from campaigns.records.topics import (
    CAMPAIGN_RECORDS,
    INSTALLATION_RECORDS,
    Partition,
    campaign_partitions,
)
from campaigns.stores.checkpoint import SAVE_S, Store
from campaigns.stores.contacts import Contacts
from campaigns.stores.fold import fold_contacts
from dialer import bucket_store
from dialer.calls.effects import Effect, HangUp, LookUp, Offer, Place
from dialer.calls.inputs import (
    Answered,
    Clocks,
    Folded,
    Input,
    Refused,
    Stopping,
    Woken,
    Working,
)
from dialer.carrier.port import CallOrder, Carrier, Ended, NoRing, Watched
from dialer.carrier_requests import CarrierRequests
from dialer.decisions.pacing import Window
from dialer.membership import Membership
from dialer.reactor.reactor import react
from dialer.reactor.recovery import restore
from dialer.reactor.state import State, Terms
from dialer.record_sender import RecordSender
from dialer.settings import DialerSettings
from dialer.undecidable_calls import UndecidableCalls

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
    ) -> None:
        self._log, self._clock, self._settings = log, clock, settings
        self._data_dir, self._carrier, self._new_id = data_dir, carrier, new_id
        self._source = f"dialer/{socket.gethostname()}-{os.getpid()}-{new_id()[:6]}"
        self.campaigns = Campaigns()
        self.reader = Reader(log, self)
        self._inputs: list[Input] = []
        self._alarm: asyncio.TimerHandle | None = None
        self._soon: asyncio.Handle | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._talk = CarrierRequests(carrier, clock, settings.carrier_timeout_s, self._take)
        self._sender = RecordSender(
            log, self.reader, self._source, tell=self._take, ruled=self._ruled
        )
        self._undecided = UndecidableCalls()
        self._watch = Watch()  # Of reactions outside a fold step.
        self._over = False  # Drained: no reaction any more.
        self._membership = Membership(self.reader, settings.catch_up_s)

    @property
    def carrier(self) -> Carrier:
        """Return the carrier, for metrics."""
        return self._carrier

    def routers(self) -> Sequence[APIRouter]:
        """Return no route: a dialer answers no requests."""
        return ()

    async def open(self) -> None:
        """Restore the checkpoint and open the carrier.

        Raises:
            CarrierUnavailableError: the carrier cannot be opened.
            LevelBeyondError: this build is too old for this installation.

        """
        self._partitions = self._log.partitions(CAMPAIGN_RECORDS)
        await self.reader.begin(await founded(self._log, self._clock, self._source))
        path = self._data_dir / "dialer.db" if self._data_dir else None
        self._store = Store(path, self._log.id, self.reader.installation)
        bucket_store.create(self._store.db)
        self._store.beside = lambda ids: bucket_store.save(self._store.db, self.state, ids)
        self.contacts = Contacts(self._store.db)
        self._store.restore(self.reader, self.campaigns)
        await self.reader.check()
        await self._carrier.open(self._reported)
        self.state = State(
            self._terms(),
            self.campaigns,
            self.contacts,
            self._partitions,
            self._new_id,
            Window(self._settings.asking_max, float(self._settings.asking_max)),
        )
        bucket_store.restore(self._store.db, self.state)
        restore(self.state, self._clocks())

    def _terms(self) -> Terms:
        settings, carrier = self._settings, self._carrier
        return Terms(
            carrier=carrier.id,
            lease_s=settings.lease_s,
            carrier_timeout_s=settings.carrier_timeout_s,
            refuses_late=carrier.refuses_late,
            clocks_agree=carrier.clocks_agree,
            lookup_lag_s=carrier.lookup_lag_s,
            silence_s=carrier.silence_s,
            placing_max=carrier.placing_max,
            resend_s=settings.resend_s,
            resend_max_s=settings.resend_max_s,
            recover_poll_s=settings.recover_poll_s,
            schedule_grace_s=settings.schedule_grace_s,
            unplaced=Limits(settings.unplaced_max, settings.unplaced_away_max),
        )

    def _declares_otherwise(self) -> bool:
        """Say whether the carrier declares other terms by now. Asked at every reaction."""
        terms, carrier = self.state.terms, self._carrier
        return (
            terms.carrier != carrier.id
            or terms.refuses_late != carrier.refuses_late
            or terms.clocks_agree != carrier.clocks_agree
            or terms.lookup_lag_s != carrier.lookup_lag_s
            or terms.silence_s != carrier.silence_s
            or terms.placing_max != carrier.placing_max
        )

    async def run(self) -> None:
        """Follow and dial until cancelled.

        Raises:
            Exception: a fold step, a reaction or a task has raised: what is in memory may be wrong,
                and no decision may rest on it.

        """
        partitions = campaign_partitions(self._partitions)
        try:
            with self._store.in_use():
                async with asyncio.TaskGroup() as tasks:
                    self._tasks = tasks
                    tasks.create_task(lasting(self.reader.follow(partitions), "dialer follows"))
                    tasks.create_task(lasting(self._work(), "dialer works"))
                    tasks.create_task(lasting(self._save_regularly(), "dialer saves"))
                    tasks.create_task(self._watch.wait())
                    if isinstance(self._carrier, Watched):
                        tasks.create_task(self._carrier.watch())
        finally:
            self._tasks = None

    def shares_partitions(self, troubles: Callable[[], Sequence[str]]) -> None:
        """Work no partition until `assigned` names some: there may be other dialers.

        `troubles` says why none are assigned.
        """
        self._membership.join(troubles)

    def assigned(self, partitions: frozenset[int]) -> None:
        """Work these partitions, once the fold has caught up; stop to work all others now."""
        self._membership.assign(partitions)
        self._take(Working(partitions & self.state.working))

    def refused(self, why: Exception) -> None:
        """Fail: the other dialers do not share their partitions with this one."""
        self._watch.fail(why)

    async def _work(self) -> None:
        await self._membership.follow(
            self._partitions, lambda numbers: self._take(Working(numbers))
        )

    # -- the fold ------------------------------------------------------------------------------

    def fold(self, recorded: Recorded) -> None:
        """Fold one accepted record, and keep its facts as inputs of the reactor."""
        fold_contacts(self.campaigns, self.contacts, recorded)
        at = self._clock.boottime()
        for fact in recorded.facts:
            if isinstance(fact, CampaignFact):
                self._inputs.append(Folded(fact, at))

    def folded(self, partition: Partition, position: int) -> None:
        """React at once: the batch may hold a pause, or permissions whose lease runs."""
        self.contacts.flush()
        self._react()

    def _ruled(self, record_id: str, accepted: bool) -> None:
        if accepted:
            self.state.offers.pop(record_id, None)
        else:
            self._inputs.append(Refused(record_id, taken=True))

    # -- inputs in, effects out -----------------------------------------------------------------

    def _clocks(self) -> Clocks:
        return Clocks(self._clock.now(), self._clock.boottime())

    def _take(self, news: Input) -> None:
        self._inputs.append(news)
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_soon(self._woken)

    def _woken(self) -> None:
        """React to inputs that come from timers, the carrier or a failed append.

        An exception ends the part, as one of a fold step does: inputs and effects of this reaction
        are lost, so what is in memory must not be used any more.
        """
        try:
            self._react()
        except Exception as exc:
            self.reader.torn = True
            self._watch.fail(exc)

    def _react(self) -> None:
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        if self._over or self._tasks is None or self.reader.torn:
            return  # It ends, or has ended: the next process reads the log.
        inputs, self._inputs = self._inputs, []
        if self._declares_otherwise():
            self.state.declare(self._terms())
        clocks = self._clocks()
        for effect in react(self.state, inputs, clocks):
            self._perform(effect, clocks)
        self._undecided.take(self.state.undecided)
        self._set_alarm(clocks)

    def _set_alarm(self, clocks: Clocks) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if (wake_at := self.state.wake_at()) is not None:
            self._alarm = asyncio.get_running_loop().call_later(
                max(0.0, wake_at - clocks.boot), self._take, Woken()
            )

    def _perform(self, effect: Effect, clocks: Clocks) -> None:
        assert self._tasks is not None, "effects come from a running dialer"
        match effect:
            case Offer():
                record = self._sender.record(effect, clocks)
                self._tasks.create_task(self._sender.send(effect, record))
            case Place(call_id=call_id):
                self._place(call_id)
            case LookUp(call_id=call_id):
                self._tasks.create_task(self._talk.look_up(call_id, self.state.calls.get(call_id)))
            case HangUp(call_id=call_id):
                self._tasks.create_task(self._talk.hang_up(call_id))

    def _place(self, call_id: str) -> None:
        """Hand a call to the carrier."""
        call = self.state.calls[call_id]
        row = self.contacts.row(call.campaign_id, call.contact_id)
        if row is None:
            self._take(Answered(call_id, NoRing("no such contact")))
            return
        assert call.sent_at is not None, "this process places only calls that it requested"
        assert self._tasks is not None, "effects come from a running dialer"
        order = CallOrder(
            call_id,
            call.campaign_id,
            call.contact_id,
            call.run,
            call.attempt,
            row.phone_number,
            row.variables,
        )
        self._tasks.create_task(self._talk.place(order, call, call.sent_at))

    def _reported(self, call_id: str, ended: Ended) -> None:
        self._talk.reported(call_id, ended, self.state.calls.get(call_id))

    # -- health, drain and close --------------------------------------------------------------

    async def _save_regularly(self) -> None:
        while True:
            await asyncio.sleep(SAVE_S)
            for record_id in self._sender.offered.forgotten(self._clock.boottime()):
                self._sender.forget(record_id)
                self.state.forget(record_id)
            await self._store.save_in_slices(self.reader, self.campaigns, self._partitions)

    async def troubles(self) -> Sequence[str]:
        """Return why it is not ready: the log does not answer, or the fold lags behind it."""
        read = [CAMPAIGN_RECORDS, INSTALLATION_RECORDS]
        found = [*self._log.troubles([CAMPAIGN_RECORDS], read), *self._membership.troubles()]
        if found:  # Known troubles need no wait.
            return [f"dialer: {trouble}" for trouble in found]
        partitions = campaign_partitions(self._partitions)
        ready = await self.reader.ready(partitions, within_s=self._settings.catch_up_s)
        return () if ready else ("dialer: the log is away, or too far ahead",)

    def remarks(self) -> Sequence[str]:
        """Return what an operator should know although it is ready."""
        return self._undecided.remarks()

    async def drain(self) -> None:
        """Request no more calls, give back unused permissions, wait a little for the others."""
        self._take(Stopping())
        until = self._clock.monotonic() + self._settings.calls_drain_s
        while self._clock.monotonic() < until:
            await asyncio.sleep(_DRAIN_POLL_S)
            if not (self.state.asking or self.state.placing):
                break
        self._over = True

    async def close(self) -> None:
        """Write the checkpoint; close carrier and store."""
        if self._alarm is not None:
            self._alarm.cancel()
        await self._carrier.close()
        self._store.save(self.reader, self.campaigns, self._partitions)
        self._store.close()
