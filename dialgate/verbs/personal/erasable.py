"""Whom a log still knows: campaigns, lists, and where each contact's key is."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from campaigns.audit.rulings import PartitionRuling, Ruled, ruled_batches
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.facts import (
    AnyFact,
    CampaignCreated,
    CampaignFact,
    ContactErased,
    ContactsAdded,
    ContactsEncrypted,
    ImportCompleted,
    ImportFailed,
    ListClosed,
)
from campaigns.log.port import ReadableLog
from campaigns.log.selection import selected
from campaigns.personal.erasure import ErasedRow
from campaigns.personal.forgotten_rows import ErasedRows
from campaigns.personal.list_keys import KeyUnavailableError, ListKeys
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope
from campaigns.records.topics import Partition


class CountedList(NamedTuple):
    """A list that counts: its rows are contacts `first` and so on."""

    import_id: str
    first: int
    rows: int


class KnownContact(NamedTuple):
    """One contact, and where its key is. `place` None: it was written plain."""

    campaign_id: int
    contact_id: int
    place: ErasedRow | None

    def __str__(self) -> str:
        return f"{self.campaign_id}/{self.contact_id}"


@dataclass
class ErasablePartition:
    """The fold of one partition. Memory: some hundred bytes a list, and who has the number."""

    partition: Partition
    ruling: PartitionRuling
    number: str | None = None  # Look for rows with this one.
    keys: ListKeys | None = None
    campaigns: Campaigns = field(default_factory=Campaigns)
    ruled: dict[str, bool] = field(default_factory=dict)  # Records of `awaited`, once read back.
    awaited: set[str] = field(default_factory=set)
    unreadable: dict[str, str] = field(default_factory=dict)  # Lists without a key, and why.
    # Lists whose key was not there, and where their chunks are: it may have been made just now.
    _keyless: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    _key_ids: dict[str, str | None] = field(default_factory=dict)  # By list; None: it is plain.
    _lists: defaultdict[int, list[CountedList]] = field(default_factory=lambda: defaultdict(list))
    _rows: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    _erased: set[tuple[int, int]] = field(default_factory=set)
    forgotten: ErasedRows = field(default_factory=ErasedRows)  # All that the log says.

    async def read(
        self,
        log: ReadableLog,
        end: int | None = None,
        seen: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Fold what is in the log now, or up to `end`.

        Raises:
            LogUnavailableError: the log, or the store of keys, does not answer.
            ContractError: as `ruled_batches`.

        """
        async for batch in ruled_batches(log, self.partition, self.ruling, until=end):
            for ruled in batch:
                self._take(ruled)
            seen(len(batch))
        await self._search_again(log)

    def _take(self, ruled: Ruled) -> None:
        recorded = ruled.recorded
        envelope = recorded.envelope if self.awaited else None
        if isinstance(envelope, Envelope) and envelope.id in self.awaited:
            self.ruled.setdefault(envelope.id, ruled.accepted)
        if ruled.accepted:
            for fact in recorded.facts:
                self._fold(fact, recorded)

    def _fold(self, fact: AnyFact, recorded: Recorded) -> None:
        if isinstance(fact, CampaignFact):
            self.campaigns.fold(fact, recorded)
        self.forgotten.fold(fact)
        match fact:
            case ContactsAdded():
                self._key_ids[fact.import_id] = None
                found = [row.phone_number == self.number for row in fact.rows]
                self._match(fact.import_id, fact.first_row, found)
            case ContactsEncrypted():
                self._key_ids[fact.import_id] = fact.key_id
                self._search(fact, recorded.position)
            case CampaignCreated(import_id=str(import_id)):
                self._lists[fact.campaign_id].append(CountedList(import_id, 1, fact.rows))
            case ImportCompleted():
                counted = CountedList(fact.import_id, fact.first_contact_id, fact.rows)
                self._lists[fact.campaign_id].append(counted)
            case ImportFailed() | ListClosed(counts=False):
                self._rows.pop(fact.import_id, None)
            case ContactErased():
                self._erased.add((fact.campaign_id, fact.contact_id))
            case _:
                return

    def _search(self, fact: ContactsEncrypted, position: int) -> None:
        if self.number is None or self.keys is None:
            return
        there = True
        try:
            there = self.keys.store.find(fact.key_id) is not None
            rows = self.keys.rows(fact.key_id, fact.first_row, fact.rows)
            found = [row is not None and row.phone_number == self.number for row in rows]
        except KeyUnavailableError as exc:
            self.unreadable[fact.import_id] = str(exc)
            if not there:
                self._keyless[fact.import_id].append(position)
            return
        self._match(fact.import_id, fact.first_row, found)

    async def _search_again(self, log: ReadableLog) -> None:
        """Search once more, by what the store of keys has now, lists whose keys were not there."""
        if not self._keyless or self.keys is None:
            return
        await self.keys.store.refresh()
        keyless, self._keyless = self._keyless, defaultdict(list)
        came = {
            import_id: positions
            for import_id, positions in keyless.items()
            if self.keys.store.find(self._key_ids[import_id] or "") is not None
        }
        for import_id in came:
            del self.unreadable[import_id]
        wanted = sorted({position for some in came.values() for position in some})
        async for records in selected(log, self.partition, wanted):
            for recorded in records:
                for fact in recorded.facts:
                    if isinstance(fact, ContactsEncrypted) and fact.import_id in came:
                        self._search(fact, recorded.position)

    def _match(self, import_id: str, first: int, found: list[bool]) -> None:
        self._rows[import_id] += [row for row, it_is in enumerate(found, first) if it_is]

    def contact(self, campaign_id: int, contact_id: int) -> KnownContact:
        """Return a contact of a campaign."""
        for one in self._lists[campaign_id]:
            if one.first <= contact_id < one.first + one.rows:
                key_id = self._key_ids.get(one.import_id)
                row = contact_id - one.first + 1
                return KnownContact(
                    campaign_id, contact_id, ErasedRow(key_id, row) if key_id else None
                )
        return KnownContact(campaign_id, contact_id, None)

    def with_number(self, organization_id: int | None) -> Iterator[KnownContact]:
        """Yield all contacts with the number, erased ones excepted."""
        for campaign_id, lists in self._lists.items():
            campaign = self.campaigns.get(campaign_id)
            if campaign is None:
                continue
            if organization_id not in (None, campaign.created.organization_id):
                continue
            for one in lists:
                for row in self._rows.get(one.import_id, ()):
                    contact = self.contact(campaign_id, one.first + row - 1)
                    if not self.is_erased(contact):
                        yield contact

    def unread(self, organization_id: int | None) -> list[str]:
        """Return why each list that counts, and is not forgotten, could not be searched."""
        whys = list[str]()
        for campaign_id, lists in self._lists.items():
            campaign = self.campaigns.get(campaign_id)
            if campaign is None:
                continue
            if organization_id not in (None, campaign.created.organization_id):
                continue
            for one in lists:
                forgotten = one.first + one.rows - 1 <= campaign.erased_through
                if one.import_id in self.unreadable and not forgotten:
                    whys.append(f"campaign {campaign_id}: {self.unreadable[one.import_id]}")
        return whys

    def is_erased(self, contact: KnownContact) -> bool:
        """Say whether a contact is forgotten, by itself or with its campaign."""
        campaign = self.campaigns.get(contact.campaign_id)
        through = campaign.erased_through if campaign else 0
        return contact[:2] in self._erased or contact.contact_id <= through

    def lists(self, campaign_id: int, until: int) -> list[tuple[int, str | None]]:
        """Return the last contact and the key of a campaign's lists that are not forgotten.

        In the order of their contacts, up to the contact `until`. A plain one has no key.
        """
        campaign = self.campaigns.get(campaign_id)
        through = campaign.erased_through if campaign else 0
        found = (
            (one.first + one.rows - 1, self._key_ids.get(one.import_id))
            for one in self._lists[campaign_id]
            if one.rows
        )
        return sorted(one for one in found if through < one[0] <= until)

    def people(self, campaign_id: int, until: int) -> int:
        """Return how many contacts of a campaign up to `until` are not forgotten."""
        campaign = self.campaigns.get(campaign_id)
        through = campaign.erased_through if campaign else 0
        alone = sum(
            of == campaign_id and through < contact <= until for of, contact in self._erased
        )
        return max(0, until - through) - alone
