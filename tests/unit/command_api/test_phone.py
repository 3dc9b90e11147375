"""Numbers as people, spreadsheets and other systems write them, by example."""

import random

import phonenumbers
import pytest

from campaigns.domain.values.rows import Row
from command_api.imports.phone import REGION, Unusable, normalise_phone
from command_api.settings import CommandApiSettings
from tests.steps import parse_contacts


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


OWN_CODE = [  # The country's code without +, as people write it.
    ("4917012345678", "DE", "+4917012345678"),
    ("491601234567", "DE", "+491601234567"),
    ("49(0)30123456", "DE", "+4930123456"),
    ("43(0)664123456", "AT", "+43664123456"),
    ("62812345678", "ID", "+62812345678"),
    ("468123456", "SE", "+468123456"),
    ("38343201234", "XK", "+38343201234"),
    ("44 (0)20 7946 0958", "GB", "+442079460958"),
    ("33 6 12 34 56 78", "FR", "+33612345678"),
    ("390612345678", "IT", "+390612345678"),
    ("393331234567", "IT", "+393331234567"),
    ("5511987654321", "BR", "+5511987654321"),
    ("919876543210", "IN", "+919876543210"),
    ("79161234567", "RU", "+79161234567"),
    ("358401234567", "FI", "+358401234567"),
    # Unassigned with the code, assigned without: national numbers that begin so.
    ("3931234567", "IT", "+393931234567"),
    ("9198765432", "IN", "+919198765432"),
    ("47212345", "NO", "+4747212345"),
    ("0491 12345", "DE", "+4949112345"),
]
ABROAD = [  # The region's own way abroad, and 00 everywhere.
    ("0011 65 6123 4567", "AU", "+6561234567"),
    ("001 47 2123 4567", "HK", "+4721234567"),
    ("009 1 305 555 0100", "CO", "+13055550100"),
    ("009 1 305 555 0100", "NG", "+13055550100"),
    ("00 1 305 555 0100", "HK", "+13055550100"),
    ("00 65 6123 4567", "HK", "+6561234567"),
    ("00 92 300 1234567", "NG", "+923001234567"),
    ("00 57 300 123 4567", "CO", "+573001234567"),
    ("009 47 2123 4567", "NG", "+4721234567"),
    ("007 47 2123 4567", "CO", "+4721234567"),
    ("0061 412 345 678", "AU", "+61412345678"),
    ("000 44 20 7946 0958", "KE", "+442079460958"),
    ("010 1 305 555 0100", "JP", "+13055550100"),
    ("00 81 90 1234 5678", "JP", "+819012345678"),
    ("8 10 44 20 7946 0958", "RU", "+442079460958"),
    ("0021 1 305 555 0100", "BR", "+13055550100"),
    ("00 55 11 98765 4321", "BR", "+5511987654321"),
    ("011 44 20 7946 0958", "US", "+442079460958"),
    ("00 44 20 7946 0958", "US", "+442079460958"),
    ("119 34 612 345 678", "CU", "+34612345678"),
]


@pytest.mark.parametrize(("given", "region", "expected"), OWN_CODE + ABROAD)
def test_a_number_with_a_country_is_read_with_it_wherever_one_is(
    given: str, region: str, expected: str
) -> None:
    assert normalise_phone(given, region) == expected


@pytest.mark.parametrize(
    ("given", "region"), [("86138123456", "CN"), ("35212345", "LU"), ("00918123456789", "HK")]
)
def test_a_number_that_may_mean_two_is_none(given: str, region: str) -> None:
    found = normalise_phone(given, region)
    assert isinstance(found, Unusable)
    assert "write it with +" in found.reason


@pytest.mark.parametrize(
    "given",
    [
        "\u202a+15550001000\u202c", "+15550001000\u200e", "+1\u200b5550001000",
        "\u2068+15550001000\u2069", "\ufeff+15550001000", "'+15550001000", "’+15550001000",
        "[+1] 555 000 1000", "（555）000-1000", "+1－555－0001000", "＋１５５５０００１０００",
        # And others like them.
        "+1 555\u00ad000\u20601000", "\u061c+1 (555) 000-1000\u200f", "\u3164+15550001000",
        '="+15550001000"', "=+15550001000", '"+15550001000"', "‘+15550001000’", "`5550001000",
        "'\u200e5550001000", "{555} 000 1000", "【555】000‐1000", "555・000・1000",
        "٥٥٥٠٠٠١٠٠٠", "+۱۵۵۵۰۰۰۱۰۰۰", "५५५ ००० १०००", "\ufeff\t+1 555 000 1000\u00a0",
        "555．000．1000", "555／000 1000", "\u2800 5550001000",
    ],
)  # fmt: skip
def test_what_nobody_sees_and_what_spreadsheets_add_is_no_part_of_a_number(given: str) -> None:
    assert normalise_phone(given) == "+15550001000"


@pytest.mark.parametrize(
    "given",
    ["\u200b", "'", '=""', "\ufeff \u2060", "5550001000²", "555000100①", "٥٥٥0001000",
     "５５５０００１００．０", "5550001000\u0301", "1'555'000'1000", "=5550001000+1"],
)  # fmt: skip
def test_what_only_looks_like_a_number_is_none(given: str) -> None:
    assert isinstance(normalise_phone(given), Unusable)


@pytest.mark.parametrize(
    ("given", "region"),
    [
        ("030 12345/46", "DE"),
        ("06 1234 5678/9", "IT"),
        ("030 123456/7/8", "DE"),
        ("030 901820/030 901821", "DE"),
        ("06 1234 5678 / 9012", "IT"),
        ("030 901820\n030 901821", "DE"),
        ("01 234 56 78\r\n79", "AT"),
        ("030 12345／46", "DE"),
        ("030 901820, 46", "DE"),
        ("030 901820; 030 901821", "DE"),
        ("+4930901820 +4930901821", "DE"),
        ("555 000 1000/1", "US"),
    ],
)
def test_two_numbers_in_a_cell_are_none(given: str, region: str) -> None:
    assert isinstance(normalise_phone(given, region), Unusable)


@pytest.mark.parametrize(
    ("given", "region", "expected"),
    [
        ("030/901820", "DE", "+4930901820"),
        ("0170/1234567", "DE", "+491701234567"),
        ("02306/1234", "DE", "+4923061234"),
        ("0470/12.34.56", "BE", "+32470123456"),
        ("+1 555/123/4567", "US", "+15551234567"),
        ("030 901820-46", "DE", "+493090182046"),  # A line of a company's own exchange.
    ],
)
def test_one_number_with_a_slash_in_it_is_one(given: str, region: str, expected: str) -> None:
    assert normalise_phone(given, region) == expected


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
