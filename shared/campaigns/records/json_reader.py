"""Reads a record by hand: in any doubt, this reader decides what bytes are. Pure.

Reading never raises for bytes that another producer may have written: bytes that are not a record
of ours are `Foreign` to every reader (ADR-0008). Facts are decoded only once their record is
accepted (`facts_of`), and then an unknown one stops the reader.

fast_reader.py gives the same result sooner, or none (ADR-0025). orjson decides what is JSON.
"""

import orjson

from campaigns.domain.facts import AnyFact
from campaigns.domain.levels import LEVEL_NEWEST
from campaigns.process.errors import LevelBeyondError
from campaigns.records.offer import OfferedFact, fact_of
from campaigns.records.record import VERSION_MAX, Envelope, FactEntry, Foreign, Idempotency
from campaigns.records.streams import misplaced
from campaigns.records.topics import Partition


class Unread(FactEntry, frozen=True, gc=False):
    """One fact as it is written in the record, not decoded yet."""

    offered: OfferedFact


_TEXTS = ("id", "time", "source", "actor", "correlation_id")


def read_envelope(raw: bytes | None, partition: Partition, partitions: int) -> Envelope | Foreign:
    """Read what the rule needs. Every reader gets the same result, whatever the bytes are.

    Raises:
        LevelBeyondError: the record needs a later version of this program.

    """
    if not raw:
        return Foreign("empty value")
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError as exc:
        return Foreign(f"no JSON: {exc}"[:200])
    if type(found) is not dict:
        return Foreign("no JSON object")
    version = found.get("dialgate")
    if type(version) is not int or version < 1:
        return Foreign("no `dialgate` level")
    if version > LEVEL_NEWEST:
        raise LevelBeyondError(beyond(version))
    for name in _TEXTS:
        if type(text := found.get(name)) is not str or not text:
            return Foreign(f"`{name}` is no text")
    if type(causation_id := found.get("causation_id", ())) is not str and causation_id is not None:
        return Foreign("`causation_id` is neither text nor null")
    condition, facts = found.get("condition"), found.get("facts")
    if type(condition) is not dict or type(facts) is not list or not facts:
        return Foreign("no condition, or no fact")
    for stream, seen in condition.items():
        if type(seen) is not int or not 0 <= seen <= VERSION_MAX:
            return Foreign(f"{stream[:80]!r} is conditioned on no version")
        if why := misplaced(stream, partition, partitions):
            return Foreign(why)
    for fact in facts:
        if type(fact) is not dict or type(fact.get("data")) is not dict:
            return Foreign("a fact is no object with data")
        tag, stream = fact.get("type"), fact.get("stream")
        if type(tag) is not str or type(stream) is not str or stream not in condition:
            return Foreign("a fact has no type, or its stream is not in the condition")
    keyed = found.get("idempotency")
    if keyed is not None and not (
        type(keyed) is dict and type(keyed.get("key")) is str and type(keyed.get("digest")) is str
    ):
        return Foreign("`idempotency` is no key with a digest")
    return Envelope(
        version,
        found["id"],
        found["time"],
        found["source"],
        found["actor"],
        found["correlation_id"],
        causation_id,
        condition,
        [Unread(fact["stream"], fact) for fact in facts],
        Idempotency(keyed["key"], keyed["digest"]) if keyed else None,
    )


def beyond(level: int) -> str:
    """Say what to do about a level that this build does not know."""
    return (
        f"expected a level of at most {LEVEL_NEWEST}, found {level}: this build is too old for what"
        " stands in the log; run the version that the level was raised for, or a later one"
    )


def facts_of(envelope: Envelope) -> tuple[AnyFact, ...]:
    """Decode the facts of an accepted record that this reader has read.

    Raises:
        ContractError: a tag or its data is not known here: a newer fact must never be skipped.

    """
    unread = [entry for entry in envelope.entries if isinstance(entry, Unread)]
    assert len(unread) == len(envelope.entries), "the fast reader has decoded the others"
    return tuple([fact_of(entry.offered, envelope.id) for entry in unread])
