"""The rows of a list that are new contacts: counted, normalised, deduplicated in slices.

The event loop is held for one slice at most. Memory holds one slice, and the set of the numbers
seen (some 100 bytes each).
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from campaigns.domain.campaign import Campaign
from campaigns.domain.values.rows import Row, RowError
from campaigns.stores.contacts import Contacts
from command_api.commands.complete_import import Skipped
from command_api.imports.csv_columns import TooManyRowsError, UnusableFileError
from command_api.imports.csv_rows import CsvFile
from command_api.imports.phone import Unusable
from command_api.imports.rows import ERRORS_MAX
from command_api.slices import REST_S

SLICE_ROWS = 100  # Of JSON at once: some 2 ms, so that a pause is not kept waiting.


@dataclass
class Tally:
    """What became of the rows of a list so far."""

    imported: int = 0
    duplicates: int = 0
    unusable: int = 0
    errors: list[RowError] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)  # Numbers of this list, as integers.

    def fail(self, line: int, reason: str) -> None:
        """Count an unusable row, and keep its reason while there is room."""
        self.unusable += 1
        if len(self.errors) < ERRORS_MAX:
            self.errors.append(RowError(line=line, reason=reason))

    def first(self, phone_number: str) -> bool:
        """Say whether a number is new in this list; count it as a duplicate if not."""
        number = int(phone_number[1:])
        if number in self.seen:
            self.duplicates += 1
            return False
        self.seen.add(number)
        return True

    @property
    def skipped(self) -> Skipped:
        """Return the counts of the rows that are not new contacts."""
        return Skipped(self.duplicates, self.unusable, tuple(self.errors))


async def count_rows(file: CsvFile, rows_max: int) -> int:
    """Return the number of rows of a file that are not blank.

    Raises:
        TooManyRowsError: more than `rows_max`.
        UnusableFileError: it cannot be read to its end, or no row of it can be used.

    """
    rows, usable = 0, False
    for batch in file.slices():
        rows += len(batch)
        usable = usable or any(not isinstance(file.contact(row), Unusable) for row in batch)
        if rows > rows_max:
            raise TooManyRowsError(f"The file has more than {rows_max} rows")
        await asyncio.sleep(REST_S)
    if not usable:
        raise UnusableFileError("The file has no usable row: no row with a usable phone number")
    return rows


async def new_rows(
    campaign: Campaign, contacts: Contacts, file: CsvFile, tally: Tally
) -> AsyncIterator[list[Row]]:
    """Yield the usable rows of a file that are not duplicates, in slices; count the others."""
    for batch in file.slices():
        rows = []
        for row in batch:
            contact = file.contact(row)
            if isinstance(contact, Unusable):
                tally.fail(row.line, contact.reason)
            elif tally.first(contact.phone_number):
                rows.append(contact)
        if rows:
            yield without_known(campaign, contacts, rows, tally, replacing=True)
        await asyncio.sleep(REST_S)


def without_known(
    campaign: Campaign, contacts: Contacts, rows: Sequence[Row], tally: Tally, *, replacing: bool
) -> list[Row]:
    """Return the rows whose number the campaign does not have, and count both kinds."""
    known = contacts.known(campaign, [row.phone_number for row in rows], replacing=replacing)
    new = [row for row in rows if row.phone_number not in known]
    tally.duplicates += len(rows) - len(new)
    tally.imported += len(new)
    return new
