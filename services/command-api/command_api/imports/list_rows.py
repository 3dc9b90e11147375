"""The facts of one list's rows: encrypted where there are keys and every process can read it.

Source: ADR-0041.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from campaigns.domain.facts import ContactsEncrypted, ListRows
from campaigns.domain.values.rows import Row
from campaigns.log.port import EventLog
from campaigns.personal.list_keys import ListKey, ListKeys
from campaigns.personal.row_cipher import contacts_encrypted, encrypted
from command_api.imports.rows import contacts_added
from command_api.slices import Steps, in_slices

SLICE_ROWS = 200  # Encrypted at once: some 1 ms.


@dataclass
class RowWriter:
    """Makes the facts of one list, chunk by chunk."""

    import_id: str
    keys: ListKeys | None  # None: rows are written plain.
    rows: int = 0  # In the facts so far.
    key: ListKey | None = None  # Taken for the first rows: a list that has none needs none.

    async def fact(self, rows: Sequence[Row]) -> ListRows:
        """Return the next chunk.

        Raises:
            OperatingError: no key could be made.

        """
        if self.keys is not None and self.key is None:
            self.key = await self.keys.take()
        return await in_slices(self._fact(rows))

    async def facts(self, chunks: Iterable[Sequence[Row]]) -> tuple[ListRows, ...]:
        """Return all chunks."""
        return tuple([await self.fact(chunk) for chunk in chunks])

    def _fact(self, rows: Sequence[Row]) -> Steps[ListRows]:
        first, self.rows = self.rows + 1, self.rows + len(rows)
        if self.key is None:
            return contacts_added(self.import_id, first, rows)
        made = list[str]()
        for n in range(0, len(rows), SLICE_ROWS):
            some = rows[n : n + SLICE_ROWS]
            made += encrypted(self.key.tree, self.key.key_id, first + n, some)
            yield
        return contacts_encrypted(self.import_id, first, self.key.key_id, made)


def row_writer(log: EventLog, level: int, import_id: str) -> RowWriter:
    """Return what makes the facts of a new list."""
    return RowWriter(import_id, log.list_keys if level >= ContactsEncrypted.SINCE else None)
