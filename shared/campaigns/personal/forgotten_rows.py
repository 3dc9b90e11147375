"""The rows that the log says are forgotten, and their keys, deleted wherever they still are.

Which rows are forgotten is decided by facts alone, so that a store of keys which knows better is
wrong: a backup that is older than an erasure brings nobody back. A list that will never count is
forgotten as a whole: its rows are nobody's contacts, so no erasure could name them. Each list has a
key of its own, so that nobody else is forgotten with it. Source: ADR-0041, ADR-0042.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from campaigns.domain.facts import (
    AnyFact,
    CampaignCreated,
    CampaignErased,
    ContactErased,
    ContactsEncrypted,
    ImportCompleted,
    ImportFailed,
    ListClosed,
)
from campaigns.personal.erasure import UNCOUNTED, WHOLE_LIST, ErasedRow, erased_rows
from campaigns.personal.list_keys import ListKeys
from campaigns.process.errors import OperatingError


@dataclass
class ErasedRows:
    """The rows of some facts, or of all in the log: `forget_again` may be given any of them.

    Memory: an id for each erased row or list, and for each list that does not count.
    """

    by_key: dict[str, set[int] | None] = field(default_factory=dict)  # None: the whole list.
    _open: dict[str, str] = field(default_factory=dict)  # Lists that may still count → their keys.
    _dropped: set[str] = field(default_factory=set)  # Lists that never will.

    def fold(self, fact: AnyFact) -> None:
        """Take in one accepted fact; most say nothing of that. Repeatable."""
        match fact:
            case ContactErased() | CampaignErased():
                for one in erased_rows(fact):
                    self.add(one)
            case ContactsEncrypted() if fact.import_id in self._dropped:  # It was on its way.
                self.add(ErasedRow(fact.key_id, UNCOUNTED))
            case ContactsEncrypted():
                self._open[fact.import_id] = fact.key_id
            case CampaignCreated(import_id=str(counted)) | ImportCompleted(import_id=counted):
                self._open.pop(counted, None)
            case ImportFailed() | ListClosed(counts=False):
                self._dropped.add(fact.import_id)
                if key_id := self._open.pop(fact.import_id, None):
                    self.add(ErasedRow(key_id, UNCOUNTED))
            case _:
                return

    def add(self, one: ErasedRow) -> None:
        """Take in a row, or a whole list."""
        if one.row in (WHOLE_LIST, UNCOUNTED):
            self.by_key[one.key_id] = None
        elif (rows := self.by_key.setdefault(one.key_id, set())) is not None:
            rows.add(one.row)

    def merge(self, other: "ErasedRows") -> None:
        """Take in all of another one."""
        for key_id, rows in other.by_key.items():
            for row in (WHOLE_LIST,) if rows is None else rows:
                self.add(ErasedRow(key_id, row))


def _silent(_: str) -> None: ...


async def forget_again(
    keys: ListKeys, erased: ErasedRows, tell: Callable[[str], None] = _silent
) -> Sequence[str]:
    """Delete the keys of these rows where they are still there; return the lists that had some.

    Idempotent, and commutative: whoever does it, how often and in which order, ends at the same
    keys. Lists of which nothing is left to forget cost a look and no write. `tell` hears of each
    list at once, whatever becomes of the others.

    Raises:
        OperatingError: some keys are not forgotten, as the store does not take them or they cannot
            be opened; all others are. Do it again.

    """
    await keys.store.refresh()
    found, failed = list[str](), list[OperatingError]()
    for key_id, rows in erased.by_key.items():
        try:
            if _known(keys, key_id, rows) and await keys.forget(key_id, rows):
                found.append(key_id)
                tell(key_id)
        except OperatingError as exc:  # One list keeps nobody else from being forgotten.
            failed.append(exc)
        await asyncio.sleep(0)
    if failed:
        raise failed[0]
    return found


def _known(keys: ListKeys, key_id: str, rows: Collection[int] | None) -> bool:
    if keys.store.find(key_id) is None:
        return False
    if rows is None:
        return True
    tree = keys.tree(key_id)
    return any(tree.key(row) is not None for row in rows)
