"""What is on offer in the log: envelope, condition, facts; and its JSON. Pure.

Reading bytes never raises for what strangers may have written: bytes that are no record of ours
are `Foreign`, in every reader alike (ADR-0008). Whether a reader's facts are known is asked only
once the record is accepted (`facts_of`), and then an unknown one stops the reader.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from campaigns.domain.facts import AnyFact
from campaigns.domain.levels import LEVEL_NEWEST, LEVEL_OLDEST
from campaigns.domain.values.stream_names import Stream
from campaigns.process.errors import ContractError, LevelBeyondError
from campaigns.records.offer import Offered, fact_of, offer
from campaigns.records.streams import misplaced
from campaigns.records.topics import NAMING_TOPICS, Partition

RECORD_BYTES_MAX = 256 * 1024  # Source: architecture, "Lists": what one record may weigh.
VERSION_MAX = 2**53  # Beyond it JSON numbers are not exact everywhere.

AppendCondition = Mapping[Stream, int]  # Each stream written or rested on, as it was read.


class Idempotency(NamedTuple):
    """A client's Idempotency-Key and the digest of the request that came with it."""

    key: str
    digest: str


@dataclass(frozen=True, slots=True)
class Record:
    """One fact or a few that belong together, on offer with what they were decided on."""

    id: str
    time: datetime
    source: str  # Which process offers it: "command-api/3f2a".
    actor: str  # Who wanted it: "organization/7 key dg_live_ab", "dialer".
    correlation_id: str  # The request it serves.
    causation_id: str | None  # The record that caused it.
    condition: AppendCondition
    facts: tuple[AnyFact, ...]
    idempotency: Idempotency | None = None
    level: int = LEVEL_OLDEST  # What it needs of its readers: the installation's.

    def encode(self) -> bytes:
        """Return the JSON object that the log, the export and the audit share."""
        written = {
            "dialgate": self.level,
            "id": self.id,
            "time": self.time,
            "source": self.source,
            "actor": self.actor,
            "correlation_id": self.correlation_id,
            "causation_id": self.causation_id,
            "condition": self.condition,
            "facts": [offer(fact, self.level) for fact in self.facts],
        }
        if self.idempotency:
            written["idempotency"] = self.idempotency._asdict()
        return orjson.dumps(written)


class Envelope(NamedTuple):
    """All that the rule looks at, and the facts undecoded."""

    id: str
    time: str
    source: str
    actor: str
    correlation_id: str
    causation_id: str | None
    condition: AppendCondition
    writes: Mapping[Stream, int]  # How many facts each written stream would grow by.
    offered: Sequence[Offered]
    idempotency: Idempotency | None


@dataclass(frozen=True, slots=True)
class Foreign:
    """Bytes in the log that are no record: refused in every reader alike."""

    why: str


_TEXTS = ("id", "time", "source", "actor", "correlation_id")


def read_envelope(raw: bytes | None, partition: Partition, partitions: int) -> Envelope | Foreign:
    """Read what the rule needs. The same answer in every reader, whatever the bytes are.

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
    writes: dict[Any, int] = {}  # Any: what is in the condition is a Stream.
    for fact in facts:
        if type(fact) is not dict or type(fact.get("data")) is not dict:
            return Foreign("a fact is no object with data")
        tag, stream = fact.get("type"), fact.get("stream")
        if type(tag) is not str or type(stream) is not str or stream not in condition:
            return Foreign("a fact has no type, or its stream is not in the condition")
        writes[stream] = writes.get(stream, 0) + 1
    keyed = found.get("idempotency")
    if keyed is not None and not (
        type(keyed) is dict and type(keyed.get("key")) is str and type(keyed.get("digest")) is str
    ):
        return Foreign("`idempotency` is no key with a digest")
    return Envelope(
        found["id"],
        found["time"],
        found["source"],
        found["actor"],
        found["correlation_id"],
        causation_id,
        condition,
        writes,
        facts,
        Idempotency(keyed["key"], keyed["digest"]) if keyed else None,
    )


def beyond(level: int) -> str:
    """Say what to do about a level that this build does not know."""
    return (
        f"expected a level of at most {LEVEL_NEWEST}, found {level}: this build is too old for what"
        " stands in the log; run the version that the level was raised for, or a later one"
    )


def facts_of(envelope: Envelope) -> tuple[AnyFact, ...]:
    """Decode the facts of an accepted record.

    Raises:
        ContractError: a tag or its data is not known here: a newer fact must never be skipped.

    """
    return tuple([fact_of(offered, envelope.id) for offered in envelope.offered])


class Recorded:
    """One entry of the log as it was read: decoded at most once, however many readers share it.

    To read it never fails: that it is of a later level is said to who asks what it is.
    """

    __slots__ = ("_beyond", "_envelope", "_facts", "partition", "position", "raw")

    def __init__(
        self, partition: Partition, position: int, raw: bytes | None, partitions: int
    ) -> None:
        self.partition = partition
        self.position = position  # Kafka's offset + 1. 0: not in the log yet.
        self.raw = raw
        self._beyond: LevelBeyondError | None = None
        self._envelope: Envelope | Foreign | None = None
        try:
            self._envelope = read_envelope(raw, partition, partitions)
        except LevelBeyondError as exc:
            self._beyond = exc
        self._facts: tuple[AnyFact, ...] | None = None

    @property
    def actor(self) -> str:
        """Return on whose account the record was written."""
        assert isinstance(self.envelope, Envelope), "foreign bytes have no facts"
        return self.envelope.actor

    @property
    def envelope(self) -> Envelope | Foreign:
        """Return what the rule looks at.

        Raises:
            LevelBeyondError: the record needs a later version of this program.

        """
        if self._envelope is None:
            raise LevelBeyondError(f"{self.where}: {self._beyond}{self._way_past}")
        return self._envelope

    def placed(self, position: int) -> "Recorded":
        """Return itself, once it is known where it stands."""
        assert self.position == 0, "a place is for good"
        self.position = position
        return self

    @property
    def where(self) -> str:
        """Return `topic/partition@position`, for people."""
        return f"{self.partition}@{self.position}"

    @property
    def _way_past(self) -> str:
        """Say how an operator passes over it: of what the installation itself says, nobody may."""
        if self.partition.topic not in NAMING_TOPICS or not self.position:
            return ""
        place = f"{self.partition.number}@{self.position} --topic {self.partition.topic}"
        return f" (one that no version reads: `dialgate skip {place}`)"

    @property
    def facts(self) -> tuple[AnyFact, ...]:
        """Return the decoded facts; only ever asked of an accepted record.

        Raises:
            ContractError: a fact is not known here.

        """
        if self._facts is None:
            assert isinstance(self.envelope, Envelope), "foreign bytes have no facts"
            try:
                self._facts = facts_of(self.envelope)
            except ContractError as exc:
                raise ContractError(f"{self.where}, {exc}{self._way_past}") from exc
        return self._facts


def conflict(condition: AppendCondition, versions: Mapping[Stream, int]) -> str:
    """Say which stream had moved on, for the audit. Shape: `stream: expected n, found m`."""
    moved: Sequence[str] = [
        f"{stream}: expected {seen}, found {versions[stream]}"
        for stream, seen in condition.items()
        if versions[stream] != seen
    ]
    return "; ".join(moved)
