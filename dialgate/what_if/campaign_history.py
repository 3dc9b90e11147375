"""What a log says of one campaign: what people did, when, and how each attempt went. Pure."""

from dataclasses import dataclass, field
from datetime import datetime
from statistics import median
from typing import NamedTuple

from campaigns.domain.campaign import Campaign
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.facts import (
    AnyFact,
    CallAbandoned,
    CallEnded,
    CallFact,
    CallRequested,
    CallStarted,
    CampaignCompleted,
    CampaignCreated,
    CampaignDue,
    CampaignFact,
    CampaignFailed,
    CampaignPaused,
    CampaignRearmed,
    CampaignResumed,
    CampaignStarted,
    CampaignStopped,
    ContactExhausted,
    ContactsAdded,
    ContactsEncrypted,
    ContactSkipped,
    CreateKeyed,
    Disposition,
    ImportCompleted,
    ImportStarted,
    ListClosed,
    RunEnded,
)
from campaigns.domain.values.rows import Row
from campaigns.domain.values.stream_names import Stream
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope
from dialer.carrier.port import CallOrder
from dialer.carrier.simulated.outcome import CarrierTerms, Outcome, outcome

# What a dialer records by itself: in a new run, the dialer decides on it again.
_OF_DIALER = (
    CallFact, CampaignDue, RunEnded, CampaignCompleted, CampaignFailed, ContactExhausted,
    ContactSkipped,
)  # fmt: skip
MOMENTS: dict[type[AnyFact], str] = {
    CampaignStarted: "start",
    CampaignDue: "start",
    CampaignPaused: "pause",
    CampaignResumed: "resume",
    CampaignStopped: "stop",
    CampaignRearmed: "re-execute",
}
_OF_LIST = (ContactsAdded, ContactsEncrypted, ListClosed)
_NOBODY = Row(phone_number="")  # Stands for an encrypted row: a run needs no number.


class AttemptKey(NamedTuple):
    """One attempt to reach a contact, by the numbers that every run of the campaign gives it."""

    contact_id: int
    run: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Deed:
    """One record of what people did: its facts, and the streams that it rested on."""

    at: datetime
    actor: str
    streams: tuple[Stream, ...]
    facts: tuple[AnyFact, ...]


@dataclass(slots=True)
class Course:
    """How one attempt went. Instants are the carrier's."""

    requested_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    disposition: Disposition | None = None  # None: it is not over.
    duration_s: float = 0.0  # Of talk.

    @property
    def rang_s(self) -> float:
        """Return how long the phone rang before anybody, or nobody, answered.

        An attempt of which nobody knows whether it rang took its line since it was requested.
        """
        unknown = self.disposition is Disposition.UNKNOWN
        began = self.started_at or (self.requested_at if unknown else None)
        if began is None or self.ended_at is None:
            return 0.0
        return max(0.0, (self.ended_at - began).total_seconds() - self.duration_s)

    @property
    def rang(self) -> bool:
        """Say whether a phone rang, as far as anybody knows."""
        return self.started_at is not None and self.disposition is not Disposition.UNKNOWN

    @property
    def refused(self) -> bool:
        """Say whether the carrier refused it."""
        return self.started_at is None and self.disposition not in (None, Disposition.UNKNOWN)

    def fate(self) -> Outcome:
        """Return what the simulated carrier does with this attempt."""
        disposition = self.disposition or Disposition.UNKNOWN
        return Outcome(
            disposition, self.rang_s, self.duration_s, self.refused, silent=False,
            answer_lost=False, report_lost=False,
        )  # fmt: skip


@dataclass
class CampaignHistory:
    """One campaign's recorded history, its re-executions included."""

    campaign_id: int
    deeds: list[Deed] = field(default_factory=list)
    courses: dict[AttemptKey, Course] = field(default_factory=dict)
    terms: CallRequested | None = None  # The first one: its lease and its carrier timeout.
    lists: set[str] = field(default_factory=set)  # The ids of its lists.
    moments: list[tuple[datetime, str]] = field(default_factory=list)  # Starts, pauses, …
    _campaigns: Campaigns = field(default_factory=Campaigns)

    @property
    def campaign(self) -> Campaign | None:
        """Return the campaign as it was in the end. None: it was never created."""
        return self._campaigns.get(self.campaign_id)

    def note_lists(self, recorded: Recorded) -> None:
        """Note which lists are the campaign's: their chunks stand before the fact that says so."""
        for fact in recorded.facts:
            match fact:
                case (
                    CampaignCreated(campaign_id=self.campaign_id, import_id=str(import_id))
                    | ImportStarted(campaign_id=self.campaign_id, import_id=import_id)
                    | ImportCompleted(campaign_id=self.campaign_id, import_id=import_id)
                ):
                    self.lists.add(import_id)
                case _:
                    continue

    def take(self, recorded: Recorded) -> bool:
        """Take the next accepted record; say whether it belongs to the recording."""
        facts = tuple(_plain(fact) for fact in recorded.facts if self._ours(fact))
        if not facts:
            return False
        envelope = recorded.envelope
        assert isinstance(envelope, Envelope), "an accepted record has an envelope"
        at = datetime.fromisoformat(envelope.time)
        done = tuple(fact for fact in facts if not isinstance(fact, _OF_DIALER))
        for fact in facts:
            if isinstance(fact, CampaignFact):
                self._campaigns.fold(fact, recorded)
            if isinstance(fact, CallFact):
                self._take_call(fact)
            elif (moment := MOMENTS.get(type(fact))) is not None:
                self.moments.append((at, moment))
        if done:
            streams = tuple(one for one in envelope.condition if not one.startswith("create/"))
            self.deeds.append(Deed(at, envelope.actor, streams, done))
        return True

    def _ours(self, fact: AnyFact) -> bool:
        if isinstance(fact, CampaignFact):
            return fact.campaign_id == self.campaign_id
        return not isinstance(fact, CreateKeyed) and (
            isinstance(fact, _OF_LIST) and fact.import_id in self.lists
        )

    def _take_call(self, fact: CallFact) -> None:
        attempt = AttemptKey(fact.contact_id, fact.run, fact.attempt)
        match fact:
            case CallRequested():
                self.terms = self.terms or fact
                self.courses[attempt] = Course(fact.requested_at)  # A number may be given back.
            case CallStarted():
                self.courses[attempt].started_at = fact.started_at
            case CallEnded():
                course = self.courses[attempt]
                course.ended_at, course.disposition = fact.ended_at, fact.disposition
                course.duration_s = fact.duration_s
            case CallAbandoned():  # The attempt's number is given back.
                del self.courses[attempt]
            case _:
                return  # CallLate is on record, and no course of its own.

    # -- what the simulated carrier makes of it --------------------------------------------------

    def tried(self) -> set[int]:
        """Return the contacts that were attempted."""
        return {one.contact_id for one, course in self.courses.items() if course.disposition}

    def ended(self) -> list[Course]:
        """Return the attempts that are over."""
        return [one for one in self.courses.values() if one.disposition is not None]

    def carrier_terms(self, seed: int) -> CarrierTerms:
        """Return a carrier that behaves as the recorded one did: for attempts beyond the recorded.

        Shares of dispositions and the ranges of ringing and talk are the recorded ones.
        """
        ended = self.ended()
        rung = [one for one in ended if one.rang]
        if not rung:
            return CarrierTerms(seed=seed)
        talks = [one.duration_s for one in rung if one.duration_s > 0] or [0.0]
        rings = [one.rang_s for one in rung]
        setup_s = median(
            (one.started_at - one.requested_at).total_seconds() for one in rung if one.started_at
        )
        share = {kind: sum(one.disposition is kind for one in rung) for kind in Disposition}
        return CarrierTerms(
            seed=seed,
            setup_s=max(0.0, setup_s),
            ringing_min_s=min(rings),
            ringing_max_s=max(rings),
            talk_min_s=min(talks),
            talk_max_s=max(talks),
            answered=share[Disposition.ANSWERED],
            no_answer=share[Disposition.NO_ANSWER],
            busy=share[Disposition.BUSY],
            voicemail=share[Disposition.VOICEMAIL],
            failed=share[Disposition.FAILED],  # None is drawn as unknown.
            refusals=sum(one.refused for one in ended) / len(ended),
        )

    def fate_of(self, terms: CarrierTerms, order: CallOrder) -> Outcome:
        """Return the course of an attempt: as recorded, or drawn where there is no record of it."""
        course = self.courses.get(AttemptKey(order.contact_id, order.run, order.attempt))
        if course is not None and course.disposition is not None:
            return course.fate()
        return outcome(terms, f"{order.contact_id}/{order.run}/{order.attempt}")


def _plain(fact: AnyFact) -> AnyFact:
    """Return a fact that a run can use without any key."""
    from command_api.imports.rows import contacts_added

    if not isinstance(fact, ContactsEncrypted):
        return fact
    return contacts_added(fact.import_id, fact.first_row, (_NOBODY,) * len(fact.rows))
