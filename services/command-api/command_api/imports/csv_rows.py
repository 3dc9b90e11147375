"""A CSV file as a stream of rows, one in memory at a time. Pure, except that it reads the file."""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from typing import BinaryIO, NamedTuple, Self

from campaigns.domain.values.rows import Row
from command_api.imports.characters import seen, trimmed
from command_api.imports.csv_columns import PHONE, Columns, UnusableFileError, find_columns
from command_api.imports.csv_lines import Lines
from command_api.imports.phone import REGION, Unusable, normalise_phone
from command_api.imports.rows import make_row

# The cost of one slice: 1 for each line, each cell and each 100 characters, and ROW_UNITS more for
# each row that is not blank. It holds the event loop for 2 to 5 ms.
SLICE_UNITS = 1_500
ROW_UNITS = 10
_SHOWN = ("name", "email", "company")
# What spreadsheets write between cells, depending on the country. On a tie the first one wins.
DELIMITERS = (",", ";", "\t")
# Excel names the delimiter in a first line. If the file is saved again, that line becomes a row:
# `sep=;,,` where the other rows are separated by commas.
_SEPARATOR = re.compile(r'"?sep=([,;\t|]?)"?([,;\t|\s"]*)', re.IGNORECASE)
_BLANK = re.compile(r"[\s,;]*")  # A row without content, with any delimiter.
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class Cells(NamedTuple):
    """One row that is not blank, before validation."""

    line: int  # Where it begins; line 1 is the file's first.
    cells: list[str] | Unusable


class CsvFile:
    """One text file whose first row that is not blank is the header.

    UTF-8 with or without a byte-order mark, or UTF-16 with one. Its first line may name the
    delimiter (`sep=;`); otherwise it is the one of DELIMITERS with which the header has a phone
    column, and the most columns. The constructor reads the header. `file` is read from its
    beginning each time, and never closed: use this in a `with`. `region`: of phone numbers without
    a country.

    Raises:
        UnusableFileError: it is empty, not such text, or has no phone column.

    Source: contract 5.
    """

    def __init__(
        self, file: BinaryIO, mappings: Mapping[str, str | None], region: str = REGION
    ) -> None:
        file.seek(0)
        wide = file.read(2) in _UTF_16_MARKS
        self.encoding = "UTF-16" if wide else "UTF-8"
        self._text = io.TextIOWrapper(file, "utf-16" if wide else "utf-8-sig", newline="")
        self._region = region
        self._before = 0  # Lines before the header: the delimiter's, and blank ones.
        try:
            self.delimiter, self.columns = self._read_header(mappings)
        except UnusableFileError:
            self._text.detach()  # Otherwise the file would be closed with it.
            raise
        self._phone = self.columns.fields.index(PHONE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Detach the file, which stays open. Nothing can be read afterwards."""
        self._text.detach()

    def _read_header(self, mappings: Mapping[str, str | None]) -> tuple[str, Columns]:
        """Return the delimiter, and the columns."""
        delimiters = self._skip_preamble()
        read: dict[str, Columns] = {}
        errors: list[tuple[int, UnusableFileError]] = []  # With the number of columns.
        for delimiter in delimiters:
            cells: list[str] = []
            try:
                found = (row for row, _ in self._rows(delimiter, searching=True) if row)
                header = next(found, None)
                if header is None:
                    raise UnusableFileError("The file is empty")
                if isinstance(header.cells, Unusable):
                    raise UnusableFileError(f"line {header.line}: {header.cells.reason}")
                cells = header.cells
                read[delimiter] = find_columns(cells, mappings)
            except UnusableFileError as exc:
                errors.append((len(cells), exc))
        if not read:
            raise max(errors, key=lambda error: error[0])[1]
        best = max(read, key=lambda delimiter: len(read[delimiter].fields))
        return best, read[best]

    def _skip_preamble(self) -> tuple[str, ...]:
        """Count the lines before the header; return its possible delimiters."""
        delimiters: tuple[str, ...] = DELIMITERS
        self._text.seek(0)
        lines = Lines(self._text, self.encoding, searching=True)
        line = next(lines, "")
        if found := _SEPARATOR.fullmatch(line):
            if found[1]:
                saved_again = found[2].strip(" \r\n")
                others = DELIMITERS if saved_again else ()
                delimiters = tuple(dict.fromkeys((found[1], *others)))
            self._before = 1
            lines.begin_row()
            line = next(lines, "")
        while line and _BLANK.fullmatch(line):
            self._before += 1
            lines.begin_row()
            line = next(lines, "")
        return delimiters

    def slices(self) -> Iterator[list[Cells]]:
        """Yield the rows after the header, from the beginning of the file, without blank ones.

        Each slice costs SLICE_UNITS, or one row more; a slice of blank rows is empty. Between two
        slices the caller yields the event loop.

        Raises:
            UnusableFileError: the rest is not text, or is one row without an end.

        """
        rows = self._rows(self.delimiter)
        batch, units, header = list[Cells](), 0.0, True
        for row, cost in rows:
            units += cost
            if row is not None and not header:
                batch.append(row)
            header = header and row is None
            if units >= SLICE_UNITS:
                yield batch
                batch, units = [], 0.0
        if batch:
            yield batch

    def _rows(
        self, delimiter: str, *, searching: bool = False
    ) -> Iterator[tuple[Cells | None, float]]:
        """Yield each row, None for a blank one, with its cost."""
        self._text.seek(0)
        lines = Lines(self._text, self.encoding, searching=searching)
        for _ in range(self._before):
            lines.begin_row()
            next(lines)
        reader = csv.reader(lines, strict=True, delimiter=delimiter)
        while True:
            first = self._before + reader.line_num + 1
            lines.begin_row()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as exc:
                if lines.ended:
                    raise UnusableFileError(
                        f"line {first}: a quotation mark that begins here is not closed"
                    ) from exc
                wrong = Unusable(f"the row is not well-formed CSV: {exc}")
                yield Cells(first, wrong), ROW_UNITS + lines.units
                continue
            units = len(cells) + lines.units
            if _any_seen(cells):
                yield Cells(first, cells), ROW_UNITS + units
            else:
                yield None, units

    def phone(self, row: Cells) -> str | Unusable:
        """Return a row's number as E.164, or why the row cannot be used."""
        if isinstance(row.cells, Unusable):
            return row.cells
        width = len(self.columns.fields)
        if len(row.cells) > width and seen("".join(row.cells[width:])):
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


def _any_seen(cells: list[str]) -> bool:
    """Say whether a row has a visible character other than delimiters."""
    return bool(cells) and (cells[0].isalnum() or seen("".join(cells), but=",;"))
