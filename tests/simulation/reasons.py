"""An observer of every reaction: what `why` says of each contact is what the dialer does.

It asks the gates just before a dialer asks them, with a turn that it has worked out by itself, and
compares. A gate that is shut must be open at the instant that it names, and a contact all of whose
shut gates are opened, one by one, must be dialed by the real reactor.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import msgspec

import campaigns.gates.gates
import dialer.reactor.reactor
from campaigns.domain.campaign import Campaign, gone
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.contact import Contact, ContactStatus
from campaigns.domain.decider import Reason, Rejected
from campaigns.domain.facts import CallRequested
from campaigns.domain.moves import Status
from campaigns.domain.rate import Bucket
from campaigns.gates.gates import first_shut
from campaigns.gates.room import DialerRoom, Reading, Turn, room
from dialer.calls.effects import Effect, Offer
from dialer.calls.inputs import Clocks
from dialer.decisions.window import Window
from dialer.reactor.state import State
from tests.simulation.removal import Swaps

reactor_module: Any = dialer.reactor.reactor  # Any: what it has imported is swapped where it is.
TICK = timedelta(microseconds=2)  # What float arithmetic may take from an instant.
PLENTY = 10**6
# Their instant is by another clock, of other contacts, or when a key is looked for again.
BY_OTHERS = (Reason.LOG_SLOW, Reason.ALL_RESTING, Reason.KEY_MISSING)


@dataclass
class Reasons:
    """What was found wrong, and which gates were seen shut. `dangers` counts them.

    `thorough`: the gates of a contact are opened at each change of what keeps it. Otherwise once
    for each kind of contact, which is half of what the observer costs; all else is the same.
    """

    thorough: bool = True
    wrong: list[str] = field(default_factory=list)
    dangers: Counter[str] = field(default_factory=Counter)
    _opened: dict[tuple[int, int, int], Reason] = field(default_factory=dict)
    _kinds: set[tuple[object, ...]] = field(default_factory=set)

    def swaps(self) -> Swaps:
        """Return what has to be swapped so that each question of a reactor is observed."""
        ask = reactor_module._ask

        def observed(
            state: State, campaign: Campaign, clocks: Clocks, effects: list[Effect]
        ) -> None:
            said = self._said(state, campaign, clocks)
            before = len(effects)
            ask(state, campaign, clocks, effects)
            self._compare(state, campaign, said, effects[before:])

        observed.__dict__["__wrapped__"] = ask  # For `dials`, which is not observed.
        return [(reactor_module, "_ask", observed)]

    def _said(self, state: State, campaign: Campaign, clocks: Clocks) -> dict[int, Rejected | None]:
        """Return what `why` says of each contact, before the reactor asks for anyone."""
        own = state.own(campaign.campaign_id, clocks.boot)
        readings = readings_of(state, campaign, own, clocks)
        said = {}
        alike = set[tuple[object, ...]]() if self.thorough else self._kinds
        for contact_id, reading in readings.items():
            said[contact_id] = no = first_shut(reading, clocks.now)
            where = id(state), campaign.campaign_id, contact_id
            if no is None or self._opened.get(where) is no.reason:
                continue
            self._opened[where] = no.reason
            if (kept := (where[:2], no.reason, *self._kind(reading.contact))) not in alike:
                alike.add(kept)
                self._open(state, reading, no, clocks)
        return said

    def _kind(self, contact: Contact | None) -> tuple[object, ...]:
        """Return what a contact has in common with those for whom it stands."""
        assert contact is not None, "one contact"
        if self.thorough:
            return msgspec.structs.astuple(contact)[1:]  # All but its number.
        return contact.status, contact.attempts, contact.unplaced is None, contact.tried

    def _compare(
        self,
        state: State,
        campaign: Campaign,
        said: dict[int, Rejected | None],
        effects: Sequence[Effect],
    ) -> None:
        asked = {
            fact.contact_id
            for effect in effects
            if isinstance(effect, Offer)
            for fact in effect.facts
            if isinstance(fact, CallRequested)
        }
        may = {contact_id for contact_id, no in said.items() if no is None}
        idle, where = state.idle.get(campaign.campaign_id), f"campaign {campaign.campaign_id}"
        self.dangers["why: a contact may be called"] += len(may)
        for contact_id in asked - may:
            no = said.get(contact_id)
            self.wrong.append(f"why: {where} asks for {contact_id}, of whom is said: {no}")
        passed_over = idle is not None and idle.reason is Reason.AWAITS_DIALER
        if may - asked and not passed_over:
            self.wrong.append(f"why: {where} may call {sorted(may)}, and asks for {sorted(asked)}")
        self.dangers["why: contacts were passed over for a moment"] += bool(may - asked)
        mine = campaign.status is Status.RUNNING and state.works(campaign.campaign_id)
        if mine != (idle is not None):
            self.wrong.append(f"why: {where} is {campaign.status}, and idle is {idle}")
        if idle is not None:
            self.dangers[f"why: idle as {idle.reason}"] += 1
            if idle.reason not in campaigns.gates.gates.IDLE:
                self.wrong.append(f"why: {where} is idle as {idle.reason}, which nobody counts")

    def _open(self, state: State, reading: Reading, no: Rejected, clocks: Clocks) -> None:
        """Open the gates that are shut for a contact, one by one: then it must be dialed.

        Only when its first shut gate has changed since it was last looked at; and of contacts that
        differ in nothing but their number, and are kept by the same gate, one stands for all.
        """
        contact, campaign = reading.contact, reading.campaign
        assert contact is not None, "one contact"
        what = f"contact {campaign.campaign_id}/{contact.contact_id}"
        named: list[Reason] = []
        shut: Rejected | None = no
        while shut is not None:
            self.dangers[f"why: {shut.reason}"] += 1
            if shut.reason in named:
                self.wrong.append(f"why: {what} is kept by {shut.reason} although it is open")
                return
            named.append(shut.reason)
            if wrong := wrong_instant(reading, shut, clocks):
                self.wrong.append(f"why: {what}: {wrong}")
            reading = OPEN[shut.reason](reading)
            shut = first_shut(reading, clocks.now)
        if not dials(state, reading, clocks):
            self.wrong.append(f"why: {what} is not dialed although {named} are open")


def wrong_instant(reading: Reading, shut: Rejected, clocks: Clocks) -> str | None:
    """Return what is wrong with the instant at which a gate is said to open. None: nothing."""
    if shut.retry_at is None or shut.reason in BY_OTHERS:
        return None
    if shut.reason is Reason.RATE:
        reading = _ruled(reading, clocks)
    then = first_shut(reading, shut.retry_at + TICK)
    if then is not None and then.reason is shut.reason:
        return f"{shut.reason} is still shut at {shut.retry_at}"
    before = first_shut(reading, shut.retry_at - TICK)
    if shut.retry_at - TICK > clocks.now and (before is None or before.reason is not shut.reason):
        return f"{shut.reason} opens before {shut.retry_at}"
    return None


def _ruled(reading: Reading, clocks: Clocks) -> Reading:
    """Return the reading once the requests on their way are accepted: the instant counts on it."""
    bucket = replace(reading.campaign.bucket)
    for _ in range(reading.dialer.asked if reading.dialer else 0):
        bucket.spend(reading.campaign.settings.calls_per_minute, clocks.now)
    return _own(_campaign(reading, bucket=bucket), asked=0)


def readings_of(
    state: State, campaign: Campaign, own: DialerRoom, clocks: Clocks
) -> dict[int, Reading]:
    """Return the reading of each contact of a campaign, with a turn worked out without a queue."""
    ids = range(1, campaign.contacts_end + 1)
    contacts = {one: state.index.get(campaign, one) for one in ids}
    turn, unread = None, state.unread(campaign)
    whole = Reading(campaign, None, own, unread=unread)
    if first_shut(whole, clocks.now) is None:
        queue = state.queue(campaign.campaign_id)
        line = [
            one
            for one in _in_line(state, campaign, contacts, clocks)
            if one not in queue.asked and one not in queue.exhausting
        ]
        turn = Turn(line[: room(whole, clocks.now)], None)
    return {one: Reading(campaign, contact, own, turn, unread) for one, contact in contacts.items()}


def _in_line(
    state: State, campaign: Campaign, contacts: dict[int, Contact], clocks: Clocks
) -> list[int]:
    """Return who may be called in the order of contract 9.20, whether or not there is room."""
    index: Any = state.index  # Any: the real store, of which the rows are looked at.
    index.flush()
    asked = "select contact_id from contacts where campaign_id = ? and epoch = ?"
    touched = {one for (one,) in index._db.execute(asked, (campaign.campaign_id, campaign.epoch))}
    waiting = [
        contact
        for contact in contacts.values()
        if contact.status is ContactStatus.PENDING
        and not gone(campaign, contact.contact_id, contact.ever, in_progress=False)
        and (contact.due_at is None or contact.due_at <= clocks.now)
    ]

    def rank(contact: Contact) -> tuple[int, float, int]:
        if contact.contact_id not in touched:
            return 1, 0.0, contact.contact_id
        due_at = contact.due_at.timestamp() if contact.due_at else 0.0
        return 0 if contact.unplaced is None else 2, due_at, contact.contact_id

    return [contact.contact_id for contact in sorted(waiting, key=rank)]


def dials(state: State, reading: Reading, clocks: Clocks) -> bool:
    """Say whether the real reactor asks for the contact of a reading, if nothing else is there."""
    campaign, contact, own = reading.campaign, reading.contact, reading.dialer
    assert contact is not None, "one contact"
    assert own is not None, "a dialer's own"
    campaigns = Campaigns({campaign.campaign_id: campaign})
    window = Window(own.room, float(own.room))
    terms = replace(state.terms, placing_max=own.room)
    alone = State(terms, campaigns, _Alone(contact), 1, lambda: "tried", window)
    alone.working = frozenset({0} if own.works else ())
    queue = alone.queue(campaign.campaign_id)
    queue.asked.update(-1 - n for n in range(own.asked))
    queue.rest_until = clocks.boot + own.rest_s
    effects: list[Effect] = []
    unobserved = getattr(reactor_module._ask, "__wrapped__", reactor_module._ask)
    unobserved(alone, campaign, clocks, effects)
    facts = [fact for one in effects if isinstance(one, Offer) for fact in one.facts]
    return [getattr(fact, "contact_id", None) for fact in facts] == [contact.contact_id]


@dataclass
class _Alone:
    """A campaign's only contact."""

    contact: Contact

    def get(self, campaign: Campaign, contact_id: int) -> Contact:
        return self.contact

    def due(self, campaign: Campaign, now: Any, limit: int) -> list[Contact]:
        return [self.contact]

    def next_due(self, campaign: Campaign) -> float | None:
        return None

    def fresh(self, campaign: Campaign, after: int, limit: int) -> tuple[list[int], int]:
        return [], campaign.contacts_end


def _settings(reading: Reading, **changes: Any) -> Reading:
    created = reading.campaign.created
    settings = msgspec.structs.replace(created.settings, **changes)
    return _campaign(reading, created=msgspec.structs.replace(created, settings=settings))


def _campaign(reading: Reading, **changes: Any) -> Reading:
    return reading._replace(campaign=replace(reading.campaign, **changes))


def _contact(reading: Reading, **changes: Any) -> Reading:
    assert reading.contact is not None, "one contact"
    return reading._replace(contact=msgspec.structs.replace(reading.contact, **changes))


def _own(reading: Reading, **changes: Any) -> Reading:
    assert reading.dialer is not None, "a dialer's own"
    return reading._replace(dialer=reading.dialer._replace(**changes))


def _turn(reading: Reading) -> Reading:
    assert reading.contact is not None, "one contact"
    return reading._replace(turn=Turn([reading.contact.contact_id], None))


def _pending(reading: Reading) -> Reading:
    contact = _contact(reading, status=ContactStatus.PENDING)
    return _campaign(contact, replaced_through=0)


def _without_hours(reading: Reading) -> Reading:
    schedule = reading.campaign.schedule
    if schedule is not None:
        reading = _campaign(reading, schedule=msgspec.structs.replace(schedule, hours=None))
    return _settings(reading, calling_hours=None)


OPEN: dict[Reason, Callable[[Reading], Reading]] = {
    Reason.NOT_RUNNING: lambda one: _campaign(one, status=Status.RUNNING),
    Reason.CONTACT_DONE: _pending,
    Reason.ERASED: lambda one: _campaign(_contact(one, erased=False), erased_through=0),
    Reason.KEY_MISSING: lambda one: one._replace(unread=None),
    Reason.ATTEMPTS_SPENT: lambda one: _contact(one, attempts=0),
    Reason.NO_CONTACTS_LEFT: lambda one: _campaign(
        one, counters=replace(one.campaign.counters, pending=1)
    ),
    Reason.OUTSIDE_HOURS: _without_hours,
    Reason.RESTING: lambda one: _contact(one, due_at=None),
    Reason.AWAITS_DIALER: lambda one: _own(one, works=True),
    Reason.LOG_SLOW: lambda one: _own(one, rest_s=0.0),
    Reason.ALL_LINES_BUSY: lambda one: _settings(one, max_concurrent_calls=PLENTY),
    Reason.RATE: lambda one: _own(_campaign(one, bucket=Bucket()), asked=0),
    Reason.CARRIER_FULL: lambda one: _own(one, room=1),
    Reason.ALL_RESTING: _turn,
    Reason.OTHERS_FIRST: _turn,
}
