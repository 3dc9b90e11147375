"""The meaning of each column of a CSV file: phone number, name, template variable. Pure."""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from command_api.imports.characters import trimmed, words_of

COLUMNS_MAX = 100
HEADER_CHARS_MAX = 100
MAPPINGS_CHARS_MAX = 64 * 1024

_DOTTED_I = "i\u0307"  # Python's lower case of the Turkish dotted capital I.
PHONE = "phone_number"
# Loose spelling → field. Source: contract 5.
FIELDS = {
    **dict.fromkeys(("phone", "phonenumber", "mobile", "cell"), PHONE),
    **dict.fromkeys(("name", "fullname", "contactname"), "name"),
    **dict.fromkeys(("email", "emailaddress"), "email"),
    **dict.fromkeys(("company", "organization"), "company"),
}


class UnusableFileError(Exception):
    """A file (or its column_mappings) that cannot be imported at all; nothing is recorded.

    Its text says what was expected, what was found, and on which line.
    """


class TooManyRowsError(UnusableFileError):
    """A file with more rows than one import may have."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The field of each column, in the order of the file."""

    fields: tuple[str | None, ...]  # None: left out.
    more_phones: tuple[int, ...] = ()  # Used where the phone column is empty.

    @property
    def variables(self) -> tuple[str, ...]:
        """Return the template variables that the file gives a contact, name included."""
        return tuple(field for field in self.fields if field not in (None, PHONE))


def parse_mappings(text: str) -> dict[str, str | None]:
    """Return `column_mappings`: CSV header → field name; null or "" leaves a column out.

    Raises:
        UnusableFileError: it is not a JSON object of texts.

    Source: contract 5.
    """
    if len(text) > MAPPINGS_CHARS_MAX:
        raise UnusableFileError(f"column_mappings is longer than {MAPPINGS_CHARS_MAX} characters")
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError) as exc:
        raise UnusableFileError("column_mappings is not valid JSON") from exc
    if not isinstance(found, dict):
        raise UnusableFileError("column_mappings is not a JSON object: header to field name")
    for header, field in found.items():
        if not isinstance(field, str | None):
            raise UnusableFileError("column_mappings maps a header to something other than text")
        for part in (header, field or ""):
            if len(part) > HEADER_CHARS_MAX or not _clean(part):
                raise UnusableFileError(
                    f"column_mappings has a name that is longer than {HEADER_CHARS_MAX}"
                    " characters, or not Unicode text"
                )
    if len(found) > COLUMNS_MAX:
        raise UnusableFileError(f"column_mappings has more than {COLUMNS_MAX} entries")
    return found


def _clean(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def find_columns(header: Sequence[str], mappings: Mapping[str, str | None]) -> Columns:
    """Return the field of each column.

    A mapping counts first (its header is matched loosely when not literally), then the documented
    headers, case, spaces and underscores aside; every other column is a template variable, named
    by its header in snake_case. Of several columns for one field the first one gets it, and the
    others are variables; two mappings to one field are an error.

    A further column with a documented header of a phone number is a variable, and supplies the
    number of rows in which the first is empty.

    Raises:
        UnusableFileError: there is no phone column, or two are mapped to one field, or the header
            has too many columns or one too long.

    Source: contract 5.
    """
    if len(header) > COLUMNS_MAX:
        raise UnusableFileError(f"The header has {len(header)} columns; at most {COLUMNS_MAX} can")
    if any(len(name) > HEADER_CHARS_MAX for name in header):
        raise UnusableFileError(f"A header is longer than {HEADER_CHARS_MAX} characters")
    loosely = {loose(name): field for name, field in mappings.items()}
    mapped: dict[int, str | None] = {}
    for index, name in enumerate(map(trimmed, header)):
        if name in mappings or (loose(name) and loose(name) in loosely):
            field = mappings[name] if name in mappings else loosely[loose(name)]
            field = (field and (FIELDS.get(loose(field)) or snake_case(field))) or None
            if field and field in mapped.values():
                raise UnusableFileError(f"Two columns are mapped to {field}")
            mapped[index] = field
    taken = {field for field in mapped.values() if field}
    fields: list[str | None] = []
    for index, name in enumerate(header):
        if index in mapped:
            fields.append(mapped[index])
            continue
        field = FIELDS.get(loose(name))
        if field is None or field in taken:
            field = _free(snake_case(name) or f"column_{index + 1}", taken)
        taken.add(field)
        fields.append(field)
    if PHONE not in fields:
        raise UnusableFileError(
            "No phone number column found: expected a header, with commas, semicolons or tabs,"
            " that has phone, phone_number, mobile or cell, or one that column_mappings maps to"
            " phone_number"
        )
    more = (
        index
        for index, name in enumerate(header)
        if index not in mapped and fields[index] != PHONE and FIELDS.get(loose(name)) == PHONE
    )
    return Columns(tuple(fields), tuple(more))


def _free(name: str, taken: set[str]) -> str:
    """Return a variable's name that no other column of the file has."""
    number, free = 1, name
    while free in taken or free == PHONE:
        number += 1
        free = f"{name}_{number}"
    return free


def loose(header: str) -> str:
    """Return a header without case, width, spaces, underscores and punctuation."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", header).casefold())
    return "".join(words_of(folded.replace(_DOTTED_I, "i")))


def snake_case(header: str) -> str:
    """Return a template variable's name: `Appointment Date`, `appointmentDate` → snake_case."""
    words = "_".join(words_of(header))
    humps = (
        f"_{char}" if char.isupper() and (before.islower() or before.isdecimal()) else char
        for before, char in zip(" " + words, words, strict=False)
    )
    return unicodedata.normalize("NFC", "".join(humps).lower().replace(_DOTTED_I, "i"))
