"""Worked examples: numbers, JSON contacts, chunks."""

import random
from typing import Any

import phonenumbers
import pytest
from fastapi.exceptions import RequestValidationError

from campaigns.facts import ContactsAdded, Row
from campaigns.record import RECORD_BYTES_MAX
from command_api.phone import REGION, Unusable, normalise_phone
from command_api.rows import (
    CHUNK_BYTES_MAX,
    chunks,
    contacts_added,
    fits,
    make_row,
    parse_contacts,
    row_bytes,
)
from command_api.settings import CommandApiSettings


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("5551234567", "+15551234567"),  # These four pairs are documented.
        ("1-555-123-4567", "+15551234567"),
        ("(555) 123-4567", "+15551234567"),
        ("+15551234567", "+15551234567"),
        ("  +1 555.123/4567 ", "+15551234567"),
        ("555\N{EN DASH}123\N{NO-BREAK SPACE}4567", "+15551234567"),
        ("0015551234567", "+15551234567"),
        ("00 49 170 1234567", "+491701234567"),
        ("+44 20 7946 0958", "+442079460958"),
        ("+49 (0)170 1234567", "+491701234567"),
    ],
)
def test_a_number_becomes_e164(given: str, expected: str) -> None:
    assert normalise_phone(given) == expected


@pytest.mark.parametrize(
    "given",
    [
        "",
        "  ",
        "abc",
        "1-800-FLOWERS",
        "+1 555 123 4567 ext. 5",
        "+1 555 123 4567 x5",
        "5551234567;ext=5",
        "tel:+15551234567",
        "1234567",  # No area code.
        "555",
        "+1555123456789",
        "5551234567" * 4,
        "5551234567" * 1000,
        "+",
        "++15551234567",
        "15+551234567",
        "+999123456789",
        "1555123456.0",  # Would else become another's number.
        "5.551234567E9",
        "\N{ARABIC-INDIC DIGIT FIVE}551234567",
        "5551234567\0",
        "\ud800",
    ],
)
def test_what_is_no_number_says_why(given: str) -> None:
    found = normalise_phone(given)
    assert isinstance(found, Unusable)
    assert "5551" not in found.reason, "a reason quotes no number: it is no personal data"


def test_the_short_way_says_what_phonenumbers_says() -> None:
    chance = random.Random(7)
    for _ in range(2000):
        text = chance.choice(["", "1", "+1", "+"]) + "".join(chance.choices("0123456789", k=10))
        found = normalise_phone(text)
        try:
            number = phonenumbers.parse(text, "US")
        except phonenumbers.NumberParseException:
            assert isinstance(found, Unusable)
            continue
        if text.startswith("00"):
            continue  # Ours alone: a leading 00 counts as +.
        possible = phonenumbers.is_possible_number_with_reason(number)
        e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        if possible == phonenumbers.ValidationResult.IS_POSSIBLE:
            assert found == e164
        else:
            assert isinstance(found, Unusable)


@pytest.mark.parametrize(
    ("given", "region", "expected"),
    [
        ("030 901820", "DE", "+4930901820"),
        ("0170 1234567", "DE", "+491701234567"),
        ("5551234567", "DE", "+495551234567"),  # Not an American one.
        ("(555) 123-4567", "CA", "+15551234567"),  # Written as in the US.
        ("+15551234567", "DE", "+15551234567"),
        ("00 44 20 7946 0958", "FR", "+442079460958"),
        ("079 123 45 67", "CH", "+41791234567"),
        ("020 7946 0958", "GB", "+442079460958"),
    ],
)
def test_a_number_without_a_country_is_of_the_installations(
    given: str, region: str, expected: str
) -> None:
    assert normalise_phone(given, region) == expected
    assert parse_contacts([{"phone_number": given}], region) == [Row(phone_number=expected)]


def test_a_number_that_is_longer_than_e164_allows_is_unusable() -> None:
    """Found by the property test: possible within Indonesia, with 16 digits in all."""
    assert normalise_phone("10000000000000", "ID") == Unusable(
        "the phone number is not usable: it is too long"
    )


def test_the_installations_country_is_one_that_there_is() -> None:
    assert CommandApiSettings().phone_country == REGION
    assert CommandApiSettings(phone_country=" de ").phone_country == "DE"
    for none in ("", "XX", "USA", "49"):
        with pytest.raises(ValueError, match="two letters"):
            CommandApiSettings(phone_country=none)


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
        size = len(fact.model_dump_json())
        assert size <= CHUNK_BYTES_MAX + 200 < RECORD_BYTES_MAX
        assert fits([fact])
        assert ContactsAdded.model_validate_json(fact.model_dump_json()) == fact
    assert list(chunks([])) == []


def test_the_largest_contact_is_a_chunk_of_its_own_at_worst() -> None:
    variables = {f"{n:03d}": '"' * 150 for n in range(50)}  # Each quotation mark takes two bytes.
    row = make_row("+15551234567", {"name": "\N{GRINNING FACE}" * 200}, variables)
    assert isinstance(row, Row)
    assert row_bytes(row) < CHUNK_BYTES_MAX
    assert sum(len(chunk) for chunk in chunks([row] * 9)) == 9


def test_four_full_chunks_do_not_fit_into_one_record() -> None:
    four = list(chunks(rows_of(3000)))[:4]
    assert not fits([contacts_added("0" * 32, 1, chunk) for chunk in four])
