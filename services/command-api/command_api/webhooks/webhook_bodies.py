"""The bodies of webhooks' commands. Unknown fields are 422; in a PATCH, null means all, or none."""

import socket
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from campaigns.domain.facts import TAGS
from campaigns.events.cursor import START, CursorError, cursor
from campaigns.http.door import ID_MAX
from campaigns.process.printable_text import clean
from campaigns.records.cloud_event import unversioned
from campaigns.webhooks.address_guard import AddressRefusedError, outside
from campaigns.webhooks.endpoint import checked_url
from command_api.http.bodies import Body

T = TypeVar("T")

URL_CHARS_MAX = 2_048
TYPES_MAX = 100
CAMPAIGNS_MAX = 1_000
BEGINNING = "beginning"  # As `after`: before the log's first event.
# Every tag of an event, and each without its version.
_EVENTS = {tag for tag, fact in TAGS.items() if "campaign_id" in fact.__struct_fields__}
TYPES = frozenset(_EVENTS | {unversioned(tag) for tag in _EVENTS})


def _known(name: str) -> str:
    if name not in TYPES:
        raise ValueError("expected a type of event, such as campaign-paused or campaign-paused.v1")
    return name


def _readable(text: str) -> str:
    if clean(text) != text:
        raise ValueError("a description has no control characters")
    return text


Url = Annotated[str, StringConstraints(min_length=1, max_length=URL_CHARS_MAX)]
Types = Annotated[
    list[Annotated[str, AfterValidator(_known)]], Field(min_length=1, max_length=TYPES_MAX)
]
CampaignIds = Annotated[
    list[Annotated[int, Field(ge=1, le=ID_MAX)]], Field(min_length=1, max_length=CAMPAIGNS_MAX)
]
Description = Annotated[str, StringConstraints(max_length=1_000), AfterValidator(_readable)]
CursorText = Annotated[str, StringConstraints(min_length=1, max_length=4_096)]
_EXAMPLE: JsonDict = {
    "url": "https://example.com/dialgate",
    "types": ["campaign-paused", "call-ended.v1"],
    "description": "CRM",
}


class WebhookBody(Body):
    """The body of a create."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})

    url: Url
    types: Types | None = None
    campaign_ids: CampaignIds | None = None
    description: Description | None = None
    after: CursorText | None = None  # A cursor, or `beginning`. None: from now on.


class WebhookChangeBody(Body):
    """The body of a change: only what it names changes."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"status": "paused"}]}
    )

    url: Url | None = None
    types: Types | None = None
    campaign_ids: CampaignIds | None = None
    description: Description | None = None
    status: Literal["active", "paused"] | None = None

    def changes(self) -> dict[str, Any]:
        """Return what was named, in the fields of Webhook. Any: of several types."""
        found: dict[str, Any] = {}
        for name in self.model_fields_set:
            value = getattr(self, name)
            if name in ("types", "campaign_ids"):
                found[name] = unique(value)
            elif name == "status" and value is not None:
                found["paused"] = value == "paused"
            elif name == "description" or (name == "url" and value is not None):
                found[name] = value
        return found


class ReplayBody(Body):
    """The body of a replay."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"after": BEGINNING}]}
    )

    after: CursorText  # A cursor, or `beginning`.
    until: CursorText | None = None  # A cursor. None: where delivery stands.


def unique(values: Collection[T] | None) -> tuple[T, ...]:
    """Return values in their order, each once."""
    return tuple(dict.fromkeys(values or ()))


def usable_url(url: str, *, private: bool) -> str:
    """Return a URL that may be delivered to, as far as it can be told without asking for its name.

    Raises:
        RequestValidationError: it is no such URL, or names an address inside the network, in any
            spelling.

    """
    try:
        checked_url(url, private=private)
        host = urlsplit(url).hostname or ""
        if not private and (address := _literal(host)) and not outside(address):
            raise AddressRefusedError(f"{host}: expected an address outside the network")
    except AddressRefusedError as exc:
        raise unusable("url", str(exc)) from exc
    return url


def _literal(host: str) -> str | None:
    """Return the address that a host's text is, as a resolver reads it: `0x7f.1` is 127.0.0.1."""
    try:
        return str(socket.inet_ntoa(socket.inet_aton(host.rstrip("."))))
    except (OSError, UnicodeError):
        return host if ":" in host else None


def usable_cursor(name: str, text: str, ends: Mapping[int, int]) -> str:
    """Return a cursor of this log. `ends`: the last position of each partition.

    Raises:
        RequestValidationError: it is none of ours, or lies behind the log's end.

    """
    if text == BEGINNING:
        return str(START)
    try:
        found = cursor(text)
    except CursorError as exc:
        raise unusable(name, str(exc)) from exc
    for partition, at in found.by_partition.items():
        if at.position + (at.facts > 0) > ends.get(partition, 0):
            raise unusable(name, "expected a cursor of this log, found one behind its end")
    return text


def unusable(name: str, msg: str) -> RequestValidationError:
    """Return a 422 for a field of the body, in FastAPI's shape."""
    return RequestValidationError([{"loc": ("body", name), "msg": msg, "type": "value_error"}])
