"""A CSV file gives what was written into it, whatever wrote it; garbage is refused in words."""

import csv
import io
from collections.abc import Sequence
from itertools import chain
from typing import Literal

from hypothesis import assume, example, given
from hypothesis import strategies as st

from campaigns.domain.values.rows import Row
from command_api.imports.characters import trimmed
from command_api.imports.csv_columns import UnusableFileError
from command_api.imports.csv_rows import CsvFile
from command_api.imports.phone import Unusable

Form = tuple[str, str, Literal[0, 1], str, bool]  # Delimiter, line end, quoting, encoding, sep=.
# Few letters, so that quotes, separators and line ends meet often; and texts of all kinds.
tricky = st.text(st.sampled_from("ab \",;\t\r\n='é漢😀"), max_size=12)
anything = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
cells = tricky | anything
people = st.lists(st.tuples(st.integers(2_000_000_000, 9_999_999_999), cells, cells), max_size=20)
encodings = st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])


def written(rows: Sequence[tuple[str, ...]], form: Form) -> bytes:
    """Write a file as some spreadsheet would."""
    delimiter, end, quoting, encoding, said = form
    if end == "\n":  # Python's writer would leave a lone carriage return without quotes.
        quoting = csv.QUOTE_ALL
    text = io.StringIO(newline="")
    if said:
        text.write(f"sep={delimiter}{end}")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerows(rows)
    return text.getvalue().encode(encoding)


forms = st.tuples(
    st.sampled_from(",;\t"),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    encodings,
    st.booleans(),
)


@given(people, forms)
@example([(5551234567, 'a\r\n"b', ";")], (";", "\r\n", csv.QUOTE_MINIMAL, "utf-16", True))
def test_what_was_written_is_read(people: list[tuple[int, str, str]], form: Form) -> None:
    header = ("Phone Number", "Full Name", "Free Text")
    raw = written([header, *((str(phone), name, note) for phone, name, note in people)], form)
    with CsvFile(io.BytesIO(raw), {}) as file:
        assert file.delimiter == form[0]
        found = [(row.line, file.contact(row)) for row in chain.from_iterable(file.slices())]
        assert [
            (row.line, file.contact(row)) for row in chain.from_iterable(file.slices())
        ] == found, "as often as wanted"
    lines = [line for line, _ in found]
    assert lines == sorted(set(lines))
    assert len(found) == len(people)
    for (phone, name, note), (_, row) in zip(people, found, strict=True):
        assert isinstance(row, Row)
        assert row.phone_number == f"+1{phone}"
        assert row.name == (trimmed(name) or None)
        assert row.variables.get("free_text", "") == trimmed(note)


@given(
    st.binary(max_size=200)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))
)
@example(b"\xff\xfe")
@example(b"\xff\xfep")
@example(b"sep=;")
@example(b"\xef\xbb\xbfsep=;\nphone\n1")
@example(b'phone\n"')
def test_whatever_the_bytes_are_a_file_is_read_or_refused_with_a_reason(raw: bytes) -> None:
    reasons: list[str] = []
    for data in (raw, b"phone;x\n" + raw, b"\xff\xfe" + "phone\tx\n".encode("utf-16-le") + raw):
        try:
            with CsvFile(io.BytesIO(data), {}) as file:
                for row in chain.from_iterable(file.slices()):
                    contact = file.contact(row)
                    assert isinstance(contact, Row | Unusable)
                    assert row.line >= 1
        except UnusableFileError as exc:
            reasons.append(str(exc))
    assert all(reasons)


@given(people, forms, st.integers(0, 2**16))
def test_a_file_that_ends_early_gives_no_row_that_was_not_written(
    people: list[tuple[int, str, str]], form: Form, cut: int
) -> None:
    """An upload that breaks off: what is whole is read, and nothing is made up."""
    header = ("phone", "name", "note")
    raw = written([header, *((str(phone), name, note) for phone, name, note in people)], form)
    assume(len(raw) > 1)
    try:
        with CsvFile(io.BytesIO(raw[: cut % len(raw)]), {}) as file:
            whole = [file.phone(row) for row in chain.from_iterable(file.slices())][
                :-1
            ]  # The last one may be half.
    except UnusableFileError:
        return
    assert whole == [f"+1{phone}" for phone, _, _ in people[: len(whole)]]
