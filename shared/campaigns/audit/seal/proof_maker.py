"""Makes a proof bundle: finds the records about a number or contact, and their paths. Streaming."""

from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from campaigns.audit.contact_history import ErasedThrough
from campaigns.audit.rulings import PartitionRuling, Ruled, partitions_of, ruled_batches
from campaigns.audit.seal.merkle import BLOCK, leaf, path_of, root_of
from campaigns.audit.seal.proof import FORMAT, Bundle, ProvenRecord, Subject, proven
from campaigns.audit.seal.seal_format import Seals
from campaigns.domain.facts import (
    CampaignCreated,
    CampaignErased,
    ContactsAdded,
    ContactsEncrypted,
    ImportCompleted,
    ListRows,
)
from campaigns.domain.values.rows import Row
from campaigns.domain.values.stream_names import contact_stream
from campaigns.log.port import ReadableLog
from campaigns.personal.forgotten_rows import ErasedRows
from campaigns.personal.list_keys import KeyUnavailableError
from campaigns.personal.row_reader import rows_of
from campaigns.process.errors import SealUnreadableError
from campaigns.records.installation import Installation
from campaigns.records.record import Envelope
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition


@dataclass
class ProofMaker:
    """One bundle, against the last of the seals."""

    log: ReadableLog
    installation: Installation
    seals: Seals
    subject: Subject
    seen: Callable[[int], None] = lambda _: None
    unsealed: int = 0  # Records about it that came after the seal.
    _contacts: dict[str, None] = field(default_factory=dict)  # In the order in which they came.
    _rows: dict[str, list[int]] = field(default_factory=dict)  # List → rows that are the subject's.
    _lists: dict[str, int] = field(default_factory=dict)  # List that holds the contact → its row.
    _unread: dict[str, KeyUnavailableError] = field(default_factory=dict)  # By the missing key.
    _erased: ErasedRows = field(default_factory=ErasedRows)  # Nobody's subject any more.
    _through: ErasedThrough = field(default_factory=ErasedThrough)

    async def make(self) -> Bundle:
        """Return the bundle.

        Raises:
            SealUnreadableError: the log is not the one that was sealed.
            ContractError: a record stops every reader.
            KeyUnavailableError: a list cannot be searched for the number: its key is missing.
            LogUnavailableError: the log does not answer.

        """
        if self.seals.inexact:
            raise SealUnreadableError(
                "the detail of the seals was altered: nothing leads to a root"
            )
        if self.log.list_keys is not None:
            await self.log.list_keys.store.refresh()
        campaign = self.subject.contact[0] if self.subject.contact else None
        partitions = partitions_of(self.log, campaign)
        found = list[ProvenRecord]()
        if self.subject.contact:
            for partition in partitions:
                await self._find_list(partition)
        for partition in partitions:
            if partition.topic == CAMPAIGN_RECORDS:
                found += await self._partition(partition)
        for key_id, missing in self._unread.items():
            if self._erased.by_key.get(key_id, ()) is not None:
                raise missing
        last = self.seals.last
        assert last is not None, "there is a seal"
        return Bundle(
            format=FORMAT,
            number=self.subject.number,
            contacts=list(self._contacts),
            seal=last.signed.decode(),
            signature=b64encode(last.signature).decode(),
            records=found,
        )

    async def _find_list(self, partition: Partition) -> None:
        """Find the list that brought the contact: its chunk precedes the fact that numbers it."""
        assert self.subject.contact is not None, "asked only then"
        campaign, contact = self.subject.contact
        async for batch in ruled_batches(self.log, partition, self._ruling(partition)):
            for ruled in batch:
                for import_id, campaign_id, first, rows in _counted(ruled):
                    if campaign_id == campaign and first <= contact < first + rows:
                        self._lists[import_id] = contact - first + 1

    async def _partition(self, partition: Partition) -> Sequence[ProvenRecord]:
        last = self.seals.last
        assert last is not None, "there is a seal"
        sealed = last.head.partitions.get(str(partition))
        end = sealed.position if sealed else 0
        blocks = self.seals.known[str(partition)].blocks if sealed else []
        leaves, kept, found = list[bytes](), list[Ruled](), list[ProvenRecord]()

        def close() -> None:
            """Find the paths within a block, and from there to the root."""
            number = (position - 1) // BLOCK
            if root_of(leaves) != blocks[number]:
                raise SealUnreadableError(
                    f"{partition}: the log is not the one that was sealed: a record up to"
                    f" {position} is another one (`dialgate verify --seal` says where)"
                )
            for one in kept:
                at, raw = one.recorded.position, one.recorded.raw or b""
                path = path_of(leaves, (at - 1) % BLOCK) + path_of(blocks, number)
                found.append(proven(partition, at, raw, path))
            leaves.clear()
            kept.clear()

        async for batch in ruled_batches(self.log, partition, self._ruling(partition)):
            for ruled in batch:
                position = ruled.recorded.position
                about = self._about(ruled)
                if position > end:
                    self.unsealed += about
                    continue
                leaves.append(leaf(ruled.recorded.raw))
                if about:
                    kept.append(ruled)
                if position == end or position % BLOCK == 0:
                    close()
            self.seen(len(batch))
        if leaves:
            raise SealUnreadableError(f"{partition}: expected {end} records, found fewer")
        return found

    def _ruling(self, partition: Partition) -> PartitionRuling:
        return PartitionRuling(self.installation.skipped.get(partition, {}))

    def _about(self, ruled: Ruled) -> bool:
        """Say whether a record is about the subject, and learn its contacts."""
        if not ruled.accepted:
            return False
        about = False
        for fact in ruled.recorded.facts:
            self._erased.fold(fact)
            if isinstance(fact, ListRows) and (rows := self._rows_of(fact)):
                self._rows.setdefault(fact.import_id, []).extend(rows)
                about = True
            elif isinstance(fact, CampaignErased):
                about |= self._befalls(fact)
        for import_id, campaign_id, first, count in _counted(ruled):
            for row in self._rows.pop(import_id, ()):
                if row <= count:
                    self._contacts[f"{campaign_id}/{first + row - 1}"] = None
                    about = True
        envelope = ruled.recorded.envelope
        assert isinstance(envelope, Envelope), "an accepted record has an envelope"
        return about or any(
            contact_stream(*map(int, contact.split("/"))) in envelope.condition
            for contact in self._contacts
        )

    def _befalls(self, fact: CampaignErased) -> bool:
        """Say whether one of the contacts was erased with its campaign by this fact."""
        before = self._through.of(fact.campaign_id)
        self._through.fold(fact)
        places = (tuple(map(int, contact.split("/"))) for contact in self._contacts)
        return any(of == fact.campaign_id and before < one <= fact.through for of, one in places)

    def _rows_of(self, chunk: ListRows) -> list[int]:
        """Return the rows of a chunk that are the subject's."""
        if self.subject.number is not None:
            return [
                row
                for row, one in enumerate(self._opened(chunk), chunk.first_row)
                if one is not None and one.phone_number == self.subject.number
            ]
        row = self._lists.get(chunk.import_id, 0)
        return [row] if chunk.first_row <= row < chunk.first_row + len(chunk.rows) else []

    def _opened(self, chunk: ListRows) -> Iterable[Row | None]:
        """Return a chunk's rows; None for each that is forgotten."""
        match chunk:
            case ContactsAdded():
                return chunk.rows
            case ContactsEncrypted():
                keys = self.log.list_keys
                try:
                    return rows_of(keys, chunk.key_id, chunk.first_row, chunk.rows)
                except KeyUnavailableError as exc:
                    self._unread[chunk.key_id] = exc
                    return ()


def _counted(ruled: Ruled) -> Sequence[tuple[str, int, int, int]]:
    """Return the lists that a record counts: list, campaign, first contact, rows."""
    found = list[tuple[str, int, int, int]]()
    for fact in ruled.recorded.facts if ruled.accepted else ():
        if isinstance(fact, CampaignCreated) and fact.import_id:
            found.append((fact.import_id, fact.campaign_id, 1, fact.rows))
        if isinstance(fact, ImportCompleted):
            found.append((fact.import_id, fact.campaign_id, fact.first_contact_id, fact.rows))
    return found
