"""What the filters of `dialgate log` say on the command line: types, instants, contacts."""

import re
from collections.abc import Sequence
from datetime import datetime
from difflib import get_close_matches

from campaigns.audit.record_filter import known_types
from campaigns.domain.values.stream_names import Stream
from dialgate.verbs.verb import MisusedError

_CONTACT = re.compile(r"([1-9]\d{0,15})/([1-9]\d{0,15})", re.ASCII)


def types_of(given: Sequence[str]) -> frozenset[str]:
    """Return types of facts, with or without their versions.

    Raises:
        MisusedError: one is none.

    """
    known = known_types()
    for one in given:
        if one not in known:
            near = get_close_matches(one, sorted(known), 1, 0.5)
            instead = near[0] if near else "campaign-paused or campaign-paused.v1"
            raise MisusedError(f"--type: expected a type of facts, such as {instead}, found {one}")
    return frozenset(given)


def instant_of(option: str, given: str | None) -> datetime | None:
    """Return an instant. `option`: which one names it.

    Raises:
        MisusedError: it is none, or has no offset.

    """
    if given is None:
        return None
    expected = f"{option}: expected an instant, such as 2026-03-01T12:00:00+00:00, found {given}"
    try:
        at = datetime.fromisoformat(given)
    except ValueError as exc:
        raise MisusedError(expected) from exc
    if at.tzinfo is None:
        raise MisusedError(f"{expected}: it has no offset")
    return at


def contact_of(given: str | None, campaign: int | None) -> Stream | None:
    """Return a contact's stream. `campaign`: the only one that it may be of.

    Raises:
        MisusedError: it is no contact, or one of another campaign.

    """
    if given is None:
        return None
    if not (found := _CONTACT.fullmatch(given)):
        raise MisusedError(f"--contact: expected CAMPAIGN/CONTACT, such as 42/7, found {given}")
    if campaign is not None and int(found[1]) != campaign:
        raise MisusedError(f"--contact: expected one of campaign {campaign}, found {given}")
    return Stream(f"contact/{given}")
