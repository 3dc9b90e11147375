"""A CSV file as rows, streamed: never more than one row of it in memory. Pure but for reading."""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from typing import BinaryIO, NamedTuple, Self

from campaigns.facts import Row
from command_api.csv_columns import PHONE, Columns, UnusableFileError, find_columns
from command_api.phone import REGION, Unusable, normalise_phone
from command_api.rows import make_row
from command_api.typed import trimmed

ROW_CHARS_MAX = 128 * 1024  # One row with all its lines, header included.
_SHOWN = ("name", "email", "company")
# What spreadsheets write between cells, depending on the country; the first counts in a draw.
DELIMITERS = (",", ";", "\t")
# Excel's own way to say it, as a first line; and its "Unicode text", which begins with a mark.
# Saved once more it is a row of its own: `sep=;,,` where the others are separated by commas.
_SEPARATOR = re.compile(r'"?sep=([,;\t|]?)"?([,;\t|\s"]*)', re.IGNORECASE)
_BLANK = re.compile(r"[\s,;]*")  # Of a row without anything in it, whatever separates cells.
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class Cells(NamedTuple):
    """One row that is not blank, not looked at yet."""

    line: int  # Where it begins; line 1 is the file's first.
    cells: list[str] | Unusable


class CsvFile:
    """One text file whose first row that is not blank is the header.

    UTF-8 with or without a byte-order mark, or UTF-16 with one. Its cells are separated as its
    first line says (`sep=;`), else by that of DELIMITERS under which the header has a phone column,
    and the most columns. Reads the header when made. `file` is read from its beginning each time,
    and never closed: use this in a `with`. `region`: of phone numbers without a country.

    Raises:
        UnusableFileError: it is empty, no such text, or has no phone column.

    Source: public contract, section 5.
    """

    def __init__(
        self, file: BinaryIO, mappings: Mapping[str, str | None], region: str = REGION
    ) -> None:
        file.seek(0)
        wide = file.read(2) in _UTF_16_MARKS
        self.encoding = "UTF-16" if wide else "UTF-8"
        self._text = io.TextIOWrapper(file, "utf-16" if wide else "utf-8-sig", newline="")
        self._region = region
        self._told = 0  # Lines that say how the others are to be read.
        try:
            self.delimiter, self.columns = self._read_header(mappings)
        except UnusableFileError:
            self._text.detach()  # Else the file would be closed with it.
            raise
        self._phone = self.columns.fields.index(PHONE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the file, which stays open. Nothing can be read afterwards."""
        self._text.detach()

    def _read_header(self, mappings: Mapping[str, str | None]) -> tuple[str, Columns]:
        """Return what separates the cells, and what each column is."""
        delimiters: tuple[str, ...] = DELIMITERS
        self._text.seek(0)
        if found := _SEPARATOR.fullmatch(next(self._lines(), "")):
            self._told = 1
            if found[1]:
                saved_again = found[2].strip(" \r\n")
                others = DELIMITERS if saved_again else ()
                delimiters = tuple(dict.fromkeys((found[1], *others)))
        read: dict[str, Columns] = {}
        wrong: list[tuple[int, UnusableFileError]] = []  # With how many columns it would have.
        for delimiter in delimiters:
            cells: list[str] = []
            try:
                header = next(self._rows(delimiter), None)
                if header is None:
                    raise UnusableFileError("The file is empty")
                if isinstance(header.cells, Unusable):
                    raise UnusableFileError(f"line {header.line}: {header.cells.reason}")
                cells = header.cells
                read[delimiter] = find_columns(cells, mappings)
            except UnusableFileError as no:
                wrong.append((len(cells), no))
        if not read:
            raise max(wrong, key=lambda one: one[0])[1]
        best = max(read, key=lambda delimiter: len(read[delimiter].fields))
        return best, read[best]

    def _lines(self) -> "_Lines":
        return _Lines(self._text, self.encoding)

    def rows(self) -> Iterator[Cells]:
        """Yield the rows behind the header from the file's beginning, blank ones passed over.

        Raises:
            UnusableFileError: what follows is not text, or is one row without an end.

        """
        rows = self._rows(self.delimiter)
        next(rows, None)  # The header.
        return rows

    def _rows(self, delimiter: str) -> Iterator[Cells]:
        self._text.seek(0)
        lines = self._lines()
        for _ in range(self._told):
            next(lines)
        reader = csv.reader(lines, strict=True, delimiter=delimiter)
        while True:
            first, lines.chars = self._told + reader.line_num + 1, 0
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
            if not all(map(_BLANK.fullmatch, cells)) and _seen(cells):
                yield Cells(first, cells)

    def phone(self, row: Cells) -> str | Unusable:
        """Return a row's number as E.164, or why the row cannot be used."""
        if isinstance(row.cells, Unusable):
            return row.cells
        width = len(self.columns.fields)
        if len(row.cells) > width and any(map(trimmed, row.cells[width:])):
            return Unusable(f"the row has {len(row.cells)} cells, the header {width}")
        for index in (self._phone, *self.columns.more_phones):
            if index < len(row.cells) and trimmed(row.cells[index]):
                return normalise_phone(row.cells[index], self._region)
        return normalise_phone("", self._region)

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
            elif field is not None and field != PHONE and (value := trimmed(cell)):
                variables[field] = value
        return make_row(phone, texts, variables)


def _seen(cells: list[str]) -> bool:
    """Say whether anybody sees something in a row: it may be blank but for what is invisible."""
    return cells[0].isalnum() or not all(_BLANK.fullmatch(trimmed(cell)) for cell in cells)


class _Lines:
    """The lines of a text file, each row's length bounded: csv.reader itself has no such limit."""

    def __init__(self, text: io.TextIOWrapper, encoding: str) -> None:
        self._text, self._encoding = text, encoding
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
                f"The file is not {self._encoding} text: {no.reason} on line {self.number} or soon"
                " after"
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
