"""Contacts as they were given: JSON, rows of files, and chunks of them. Pure: no clock, no log.

Only `contacts_added` makes a ContactsAdded; create and import share it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson
from fastapi.exceptions import RequestValidationError

from campaigns.domain.facts import AnyFact, ContactsAdded
from campaigns.domain.values.rows import Row
from campaigns.personal.row_cipher import written_bytes
from campaigns.records.record import RECORD_BYTES_MAX
from command_api.imports.characters import trimmed
from command_api.imports.depth import JSON_DEPTH_MAX, deeper
from command_api.imports.phone import REGION, Unusable, normalise_phone
from command_api.slices import Steps

NAME_CHARS_MAX = 500
EMAIL_CHARS_MAX = 320  # Source: RFC 5321, 4.5.3.1: 64 + @ + 255.
VARIABLES_MAX = 100  # A contact.
VARIABLE_NAME_CHARS_MAX = 100
VARIABLE_CHARS_MAX = 10_000
ROW_BYTES_MAX = 32 * 1024  # One contact as JSON.
CHUNK_BYTES_MAX = 64 * 1024  # Small, so that folding one delays a pause by milliseconds.
ROOM_BYTES = 8 * 1024  # Of a record, for its envelope, ids and condition.
ERRORS_MAX = 100  # Reported for one list. Source: contract 9.2.

assert ROW_BYTES_MAX <= CHUNK_BYTES_MAX < RECORD_BYTES_MAX - ROOM_BYTES


def parse_contacts(
    contacts: Iterable[Any],  # Any: JSON, not validated yet.
    region: str = REGION,
) -> Steps[list[Row]]:
    """Return the contacts of a request, the first one of each number.

    Takes both SDKs' spellings (`phone_number` and `phoneNumber`); null and unknown keys are
    ignored. Costs some 20 µs a contact; each is one step.

    Raises:
        RequestValidationError: one contact is unusable, and so the whole request; `loc` is
            ["body", "contacts", index, …]. At most the first 100 are listed.

    Source: contract 8.1, 8.2 and 9.22.
    """
    rows: dict[str, Row] = {}
    errors: list[dict[str, Any]] = []
    for index, contact in enumerate(contacts):
        yield
        row = _contact(contact, region)
        if isinstance(row, Row):
            rows.setdefault(row.phone_number, row)
            continue
        for kind, where, message in row:
            loc = ("body", "contacts", index, *where)
            errors.append({"type": kind, "loc": loc, "msg": message})
        if len(errors) >= ERRORS_MAX:
            break
    if errors:
        raise RequestValidationError(errors[:ERRORS_MAX])
    return list(rows.values())


def variables_of(rows: Iterable[Row]) -> Steps[tuple[str, ...]]:
    """Return the template variables of a list, in the order of their first use, the first 100."""
    found = dict[str, None]()
    for row in rows:
        found |= dict.fromkeys(row.variables)
        if len(found) >= VARIABLES_MAX:
            break
        yield
    return tuple(found)[:VARIABLES_MAX]


_TOO_MANY_VARIABLES = f"there are more than {VARIABLES_MAX} variables"
_Error = tuple[str, tuple[str, ...], str]  # Type, where in the contact, message.
_TEXTS = ("name", "email", "company")


def _contact(contact: Any, region: str) -> Row | list[_Error]:
    if not isinstance(contact, dict):
        return [("dict_type", (), "Input should be a valid dictionary")]
    errors: list[_Error] = []
    phone = contact.get("phone_number")
    if phone is None:
        phone = contact.get("phoneNumber")
    number: str | Unusable = ""
    if phone is None:
        errors.append(("missing", ("phone_number",), "Field required"))
    elif not isinstance(phone, str):
        errors.append(("string_type", ("phone_number",), "Input should be a valid string"))
    elif isinstance(number := normalise_phone(phone, region), Unusable):
        message = f"Value error, {number.reason}; expected E.164, such as +15551234567"
        errors.append(("value_error", ("phone_number",), message))
    errors.extend(
        ("string_type", (name,), "Input should be a valid string")
        for name in _TEXTS
        if not isinstance(contact.get(name), str | None)
    )
    variables = contact.get("variables")
    if not isinstance(variables, dict | None):
        errors.append(("dict_type", ("variables",), "Input should be a valid dictionary"))
    if errors:
        return errors
    assert isinstance(number, str), "no error, so there is a number"
    texts = {name: contact.get(name) for name in _TEXTS}
    said = {key: value for key, value in (variables or {}).items() if value is not None}
    if len(said) > VARIABLES_MAX:  # Before each of them is written as text.
        return [("value_error", (), f"Value error, {_TOO_MANY_VARIABLES}")]
    try:
        given = {key: _spelt(value) for key, value in said.items()}
    except ValueError as exc:
        return [("value_error", ("variables",), f"Value error, {exc}")]
    row = make_row(number, texts, given)
    return row if isinstance(row, Row) else [("value_error", (), f"Value error, {row.reason}")]


def _spelt(value: Any) -> str:
    """Return the value of a template variable as text: JSON, unless it is a text.

    Raises:
        ValueError: a text in it is not Unicode, a number is too large or not finite, or it is
            nested more than JSON_DEPTH_MAX deep.

    """
    if isinstance(value, str):
        return value
    if deeper(value, JSON_DEPTH_MAX):
        raise ValueError(f"it is nested more than {JSON_DEPTH_MAX} deep")
    try:
        text = orjson.dumps(value).decode()
    except orjson.JSONEncodeError as exc:
        raise ValueError(str(exc)) from exc
    if isinstance(value, float | list | dict):
        json.dumps(value, allow_nan=False)  # Where orjson writes null for NaN.
    return text


def make_row(
    phone_number: str, texts: Mapping[str, str | None], variables: Mapping[str, str]
) -> Row | Unusable:
    """Return one contact, or which limit it exceeds.

    `texts` are name, email and company; those that are not blank become variables too, unless
    `variables` has its own. Source: contract 8.4, contact.
    """
    known = {name: short for name, text in texts.items() if text and (short := trimmed(text))}
    every = {**known, **variables}
    if len(every) > VARIABLES_MAX:
        return Unusable(_TOO_MANY_VARIABLES)
    if len(known.get("name", "")) > NAME_CHARS_MAX:
        return Unusable(f"the name is longer than {NAME_CHARS_MAX} characters")
    if len(known.get("email", "")) > EMAIL_CHARS_MAX:
        return Unusable(f"the email is longer than {EMAIL_CHARS_MAX} characters")
    size = len(phone_number)
    for name, value in every.items():
        if len(name) > VARIABLE_NAME_CHARS_MAX or len(value) > VARIABLE_CHARS_MAX:
            return Unusable(
                f"a variable's name is longer than {VARIABLE_NAME_CHARS_MAX} characters,"
                f" or its value longer than {VARIABLE_CHARS_MAX}"
            )
        if "\0" in name or "\0" in value:  # Databases refuse it.
            return Unusable("a text contains a NUL character")
        try:
            size += len(orjson.dumps((name, value)))
        except orjson.JSONEncodeError:
            return Unusable("a text is not Unicode: it contains a lone surrogate")
    if 2 * size > ROW_BYTES_MAX:  # Twice: name and email stand in it twice.
        return Unusable(f"the contact is larger than {ROW_BYTES_MAX // 2048} KiB")
    return Row(
        phone_number=phone_number,
        name=known.get("name"),
        email=known.get("email"),
        variables=every,
    )


def chunks(rows: Iterable[Row], bytes_max: int = CHUNK_BYTES_MAX) -> Iterator[tuple[Row, ...]]:
    """Cut a list into chunks, in order, each at most `bytes_max` as JSON; none for an empty list.

    A chunk has room in a record with its envelope and `RECORD_BYTES_MAX - bytes_max - ROOM_BYTES`
    of other facts (see `fits`). Lazy: holds one chunk at a time.
    """
    chunk: list[Row] = []
    size = 0
    for row in rows:
        weight = written_bytes(row)
        if chunk and size + weight > bytes_max:
            yield tuple(chunk)
            chunk, size = [], 0
        chunk.append(row)
        size += weight
    if chunk:
        yield tuple(chunk)


def few_chunks(rows: Iterable[Row]) -> Steps[tuple[tuple[Row, ...], ...] | None]:
    """Return a list's chunks; None when one record surely cannot hold them.

    Two neighbours together weigh more than CHUNK_BYTES_MAX, or they would be one.
    """
    found = list[tuple[Row, ...]]()
    for chunk in chunks(rows):
        found.append(chunk)
        if len(found) // 2 * CHUNK_BYTES_MAX >= RECORD_BYTES_MAX:
            return None
        yield
    return tuple(found)


def contacts_added(import_id: str, first_row: int, rows: Sequence[Row]) -> ContactsAdded:
    """Make one chunk of a list. `first_row` counts from 1; the rows are not empty."""
    assert rows, "a chunk has rows"
    return ContactsAdded(import_id=import_id, first_row=first_row, rows=tuple(rows))


def fits(facts: Iterable[AnyFact]) -> bool:
    """Say whether these facts fit into one record, its envelope included."""
    size = sum(len(fact.as_json()) for fact in facts)
    return size + ROOM_BYTES <= RECORD_BYTES_MAX
