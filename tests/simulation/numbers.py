"""Which phone numbers the campaigns of a world have, as its log tells it."""

from collections import defaultdict
from collections.abc import Iterable

from campaigns.domain.facts import (
    AnyFact,
    CampaignCreated,
    CampaignErased,
    ContactErased,
    ContactsAdded,
    ContactsEncrypted,
    ImportCompleted,
    ImportFailed,
    ListClosed,
)
from campaigns.personal.list_keys import KeyUnavailableError, ListKeys
from campaigns.personal.row_reader import rows_of
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope


class Phones:
    """Which numbers count, by campaign; those of erased contacts count no more."""

    def __init__(self, keys: ListKeys | None) -> None:
        self._keys = keys
        self._read: dict[tuple[str, int], list[str]] = {}  # Chunks, as they were when they came.
        self._of_list: defaultdict[str, dict[int, str]] = defaultdict(dict)  # By row.
        self._lists: defaultdict[int, set[str]] = defaultdict(set)
        self._of_key: dict[str, str] = {}  # The list of each key.
        self._ended: set[str] = set()  # Lists that never count, unless that is refused.

    def note(self, recorded: Recorded) -> None:
        """Read the rows of a record that comes: later, somebody may be erased."""
        if not isinstance(recorded.envelope, Envelope):
            return
        for fact in recorded.facts:
            match fact:
                case ContactsEncrypted():
                    self._read.setdefault((fact.import_id, fact.first_row), self._phones(fact))
                case ImportFailed() | ListClosed(counts=False):
                    self._ended.add(fact.import_id)

    def _phones(self, chunk: ContactsEncrypted) -> list[str]:
        try:
            rows = rows_of(self._keys, chunk.key_id, chunk.first_row, chunk.rows)
            return [row.phone_number if row else "" for row in rows]
        except KeyUnavailableError:
            if chunk.import_id not in self._ended:  # Only of those a chunk may come without a key.
                raise
            return [""] * len(chunk.rows)

    def fold(self, facts: Iterable[AnyFact]) -> None:
        """Take the facts of one accepted record in."""
        for fact in facts:
            match fact:
                case ContactsAdded():
                    phones = [row.phone_number for row in fact.rows]
                    self._of_list[fact.import_id].update(enumerate(phones, fact.first_row))
                case ContactsEncrypted():
                    self._of_key[fact.key_id] = fact.import_id
                    phones = self._read[fact.import_id, fact.first_row]
                    self._of_list[fact.import_id].update(enumerate(phones, fact.first_row))
                case CampaignCreated() | ImportCompleted():
                    self._lists[fact.campaign_id].add(fact.import_id or "")
                case ContactErased():
                    self._of_list[self._of_key[fact.key_id]].pop(fact.row, None)
                case CampaignErased():
                    for key_id in fact.key_ids:
                        self._of_list[self._of_key[key_id]].clear()

    def known(self, campaign_id: int) -> set[str]:
        """Return the numbers of a campaign."""
        lists = self._lists[campaign_id]
        return {phone for one in lists for phone in self._of_list[one].values()}
