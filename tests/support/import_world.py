"""What imports need of a command API, on a log in memory: a campaign, its contacts, its calls."""

import asyncio
import io
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count

from campaigns.domain.campaign import Campaign
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.decider import Facts
from campaigns.domain.facts import (
    AnyFact,
    CampaignCreated,
    CampaignPaused,
    CampaignStarted,
    Disposition,
)
from campaigns.log.port import EventLog, MemoryLog
from campaigns.log.reader import Reader
from campaigns.log.writer import Origin, Writer
from campaigns.personal.list_keys import PLAIN
from campaigns.personal.row_reader import row_of
from campaigns.process.clock import Clock, SystemClock
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope, Record
from campaigns.records.topics import Partition, campaign_partition
from campaigns.stores.contacts import Contacts
from campaigns.stores.fold import fold_contacts
from campaigns.testing.sample_records import NOON
from command_api.idempotency import IdempotencyKeys
from command_api.imports.csv_imports import CsvImports
from command_api.imports.csv_list import CsvImport
from command_api.open_lists import OpenLists
from tests.support.sample_facts import (
    call_ended,
    call_requested,
    call_started,
    campaign_created,
)

CAMPAIGN_ID = 42
ORIGIN = Origin("test", "test")
PARTITION = campaign_partition(CAMPAIGN_ID, 1)
_ids = count(1)


class ImportWorld:
    """A command API as importing sees it, without HTTP."""

    def __init__(self, log: EventLog, stale_s: float = 300.0) -> None:
        self.log = log
        self.clock: Clock = SystemClock()
        self.campaigns = Campaigns()
        self._dbs = [sqlite3.connect(":memory:") for _ in range(2)]
        self.contacts = Contacts(self._dbs[0], PLAIN)
        self.reader = Reader(log, self)
        self.writer = Writer(self.reader, self.campaigns, self.clock, "command-api/test")
        self.idempotency_keys = IdempotencyKeys(self._dbs[1], 10)
        self.csv_imports = CsvImports(self)
        self.lists = OpenLists(self, stale_s)
        self.waits = 0  # For barriers.

    def close(self) -> None:
        """Close the stores."""
        for db in self._dbs:
            db.close()

    def fold(self, recorded: Recorded) -> None:
        """Fold a record."""
        fold_contacts(self.campaigns, self.contacts, recorded)

    def folded(self, partition: Partition, position: int) -> None:
        """Nothing is stored."""

    async def settled(self, campaign_id: int) -> None:
        """Wait a moment, in which permissions may be resolved."""
        self.waits += 1
        await asyncio.sleep(0.05)

    @property
    def campaign(self) -> Campaign:
        """Return the one campaign."""
        return self.campaigns.by_id[CAMPAIGN_ID]

    async def offer(self, *facts: AnyFact, record_id: str | None = None) -> None:
        """Append facts as another writer would, decided on the streams as they are."""
        condition = self.reader.ledger(PARTITION).condition({fact.stream for fact in facts})
        made = self.writer.record(facts, condition, ORIGIN)
        if record_id:
            made = Record(record_id, *(getattr(made, name) for name in _REST))
        assert (await self.writer.append(PARTITION, made, CAMPAIGN_ID)).accepted

    async def call(self, contact_id: int, *, answered: bool = True) -> None:
        """Call a contact, to the end of the call if `answered`, else only request it."""
        call_id = f"call{next(_ids)}"
        now = self.clock.now()
        request = call_requested(
            CAMPAIGN_ID, contact_id, call_id, now, lease_s=1.0, carrier_timeout_s=1.0
        )
        await self.offer(request, record_id=call_id)
        if answered:
            await self.offer(call_started(request, now))
            await self.offer(call_ended(request, now, Disposition.ANSWERED))

    async def start(self) -> None:
        """Start the run."""
        await self.offer(
            CampaignStarted(campaign_id=CAMPAIGN_ID, run=1, started_at=self.clock.now())
        )

    async def pause(self) -> None:
        """Pause the run."""
        await self.offer(
            CampaignPaused(campaign_id=CAMPAIGN_ID, reason=None, paused_at=self.clock.now())
        )

    def csv(
        self, text: str | bytes, rows_max: int = 1_000_000, file_name: str = "people.csv"
    ) -> CsvImport:
        """Return an import of this text."""
        raw = text.encode() if isinstance(text, str) else text
        return CsvImport(CAMPAIGN_ID, 7, io.BytesIO(raw), file_name, {}, rows_max, "US")

    def phones(self) -> list[str]:
        """Return the numbers of all contacts that are not gone, in order."""
        campaign = self.campaign
        found = []
        for contact_id in range(1, campaign.contacts_end + 1):
            contact = self.contacts.get(campaign, contact_id)
            gone = contact_id <= campaign.replaced_through and contact.attempts == 0
            stored = self.contacts.row(CAMPAIGN_ID, contact_id)
            assert stored is not None, "every contact has a row"
            row = row_of(self.log.list_keys, stored)
            assert row is not None, "nobody was forgotten"
            if not gone:
                found.append(row.phone_number)
        return found

    async def records(self) -> list[Facts]:
        """Return the facts of all accepted records, read by a new reader."""
        raw = await self.log.read(PARTITION, 0, 10_000)
        ledger = Reader(self.log, self).ledger(PARTITION)
        return [
            recorded.facts
            for recorded in raw
            if isinstance(recorded.envelope, Envelope) and ledger.admit(recorded.envelope)
        ]


_REST = (
    "time",
    "source",
    "actor",
    "correlation_id",
    "causation_id",
    "condition",
    "facts",
    "idempotency",
)


def created(campaign_id: int = CAMPAIGN_ID) -> CampaignCreated:
    """Return an empty draft."""
    return campaign_created(campaign_id, NOON, organization_id=7)


@asynccontextmanager
async def world(
    log: EventLog | None = None, *, with_campaign: bool = True
) -> AsyncIterator[ImportWorld]:
    """Run an instance on a log, with an empty draft in it."""
    made = ImportWorld(log or MemoryLog())
    async with asyncio.TaskGroup() as tasks:
        running = [
            tasks.create_task(made.reader.follow([PARTITION])),
            tasks.create_task(made.csv_imports.run()),
        ]
        await asyncio.sleep(0)
        if with_campaign:
            await made.offer(created())
        try:
            yield made
        finally:
            for task in running:
                task.cancel()
    made.close()


def people(numbers: Sequence[int] | range, header: str = "phone,name") -> str:
    """Return a CSV file of these numbers."""
    return header + "\n" + "".join(f"555{n:07d},Ann {n}\n" for n in numbers)
