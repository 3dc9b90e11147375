"""Hides personal data where it was not asked for: of a number its last digits remain. Pure.

Personal data is in rows of contacts, and may be in what a carrier or a file said: free texts.
Source: `domain/values/rows.py`, "Personal data is here and nowhere else".
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from campaigns.domain.facts import (
    TAGS,
    AnyFact,
    CallEnded,
    CallLate,
    CampaignCreated,
    CampaignUpdated,
    ContactsAdded,
    ImportCompleted,
    ImportFailed,
    WebhookChanged,
    WebhookCreated,
)
from campaigns.domain.values.rows import ERASED, UNREADABLE

WORDS = (ERASED, UNREADABLE)  # In place of a number: they say why there is none.
DIGITS_SHOWN = 2  # Of a phone number, at its end.
HIDDEN = "…"

# A run of digits as people and carriers write phone numbers: at least seven digits of it.
_NUMBER = re.compile(r"\+?\(?\d(?:[ ().\-/]{0,2}\d){6,}")
_MAIL = re.compile(r"[^\s@<>\"'(),;:]+@[^\s@<>\"'(),;:]+")
_PATH = re.compile(r"(?<=[^/:])/.*|\?.*|#.*", re.DOTALL)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?")


def masked_number(number: str) -> str:
    """Return the end of a phone number: `…67`. A word in place of one stays."""
    if number in WORDS:
        return number
    bare = number.removeprefix("+")
    digits = bare if bare.isdecimal() else re.sub(r"\D", "", number)
    return HIDDEN + (digits[-DIGITS_SHOWN:] if len(digits) > 2 * DIGITS_SHOWN else "")


def masked_text(text: str) -> str:
    """Return a free text without phone numbers and mail addresses; instants stay."""
    parts, after = list[str](), 0
    for kept in _INSTANT.finditer(text):
        parts += [_hidden(text[after : kept.start()]), kept[0]]
        after = kept.end()
    return "".join(parts) + _hidden(text[after:])


def _hidden(text: str) -> str:
    return _MAIL.sub(HIDDEN, _NUMBER.sub(lambda found: masked_number(found[0]), text))


def masked(tag: str, found: dict[str, Any]) -> dict[str, Any]:
    """Return a fact's data as JSON without personal data; the same object where it holds none.

    Total: of a tag that this build does not know, or of data that is not as agreed, all but the
    campaign is hidden. Any: JSON of unknown origin.
    """
    if tag not in TAGS:
        return {name: value if name == "campaign_id" else HIDDEN for name, value in found.items()}
    changed = {
        name: hide(found[name])
        for name, hide in _PERSONAL.get(TAGS[tag], {}).items()
        if found.get(name) is not None
    }
    return {**found, **changed} if changed else found


def personal(fact: AnyFact) -> bool:
    """Say whether a fact has any of the fields that `masked` looks at."""
    for name in _FIELDS.get(type(fact), ()):  # noqa: SIM110  # A generator costs as much again.
        if getattr(fact, name) is not None:
            return True
    return False


def masked_campaign(shape: dict[str, Any]) -> dict[str, Any]:
    """Return a campaign, as the API shows it, without personal data."""
    return dict(_hide(shape, {"pending_import": _whole, "failure_reason": _free}))


def masked_contact(shape: dict[str, Any]) -> dict[str, Any]:
    """Return a contact, as the API shows it, without personal data but its number's end."""
    return dict(_hide(shape, _OF_CONTACT))


def _hide(found: Any, hidden: Mapping[str, Callable[[Any], Any]]) -> Any:
    """Return an object with some of its values hidden; what is empty stays as it is."""
    if not isinstance(found, dict):
        return HIDDEN
    return {
        name: hidden[name](value) if value and name in hidden else value
        for name, value in found.items()
    }


def masked_record(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record as it is in the log, without personal data.

    Raises:
        TypeError, KeyError, AttributeError: it is no record of ours.

    """
    facts = [{**fact, "data": masked(fact["type"], fact["data"])} for fact in found["facts"]]
    return {**found, "facts": facts}


def masked_bytes(raw: bytes) -> str:
    """Return a record of any kind as text without personal data; hidden if it is no record."""
    try:
        return orjson.dumps(masked_record(orjson.loads(raw))).decode()
    except (ValueError, TypeError, KeyError, AttributeError):
        return HIDDEN


def _row(row: Any) -> Any:
    """Return one contact with the end of its number alone; what it lacks, it still lacks."""
    if not isinstance(row, dict):
        return HIDDEN
    shown = {name: value and HIDDEN for name, value in row.items()}
    if isinstance(number := row.get("phone_number"), str):
        shown["phone_number"] = masked_number(number)
    return shown


def _rows(rows: Any) -> Any:
    return [_row(row) for row in rows] if isinstance(rows, list) else HIDDEN


def _free(text: Any) -> Any:
    return masked_text(text) if isinstance(text, str) else HIDDEN


def _errors(errors: Any) -> Any:
    if not isinstance(errors, list):
        return HIDDEN
    return [
        {**one, "reason": _free(one.get("reason"))} if isinstance(one, dict) else HIDDEN
        for one in errors
    ]


def _values(found: Any) -> Any:
    """Return the names of what a contact's variables are, and not the variables."""
    return dict.fromkeys(found, HIDDEN) if isinstance(found, dict) else HIDDEN


def _address(url: Any) -> Any:
    """Return a URL's scheme and host: its path may hold a token."""
    return _PATH.sub(HIDDEN, url, count=1) if isinstance(url, str) else HIDDEN


def _whole(_: Any) -> Any:
    return HIDDEN


# Which fields of which facts may hold a person, and how they are hidden. A test holds this to the
# declarations: each field that holds a row or a row's error is here.
_PERSONAL: dict[type[AnyFact], dict[str, Callable[[Any], Any]]] = {
    ContactsAdded: {"rows": _rows},
    ImportCompleted: {"errors": _errors},
    ImportFailed: {"reason": _free},
    CallEnded: {"error": _free},
    CallLate: {"detail": _free},
    CampaignCreated: {"pending_import": _whole},
    CampaignUpdated: {"pending_import": _whole},
    WebhookCreated: {"url": _address, "description": _free},
    WebhookChanged: {"url": _address, "description": _free},
}
# Which fields of a contact, as the API shows it, may hold a person.
_OF_CONTACT: dict[str, Callable[[Any], Any]] = {
    "phone_number": lambda number: masked_number(str(number)),
    "name": _whole,
    "email": _whole,
    "variables": _values,
    "contact_data": lambda found: _hide(
        found, {"company": _whole, "variable_values": _values, "custom_fields": _values}
    ),
    "error_message": _free,
}
_FIELDS = {kind: tuple(names) for kind, names in _PERSONAL.items()}
