"""The dialer's shell: follows, performs the reactor's effects, tells it what came of them."""

import asyncio
import os
import socket
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from pathlib import Path
from secrets import token_hex

from fastapi import APIRouter

from campaigns.domain.campaigns import Campaigns
from campaigns.domain.carrier_refusals import Limits
from campaigns.domain.facts import CampaignFact
from campaigns.log.installation_log import founded
from campaigns.log.port import EventLog
from campaigns.log.reader import Reader, Ruling
from campaigns.process.clock import Clock
from campaigns.process.errors import (
    LogUnavailableError,
    NotFreshError,
    OperatingError,
    OutcomeUnknownError,
    UnreadableRecordError,
)
from campaigns.process.watch import Watch, lasting
from campaigns.records.record import Record, Recorded
from campaigns.records.topics import (
    CAMPAIGN_RECORDS,
    INSTALLATION_RECORDS,
    Partition,
    campaign_partition,
    campaign_partitions,
)
from campaigns.stores.checkpoint import SAVE_S, Store
from campaigns.stores.contacts import Contacts
from campaigns.stores.fold import fold_contacts
from dialer.calls.ticks import (
    Answered,
    Clocks,
    Effect,
    Folded,
    HangUp,
    Input,
    LookUp,
    Offer,
    Refused,
    Ring,
    Stopping,
    Unreadable,
    Woken,
    Working,
)
from dialer.carrier.port import CallOrder, Carrier, Ended, NoRing, Watched
from dialer.conversation import Conversation
from dialer.decisions.pacing import Bucket, Window
from dialer.offers import Offered
from dialer.reactor.reactor import react
from dialer.reactor.recovery import restore
from dialer.reactor.state import State, Terms
from dialer.settings import DialerSettings
from dialer.stuck_calls import Undecideds

ACTOR = "dialer"
_DRAIN_POLL_S = 0.01
_CATCH_UP_AGAIN_S = 0.5
_BUCKETS = (
    "create table if not exists buckets"
    " (campaign_id integer primary key, tokens real not null, at text not null)"
)


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
        self._talk = Conversation(carrier, clock, settings.carrier_timeout_s, self._take)
        self._undecided, self._offered = Undecideds(), Offered()
        self._watch = Watch()  # Of reactions that no fold step has woken.
        self._over = False  # It was drained: nothing is begun any more.
        self._assigned: frozenset[int] | None = None  # None: all, there is no group.
        self._assignment = asyncio.Event()
        self._sharing_troubles: Callable[[], Sequence[str]] = tuple

    @property
    def carrier(self) -> Carrier:
        """Return the carrier, for metrics."""
        return self._carrier

    def routers(self) -> Sequence[APIRouter]:
        """Return no route: a dialer is asked nothing."""
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
        self._store.db.execute(_BUCKETS)
        self._store.beside = self._keep_buckets
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
        for campaign_id, tokens, at in self._store.db.execute("select * from buckets"):
            self.state.queue(campaign_id).bucket = Bucket(tokens, datetime.fromisoformat(at))
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
        """Say whether the carrier says of itself what its terms do not. Asked at every reaction."""
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
            Exception: whatever a fold step, a reaction or a task of its own has raised, whoever
                woke it: nothing may be decided any more on what is in memory then.

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
        """Work nothing until `assigned` says what: there may be other dialers.

        `troubles` says why nobody can say it.
        """
        self._sharing_troubles = troubles
        self._assigned = frozenset()

    def assigned(self, partitions: frozenset[int]) -> None:
        """Take note of the partitions to work: for the work's sake, safety does not rest on it."""
        self._assigned = partitions
        self._assignment.set()
        self._take(Working(partitions & self.state.working))

    def refused(self, why: Exception) -> None:
        """End, since the others do not share their work with us."""
        self._watch.fail(why)

    async def _work(self) -> None:
        """Begin to work partitions once the fold has caught up with them."""
        while True:
            self._assignment.clear()
            wanted = self._assigned
            numbers = range(self._partitions) if wanted is None else sorted(wanted)
            try:
                await self.reader.catch_up(
                    [Partition(CAMPAIGN_RECORDS, number) for number in numbers],
                    within_s=self._settings.catch_up_s,
                )
            except (LogUnavailableError, NotFreshError):
                await asyncio.sleep(_CATCH_UP_AGAIN_S)
                continue
            if self._assigned == wanted:
                self._take(Working(frozenset(numbers)))
                await self._assignment.wait()

    # -- the fold ------------------------------------------------------------------------------

    def fold(self, recorded: Recorded) -> None:
        """Take one accepted record in, and note its facts for the reactor."""
        fold_contacts(self.campaigns, self.contacts, recorded)
        at = self._clock.boottime()
        for fact in recorded.facts:
            if isinstance(fact, CampaignFact):
                self._inputs.append(Folded(fact, at))

    def folded(self, partition: Partition, position: int) -> None:
        """React at once: the batch may hold a pause, or permissions whose lease runs."""
        self.contacts.flush()
        self._react()

    def _ruled(self, record_id: str) -> Callable[[Ruling], None]:
        def ruled(ruling: Ruling) -> None:
            self._offered.done(record_id)
            if ruling.accepted:
                self.state.offers.pop(record_id, None)
            else:
                self._inputs.append(Refused(record_id, taken=True))

        return ruled

    # -- inputs in, effects out -----------------------------------------------------------------

    def _clocks(self) -> Clocks:
        return Clocks(self._clock.now(), self._clock.boottime())

    def _take(self, news: Input) -> None:
        self._inputs.append(news)
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_soon(self._woken)

    def _woken(self) -> None:
        """React to what no fold step has brought. What it raises ends the part, as a step's does.

        Ticks, marks and effects of the turn are lost: what is in memory must not be gone on with.
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
            return  # It ends, or has ended: what still comes in is for the next life.
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
                self._tasks.create_task(self._offer(effect, self._record(effect, clocks)))
            case Ring(call_id=call_id):
                self._ring(call_id)
            case LookUp(call_id=call_id):
                self._tasks.create_task(self._talk.look_up(call_id, self.state.calls.get(call_id)))
            case HangUp(call_id=call_id):
                self._tasks.create_task(self._talk.hang_up(call_id))

    def _record(self, offer: Offer, clocks: Clocks) -> Record:
        partition = campaign_partition(offer.campaign_id, self._partitions)
        self.reader.on_ruling[offer.record_id] = self._ruled(offer.record_id)
        self._offered.add(offer.record_id, clocks.boot)
        return Record(
            id=offer.record_id,
            time=clocks.now,
            source=self._source,
            actor=ACTOR,
            correlation_id=offer.causation_id or offer.record_id,
            causation_id=offer.causation_id,
            condition=self.reader.ledger(partition).condition(offer.streams),
            facts=offer.facts,
            level=self.reader.installation.level,
        )

    async def _offer(self, offer: Offer, record: Record) -> None:
        partition = campaign_partition(offer.campaign_id, self._partitions)

        def refused(_: OperatingError) -> None:
            self._hear_no_more_of(offer.record_id)
            self._take(Refused(offer.record_id, taken=False))

        try:
            await self._log.append(partition, record, offer.campaign_id, refused)
        except LogUnavailableError as exc:
            refused(exc)
        except UnreadableRecordError as exc:
            self._hear_no_more_of(offer.record_id)
            self._take(Unreadable(offer.record_id, exc))
        except OutcomeUnknownError:
            return  # Read back or not: what was not is offered anew (`State.patience`).

    def _hear_no_more_of(self, record_id: str) -> None:
        self.reader.on_ruling.pop(record_id, None)
        self._offered.done(record_id)

    def _ring(self, call_id: str) -> None:
        """Hand a call to the carrier."""
        call = self.state.calls[call_id]
        row = self.contacts.row(call.campaign_id, call.contact_id)
        if row is None:
            self._take(Answered(call_id, NoRing("no such contact")))
            return
        assert call.sent_at is not None, "only what this process asked for is rung"
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

    # -- health and the end --------------------------------------------------------------------

    async def _save_regularly(self) -> None:
        while True:
            await asyncio.sleep(SAVE_S)
            for record_id in self._offered.forgotten(self._clock.boottime()):
                self._hear_no_more_of(record_id)
                self.state.forget(record_id)
            await self._store.save_in_slices(self.reader, self.campaigns, self._partitions)

    def _keep_buckets(self, campaign_ids: Collection[int]) -> None:
        self._store.db.executemany(
            "insert or replace into buckets values (?, ?, ?)",
            (
                (campaign_id, queue.bucket.tokens, str(queue.bucket.at))
                for campaign_id in campaign_ids
                if (queue := self.state.queue(campaign_id)).bucket.at is not None
            ),
        )

    async def troubles(self) -> Sequence[str]:
        """Return why it is not ready: the log does not answer, or the fold lags behind it."""
        read = [CAMPAIGN_RECORDS, INSTALLATION_RECORDS]
        found = [*self._log.troubles([CAMPAIGN_RECORDS], read), *self._sharing_troubles()]
        if found:  # What is known needs no waiting.
            return [f"dialer: {trouble}" for trouble in found]
        partitions = campaign_partitions(self._partitions)
        ready = await self.reader.ready(partitions, within_s=self._settings.catch_up_s)
        return () if ready else ("dialer: the log is away, or too far ahead",)

    def remarks(self) -> Sequence[str]:
        """Return what an operator should know although it is ready."""
        return self._undecided.remarks()

    async def drain(self) -> None:
        """Ask for nothing more, give back what is not used, wait a little for the rest."""
        self._take(Stopping())
        until = self._clock.monotonic() + self._settings.calls_drain_s
        while self._clock.monotonic() < until:
            await asyncio.sleep(_DRAIN_POLL_S)
            if not (self.state.asking or self.state.placing):
                break
        self._over = True

    async def close(self) -> None:
        """Write the checkpoint, and let go of carrier and store."""
        if self._alarm is not None:
            self._alarm.cancel()
        await self._carrier.close()
        self._store.save(self.reader, self.campaigns, self._partitions)
        self._store.close()
