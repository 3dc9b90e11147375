"""Whatever a file holds, the event loop is held for one short slice of it.

Counted in what is read and in processor time, not by a clock on the wall.
"""

import io
import time

import pytest

from command_api.imports.csv_columns import UnusableFileError
from command_api.imports.csv_lines import HEADER_LINES_MAX, ROW_CHARS_MAX
from command_api.imports.csv_rows import ROW_UNITS, SLICE_UNITS, CsvFile

NUMBER = b"5551234567"
CPU_MAX_S = 0.25  # Of one slice: fifty times what it takes. The old slices took seconds.
UNSEEN = "\u200b\u2060\ufeff".encode()

# By name: a header, and a text that is repeated this many times after it.
FILES = {
    "blank lines": (b"phone\n", b"\n", 500_000),
    "lines of spaces": (b"phone\n", b" \t \n", 300_000),
    "lines of quotes": (b"phone\n", b'""\n', 300_000),
    "lines of carriage returns": (b"phone\r", b"\r", 300_000),
    "rows of commas": (b"phone\n", b"," * 130_000 + b"\n", 40),
    "rows of semicolons and spaces": (b"phone;x\n", b"; " * 65_000 + b"\n", 40),
    "rows of what is not seen": (b"phone\n", (UNSEEN + b",") * 32_000 + b"\n", 20),
    "a number, then many cells": (b"phone\n", NUMBER + b", " * 60_000 + b"\n", 40),
    "a cell of what is not seen": (b"phone,x\n", NUMBER + b"," + UNSEEN * 40_000 + b"\n", 20),
    "a number of what is not seen": (b"phone,x\n", b"a" + UNSEEN * 40_000 + b"\n", 20),
    "rows of lines": (b"phone,x\n", NUMBER + b',"' + b"\n" * 9_000 + b'"\n', 40),
    "bad numbers": (b"phone\n", b"1\n", 100_000),
    "rows that are no CSV": (b"phone\n", b'"a"b\n', 100_000),
    "rows of a hundred cells": (b"phone" + b",x" * 99 + b"\n", NUMBER + b",a" * 99 + b"\n", 2_000),
    "good rows": (b"phone,name\n", NUMBER + b",Ann\n", 50_000),
}


@pytest.mark.parametrize("what", FILES)
def test_no_slice_is_long(what: str) -> None:
    header, again, times = FILES[what]
    slices, longest_s, bytes_max = 0, 0.0, 0
    raw = io.BytesIO(header + again * times)
    with CsvFile(raw, {}) as file:
        before, began_s = 0, time.process_time()
        for rows in file.slices():
            for row in rows:
                file.contact(row)
            now_s = time.process_time()
            longest_s = max(longest_s, now_s - began_s)
            bytes_max = max(bytes_max, raw.tell() - before)
            slices, before, began_s = slices + 1, raw.tell(), now_s
            assert sum(
                ROW_UNITS + len(row.cells) for row in rows[:-1] if isinstance(row.cells, list)
            ) < (SLICE_UNITS)
    assert longest_s < CPU_MAX_S
    assert bytes_max < 10 * ROW_CHARS_MAX, "no slice reads far"
    assert slices >= min(times, 40) // 2


@pytest.mark.parametrize(
    "before",
    [
        b"\n",
        b" ,;\t\n",
        b'""\n',
        b"\r",
        UNSEEN + b"\n",
        b" " * 100_000 + b"\n",
        b'"\n',
        b"," * 100_000,
    ],
)
def test_the_header_is_not_looked_for_without_an_end(before: bytes) -> None:
    raw = io.BytesIO(before * (8_000_000 // len(before)) + b"phone\n5551234567\n")
    began_s = time.process_time()
    with pytest.raises(UnusableFileError):
        CsvFile(raw, {})
    assert time.process_time() - began_s < CPU_MAX_S
    assert raw.tell() < 10 * ROW_CHARS_MAX, "it was not read to its end"


@pytest.mark.parametrize("blank", [b"\n", b",,;\n", b'""\n', b'"\n\n"\n', UNSEEN + b"\n"])
@pytest.mark.parametrize("said", [b"", b"sep=,\n"])
def test_blank_lines_before_the_header_are_passed_over(blank: bytes, said: bytes) -> None:
    lines = blank.count(b"\n")
    times = (HEADER_LINES_MAX - 1) // lines - len(said.splitlines())
    with CsvFile(io.BytesIO(said + blank * times + b"phone\n\n5551234567\n"), {}) as file:
        (row,) = [row for rows in file.slices() for row in rows]
        assert row.line == len(said.splitlines()) + times * lines + 3
        assert file.phone(row) == "+15551234567"
