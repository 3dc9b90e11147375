"""Inputs in, effects out: it hands a dialer's inputs to the reactor, and performs its effects."""

import asyncio
import logging
from collections.abc import Callable

from campaigns.domain.campaigns import Campaigns
from campaigns.domain.values.rows import Row
from campaigns.log.port import EventLog
from campaigns.log.reader import Reader
from campaigns.personal.list_keys import KeyUnavailableError
from campaigns.personal.row_cipher import AlteredRowError
from campaigns.personal.row_reader import row_of
from campaigns.process.clock import Clock
from campaigns.process.observability import limit_repetitions
from campaigns.process.watch import Watch
from campaigns.records.topics import CAMPAIGN_RECORDS
from campaigns.stores.contacts import Contacts
from dialer.backlog import Backlog
from dialer.calls.call import Call
from dialer.calls.effects import Effect, HangUp, LookUp, Offer, Place
from dialer.calls.inputs import Answered, Clocks, Input, NotHanded, Refused, Woken
from dialer.carrier.port import CallOrder, Carrier, Ended, NoRing
from dialer.carrier_requests import CarrierRequests
from dialer.current_terms import CurrentTerms
from dialer.decisions.window import Window
from dialer.reactor.reactor import react
from dialer.reactor.recovery import restore
from dialer.reactor.state import State
from dialer.readability import Readability
from dialer.record_sender import RecordSender
from dialer.settings import DialerSettings
from dialer.undecidable_calls import UndecidableCalls

logger = logging.getLogger(__name__)
limit_repetitions(logger)


class Reactions:
    """One dialer's reactions. There are none before `begin`, nor after `stop`."""

    def __init__(
        self,
        log: EventLog,
        clock: Clock,
        settings: DialerSettings,
        carrier: Carrier,
        reader: Reader,
        source: str,
        new_id: Callable[[], str],
    ) -> None:
        self._log, self._clock, self._reader, self._new_id = log, clock, reader, new_id
        self._asking_max, self._keys = settings.asking_max, log.list_keys
        self.inputs: list[Input] = []  # For the next reaction, in order.
        self.terms = CurrentTerms(settings, carrier)
        self.requests = CarrierRequests(
            carrier, clock, settings.carrier_timeout_s, self.take, self.may_place
        )
        self.sender = RecordSender(log, reader, source, tell=self.take, ruled=self._ruled)
        self.backlog = Backlog()  # While there is one, inputs wait.
        self.undecided = UndecidableCalls()
        self.watch = Watch()  # Of reactions outside a fold step.
        self.superseded: str | None = None  # Why this dialer places no call, as its carrier says.
        self._alarm: asyncio.TimerHandle | None = None
        self._soon: asyncio.Handle | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self.restored = False  # There is a state. Its carrier and its group may speak before.

    def restore(self, campaigns: Campaigns, contacts: Contacts) -> None:
        """Make the reactor's state from the fold as it is now."""
        self._contacts = contacts
        self.readability = Readability(contacts, self._keys, self._clock.boottime)
        self.state = State(
            self.terms.now(),
            campaigns,
            contacts,
            self._log.partitions(CAMPAIGN_RECORDS),
            self._new_id,
            Window(self._asking_max, float(self._asking_max)),
            unread=self.readability.unread,
        )
        restore(self.state, self.clocks())
        self.restored = True

    def begin(self, tasks: asyncio.TaskGroup) -> None:
        """Begin to react; effects that take time become tasks of this group."""
        self._tasks = tasks

    def stop(self) -> None:
        """Stop reacting: the rest is left to the next process, which reads the log."""
        self._tasks = None
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def may_place(self) -> bool:
        """Say whether calls may be placed: the log is at home here, and no other home dials."""
        return self._reader.home.read_only is None and self.superseded is None

    def clocks(self) -> Clocks:
        """Return the times of one reaction."""
        return Clocks(self._clock.now(), self._clock.boottime())

    def take(self, news: Input) -> None:
        """Take an input, and react in the next turn of the loop."""
        self.inputs.append(news)
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_soon(self._woken)

    def reported(self, call_id: str, ended: Ended) -> None:
        """Take a carrier's report."""
        call = self.state.calls.get(call_id) if self.restored else None
        self.requests.reported(call_id, ended, call)

    def _ruled(self, record_id: str, accepted: bool) -> None:
        if accepted:
            self.state.offers.pop(record_id, None)
        else:
            self.inputs.append(Refused(record_id, taken=True))

    def _woken(self) -> None:
        """React to inputs that come from timers, the carrier or a failed append.

        An exception ends the part, as one of a fold step does: inputs and effects of this reaction
        are lost, so what is in memory must not be used any more.
        """
        try:
            self.react()
        except Exception as exc:
            self._reader.torn = True
            self.watch.fail(exc)

    def react(self) -> None:
        """Hand all inputs to the reactor, and perform the effects that it returns."""
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        if self._tasks is None or self.backlog or self._reader.torn:
            return
        inputs, self.inputs = self.inputs, []
        if self.terms.differ_from(self.state.terms):
            self.state.declare(self.terms.now())
        clocks = self.clocks()
        for effect in react(self.state, inputs, clocks):
            self._perform(effect, clocks)
        self.undecided.take(self.state.undecided)
        self._set_alarm(clocks)

    def _set_alarm(self, clocks: Clocks) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if (wake_at := self.state.wake_at()) is not None:
            self._alarm = asyncio.get_running_loop().call_later(
                max(0.0, wake_at - clocks.boot), self.take, Woken()
            )

    def _perform(self, effect: Effect, clocks: Clocks) -> None:
        assert self._tasks is not None, "effects come from a running dialer"
        match effect:
            case Offer():
                record = self.sender.record(effect, clocks)
                self._tasks.create_task(self.sender.send(effect, record))
            case Place(call_id=call_id):
                self._place(call_id)
            case LookUp(call_id=call_id):
                call = self.state.calls.get(call_id)
                self._tasks.create_task(self.requests.look_up(call_id, call))
            case HangUp(call_id=call_id):
                self._tasks.create_task(self.requests.hang_up(call_id))

    def _place(self, call_id: str) -> None:
        """Hand a call to the carrier."""
        call = self.state.calls[call_id]
        stored = self._contacts.row(call.campaign_id, call.contact_id)
        if stored is None:
            self.take(Answered(call_id, NoRing("no such contact")))
            return
        try:
            row = row_of(self._keys, stored)
        except KeyUnavailableError as exc:  # It is asked for again once it can be read.
            if campaign := self.state.campaigns.get(call.campaign_id):
                self.readability.lost(campaign, str(exc))
            self.take(NotHanded(call.call_id, unreadable=True))
        except AlteredRowError as exc:
            self._unfit(call, exc)
        else:
            self._order(call, row)

    def _unfit(self, call: Call, why: AlteredRowError) -> None:
        """End a call whose contact is not what was written: nobody is called by chance."""
        logger.error("contact %s/%s: %s", call.campaign_id, call.contact_id, why)
        self.take(Answered(call.call_id, NoRing(str(why))))

    def _order(self, call: Call, row: Row | None) -> None:
        """Order a call. Without a row nobody can be called: the permission is given back."""
        if row is None:
            self.take(NotHanded(call.call_id, unreadable=True))
            return
        assert call.sent_at is not None, "this process places only calls that it requested"
        assert self._tasks is not None, "effects come from a running dialer"
        order = CallOrder(
            call.call_id,
            call.campaign_id,
            call.contact_id,
            call.run,
            call.attempt,
            row.phone_number,
            row.variables,
        )
        self._tasks.create_task(self.requests.place(order, call, call.sent_at))
