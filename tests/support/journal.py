"""Write histories into a log in memory, each fact decided on the streams as they are."""

from datetime import datetime, timedelta
from uuid import uuid4

from campaigns.domain.facts import (
    Abandonment,
    AnyFact,
    CallAbandoned,
    CallEnded,
    CallLate,
    CallStarted,
    CampaignPaused,
    CampaignStarted,
    CampaignStopped,
    ContactsAdded,
    ContactsReplaced,
    Disposition,
    ImportCompleted,
    ImportSource,
)
from campaigns.domain.levels import needed
from campaigns.domain.values.rows import Row
from campaigns.log.port import MemoryLog
from campaigns.records.ledger import Ledger
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope, Record
from campaigns.records.topics import CAMPAIGN_RECORDS, ORGANIZATIONS, Partition, campaign_partition
from campaigns.testing.sample_records import NOON
from tests.support.sample_facts import call_requested, campaign_created


class Journal:
    """One log and its ledgers. Each record is a second after the last."""

    def __init__(self, partitions: int = 1) -> None:
        self.log = MemoryLog(partitions)
        self.partitions = partitions
        self.ledgers: dict[Partition, Ledger] = {}
        self.records: list[Recorded] = []
        self.now: datetime = NOON

    def write(
        self, *facts: AnyFact, campaign_id: int = 1, record_id: str | None = None
    ) -> Recorded:
        """Append one record of these facts, to be accepted."""
        self.now += timedelta(seconds=1)
        partition = (
            ORGANIZATIONS
            if facts[0].stream.startswith("organization/")
            else campaign_partition(campaign_id, self.partitions)
        )
        ledger = self.ledgers.setdefault(partition, Ledger())
        record = Record(
            id=record_id or uuid4().hex,
            time=self.now,
            source="test/1",
            actor="test",
            correlation_id="test",
            causation_id=None,
            condition=ledger.condition(fact.stream for fact in facts),
            facts=facts,
            level=max(map(needed, facts)),
        )
        recorded = self.log.append_bytes(partition, record.encode())
        assert isinstance(recorded.envelope, Envelope), recorded.envelope
        assert ledger.admit(recorded.envelope)
        self.records.append(recorded)
        return recorded

    def refused(self, campaign_id: int = 1) -> Recorded:
        """Append a record that was decided too late."""
        self.now += timedelta(seconds=1)
        fact = CampaignPaused(campaign_id=campaign_id, reason=None, paused_at=self.now)
        record = Record(
            uuid4().hex, self.now, "test/1", "test", "test", None, {fact.stream: 999}, (fact,)
        )
        partition = campaign_partition(campaign_id, self.partitions)
        return self.log.append_bytes(partition, record.encode())

    def create(
        self, campaign_id: int = 1, contacts: int = 3, *, organization_id: int = 1, name: str = "A"
    ) -> Recorded:
        """Create a campaign with this many contacts, +1555000000n."""
        rows = tuple(
            Row(phone_number=f"+1555{n:07d}", name=f"Contact {n}", variables={"name": f"C{n}"})
            for n in range(1, contacts + 1)
        )
        import_id = uuid4().hex
        created = campaign_created(
            campaign_id,
            self.now,
            organization_id=organization_id,
            assistant_id=123,
            name=name,
            import_id=import_id if contacts else None,
            rows=contacts,
        )
        facts: tuple[AnyFact, ...] = (created,)
        if contacts:
            facts = (ContactsAdded(import_id=import_id, first_row=1, rows=rows), created)
        return self.write(*facts, campaign_id=campaign_id)

    def start(self, campaign_id: int = 1, *, run: int = 1) -> Recorded:
        """Begin a run."""
        fact = CampaignStarted(campaign_id=campaign_id, run=run, started_at=self.now)
        return self.write(fact, campaign_id=campaign_id)

    def stop(self, campaign_id: int = 1) -> Recorded:
        """Stop for good."""
        fact = CampaignStopped(campaign_id=campaign_id, reason=None, stopped_at=self.now)
        return self.write(fact, campaign_id=campaign_id)

    def ask(
        self,
        contact_id: int,
        attempt: int = 1,
        *,
        campaign_id: int = 1,
        run: int = 1,
        tried: bool = False,
        carrier: str | None = "ours",
    ) -> str:
        """Request a permission; return the call's id. `tried`: in an earlier run."""
        call_id = uuid4().hex
        fact = call_requested(
            campaign_id,
            contact_id,
            call_id,
            self.now,
            run=run,
            attempt=attempt,
            tried=tried,
            carrier=carrier,
        )
        self.write(fact, campaign_id=campaign_id, record_id=call_id)
        return call_id

    def ring(
        self,
        call_id: str,
        contact_id: int,
        attempt: int = 1,
        *,
        campaign_id: int = 1,
        run: int = 1,
    ) -> None:
        """Let the phone ring."""
        fact = CallStarted(
            campaign_id=campaign_id,
            contact_id=contact_id,
            call_id=call_id,
            run=run,
            attempt=attempt,
            started_at=self.now,
        )
        self.write(fact, campaign_id=campaign_id)

    def abandon(
        self,
        call_id: str,
        contact_id: int,
        *,
        campaign_id: int = 1,
        reason: Abandonment = Abandonment.NOT_RUNNING,
    ) -> None:
        """Give a permission back."""
        fact = CallAbandoned(
            campaign_id=campaign_id,
            contact_id=contact_id,
            call_id=call_id,
            run=1,
            attempt=1,
            reason=reason,
            abandoned_at=self.now,
        )
        self.write(fact, campaign_id=campaign_id)

    def end(
        self,
        call_id: str,
        contact_id: int,
        how: Disposition = Disposition.ANSWERED,
        attempt: int = 1,
        *,
        campaign_id: int = 1,
        retry_in: timedelta | None = None,
        run: int = 1,
    ) -> None:
        """End an attempt."""
        fact = CallEnded(
            campaign_id=campaign_id,
            contact_id=contact_id,
            call_id=call_id,
            run=run,
            attempt=attempt,
            disposition=how,
            duration_s=45.0 if how is Disposition.ANSWERED else 0.0,
            error=None,
            retry_at=self.now + retry_in if retry_in else None,
            ended_at=self.now,
        )
        self.write(fact, campaign_id=campaign_id)

    def late(self, call_id: str, contact_id: int, attempts: int, *, campaign_id: int = 1) -> None:
        """Let a phone ring that should not have."""
        fact = CallLate(
            campaign_id=campaign_id,
            contact_id=contact_id,
            call_id=call_id,
            run=1,
            attempt=1,
            attempts=attempts,
            detail="a test",
            late_at=self.now,
        )
        self.write(fact, campaign_id=campaign_id)

    def replace(self, through: int, rows: int, number: int = 1, *, campaign_id: int = 1) -> None:
        """Import a list that replaces the contacts that were never attempted."""
        import_id = uuid4().hex
        added = tuple(Row(phone_number=f"+1666{n:07d}") for n in range(1, rows + 1))
        self.write(
            ContactsAdded(import_id=import_id, first_row=1, rows=added),
            ContactsReplaced(
                campaign_id=campaign_id,
                import_id=import_id,
                through=through,
                replaced_at=self.now,
            ),
            ImportCompleted(
                campaign_id=campaign_id,
                import_id=import_id,
                number=number,
                source=ImportSource.CSV,
                file_name="list.csv",
                first_contact_id=through + 1,
                rows=rows,
                skipped=1,
                failed=0,
                errors=(),
                variable_mappings={},
                available_variables=(),
                completed_at=self.now,
            ),
            campaign_id=campaign_id,
        )

    def add_contacts(self, first_contact_id: int, rows: int, *, campaign_id: int = 1) -> None:
        """Append contacts, as JSON contacts are."""
        import_id = uuid4().hex
        added = tuple(Row(phone_number=f"+1777{n:07d}") for n in range(1, rows + 1))
        completed = ImportCompleted(
            campaign_id=campaign_id,
            import_id=import_id,
            number=None,
            source=ImportSource.API,
            file_name=None,
            first_contact_id=first_contact_id,
            rows=rows,
            skipped=0,
            failed=0,
            errors=(),
            variable_mappings={},
            available_variables=("city",),
            completed_at=self.now,
        )
        chunk = ContactsAdded(import_id=import_id, first_row=1, rows=added)
        self.write(chunk, completed, campaign_id=campaign_id)

    def call(
        self,
        contact_id: int,
        how: Disposition = Disposition.ANSWERED,
        attempt: int = 1,
        *,
        campaign_id: int = 1,
        retry_in: timedelta | None = None,
    ) -> str:
        """Ask, ring and end."""
        call_id = self.ask(contact_id, attempt, campaign_id=campaign_id)
        self.ring(call_id, contact_id, attempt, campaign_id=campaign_id)
        self.end(call_id, contact_id, how, attempt, campaign_id=campaign_id, retry_in=retry_in)
        return call_id


def every_partition(journal: Journal) -> list[Partition]:
    """Return all partitions of the journal's log."""
    numbers = range(journal.log.partitions(CAMPAIGN_RECORDS))
    return [*(Partition(CAMPAIGN_RECORDS, number) for number in numbers), ORGANIZATIONS]
