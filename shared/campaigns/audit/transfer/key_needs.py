"""Lists of an export whose contacts are encrypted, and how many of them nobody reads. Pure.

An export carries ciphertext and no keys (ADR-0041): they are carried by themselves.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from campaigns.domain.facts import AnyFact, ContactsEncrypted
from campaigns.personal.forgotten_rows import ErasedRows
from campaigns.personal.list_keys import KeyUnavailableError, ListKeys


@dataclass
class EncryptedLists:
    """The keys that a log's lists need. Memory: an id a list, and who is forgotten."""

    _key_ids: set[str] = field(default_factory=set)
    _erased: ErasedRows = field(default_factory=ErasedRows)

    def fold(self, facts: Iterable[AnyFact]) -> None:
        """Take in the facts of the next accepted record."""
        for fact in facts:
            self._erased.fold(fact)
            if isinstance(fact, ContactsEncrypted):
                self._key_ids.add(fact.key_id)

    def unreadable(self, keys: ListKeys | None) -> int:
        """Return how many lists these keys do not open. Forgotten ones need none."""
        return sum(
            not _opens(keys, key_id)
            for key_id in self._key_ids
            if self._erased.by_key.get(key_id, ()) is not None
        )


def _opens(keys: ListKeys | None, key_id: str) -> bool:
    if keys is None:
        return False
    try:
        keys.tree(key_id)
    except KeyUnavailableError:
        return False
    return True
