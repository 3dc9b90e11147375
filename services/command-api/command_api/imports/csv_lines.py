"""The lines of a CSV file, with bounds on rows and on the header. Pure but for reading."""

import io

from command_api.imports.csv_columns import UnusableFileError

ROW_CHARS_MAX = 128 * 1024  # One row with all its lines, header included.
ROW_LINES_MAX = 10_000  # One row: a cell may have line breaks in it.
HEADER_LINES_MAX = 1_000  # The header ends within so many lines, blank ones before it included …
HEADER_CHARS_MAX = 2 * ROW_CHARS_MAX  # … and so many characters.


class Lines:
    """The lines of a text file, each row's length bounded: csv.reader itself has no such limit."""

    def __init__(self, text: io.TextIOWrapper, encoding: str, *, searching: bool) -> None:
        """`searching`: for the header, within HEADER_LINES_MAX and HEADER_CHARS_MAX."""
        self._text, self._encoding, self._searching = text, encoding, searching
        self._chars = 0  # Of all lines.
        self.number = 0
        self.ended = False
        self.begin_row()

    def begin_row(self) -> None:
        """Begin the counts of a new row."""
        self._row_chars, self._row_begins = 0, self.number

    @property
    def units(self) -> float:
        """Return the cost of the current row's lines."""
        return self.number - self._row_begins + self._row_chars / 100

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        self.number += 1
        try:
            line = self._text.readline(ROW_CHARS_MAX + 1)
        except UnicodeDecodeError as exc:
            raise UnusableFileError(
                f"The file is not {self._encoding} text: {exc.reason} on line {self.number} or soon"
                " after"
            ) from exc
        if not line:
            self.ended = True
            raise StopIteration
        self._row_chars += len(line)
        self._chars += len(line)
        if self._row_chars > ROW_CHARS_MAX or self.number - self._row_begins > ROW_LINES_MAX:
            most = f"{ROW_CHARS_MAX} characters or {ROW_LINES_MAX} lines"
            raise UnusableFileError(
                f"line {self.number}: the row is longer than {most};"
                " is a quotation mark not closed?"
            )
        if self._searching and (self.number > HEADER_LINES_MAX or self._chars > HEADER_CHARS_MAX):
            raise UnusableFileError(
                f"No header found in the first {HEADER_LINES_MAX} lines and {HEADER_CHARS_MAX}"
                " characters"
            )
        if "\0" in line:
            raise UnusableFileError(f"line {self.number}: the file is not text: it has NUL bytes")
        return line
