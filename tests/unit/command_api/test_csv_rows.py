"""Worked examples: a CSV file's header, its rows, and what cannot be one."""

import io
import tempfile
from itertools import chain
from typing import BinaryIO, cast

import pytest

from campaigns.domain.values.rows import Row
from command_api.imports.csv_columns import (
    UnusableFileError,
    find_columns,
    parse_mappings,
    snake_case,
)
from command_api.imports.csv_lines import (
    HEADER_CHARS_MAX,
    HEADER_LINES_MAX,
    ROW_CHARS_MAX,
    ROW_LINES_MAX,
)
from command_api.imports.csv_rows import CsvFile
from command_api.imports.phone import Unusable

Mappings = dict[str, str | None]


def read(text: str | bytes, mappings: Mappings | None = None) -> list[tuple[int, Row | Unusable]]:
    raw = text.encode() if isinstance(text, str) else text
    with CsvFile(io.BytesIO(raw), mappings or {}) as file:
        return [(row.line, file.contact(row)) for row in chain.from_iterable(file.slices())]


def phones(text: str | bytes, mappings: Mappings | None = None) -> list[str]:
    return [row.phone_number for _, row in read(text, mappings) if isinstance(row, Row)]


@pytest.mark.parametrize(
    ("header", "fields"),
    [
        ("phone", ("phone_number",)),
        ("Phone Number,Full Name", ("phone_number", "name")),
        ("MOBILE,e-mail", ("phone_number", "email")),
        ("cell, Organization ,Contact_Name", ("phone_number", "company", "name")),
        ("phone,mobile,cell", ("phone_number", "mobile", "cell")),
        (
            "phone,Appointment Date,dueAt,",
            ("phone_number", "appointment_date", "due_at", "column_4"),
        ),
        ("phone,Note,note,NOTE", ("phone_number", "note", "note_2", "note_3")),
        ("name,full name,phone", ("name", "full_name", "phone_number")),
        ("phone,Größe", ("phone_number", "größe")),
        ("phone,नाम,नीम", ("phone_number", "नाम", "नीम")),
        ("phone,Pre\u0301nom", ("phone_number", "prénom")),
        ("phone,நாமம்,ชื่อ,שֵׁם,الاسمُ", ("phone_number", "நாமம்", "ชื่อ", "שֵׁם".lower(), "الاسمُ")),
        ("phone,نام\u200cخانوادگی", ("phone_number", "نامخانوادگی")),
        ("phone,İsim,caféNoir,ÉtéÀParis", ("phone_number", "isim", "café_noir", "été_àparis")),
        ("\u200bphone\u200b,氏名,이름", ("phone_number", "氏名", "이름")),
        ("Ｐｈｏｎｅ　Ｎｕｍｂｅｒ,x", ("phone_number", "x")),
        ("phone,i\u0301,\u0301,1st", ("phone_number", "í", "column_3", "1st")),
    ],
)
def test_headers_are_found_loosely(header: str, fields: tuple[str, ...]) -> None:
    assert find_columns(header.split(","), {}).fields == fields


@pytest.mark.parametrize(
    ("header", "mappings", "fields"),
    [
        ("Tel,Name", {"Tel": "phone_number"}, ("phone_number", "name")),
        ("TEL,Name", {"tel": "phone"}, ("phone_number", "name")),
        ("phone,tel", {"tel": "Phone Number"}, ("phone", "phone_number")),
        ("phone,secret", {"secret": None}, ("phone_number", None)),
        ("phone,secret", {"secret": ""}, ("phone_number", None)),
        ("phone,नाम,नीम", {"नाम": None}, ("phone_number", None, "नीम")),
        ("phone,Pre\u0301nom", {"Prénom": "name"}, ("phone_number", "name")),
        ("phone,Prénom", {"PRE\u0301NOM": "Pre\u0301nom"}, ("phone_number", "prénom")),
        ("phone,İSİM,ISIM2", {"isim": None}, ("phone_number", None, "isim2")),
        ("phone,ﾅﾏｴ", {"ナマエ": "name"}, ("phone_number", "name")),
        ("phone,कि,की", {"कि": "", "की": "x"}, ("phone_number", None, "x")),
        ("phone,d", {"d": "Appointment Date", "absent": "x"}, ("phone_number", "appointment_date")),
    ],
)
def test_a_mapping_counts_first(
    header: str, mappings: Mappings, fields: tuple[str | None, ...]
) -> None:
    assert find_columns(header.split(","), mappings).fields == fields


@pytest.mark.parametrize(
    ("header", "mappings", "why"),
    [
        ("name,email", {}, "No phone number column"),
        ("phone;name", {}, "No phone number column"),  # A header of one column.
        ("phone", {"phone": None}, "No phone number column"),
        ("a,b", {"a": "phone", "b": "mobile"}, "Two columns"),
        (",".join(["phone"] * 101), {}, "at most 100"),
        ("phone," + "x" * 101, {}, "longer than 100"),
    ],
)
def test_a_header_that_cannot_be_used_says_why(header: str, mappings: Mappings, why: str) -> None:
    with pytest.raises(UnusableFileError, match=why):
        find_columns(header.split(","), mappings)


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "5", '"a"', '{"a": 5}', '{"a": {}}', "[" * 100_000, '{"a": "\\ud800"}', "nan"],
)
def test_mappings_that_are_no_object_of_texts_are_refused(text: str) -> None:
    with pytest.raises(UnusableFileError, match="column_mappings"):
        parse_mappings(text)


def test_mappings_may_be_absent() -> None:
    assert parse_mappings("") == parse_mappings("{}") == {}


def test_snake_case() -> None:
    named = ["Appointment Date", "appointmentDate", " Order-No. ", "already_so", "§"]
    assert [snake_case(name) for name in named] == [
        "appointment_date",
        "appointment_date",
        "order_no",
        "already_so",
        "",
    ]


def test_columns_become_fields_and_variables() -> None:
    text = "Phone Number,Full Name,Email,Company,Appointment Date\n5551234567,Ann,a@b.ch,Acme,May 1"
    assert read(text) == [
        (
            2,
            Row(
                phone_number="+15551234567",
                name="Ann",
                email="a@b.ch",
                variables={
                    "name": "Ann",
                    "email": "a@b.ch",
                    "company": "Acme",
                    "appointment_date": "May 1",
                },
            ),
        )
    ]


def test_headers_in_every_script_become_variables() -> None:
    ((_, row),) = read("phone,नाम,नीम\n+15550001000,a,b")
    assert row == Row(phone_number="+15550001000", variables={"नाम": "a", "नीम": "b"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("phone,mobile\n,5551234567", "+15551234567"),
        ("phone,mobile,cell\n , ,5551234567", "+15551234567"),
        ("name,Phone,Cell\nAnn,\u200b,5551234567", "+15551234567"),
        ("phone,name,mobile\n5551234567,Ann,5550000000", "+15551234567"),  # The first counts.
        ("phone,mobile\nnonsense,5551234567", None),  # It is not empty: no guess is made.
        ("phone,mobile,name\n,,Ann", None),
    ],
)
def test_a_further_phone_column_says_the_number_where_the_first_says_nothing(
    text: str, expected: str | None
) -> None:
    ((_, row),) = read(text)
    assert (row.phone_number if isinstance(row, Row) else None) == expected
    if isinstance(row, Row) and "mobile" in text:
        assert "phone_number" not in row.variables


def test_a_column_that_is_mapped_or_left_out_says_no_number() -> None:
    text = "phone,mobile,cell\n,5551234567,5551234568"
    assert phones(text, {"mobile": None}) == ["+15551234568"]
    assert phones(text, {"mobile": "other", "cell": ""}) == []
    assert phones(text, {"cell": "phone"}) == ["+15551234568"]
    assert phones("tel,phone\n,5551234567", {"tel": "phone_number"}) == ["+15551234567"]


def test_rows_of_nothing_that_is_seen_are_blank() -> None:
    text = "phone,name\n\u200b,\ufeff\n5551234567,\ufeffBob\n"
    assert read(text) == [(3, Row(phone_number="+15551234567", name="Bob",
                                  variables={"name": "Bob"}))]  # fmt: skip


def test_blank_cells_are_no_variables() -> None:
    ((_, row),) = read("phone,name,city\n5551234567, ,\n")
    assert row == Row(phone_number="+15551234567")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_bom_and_every_line_end_are_taken(end: str) -> None:
    text = "\ufeff" + end.join(["phone,name", "5551234567,Ann", "5551234568,Bo", ""])
    assert phones(text) == ["+15551234567", "+15551234568"]


def test_lines_are_counted_where_rows_begin() -> None:
    text = (
        "\nphone,name\n"  # The header is line 2.
        "\n"
        '5551234567,"two\nlines"\n'  # 4 and 5.
        " , \n"  # Blank.
        "nonsense,Bo\n"  # 7.
        '"555"1234567,Cy\n'
        "5551234568,Di,more\n"
        "5551234569,Ed,,\n"
        ",Fay\n"
        "5551234560\n"
    )
    found = [(line, isinstance(row, Row)) for line, row in read(text)]
    assert found == [
        (4, True),
        (7, False),
        (8, False),
        (9, False),
        (10, True),
        (11, False),
        (12, True),
    ]


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "empty"),
        (b"\n \n,,\n", "empty"),
        (b";;\n\t\t\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not UTF-8"),
        ("phone\n5551234567".encode("utf-16-le"), "NUL"),  # Without a mark.
        ("phone\n5551234567".encode("utf-32"), "NUL"),
        ("phone\n5551234567".encode("utf-16") + b"x", "not UTF-16 text: truncated"),
        ("phone\n".encode("utf-16") + b"\x00\xd8\x41\x00", "not UTF-16 text"),
        (b"sep=;\n", "empty"),
        (b"sep=;\nphone,name\n5551234567,Ann\n", "No phone number column"),
        (b"name;email\tx\nAnn;a\n", "No phone number column"),
        (b"phone\n5551234567\0\n", "line 2: .* NUL"),
        (b"phone,name\n5551234567,J\xf6rg\n", "not UTF-8"),
        (b'phone\n5551234567\n"5551234568\n5551234569\n', "line 3: a quotation mark"),
        (b'"phone\n5551234567\n', "line 1: a quotation mark"),
        (b'"pho"ne\n5551234567\n', "line 1: the row is not well-formed"),
        (b"phone,x\n5551234567," + b"x" * ROW_CHARS_MAX, "line 2: the row is longer"),
        (b'phone,x\n5551234567,"' + b"x\n" * ROW_CHARS_MAX, "the row is longer"),
        (b'phone,x\n5551234567,"' + b"\n" * (ROW_LINES_MAX + 1), "the row is longer"),
        (b"name\nAnn\n", "No phone number column"),
        (b"\n" * HEADER_LINES_MAX + b"phone\n5551234567\n", "No header found in the first"),
        (b'""\n' * HEADER_LINES_MAX + b"phone\n5551234567\n", "No header found in the first"),
        (b'"phone' + b"\n" * HEADER_LINES_MAX + b'"\n5551234567\n', "No header found in the"),
        ((b" " * 9_999 + b"\n") * (HEADER_CHARS_MAX // 9_999 + 1), "No header found in the first"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(raw: bytes, why: str) -> None:
    with pytest.raises(UnusableFileError, match=why):
        read(raw)


def test_a_file_is_read_as_often_as_one_likes_and_stays_open() -> None:
    with tempfile.SpooledTemporaryFile(max_size=8) as raw:
        raw.write(b"\xef\xbb\xbfphone,Phone\n5551234567\n5551234568\n")
        with CsvFile(cast(BinaryIO, raw), {}) as file:
            assert [len(list(chain.from_iterable(file.slices()))) for _ in range(3)] == [2, 2, 2]
            next(file.slices())
            assert len(list(chain.from_iterable(file.slices()))) == 2
        with pytest.raises(UnusableFileError, match="Two columns"):
            CsvFile(cast(BinaryIO, raw), {"phone": "x"})
        raw.seek(0)
        assert raw.read(3) == b"\xef\xbb\xbf"


EXPORT = 'Telefon;Full Name;Notiz\r\n"555 123 4567";Ann;"eins\nzwei"\r\n5551234568;"Bo; Jr.";\r\n'
ANN = {"name": "Ann", "notiz": "eins\nzwei"}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("said", [False, True])
def test_a_file_is_read_as_spreadsheets_write_it(separator: str, encoding: str, said: bool) -> None:
    text = EXPORT.replace(";", separator).replace(f"Bo{separator}", "Bo;")
    raw = (f"sep={separator}\r\n{text}" if said else text).encode(encoding)
    if encoding.startswith("utf-16"):
        raw = "\ufeff".encode(encoding) + raw
    found = read(raw, {"Telefon": "phone_number"})
    assert [line for line, _ in found] == ([3, 5] if said else [2, 4])
    (_, ann), (_, bo) = found
    assert isinstance(ann, Row)
    assert isinstance(bo, Row)
    assert (ann.phone_number, ann.variables) == ("+15551234567", ANN)
    assert (bo.phone_number, bo.name) == ("+15551234568", "Bo; Jr.")


@pytest.mark.parametrize(
    ("header", "delimiter"),
    [
        ("phone", ","),
        ("phone,name", ","),
        ("phone;name", ";"),
        ("name,x;phone", ";"),  # Only so there is a phone column.
        ("name;x,phone", ","),
        ('phone,"a;b;c"', ","),
        ('"phone";"na\nme"', ";"),
        ("phone\tname;first\temail", "\t"),
        ("sep=,\nphone,name;x;y", ","),
        ('"sep=|"\nphone|name', "|"),
        # As a spreadsheet saves it that took it for a row: what separates the cells may be another.
        ("sep=;;;\nphone;name;x", ";"),
        ("sep=,,\nphone,name;y,x", ","),
        ("sep=;,,\nphone,name,x", ","),
        ('"sep=,";;\nphone;name;x', ";"),
        ('"sep=;",,\nphone,name,x', ","),
        ("sep=;\t\t\nphone\tname\tx", "\t"),
        ("sep=|||\nphone|name|x", "|"),
        ("sep=\nphone;name", ";"),
        ("SEP=,,,\r\nphone,name,x", ","),
    ],
)
def test_what_separates_cells_is_seen_in_the_header(header: str, delimiter: str) -> None:
    with CsvFile(io.BytesIO(f"{header}\n".encode()), {}) as file:
        assert file.delimiter == delimiter


def test_numbers_without_a_country_are_of_the_one_that_is_said() -> None:
    raw = b"phone\n030 901820\n+1 555 123 4567\n5551234567\n"
    with CsvFile(io.BytesIO(raw), {}, "DE") as file:
        found = [file.phone(row) for row in chain.from_iterable(file.slices())]
    assert found == ["+4930901820", "+15551234567", "+495551234567"]
