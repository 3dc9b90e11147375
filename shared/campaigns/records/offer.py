"""One fact as it is written in a record: its tag, its stream, its data, its fields aside. Pure."""

from functools import cache
from typing import Any, NamedTuple, NotRequired, TypedDict

from msgspec import to_builtins

from campaigns.domain.facts import TAGS, AnyFact, CallRequested
from campaigns.domain.levels import Withheld, asides, leave_out, needed, withheld
from campaigns.domain.values.stream_names import Stream
from campaigns.process.errors import ContractError
from campaigns.records.tags import current, decode


class OfferedFact(TypedDict):
    """One fact of an envelope as it is written in the record, not decoded yet."""

    type: str  # Its tag.
    stream: Stream
    data: dict[str, Any]  # JSON: its tag says how to decode it.
    aside: NotRequired[dict[str, Any]]  # What a reader may ignore: levels.py.


class _Way(NamedTuple):
    """How facts of one kind are written at one level. Cached: it is needed for each fact."""

    left_out: Withheld | None
    asides: frozenset[str]


@cache
def _way(kind: type[AnyFact], level: int) -> _Way:
    aside = asides(kind)
    left_out = {n: what for n, what in (withheld(kind, level) or {}).items() if n not in aside}
    return _Way(left_out or None, aside)


def offer(fact: AnyFact, level: int) -> OfferedFact:
    """Return a fact as it is written in a record of this level."""
    assert needed(fact) <= level, f"a decider offers {fact.TYPE} below the level that it needs"
    left_out, beside = _way(type(fact), level)
    data: dict[str, Any] = to_builtins(fact)  # Any: JSON.
    if left_out:
        leave_out(data, left_out)
    offered = OfferedFact(type=fact.TYPE, stream=fact.stream, data=data)
    if beside:
        there = {name: data.pop(name) for name in beside}
        if there := {name: value for name, value in there.items() if value is not None}:
            offered["aside"] = there
    return offered


def fact_of(offered: OfferedFact, record_id: str) -> AnyFact:
    """Decode one fact of an accepted record.

    Raises:
        ContractError: its tag, its data or its stream are not as agreed.

    """
    try:
        fact = decode(offered["type"], offered["data"], aside=offered.get("aside"))
    except ContractError as exc:
        raise ContractError(f"on {offered['stream']}: {exc}") from exc
    if fact.stream != offered["stream"]:
        raise ContractError(f"{offered['type']} of {fact.stream} stands on {offered['stream']}")
    if type(fact) is CallRequested and fact.call_id != record_id:
        raise ContractError(f"expected call id {record_id}, found {fact.call_id}")
    return fact


def whole(offered: OfferedFact) -> dict[str, Any]:
    """Return a fact's data, with the fields aside that this build knows: for inspection."""
    aside, tag = offered.get("aside"), current(offered["type"])
    if tag is None or not isinstance(aside, dict):
        return offered["data"]
    known = asides(TAGS[tag])
    return {**offered["data"], **{name: aside[name] for name in aside if name in known}}
