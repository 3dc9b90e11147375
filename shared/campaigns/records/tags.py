"""From a tag to a fact: the closed table, and how older tags become newer ones. Pure.

A tag is looked up in a table and never imported: anyone may have written what is in the log.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from campaigns.domain.facts import TAGS, AnyFact
from campaigns.domain.levels import asides
from campaigns.process.errors import ContractError

Json = dict[str, Any]  # One JSON object: its tag says how to decode it.
Upcasts = Mapping[str, tuple[str, Callable[[Json], Json]]]  # Old tag → next tag, and its data.

UPCASTS: Upcasts = {}  # Every fact is in its first version.

_ASIDES = {tag: asides(kind) for tag, kind in TAGS.items()}


def current(tag: str, upcasts: Upcasts = UPCASTS) -> str | None:
    """Return the current tag of facts with this tag; None: this build does not know it."""
    while tag in upcasts:
        tag = upcasts[tag][0]
    return tag if tag in TAGS else None


def decode(
    tag: str, found: Json, upcasts: Upcasts = UPCASTS, *, aside: object | None = None
) -> AnyFact:
    """Return the fact, in its current version. `aside`: its fields beside the data.

    Of these, names that this build does not know are ignored; the others are validated.

    Raises:
        ContractError: the tag is unknown, or its data not as agreed. The error names no position.

    """
    was = tag
    while tag in upcasts:
        tag, upcast = upcasts[tag]
        found = upcast(found)
    kind = TAGS.get(tag)
    if kind is None:
        raise ContractError(
            f"expected a fact of this version, found {was!r} (readers are deployed before writers)"
        )
    if aside is not None:
        if not isinstance(aside, dict):
            raise ContractError(f"{was}: expected an object aside, found {type(aside).__name__}")
        known = _ASIDES[tag]
        found = {name: value for name, value in aside.items() if name in known} | found
    try:
        return kind.validated(found)
    except ValidationError as exc:
        expected = "; ".join(
            f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in exc.errors()[:3]
        )
        raise ContractError(f"{was} is not as agreed: {expected}") from exc
