"""The auditor's check of erasures: nobody who is erased is asked for, and nobody else is touched.

It folds the log anew, and looks into the store of keys at the end.
"""

import sqlite3
from collections import Counter, defaultdict

from campaigns.domain.campaign import Campaign, Counters, gone
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.contact import ContactStatus, shown
from campaigns.domain.facts import (
    CallRequested,
    CampaignCompleted,
    CampaignErased,
    CampaignRearmed,
    ContactErased,
    ContactsEncrypted,
    ContactSkipped,
    ImportFailed,
    ListClosed,
)
from campaigns.personal.list_keys import KeyUnavailableError
from campaigns.stores.contacts import Contacts
from campaigns.stores.fold import fold_contacts
from tests.simulation.auditor import Audit
from tests.simulation.history import Entry

FAILED = ("failed", "no_answer", "busy", "voicemail")
Who = tuple[int, int]  # Campaign and contact.


class People:
    """Those of one world, as its log tells of them."""

    def __init__(self, found: Audit, contacts: Contacts) -> None:
        self._found, self.campaigns, self.contacts = found, Campaigns(), contacts
        self._erased: set[Who] = set()
        self._waited: set[Who] = set()  # When they were erased: they must be skipped.
        self._rows: list[ContactsEncrypted] = []
        self._gone: defaultdict[str, set[int]] = defaultdict(set)  # Rows by key.
        self._gone_whole: set[str] = set()
        self._uncounted: set[str] = set()  # Lists that will never count: erased as a whole.

    def take(self, entry: Entry) -> None:
        """Take one accepted record in."""
        for fact in entry.facts:
            match fact:
                case CallRequested() if (fact.campaign_id, fact.contact_id) in self._erased:
                    self._found.find(5, f"{fact.call_id} was asked for, and its contact was erased")
                case ContactErased():
                    self._gone[fact.key_id].add(fact.row)
                    self._erase(fact.campaign_id, fact.contact_id)
                case CampaignErased():
                    self._found.dangers["a campaign was erased"] += 1
                    self._gone_whole.update(fact.key_ids)
                    for contact_id in range(1, fact.through + 1):
                        self._erase(fact.campaign_id, contact_id)
                case ContactSkipped():
                    self._skipped(fact)
                case ContactsEncrypted():
                    self._rows.append(fact)
                case ImportFailed() | ListClosed(counts=False):
                    self._uncounted.add(fact.import_id)
        recorded = self._found.world.log.core._records[entry.partition][entry.position - 1]
        fold_contacts(self.campaigns, self.contacts, recorded)
        for fact in entry.facts:
            if isinstance(fact, CampaignCompleted):
                self._completed(fact.campaign_id)
            elif isinstance(fact, CampaignRearmed):
                self._waited = {who for who in self._waited if who[0] != fact.campaign_id}

    def _erase(self, campaign_id: int, contact_id: int) -> None:
        campaign, dangers = self.campaigns.by_id[campaign_id], self._found.dangers
        contact = self.contacts.get(campaign, contact_id)
        self._erased.add((campaign_id, contact_id))
        if contact.status is ContactStatus.IN_PROGRESS:
            dangers["erased while it was called"] += 1
        elif contact.status is ContactStatus.PENDING and not self._replaced(campaign, contact_id):
            dangers[f"erased while it {'rested' if contact.due_at else 'waited'}"] += 1
            self._waited.add((campaign_id, contact_id))

    def _replaced(self, campaign: Campaign, contact_id: int) -> bool:
        contact = self.contacts.get(campaign, contact_id)
        return gone(campaign, contact_id, contact.ever, in_progress=False)

    def _skipped(self, fact: ContactSkipped) -> None:
        self._found.dangers["a contact that was erased is skipped"] += 1
        if (fact.campaign_id, fact.contact_id) not in self._erased:
            self._found.find(5, f"{fact.campaign_id}/{fact.contact_id} is skipped, and not erased")

    def _completed(self, campaign_id: int) -> None:
        campaign = self.campaigns.by_id[campaign_id]
        for _, contact_id in sorted(who for who in self._waited if who[0] == campaign_id):
            status = self.contacts.get(campaign, contact_id).status
            if status is not ContactStatus.SKIPPED and not self._replaced(campaign, contact_id):
                self._found.find(8, f"{campaign_id}/{contact_id} was erased, and is {status}")

    def judge(self) -> None:
        """Look at counters and keys as they are in the end."""
        for campaign in self.campaigns.by_id.values():
            if campaign.counters != (counted := self._counted(campaign)):
                what = f"{campaign.campaign_id} says {campaign.counters}, and has {counted}"
                self._found.find(7, what)
        if self._found.world.finished:
            for chunk in self._rows:
                self._keys(chunk)

    def _counted(self, campaign: Campaign) -> Counters:
        """Count by looking at each contact."""
        found: Counter[str] = Counter()
        untouched = 0
        for contact_id in range(1, campaign.contacts_end + 1):
            contact = self.contacts.get(campaign, contact_id)
            in_progress = contact.status is ContactStatus.IN_PROGRESS
            if not gone(campaign, contact_id, contact.ever, in_progress):
                status = shown(campaign, contact)
                found[status] += 1
                untouched += status == "pending" and not contact.ever
        return Counters(
            total=found.total() - found["skipped"],
            pending=found["pending"],
            in_progress=found["in_progress"],
            completed=found["completed"],
            failed=sum(found[status] for status in FAILED),
            cancelled=found["cancelled"],
            skipped=found["skipped"],
            untouched=untouched,
        )

    def _keys(self, chunk: ContactsEncrypted) -> None:
        """Find rows whose key is still there, and those of others that cannot be read."""
        keys = self._found.world.log.core.list_keys
        assert keys is not None, "a world has keys"
        try:
            rows = list(keys.rows(chunk.key_id, chunk.first_row, chunk.rows))
        except KeyUnavailableError:
            rows = [None] * len(chunk.rows)
        uncounted = chunk.import_id in self._uncounted
        if uncounted and rows and rows[0] is None:
            self._found.dangers["a list never counted, and its key is deleted"] += 1
        whole = uncounted or chunk.key_id in self._gone_whole
        for number, row in enumerate(rows, chunk.first_row):
            erased = whole or number in self._gone[chunk.key_id]
            if erased and row is not None:
                self._found.find(5, f"row {number} of {chunk.key_id} was erased, and has its key")
            if not erased and row is None:
                self._found.find(5, f"row {number} of {chunk.key_id} is lost: nobody erased it")


def judge_people(found: Audit) -> None:
    """Judge who was erased, and everybody else."""
    db = sqlite3.connect(":memory:")
    people = People(found, Contacts(db))
    for entry in found.entries:
        if entry.accepted:
            people.take(entry)
    people.judge()
    db.close()
