"""A journal that is folded as it is written: campaigns, and each contact ever asked for."""

from datetime import timedelta
from uuid import uuid4

from campaigns.domain.campaign import Campaign
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.contact import Contact, current, evolve_contact, exhaust, select
from campaigns.domain.facts import (
    Abandonment,
    AnyCallFact,
    AnyCampaignFact,
    AnyFact,
    CallAbandoned,
    CallLate,
    CampaignCompleted,
    CampaignPaused,
    CampaignRearmed,
    CampaignResumed,
    ContactExhausted,
    ImportFailed,
    ImportStarted,
    Selection,
)
from campaigns.records.log_entry import Recorded
from tests.support.journal import Journal


class FoldedJournal(Journal):
    """One story, and what it comes to."""

    def __init__(self) -> None:
        super().__init__()
        self.campaigns = Campaigns()
        self.contacts: dict[int, Contact] = {}  # Of campaign 1.

    def write(
        self, *facts: AnyFact, campaign_id: int = 1, record_id: str | None = None
    ) -> Recorded:
        """Append one record, and fold it."""
        recorded = super().write(*facts, campaign_id=campaign_id, record_id=record_id)
        for fact in recorded.facts:
            if isinstance(fact, AnyCampaignFact):
                campaign = self.campaigns.fold(fact, recorded)
                if campaign is not None and isinstance(fact, CampaignRearmed):
                    for contact_id in fact.contact_ids:
                        self.contacts[contact_id] = select(campaign, self.contact(contact_id))
                if campaign is not None and isinstance(fact, ContactExhausted):
                    exhaust(self.contact(fact.contact_id), fact)
                elif campaign is not None and isinstance(fact, AnyCallFact):
                    evolve_contact(self.contact(fact.contact_id), campaign, fact)
        return recorded

    @property
    def campaign(self) -> Campaign:
        """Return campaign 1."""
        return self.campaigns.by_id[1]

    def contact(self, contact_id: int) -> Contact:
        """Return what became of a contact."""
        contact = self.contacts.get(contact_id) or Contact(contact_id)
        self.contacts[contact_id] = current(self.campaign, contact)
        return self.contacts[contact_id]

    def running(self, contacts: int = 3) -> None:
        """Create campaign 1 and begin its run."""
        self.create(contacts=contacts)
        self.start()

    def pause(self, reason: str | None = None) -> None:
        """Pause."""
        self.write(CampaignPaused(campaign_id=1, reason=reason, paused_at=self.now))

    def resume(self) -> None:
        """Resume."""
        self.write(CampaignResumed(campaign_id=1, reason=None, resumed_at=self.now))

    def complete(self) -> None:
        """Complete."""
        self.write(CampaignCompleted(campaign_id=1, run=self.campaign.run, completed_at=self.now))

    def begin_import(self, rows: int) -> str:
        """Let a list be on its way in; return its id."""
        import_id = uuid4().hex
        self.write(
            ImportStarted(
                campaign_id=1, import_id=import_id, number=self.campaign.imports + 1,
                file_name="list.csv", rows=rows, started_at=self.now,
            )
        )  # fmt: skip
        return import_id

    def fail_import(self, import_id: str) -> None:
        """Let it never count."""
        self.write(
            ImportFailed(
                campaign_id=1, import_id=import_id, number=self.campaign.imports,
                reason="a test", failed_at=self.now,
            )
        )  # fmt: skip

    def append(self, rows: int) -> None:
        """Append contacts behind the last."""
        self.add_contacts(self.campaign.contacts_end + 1, rows)

    def give_back(self, call_id: str, *, reason: Abandonment = Abandonment.NOT_RUNNING) -> None:
        """Abandon an open permission, as the dialer's decision says it."""
        call = self.campaign.calls[call_id]
        attempts = self.contact(call.contact_id).attempts
        self.write(
            CallAbandoned(
                campaign_id=1, contact_id=call.contact_id, call_id=call_id, run=call.run,
                attempt=call.attempt, reason=reason,
                exhausted=attempts >= self.campaign.settings.max_attempts, abandoned_at=self.now,
            )
        )  # fmt: skip

    def rang_late(self, call_id: str, contact_id: int, attempt: int, run: int = 1) -> None:
        """Put a late ring on the record, as the dialer's decision says it."""
        contact = self.contact(contact_id)
        attempts = contact.attempts + 1
        exhausted = attempts >= self.campaign.settings.max_attempts
        self.write(
            CallLate(
                campaign_id=1, contact_id=contact_id, call_id=call_id, run=run, attempt=attempt,
                attempts=attempts, tried=contact.tried, detail="a test", late_at=self.now,
                exhausted=exhausted and contact.status == "pending",
            )
        )  # fmt: skip

    def exhaust(self, contact_id: int) -> None:
        """Give a contact up, as the dialer's decision says it."""
        attempts = self.contact(contact_id).attempts
        self.write(
            ContactExhausted(
                campaign_id=1, contact_id=contact_id, run=self.campaign.run, attempts=attempts,
                exhausted_at=self.now,
            )
        )  # fmt: skip

    def rearm(self, selection: Selection = Selection.ALL, *named: int) -> None:
        """Arm it again, as the command API decides it."""
        there = {n: self.contact(n).ever for n in named if selection is Selection.CONTACTS}
        counters = self.campaign.counters
        contacts, untouched = {
            Selection.ALL: (counters.total + counters.skipped, self.campaign.never_tried),
            Selection.FAILED_ONLY: (counters.failed, 0),
            Selection.CONTACTS: (len(there), sum(not ever for ever in there.values())),
        }[selection]
        self.write(
            CampaignRearmed(
                campaign_id=1, selection=selection, contact_ids=tuple(sorted(there)),
                contacts=contacts, untouched=untouched, rearmed_at=self.now,
            )
        )  # fmt: skip

    def after(self, minutes: float) -> None:
        """Let time pass."""
        self.now += timedelta(minutes=minutes)
