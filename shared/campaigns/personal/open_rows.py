"""Encrypted rows for who asks to see them: each opened, or erased, or unreadable and why.

Who is erased is said by facts alone, which come later in the log than the rows: a key that is still
there, from an old backup, shows nobody. Source: ADR-0041.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from campaigns.domain.facts import ContactsEncrypted
from campaigns.domain.values.rows import Revealed, UnreadableRow
from campaigns.personal.forgotten_rows import ErasedRows
from campaigns.personal.list_keys import KeyUnavailableError, ListKeys
from campaigns.personal.row_cipher import AlteredRowError
from campaigns.personal.row_reader import rows_of


@dataclass
class RevealedRows:
    """Opens the rows of a log."""

    keys: ListKeys | None
    keyless: str = ""  # Why there are no keys, where more is known than that one is missing.
    erased: ErasedRows = field(default_factory=ErasedRows)  # Of the whole log, as far as is known.

    def of(self, chunk: ContactsEncrypted, many: int | None = None) -> Iterator[Revealed]:
        """Yield a chunk's rows, in order. `many`: its first ones alone."""
        first, details = chunk.first_row, chunk.rows[:many]
        gone = self.erased.by_key.get(chunk.key_id, ())
        if gone is None:
            yield from [None] * len(details)
            return
        for number, found in enumerate(self._opened(chunk.key_id, first, details), first):
            yield None if number in gone else found

    def _opened(self, key_id: str, first: int, details: tuple[str, ...]) -> Iterator[Revealed]:
        done, found = 0, len(details)
        while done < found:
            try:
                if self.keys is None and self.keyless:
                    raise KeyUnavailableError(self.keyless)
                for row in rows_of(self.keys, key_id, first + done, details[done:]):
                    yield row
                    done += 1
            except AlteredRowError as exc:  # Those behind it are read.
                yield UnreadableRow(str(exc))
                done += 1
            except KeyUnavailableError as exc:
                yield from [UnreadableRow(str(exc))] * (found - done)
                return
