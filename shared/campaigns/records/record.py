"""A record, which offers facts to the log: envelope, condition, facts; and its JSON. Pure.

log_entry.py reads it back.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import final

import orjson
from msgspec import Struct, field
from msgspec.structs import asdict

from campaigns.domain.facts import AnyFact
from campaigns.domain.levels import LEVEL_OLDEST
from campaigns.domain.values.stream_names import Stream
from campaigns.records.offer import offer

RECORD_BYTES_MAX = 256 * 1024  # Source: architecture "Lists": what one record may weigh.
VERSION_MAX = 2**53  # Beyond it JSON numbers are not exact everywhere.

AppendCondition = Mapping[Stream, int]  # Each stream written or rested on, as it was read.


class Idempotency(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A client's Idempotency-Key and the digest of the request that came with it."""

    key: str
    digest: str


@dataclass(frozen=True, slots=True)
class Record:
    """One fact, or a few that belong together, offered with the condition of their decision."""

    id: str
    time: datetime
    source: str  # Which process offers it: "command-api/3f2a".
    actor: str  # For whom: "organization/7 key 0a1b2c3d4e5f6071", "dialer".
    correlation_id: str  # The request it serves.
    causation_id: str | None  # The record that caused it.
    condition: AppendCondition
    facts: tuple[AnyFact, ...]
    idempotency: Idempotency | None = None
    level: int = LEVEL_OLDEST  # The level that its readers need: the installation's.

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
            written["idempotency"] = asdict(self.idempotency)
        return orjson.dumps(written)


class FactEntry(Struct, frozen=True, gc=False):
    """One fact of an envelope: its stream. The fact itself is in `Recorded.facts`."""

    stream: Stream


class Envelope(Struct, frozen=True, gc=False):
    """Everything that the rule looks at. Its fields are those of a record, in their order."""

    level: int = field(name="dialgate")
    id: str
    time: str
    source: str
    actor: str
    correlation_id: str
    causation_id: str | None
    condition: AppendCondition
    entries: Sequence[FactEntry] = field(name="facts")
    idempotency: Idempotency | None = None

    @property
    def writes(self) -> Mapping[Stream, int]:
        """Return how many facts each written stream would grow by."""
        return Counter(entry.stream for entry in self.entries)


@final
@dataclass(frozen=True, slots=True)
class Foreign:
    """Bytes in the log that are not a record: every reader refuses them."""

    why: str


def conflict(condition: AppendCondition, versions: Mapping[Stream, int]) -> str:
    """Say which stream had moved on, for the audit. Shape: `stream: expected n, found m`."""
    moved: Sequence[str] = [
        f"{stream}: expected {seen}, found {versions[stream]}"
        for stream, seen in condition.items()
        if versions[stream] != seen
    ]
    return "; ".join(moved)
