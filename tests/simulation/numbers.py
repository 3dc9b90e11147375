"""Which phone numbers the campaigns of a world have, as its log tells it."""

from collections import defaultdict
from collections.abc import Iterable

from campaigns.domain.facts import (
    AnyFact,
    CampaignCreated,
    ContactsAdded,
    ContactsEncrypted,
    ImportCompleted,
)
from campaigns.personal.list_keys import ListKeys, rows_of


class Phones:
    """Which numbers have ever counted, by campaign."""

    def __init__(self, keys: ListKeys | None) -> None:
        self._keys = keys
        self._of_list: dict[str, set[str]] = defaultdict(set)
        self.of_campaign: dict[int, set[str]] = defaultdict(set)

    def fold(self, facts: Iterable[AnyFact]) -> None:
        """Take the facts of one record in."""
        for fact in facts:
            if isinstance(fact, ContactsAdded):
                self._of_list[fact.import_id] |= {row.phone_number for row in fact.rows}
            elif isinstance(fact, ContactsEncrypted):
                rows = rows_of(self._keys, fact.key_id, fact.first_row, fact.rows)
                self._of_list[fact.import_id] |= {row.phone_number for row in rows if row}
            elif isinstance(fact, CampaignCreated | ImportCompleted):
                self.of_campaign[fact.campaign_id] |= self._of_list[fact.import_id or ""]
