"""One entry of the log as it was read: its bytes, position, envelope and facts. Pure."""

import orjson

from campaigns.domain.facts import AnyFact
from campaigns.process.errors import ContractError, LevelBeyondError
from campaigns.records import fast_reader
from campaigns.records.json_reader import facts_of, read_envelope
from campaigns.records.offer import OfferedFact
from campaigns.records.record import Envelope, Foreign
from campaigns.records.topics import NAMING_TOPICS, Partition


class Recorded:
    """One entry of the log as it was read: decoded at most once, however many readers share it.

    Constructing one never fails: a later level raises only when the envelope is asked for, and an
    unknown fact only when the facts are.
    """

    __slots__ = ("_beyond", "envelope", "facts", "partition", "position", "raw")

    partition: Partition
    position: int  # Kafka's offset + 1. 0: not in the log yet.
    raw: bytes | None
    envelope: Envelope | Foreign  # What the rule looks at. Raises: LevelBeyondError, see below.
    facts: tuple[AnyFact, ...]  # Of an accepted record. Raises: ContractError, see below.

    def __init__(
        self, partition: Partition, position: int, raw: bytes | None, partitions: int
    ) -> None:
        self.partition = partition
        self.position = position
        self.raw = raw
        if found := fast_reader.read(raw, partition, partitions):
            self.envelope, self.facts = found
            return
        try:
            self.envelope = read_envelope(raw, partition, partitions)
        except LevelBeyondError as exc:
            self._beyond = exc

    def __getattr__(self, name: str) -> tuple[AnyFact, ...]:
        """Decode the facts of a record that the fast reader declined, when they are asked for.

        Python comes here only for what is not set: what is set costs no call.

        Raises:
            LevelBeyondError: the record needs a later version of this program.
            ContractError: a fact is not known here.

        """
        if name == "envelope":
            raise LevelBeyondError(f"{self.where}: {self._beyond}{self._way_past}")
        if name != "facts":
            raise AttributeError(f"a record has no {name}")
        assert isinstance(self.envelope, Envelope), "foreign bytes have no facts"
        try:
            self.facts = facts_of(self.envelope)
        except ContractError as exc:
            raise ContractError(f"{self.where}, {exc}{self._way_past}") from exc
        return self.facts

    @property
    def actor(self) -> str:
        """Return the actor for whom the record was written."""
        envelope = self.envelope
        assert type(envelope) is not Foreign, "foreign bytes have no facts"
        return envelope.actor

    @property
    def plain(self) -> bool:
        """Say whether its bytes are what any JSON writer would make of it again (ADR-0034)."""
        return self.raw is not None and fast_reader.plain(self.envelope, self.raw)

    def placed(self, position: int) -> "Recorded":
        """Set its position, once it is known, and return itself."""
        assert self.position == 0, "a place is for good"
        self.position = position
        return self

    @property
    def where(self) -> str:
        """Return `topic/partition@position`, for messages."""
        return f"{self.partition}@{self.position}"

    @property
    def _way_past(self) -> str:
        """Say how an operator can skip it; records of the installation itself cannot be skipped."""
        if self.partition.topic not in NAMING_TOPICS or not self.position:
            return ""
        place = f"{self.partition.number}@{self.position} --topic {self.partition.topic}"
        return f" (one that no version reads: `dialgate skip {place}`)"

    @property
    def offered(self) -> list[OfferedFact]:
        """Return the facts as written, whether the record counts or not: for inspection."""
        assert isinstance(self.envelope, Envelope), "foreign bytes have no facts"
        found: list[OfferedFact] = orjson.loads(self.raw or b"")["facts"]
        return found
