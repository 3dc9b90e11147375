"""Phone numbers as E.164, or why they are unusable. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import phonenumbers
from phonenumbers import CountryCodeSource, PhoneNumber, ValidationResult

from command_api.imports.characters import digits_of, narrow, trimmed

REGION = "US"  # The country of numbers without one. Source: contract 5.
DIGITS_MAX = 15  # Source: E.164, 6.1.
PHONE_CHARS_MAX = 40  # DIGITS_MAX, with generous punctuation.
TAIL_DIGITS_MIN = 4  # After a slash: fewer digits are the end of a second number.
_AMERICAN = 1  # The country code of the whole NANP.
_ABROAD = "00"  # What most countries dial in place of +.


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why a number or a contact cannot be used. Never quotes it: a reason has no personal data."""

    reason: str


_NANP = re.compile(r"(\+?1)?([2-9][0-9]{9})", re.ASCII)
_GUARDS = "'’‘ʼ`´＇\"“”="  # Written around a number so that a spreadsheet keeps it as text.
_PUNCTUATION = re.compile(
    r"[\s()\[\]{}./\-‐-―−⁃·]+"
)  # Brackets, dots, dashes of all kinds, spaces.
_LINES = re.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_DIALABLE = re.compile(r"\+?[0-9]+", re.ASCII)
_DECIMAL = re.compile(r"[0-9]+\.0+", re.ASCII)  # A spreadsheet stored the number as a quantity.
_REASONS = {
    ValidationResult.INVALID_COUNTRY_CODE: "there is no such country code",
    ValidationResult.TOO_SHORT: "it is too short",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "it is too short: no area code",
    ValidationResult.TOO_LONG: "it is too long",
}
_NO_NUMBER = Unusable("the phone number cannot be written as E.164")
_TWO_NUMBERS = Unusable("there is more than one phone number")
_TWO_READINGS = Unusable("the phone number can be read in two ways: write it with +")


def normalise_phone(text: str, region: str = REGION) -> str | Unusable:
    """Return a number as E.164, or why it is unusable.

    Only the shape counts: a possible number is accepted, whether or not it is assigned (the
    documented samples are 555 numbers, which fail any validity check). The international prefix of
    the region, or a leading 00, counts as +; an extension or letters make a number unusable.
    `region`: the country of numbers without one, such as US.

    Source: contract 5.
    """
    text = trimmed(text).strip(_GUARDS).strip()
    if not text:
        return Unusable("there is no phone number")
    if len(text) > PHONE_CHARS_MAX:
        return Unusable("the phone number is too long")
    if not text.isascii():
        text = digits_of("".join(map(narrow, text)))
    if _DECIMAL.fullmatch(text):
        return Unusable("the phone number is a decimal number")
    if _LINES.search(text):
        return _TWO_NUMBERS
    dialable = _PUNCTUATION.sub("", text)
    if not _DIALABLE.fullmatch(dialable):
        return Unusable("the phone number has characters other than digits and punctuation")
    if "/" in text and _two_numbers(text, region):
        return _TWO_NUMBERS
    found = _NANP.fullmatch(dialable)
    if found and (found[1] == "+1" or american(region)):
        return f"+1{found[2]}"  # What phonenumbers would return, in a tenth of the time.
    return _e164(dialable, region)


def _two_numbers(text: str, region: str) -> bool:
    """Say whether the text after a slash is a second number, rather than the end of one.

    `030/901820` is one number; `030 12345/46` and `06 1234 5678/9012` are two.
    """
    before, _, behind = text.rpartition("/")
    if len(_PUNCTUATION.sub("", behind)) < TAIL_DIGITS_MIN:
        return True
    try:
        alone = phonenumbers.parse(_PUNCTUATION.sub("", before), region)
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.is_valid_number(alone)


def _e164(dialable: str, region: str) -> str | Unusable:
    """Return a number of digits, perhaps with +, as E.164: the first reading that is valid.

    If none is valid, the first that is possible. It is unusable if the possible readings differ, or
    if it begins with 00 in a region where that is one of several international prefixes, and leads
    to two countries.
    """
    readings = list(_readings(dialable, region))
    if not readings:
        return _NO_NUMBER
    number = readings[0]
    if len(readings) > 1:
        possible = list(filter(phonenumbers.is_possible_number, readings))
        valid = list(filter(phonenumbers.is_valid_number, possible))
        doubtful = [] if valid else possible
        if dialable.startswith(_ABROAD):
            doubtful = valid if _international_prefix(region).fullmatch(_ABROAD) else []
        if len(set(map(_written, doubtful))) > 1:
            return _TWO_READINGS
        number = (valid or possible or readings)[0]
    why = phonenumbers.is_possible_number_with_reason(number)
    if why != ValidationResult.IS_POSSIBLE:
        because = _REASONS.get(why, "it does not have the length that its country requires")
        return Unusable(f"the phone number is not usable: {because}")
    written = _written(number)
    if _prefix_within(number.country_code).match(written, 1 + len(str(number.country_code))):
        again = _parsed(written, region)  # Its prefix for calls within would be dropped.
        if again is None or _written(again) != written:
            return _TWO_READINGS
    if len(written) > 1 + DIGITS_MAX:  # Some countries have longer ones, for calls within.
        return Unusable("the phone number is not usable: it is too long")
    return written


def _readings(dialable: str, region: str) -> Iterator[PhoneNumber]:
    """Yield the readings of a number, likeliest first.

    With +, or after the region's own international prefix, there is one. A leading 00 stands for +
    everywhere, though the region's own prefix comes first. Digits that begin with the region's
    country code are first read with it, since people leave out the +.
    """
    here = _parsed(dialable, region)
    abroad = here is not None and here.country_code_source in (
        CountryCodeSource.FROM_NUMBER_WITH_IDD,
        CountryCodeSource.FROM_NUMBER_WITH_PLUS_SIGN,
    )
    if dialable.startswith(_ABROAD):
        there = _parsed(f"+{dialable[len(_ABROAD) :]}", region)
        readings = [here, there] if abroad else [there]
    elif not abroad and not american(region) and dialable.startswith(_country_code(region)):
        readings = [_parsed(f"+{dialable}", region), here]
    else:
        readings = [here]
    yield from (one for one in readings if one is not None)


def _parsed(dialable: str, region: str) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(dialable, region, keep_raw_input=True)
    except phonenumbers.NumberParseException:
        return None


def _written(number: PhoneNumber) -> str:
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@cache
def _international_prefix(region: str) -> re.Pattern[str]:
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
    return re.compile((metadata and metadata.international_prefix) or _ABROAD)


@cache
def _prefix_within(country_code: int) -> re.Pattern[str]:
    """Return what a reader of E.164 takes for the country's prefix of calls within."""
    region = phonenumbers.region_code_for_country_code(country_code)
    metadata = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(country_code, region)
    return re.compile((metadata and metadata.national_prefix_for_parsing) or r"(?!)")


@cache
def _country_code(region: str) -> str:
    return str(phonenumbers.country_code_for_region(region))


def american(region: str) -> bool:
    """Say whether numbers of a region are written as in North America."""
    return _country_code(region) == str(_AMERICAN)
