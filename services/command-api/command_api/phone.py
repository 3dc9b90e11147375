"""Phone numbers as E.164, or why they are none. Pure."""

import re
from dataclasses import dataclass

import phonenumbers

REGION = "US"  # Numbers without a country are of here. Source: public contract, section 5.
DIGITS_MAX = 15  # Source: E.164, 6.1.
PHONE_CHARS_MAX = 40  # So many digits, with generous punctuation.
_AMERICAN = 1  # The country code of all of NANP.


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why a number or a contact cannot be used. Never quotes it: reasons are no personal data."""

    reason: str


_NANP = re.compile(r"(\+?1)?([2-9][0-9]{9})", re.ASCII)
_PUNCTUATION = re.compile(r"[\s()./\-‐-―−⁃·]+")  # Brackets, dots, dashes of all kinds, spaces.
_DIALABLE = re.compile(r"\+?[0-9]+", re.ASCII)
_DECIMAL = re.compile(r"[0-9]+\.0+", re.ASCII)  # A spreadsheet took the number for a quantity.
_REASONS = {
    phonenumbers.ValidationResult.INVALID_COUNTRY_CODE: "there is no such country code",
    phonenumbers.ValidationResult.TOO_SHORT: "it is too short",
    phonenumbers.ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "it is too short: no area code",
    phonenumbers.ValidationResult.TOO_LONG: "it is too long",
}


def normalise_phone(text: str, region: str = REGION) -> str | Unusable:
    """Return a number as E.164, or why it is none.

    Shape only: a number that is possible is taken, whether or not anybody has it (the documented
    samples are 555 numbers, which no validity check lets pass). A leading 00 counts as +; an
    extension or letters make a number unusable. `region`: of numbers without a country, such as US.

    Source: public contract, section 5.
    """
    text = text.strip()
    if not text:
        return Unusable("there is no phone number")
    if len(text) > PHONE_CHARS_MAX:
        return Unusable("the phone number is too long")
    if _DECIMAL.fullmatch(text):
        return Unusable("the phone number is a decimal number")
    dialable = _PUNCTUATION.sub("", text)
    if not _DIALABLE.fullmatch(dialable):
        return Unusable("the phone number has other than digits and punctuation in it")
    if dialable.startswith("00"):
        dialable = f"+{dialable[2:]}"
    found = _NANP.fullmatch(dialable)
    if found and (found[1] == "+1" or american(region)):
        return f"+1{found[2]}"  # As phonenumbers would say it, in a tenth of the time.
    try:
        number = phonenumbers.parse(dialable, region)
    except phonenumbers.NumberParseException:
        return Unusable("the phone number is not one that can be written as E.164")
    possible = phonenumbers.is_possible_number_with_reason(number)
    if possible != phonenumbers.ValidationResult.IS_POSSIBLE:
        why = _REASONS.get(possible, "it does not have the length that its country asks for")
        return Unusable(f"the phone number is not usable: {why}")
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if len(written) > 1 + DIGITS_MAX:  # Some countries have longer ones: nobody abroad can dial it.
        return Unusable("the phone number is not usable: it is too long")
    return written


def american(region: str) -> bool:
    """Say whether numbers of a region are written as in North America."""
    code: int = phonenumbers.country_code_for_region(region)
    return code == _AMERICAN
