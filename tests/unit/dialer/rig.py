"""The reactor with the real fold around it, and a test in the place of log, clock and carrier."""

from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import TypeVar

from msgspec.structs import replace

from campaigns.domain.campaigns import Campaigns
from campaigns.domain.facts import (
    AnyFact,
    CallRequested,
    CampaignCreated,
    CampaignFact,
)
from campaigns.domain.values.campaign_settings import CampaignSettings
from campaigns.records.log_entry import Recorded
from campaigns.stores.checkpoint import CheckpointStore
from campaigns.stores.contacts import Contacts
from campaigns.stores.fold import fold_contacts
from dialer.calls.effects import Effect, LookUp, Offer, Place
from dialer.calls.inputs import Clocks, Folded, Input, Refused, Woken, Working
from dialer.decisions.window import Window
from dialer.reactor.reactor import react
from dialer.reactor.recovery import restore
from dialer.reactor.state import State, Terms
from tests.support.journal import Journal

F = TypeVar("F")
OPENED: list[CheckpointStore] = []  # Closed at the end of each test: conftest.py.
LEASE_S, CARRIER_TIMEOUT_S, SILENCE_S = 2.0, 5.0, 30.0
RESEND_S, RESEND_MAX_S, POLL_S = 0.5, 4.0, 1.0


@dataclass
class Rig(Journal):
    """One dialer's reactor on campaign 1. `boot` is its clock; inputs wait in `inputs`."""

    carrier: str | None = "ours"
    refuses_late: bool = True
    clocks_agree: bool = True
    lookup_lag_s: float | None = 0.0
    max_concurrent_calls: int = 5
    calls_per_minute: int = 60_000
    max_attempts: int = 3
    placing_max: int = 100
    asking_max: int = 100

    def __post_init__(self) -> None:
        super().__init__()
        self.boot = 1000.0
        self.inputs: list[Input] = []
        self._ids = count(1)
        self.begin()

    def begin(self) -> None:
        """Begin an empty dialer's life."""
        store = CheckpointStore(None, "rig")
        OPENED.append(store)
        self.campaigns, self.contacts = Campaigns(), Contacts(store.db)
        self.state = State(
            Terms(
                self.carrier, LEASE_S, CARRIER_TIMEOUT_S, self.refuses_late, self.clocks_agree,
                self.lookup_lag_s, SILENCE_S,
                self.placing_max, RESEND_S, RESEND_MAX_S, POLL_S,
            ),
            self.campaigns, self.contacts, 1, lambda: f"id-{next(self._ids)}",
            Window(self.asking_max, float(self.asking_max)),
        )  # fmt: skip

    def restarted(self) -> None:
        """Begin a new life from a checkpoint of all that was folded."""
        campaigns, contacts = self.campaigns, self.contacts
        self.begin()
        self.campaigns.by_id.update(campaigns.by_id)
        self.contacts = self.state.index = contacts
        self.inputs.clear()
        restore(self.state, self.clocks())

    def write(
        self, *facts: AnyFact, campaign_id: int = 1, record_id: str | None = None
    ) -> Recorded:
        """Append one accepted record, and fold it: its inputs are taken in by the next `react`."""
        settings = CampaignSettings(
            max_attempts=self.max_attempts,
            max_concurrent_calls=self.max_concurrent_calls,
            calls_per_minute=self.calls_per_minute,
        )
        facts = tuple(
            replace(fact, settings=settings) if isinstance(fact, CampaignCreated) else fact
            for fact in facts
        )
        now = self.now
        recorded = super().write(*facts, campaign_id=campaign_id, record_id=record_id)
        self.now = now  # Both clocks go on in `after` alone.
        fold_contacts(self.campaigns, self.contacts, recorded)
        for fact in recorded.facts:
            if isinstance(fact, CampaignFact):
                self.inputs.append(Folded(fact, self.boot))
        return recorded

    def clocks(self) -> Clocks:
        """Return both clocks."""
        return Clocks(self.now, self.boot)

    def react(self, *inputs: Input) -> list[Effect]:
        """Let the reactor take in what waits, and these inputs; return what is to be done."""
        taken, self.inputs = [*self.inputs, *inputs], []
        return react(self.state, taken, self.clocks())

    def after(self, seconds: float) -> list[Effect]:
        """Let time pass, and wake it as the shell does; return what is to be done."""
        until, effects = self.boot + seconds, list[Effect]()
        while (at := self.state.wake_at()) is not None and at <= until:
            self.passes(max(0.0, at - self.boot))
            effects += self.react(Woken())
        self.passes(until - self.boot)
        return effects + self.react(Woken())

    def passes(self, seconds: float) -> None:
        """Let time pass while the shell is busy: nothing is woken."""
        self.boot += seconds
        self.now += timedelta(seconds=seconds)

    def running(self, contacts: int = 1) -> list[Offer]:
        """Create and start campaign 1, and work its partition; return what is asked for."""
        self.create(contacts=contacts)
        self.start()
        return requests(self.react(Working(frozenset({0}))))

    def running_again(self) -> list[Offer]:
        """Work the partition as it is by now; return what is asked for."""
        return requests(self.react(Working(frozenset({0}))))

    def accept(self, offer: Offer) -> list[Effect]:
        """Let the log accept an offer: it is read back; return what is to be done."""
        self.write(*offer.facts, record_id=offer.record_id)
        self.state.offers.pop(offer.record_id, None)  # As the shell does at its ruling.
        return self.react()

    def refuse(self, offer: Offer, *, taken: bool = True) -> list[Effect]:
        """Let the log refuse an offer, or not take it."""
        return self.react(Refused(offer.record_id, taken=taken))

    def permitted(self) -> CallRequested:
        """Bring contact 1's call to where it was handed to the carrier."""
        (offer,) = self.running()
        (fact,) = offer.facts
        assert isinstance(fact, CallRequested)
        assert self.accept(offer) == [Place(fact.call_id)]
        return fact


def offers(effects: list[Effect]) -> list[Offer]:
    """Return what is to be appended."""
    return [effect for effect in effects if isinstance(effect, Offer)]


def requests(effects: list[Effect]) -> list[Offer]:
    """Return what asks for permissions; nothing else is to be done."""
    found = offers(effects)
    assert len(found) == len(effects)
    assert all(isinstance(fact, CallRequested) for offer in found for fact in offer.facts)
    return found


def offered(effects: list[Effect], kind: type[F]) -> F:
    """Return the one fact that is to be appended, and nothing else is to be done."""
    (offer,) = effects
    assert isinstance(offer, Offer), offer
    (fact,) = offer.facts
    assert isinstance(fact, kind), fact
    return fact


def looks(effects: list[Effect]) -> list[str]:
    """Return which calls the carrier is to be asked about."""
    return [effect.call_id for effect in effects if isinstance(effect, LookUp)]
