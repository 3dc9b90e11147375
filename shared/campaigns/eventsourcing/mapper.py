"""Maps facts to the eventsourcing library's StoredEvents, and back.

Stream = originator id, version = originator version (1 is a stream's first fact), tag = topic,
data = state as JSON. The library's own Mapper resolves a topic by importing it, so that a record
with a forged tag could run code; this one looks it up in a closed table (tags.py), with upcasts.
Not offered: compression and encryption (the log is plain JSON), snapshots.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import orjson
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper, MapperDeserialisationError, StoredEvent

from campaigns.domain.facts import AnyFact
from campaigns.domain.values.stream_names import Stream
from campaigns.process.errors import ContractError
from campaigns.records.log_entry import Recorded
from campaigns.records.offer import whole
from campaigns.records.record import Envelope
from campaigns.records.tags import UPCASTS, Upcasts, decode


@dataclass(frozen=True, slots=True)
class StreamedFact:
    """One accepted fact at its place in its stream: the input of a projection."""

    originator_id: str  # The stream: "campaign/42".
    originator_version: int  # 1 is the stream's first.
    fact: AnyFact


class FactMapper(Mapper[str]):
    """The only converter between facts and StoredEvents."""

    upcasts: ClassVar[Upcasts] = UPCASTS

    def to_stored_event(self, domain_event: DomainEventProtocol[str]) -> StoredEvent:
        """Return a fact in the library's form.

        Raises:
            TypeError: it is not a StreamedFact.

        """
        if not isinstance(domain_event, StreamedFact):
            raise TypeError(f"expected a StreamedFact, found {type(domain_event).__name__}")
        return StoredEvent(
            originator_id=domain_event.originator_id,
            originator_version=domain_event.originator_version,
            topic=domain_event.fact.TYPE,
            state=domain_event.fact.as_json(),
        )

    def to_domain_event(self, stored_event: StoredEvent) -> StreamedFact:
        """Return the fact, validated, in its current version.

        Raises:
            MapperDeserialisationError: this build does not know its tag, or its state is invalid.

        """
        where = f"{stored_event.originator_id} version {stored_event.originator_version}"
        try:
            found = orjson.loads(stored_event.state)
            fact = decode(stored_event.topic, found, self.upcasts)
        except (orjson.JSONDecodeError, ContractError) as exc:
            raise MapperDeserialisationError(f"{where}: {exc}") from exc
        if fact.stream != stored_event.originator_id:
            raise MapperDeserialisationError(f"{where}: holds a {fact.TYPE} of {fact.stream}")
        return StreamedFact(fact.stream, stored_event.originator_version, fact)


def stored_events(recorded: Recorded) -> Iterator[StoredEvent]:
    """Yield the facts of an accepted record as stored, without decoding them.

    Their versions come from the record's condition, which held because the record was accepted.
    """
    envelope, grown = recorded.envelope, Counter[Stream]()
    assert isinstance(envelope, Envelope), "only records are accepted"
    for offered in recorded.offered:
        stream = offered["stream"]
        grown[stream] += 1
        yield StoredEvent(
            originator_id=stream,
            originator_version=envelope.condition[stream] + grown[stream],
            topic=offered["type"],
            state=orjson.dumps(whole(offered)),
        )
