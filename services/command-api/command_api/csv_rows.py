"""A CSV file as rows, streamed: never more than one row of it in memory. Pure but for reading."""

import csv
import io
from collections.abc import Iterator, Mapping
from typing import BinaryIO, NamedTuple, Self

from campaigns.facts import Row
from command_api.csv_columns import PHONE, Columns, UnusableFileError, find_columns
from command_api.rows import Unusable, make_row, normalise_phone

ROW_CHARS_MAX = 128 * 1024  # One row with all its lines, header included.
_SHOWN = ("name", "email", "company")


class Cells(NamedTuple):
    """One row that is not blank, not looked at yet."""

    line: int  # Where it begins; line 1 is the file's first.
    cells: list[str] | Unusable


class CsvFile:
    """One UTF-8 file, with or without a BOM, whose first row that is not blank is the header.

    Reads the header when made. `file` is read from its beginning each time, and never closed: use
    this in a `with`.

    Raises:
        UnusableFileError: it is empty, not UTF-8 text, or has no phone column.

    """

    def __init__(self, file: BinaryIO, mappings: Mapping[str, str | None]) -> None:
        self._text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        try:
            self.columns: Columns = self._read_header(mappings)
        except UnusableFileError:
            self._text.detach()  # Else the file would be closed with it.
            raise
        self._phone = self.columns.fields.index(PHONE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the file, which stays open. Nothing can be read afterwards."""
        self._text.detach()

    def _read_header(self, mappings: Mapping[str, str | None]) -> Columns:
        header = next(self._rows(), None)
        if header is None:
            raise UnusableFileError("The file is empty")
        if isinstance(header.cells, Unusable):
            raise UnusableFileError(f"line {header.line}: {header.cells.reason}")
        return find_columns(header.cells, mappings)

    def rows(self) -> Iterator[Cells]:
        """Yield the rows behind the header from the file's beginning, blank ones passed over.

        Raises:
            UnusableFileError: what follows is not text, or is one row without an end.

        """
        rows = self._rows()
        next(rows, None)  # The header.
        return rows

    def _rows(self) -> Iterator[Cells]:
        self._text.seek(0)
        lines = _Lines(self._text)
        reader = csv.reader(lines, strict=True)
        while True:
            first, lines.chars = reader.line_num + 1, 0
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as no:
                if lines.ended:
                    raise UnusableFileError(
                        f"line {first}: a quotation mark that begins here is not closed"
                    ) from no
                yield Cells(first, Unusable(f"the row is not well-formed CSV: {no}"))
                continue
            if any(cell and not cell.isspace() for cell in cells):
                yield Cells(first, cells)

    def phone(self, row: Cells) -> str | Unusable:
        """Return a row's number as E.164, or why the row cannot be used."""
        if isinstance(row.cells, Unusable):
            return row.cells
        width = len(self.columns.fields)
        if len(row.cells) > width and any(map(str.strip, row.cells[width:])):
            return Unusable(f"the row has {len(row.cells)} cells, the header {width}")
        return normalise_phone(row.cells[self._phone] if self._phone < len(row.cells) else "")

    def contact(self, row: Cells) -> Row | Unusable:
        """Return a row as a contact, or why it cannot be used."""
        phone = self.phone(row)
        if isinstance(phone, Unusable):
            return phone
        assert not isinstance(row.cells, Unusable), "it has a number"
        texts: dict[str, str | None] = {}
        variables: dict[str, str] = {}
        for field, cell in zip(self.columns.fields, row.cells, strict=False):
            if field in _SHOWN:
                texts[field] = cell
            elif field is not None and field != PHONE and (value := cell.strip()):
                variables[field] = value
        return make_row(phone, texts, variables)


class _Lines:
    """The lines of a text file, each row's length bounded: csv.reader itself has no such limit."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self.chars = 0  # Of the row under way.
        self.number = 0
        self.ended = False

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        self.number += 1
        try:
            line = self._text.readline(ROW_CHARS_MAX + 1)
        except UnicodeDecodeError as no:
            raise UnusableFileError(
                f"The file is not UTF-8 text: {no.reason} on line {self.number} or soon after"
            ) from no
        if not line:
            self.ended = True
            raise StopIteration
        self.chars += len(line)
        if self.chars > ROW_CHARS_MAX:
            raise UnusableFileError(
                f"line {self.number}: the row is longer than {ROW_CHARS_MAX} characters;"
                " is a quotation mark not closed?"
            )
        if "\0" in line:
            raise UnusableFileError(f"line {self.number}: the file is not text: it has NUL bytes")
        return line
