"""Numbers become E.164 or say why not, whatever is typed; and are E.164 for good."""

import re

import phonenumbers
from hypothesis import assume, example, given
from hypothesis import strategies as st

from command_api.imports.phone import PHONE_CHARS_MAX, Unusable, normalise_phone

REGIONS = st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS))
E164 = re.compile(r"\+[1-9][0-9]{3,14}")
digits = st.text("0123456789", min_size=1, max_size=18)
typed = st.text("0123456789+-() ./\N{EN DASH}\N{NO-BREAK SPACE}x;", max_size=24) | st.text(
    max_size=24
)
BETWEEN = st.lists(
    st.sampled_from(["", "", " ", "-", ".", "] ", ") ", " (", "\N{EN DASH}", "\u200b", "\u202c"]),
    min_size=20,
)


@given(typed | digits, REGIONS)
@example("+800 1234 5678", "US")
@example("0" * 40, "DE")
@example("10000000000000", "ID")
def test_a_number_is_e164_or_says_why_it_is_none(text: str, region: str) -> None:
    found = normalise_phone(text, region)
    if isinstance(found, Unusable):
        assert found.reason
        longest = max(re.findall(r"[0-9]+", text), key=len, default="")
        assert len(longest) < 5 or longest not in found.reason, "reasons are no personal data"
        return
    assert E164.fullmatch(found)


@given(digits, REGIONS, REGIONS)
@example("010000", "AU", "US")
@example("61010000", "AU", "AU")
def test_what_is_e164_stays_so_in_every_country(text: str, region: str, other: str) -> None:
    found = normalise_phone(text, region)
    if isinstance(found, str):
        assert normalise_phone(found, other) == found


@given(digits, BETWEEN, REGIONS)
def test_punctuation_changes_nothing(text: str, between: list[str], region: str) -> None:
    dressed = "".join(mark + digit for digit, mark in zip(text, between, strict=False))
    assume(len(dressed) <= PHONE_CHARS_MAX and not re.fullmatch(r"[0-9]+\.0+", dressed))
    assert normalise_phone(f" {dressed} ", region) == normalise_phone(text, region)


@given(REGIONS, st.sampled_from(["", "(0)", "0"]))
def test_a_countrys_own_code_is_never_read_twice(region: str, trunk: str) -> None:
    """For every country's own example, written with its code but without +."""
    code = str(phonenumbers.country_code_for_region(region))
    one = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    prefix = phonenumbers.ndd_prefix_for_region(region, True)
    assume(one and code != "1" and (not trunk or prefix == "0"))
    assert one is not None
    e164 = phonenumbers.format_number(one, phonenumbers.PhoneNumberFormat.E164)
    found = normalise_phone(f"{code}{trunk}{e164[1 + len(code) :]}", region)
    if trunk:
        assert isinstance(found, Unusable) or not found.startswith(f"+{code}{code}")
    else:
        assert found == e164


@given(REGIONS, REGIONS)
def test_every_regions_own_way_abroad_leads_there(region: str, other: str) -> None:
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
    assert metadata is not None
    way = metadata.preferred_international_prefix or metadata.international_prefix or ""
    assume(re.fullmatch(r"0[0-9]+", way))
    one = phonenumbers.example_number_for_type(other, phonenumbers.PhoneNumberType.MOBILE)
    assume(one and other != region)
    assert one is not None
    e164 = phonenumbers.format_number(one, phonenumbers.PhoneNumberFormat.E164)
    found = normalise_phone(f"{way} {e164[1:]}", region)
    # From Hong Kong 009 1 … is America through a carrier, and 00 91 … India.
    assert found == e164 or (region == "HK" and isinstance(found, Unusable))


@given(st.integers(2_000_000_000, 9_999_999_999))
def test_ten_digits_in_america_are_documented(number: int) -> None:
    expected = f"+1{number}"
    area, office, line = str(number)[:3], str(number)[3:6], str(number)[6:]
    for text in (
        f"{number}", f"1{number}", f"+1{number}", f"001{number}", f"({area}) {office}-{line}",
        f"1-{area}-{office}-{line}",
    ):  # fmt: skip
        assert normalise_phone(text, "US") == expected
