"""Worked examples: JSON contacts, chunks."""

from typing import Any

import orjson
import pytest
from fastapi.exceptions import RequestValidationError

from campaigns.domain.facts import ContactsAdded, ContactsEncrypted
from campaigns.domain.values.rows import Row
from campaigns.personal.key_tree import KeyTree
from campaigns.personal.row_cipher import encrypted, written_bytes
from campaigns.records.record import RECORD_BYTES_MAX
from command_api.imports.rows import (
    CHUNK_BYTES_MAX,
    chunks,
    contacts_added,
    fits,
    make_row,
)
from tests.steps import parse_contacts


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("\ufeffBob", "Bob"), ("\u200b", None), ("\u2068Bob\u2069", "Bob"), (" \u200f ", None),
        ("\u00adBob \u200b", "Bob"), ("\u3164", None), ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d👩", "👩\u200d👩"), ("Bob ❤\ufe0f", "Bob ❤\ufe0f"), ("'t Hooft", "'t Hooft"),
        ("🏴\U000e0067\U000e0062\U000e007f", "🏴\U000e0067\U000e0062\U000e007f"),
    ],
)  # fmt: skip
def test_what_nobody_sees_around_a_name_is_no_part_of_it(given: str, name: str | None) -> None:
    (row,) = parse_contacts([{"phone_number": "5551234567", "name": given}])
    assert row.name == name
    assert row.variables == ({"name": name} if name else {})


def test_both_spellings_nulls_and_read_only_keys_are_taken() -> None:
    sdk = {
        "id": None,
        "campaign_id": None,
        "phone_number": "(555) 123-4567",
        "name": "Ann",
        "email": None,
        "variables": {"city": "Bern", "age": 41, "vip": True, "gone": None, "tags": ["a", 1]},
        "status": "pending",
        "call_sid": None,
        "attempts": 0,
    }
    js = {"phoneNumber": "+15551234568", "email": "bo@example.com", "company": "Acme"}
    assert parse_contacts([sdk, js]) == [
        Row(
            phone_number="+15551234567",
            name="Ann",
            variables={
                "name": "Ann",
                "city": "Bern",
                "age": "41",
                "vip": "true",
                "tags": '["a",1]',
            },
        ),
        Row(
            phone_number="+15551234568",
            email="bo@example.com",
            variables={"email": "bo@example.com", "company": "Acme"},
        ),
    ]


def test_a_variable_of_the_contact_wins_over_its_name() -> None:
    (row,) = parse_contacts(
        [{"phone_number": "5551234567", "name": "Ann", "variables": {"name": "Dr. Ann"}}]
    )
    assert (row.name, row.variables) == ("Ann", {"name": "Dr. Ann"})


def test_a_number_twice_is_one_contact_and_the_first() -> None:
    rows = parse_contacts(
        [
            {"phone_number": "5551234567", "name": "Ann"},
            {"phone_number": "+1 555 123 4567", "name": "Bo"},
        ]
    )
    assert [row.name for row in rows] == ["Ann"]


def test_no_contact_is_no_error() -> None:
    assert parse_contacts([]) == []


@pytest.mark.parametrize(
    ("contact", "loc", "kind"),
    [
        ({}, ("phone_number",), "missing"),
        ({"phone_number": None}, ("phone_number",), "missing"),
        ({"phone_number": 5551234567}, ("phone_number",), "string_type"),
        ({"phone_number": "call me"}, ("phone_number",), "value_error"),
        ({"phone_number": "5551234567", "name": 5}, ("name",), "string_type"),
        ({"phone_number": "5551234567", "variables": [1]}, ("variables",), "dict_type"),
        ({"phone_number": "5551234567", "name": "x" * 501}, (), "value_error"),
        ({"phone_number": "5551234567", "name": "\ud800"}, (), "value_error"),
        ({"phone_number": "5551234567", "name": "a\0b"}, (), "value_error"),
        (
            {"phone_number": "5551234567", "variables": {"a": ["\ud800"]}},
            ("variables",),
            "value_error",
        ),
        ({"phone_number": "5551234567", "variables": {"a": 2**70}}, ("variables",), "value_error"),
        (
            {"phone_number": "5551234567", "variables": {str(n): n for n in range(101)}},
            (),
            "value_error",
        ),
        (
            {"phone_number": "5551234567", "variables": {str(n): "x" * 999 for n in range(99)}},
            (),
            "value_error",
        ),
        *(
            (
                {"phone_number": "5551234567", "variables": {"x": value}},
                ("variables",),
                "value_error",
            )
            for value in (float("nan"), float("inf"), [float("-inf")], {"deep": [float("nan")]})
        ),
        ("5551234567", (), "dict_type"),
        (None, (), "dict_type"),
    ],
)
def test_one_unusable_contact_refuses_all(contact: Any, loc: tuple[str, ...], kind: str) -> None:
    with pytest.raises(RequestValidationError) as refused:
        parse_contacts([{"phone_number": "5551234567"}, contact])
    (error,) = refused.value.errors()
    assert (error["loc"], error["type"]) == (("body", "contacts", 1, *loc), kind)


def test_errors_are_bounded() -> None:
    with pytest.raises(RequestValidationError) as refused:
        parse_contacts([{}] * 10_000)
    assert len(refused.value.errors()) == 100


def rows_of(count: int, *, name: str = "Ann") -> list[Row]:
    made = [make_row(f"+1555{n:07d}", {"name": name}, {"city": "Bern"}) for n in range(count)]
    return [row for row in made if isinstance(row, Row)]


def test_chunks_keep_the_order_and_fit_into_records() -> None:
    rows = rows_of(3000)
    cut = list(chunks(rows))
    assert [row for chunk in cut for row in chunk] == rows
    assert len(cut) > 1
    for chunk in cut:
        fact = contacts_added("0" * 32, 1, chunk)
        size = len(fact.as_json())
        assert size <= CHUNK_BYTES_MAX + 200 < RECORD_BYTES_MAX
        assert fits([fact])
        assert ContactsAdded.validated(orjson.loads(fact.as_json())) == fact
    assert list(chunks([])) == []


def test_the_largest_contact_is_a_chunk_of_its_own_at_worst() -> None:
    variables = {f"{n:03d}": '"' * 150 for n in range(50)}  # Each quotation mark takes two bytes.
    row = make_row("+15551234567", {"name": "\N{GRINNING FACE}" * 200}, variables)
    assert isinstance(row, Row)
    assert written_bytes(row) < CHUNK_BYTES_MAX
    assert sum(len(chunk) for chunk in chunks([row] * 9)) == 9


def test_four_full_chunks_do_not_fit_into_one_record() -> None:
    four = list(chunks(rows_of(3000)))[:4]
    tree = KeyTree.new()
    sealed = [encrypted(tree, "0" * 22, 1, chunk) for chunk in four]
    assert not fits(
        [
            ContactsEncrypted(import_id="0" * 32, first_row=1, key_id="0" * 22, rows=rows)
            for rows in sealed
        ]
    )
