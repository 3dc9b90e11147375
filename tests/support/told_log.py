"""Logs that are written by hand, to be judged: each record counts, whatever it says."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from campaigns.audit.judge.permission import RecordedRing
from campaigns.domain.facts import (
    Abandonment,
    AnyFact,
    CallAbandoned,
    CallLate,
    CallRequested,
    CampaignStarted,
)
from campaigns.domain.levels import needed
from campaigns.domain.values.campaign_settings import CampaignSettings
from campaigns.log.port import MemoryLog
from campaigns.records.ledger import Ledger
from campaigns.records.record import Idempotency, Record
from campaigns.testing.sample_records import FIRST, NOON
from tests.support.sample_facts import call_requested, campaign_created

CARRIER = "c0ffee"
Told = AnyFact | Sequence[AnyFact] | Record  # Facts of one record, or all of it.


@dataclass
class ToldLog:
    """A log in memory, and the rule's view of it."""

    log: MemoryLog = field(default_factory=MemoryLog)
    ledger: Ledger = field(default_factory=Ledger)
    records: list[Record] = field(default_factory=list)

    def tell(self, records: Iterable[Told]) -> "ToldLog":
        """Append records that count, one after the other."""
        for told in records:
            record = told if isinstance(told, Record) else record_of(told)
            streams = {fact.stream for fact in record.facts}
            record = Record(**(_fields(record) | {"condition": self.ledger.condition(streams)}))
            self.records.append(record)
            recorded = self.log.append_bytes(FIRST, record.encode())
            assert self.ledger.admit(recorded.envelope)  # type: ignore[arg-type]  # It is a record.
        return self


class RingsInMemory:
    """A carrier's rings, by call."""

    def __init__(self, rings: Iterable[RecordedRing]) -> None:
        """Keep these."""
        self._of_call: dict[str, list[RecordedRing]] = defaultdict(list)
        for one in rings:
            self._of_call[one.call_id].append(one)
        self.count = sum(map(len, self._of_call.values()))
        self.carriers = {one.carrier for some in self._of_call.values() for one in some}

    def take(self, call_id: str) -> Sequence[RecordedRing]:
        """Return a call's rings, once."""
        return self._of_call.pop(call_id, ())

    def left(self) -> Iterable[RecordedRing]:
        """Return the rings that were not taken."""
        return [one for some in self._of_call.values() for one in some]


def record_of(told: AnyFact | Sequence[AnyFact], **fields: Any) -> Record:  # Any: of every type.
    """Return a record of these facts; a permission's id is its record's."""
    facts = tuple(told) if isinstance(told, Sequence) else (told,)
    first = facts[0]
    ordinary: dict[str, Any] = {
        "id": first.call_id if isinstance(first, CallRequested) else uuid4().hex,
        "time": NOON,
        "source": "test/1",
        "actor": "test",
        "correlation_id": "test",
        "causation_id": None,
        "condition": {},
        "facts": facts,
        "level": max(map(needed, facts)),
    }
    return Record(**(ordinary | fields))


def keyed(fact: AnyFact, key: str) -> Record:
    """Return a record that came with an Idempotency-Key."""
    return record_of(fact, idempotency=Idempotency(key, "0" * 64))


def _fields(record: Record) -> dict[str, Any]:  # Any: as above.
    return {name: getattr(record, name) for name in Record.__slots__}


def running(rows: int = 2, attempts: int = 2) -> list[Told]:
    """Return the beginning of most logs: campaign 1 with some contacts, started (records 1, 2)."""
    settings = CampaignSettings(max_attempts=attempts)
    return [
        campaign_created(1, NOON, rows=rows, settings=settings),
        CampaignStarted(campaign_id=1, run=1, started_at=NOON),
    ]


def asked(call_id: str, contact_id: int = 1, **fields: Any) -> CallRequested:  # Any: as above.
    """Return a permission, requested at noon for two seconds."""
    return call_requested(1, contact_id, call_id, NOON, carrier=CARRIER, **fields)


def given_back(
    request: CallRequested, reason: Abandonment = Abandonment.NOT_RUNNING, **fields: Any
) -> CallAbandoned:  # Any: as above.
    """Return the abandonment of a permission."""
    return CallAbandoned(**_named(request), reason=reason, abandoned_at=NOON, **fields)


def late(request: CallRequested) -> CallLate:
    """Return the word of a late ring."""
    return CallLate(
        **_named(request),
        attempts=1,
        detail="it began too late",
        late_at=NOON + timedelta(seconds=9),
    )


def ring(
    request: CallRequested, after_s: float = 1.0, **fields: Any
) -> RecordedRing:  # Any: as above.
    """Return a ring of a permission, which began so long after noon."""
    began_at_ns = int((NOON.timestamp() + after_s) * 1e9)
    return RecordedRing(
        **(
            _named(request)
            | {"began_at_ns": began_at_ns, "carrier": CARRIER, "where": "rings:1"}
            | fields
        )
    )


def after(seconds: float) -> datetime:
    """Return an instant so long after noon."""
    return NOON + timedelta(seconds=seconds)


def _named(request: CallRequested) -> dict[str, Any]:  # Any: ids and numbers.
    names = ("campaign_id", "contact_id", "call_id", "run", "attempt")
    return {name: getattr(request, name) for name in names}
