"""Tables of a log for analysis, as Parquet files: facts, calls, contacts, campaigns. Streaming.

They hold no phone number, name, e-mail address or variable of a contact: of a contact its region.
Needs the extra `parquet`.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import phonenumbers
import pyarrow as pa
from pyarrow.parquet import ParquetWriter

from campaigns.audit.masks import masked, masked_text, personal
from campaigns.audit.rulings import PartitionRuling, partitions_of, ruled_batches
from campaigns.domain.facts import (
    AnyFact,
    CallAbandoned,
    CallEnded,
    CallFact,
    CallRequested,
    CallStarted,
    CampaignCreated,
    CampaignFact,
    ContactErased,
    ContactExhausted,
    ContactsAdded,
    ContactsEncrypted,
    ContactSkipped,
    ImportCompleted,
    ImportFailed,
    ListClosed,
    ListRows,
)
from campaigns.domain.values.rows import Revealed, UnreadableRow
from campaigns.domain.values.rows import Row as RowOfList
from campaigns.log.port import ReadableLog
from campaigns.personal.list_keys import ListKeys
from campaigns.personal.open_rows import RevealedRows
from campaigns.records.installation import Installation
from campaigns.records.log_entry import Recorded
from campaigns.records.record import Envelope
from campaigns.records.topics import CAMPAIGN_RECORDS

ROW_GROUP = 65_536  # Rows that a table keeps in memory until they are written.

Row = dict[str, Any]  # Any: a value of one column.
_TIME, _TEXT, _INT = pa.timestamp("us", tz="UTC"), pa.string(), pa.int64()
_WORD = pa.dictionary(pa.int32(), pa.string())  # Few different texts.
_CALL = {"campaign_id": _INT, "contact_id": _INT, "call_id": _TEXT, "run": _INT, "attempt": _INT}
TABLES: Mapping[str, pa.Schema] = {
    "facts": pa.schema({
        "at": _TEXT, "topic": _WORD, "partition": _INT, "position": _INT, "record_id": _TEXT,
        "time": _TIME, "source": _WORD, "actor": _WORD, "correlation_id": _TEXT,
        "causation_id": _TEXT, "type": _WORD, "stream": _TEXT, "campaign_id": _INT,
        "contact_id": _INT, "data": _TEXT,
    }),
    "calls": pa.schema(_CALL | {
        "requested_at": _TIME, "ring_by": _TIME, "started_at": _TIME, "ended_at": _TIME,
        "disposition": _WORD, "duration_s": pa.float64(), "error": _TEXT, "abandoned_at": _TIME,
        "abandoned": _WORD, "carrier": _WORD,
    }),
    "contacts": pa.schema({
        "campaign_id": _INT, "contact_id": _INT, "import_id": _TEXT, "row": _INT, "region": _WORD,
    }),
    "campaigns": pa.schema({
        "campaign_id": _INT, "organization_id": _INT, "name": _TEXT, "campaign_type": _WORD,
        "created_at": _TIME,
    }),
}  # fmt: skip


class WrittenTables(NamedTuple):
    """What was written."""

    rows: dict[str, int]  # Of each table.
    unread: str | None  # Why regions of contacts are missing. None: those of all are there.


@dataclass
class _Table:
    """One file, written in row groups."""

    writer: ParquetWriter
    schema: pa.Schema
    rows: list[Row] = field(default_factory=list)
    count: int = 0

    def add(self, row: Row) -> None:
        self.rows.append(row)
        self.count += 1
        if len(self.rows) >= ROW_GROUP:
            self.flush()

    def flush(self) -> None:
        if self.rows:
            self.writer.write_table(pa.Table.from_pylist(self.rows, schema=self.schema))
            self.rows.clear()


class _Tables:
    """All tables of one export; of calls that are under way, a row each is kept in memory."""

    def __init__(self, folder: Path, stack: ExitStack, keys: ListKeys | None) -> None:
        self._opening = RevealedRows(keys)
        self._unread: dict[str, str] = {}  # Keys of lists of which some regions are missing → why.
        self.tables = {
            name: _Table(
                stack.enter_context(
                    ParquetWriter(folder / f"{name}.parquet", schema, compression="zstd")
                ),
                schema,
            )
            for name, schema in TABLES.items()
        }
        self._calls: dict[str, Row] = {}
        self._lists: dict[str, list[tuple[int, str | None]]] = {}  # Rows that are no contacts yet.

    def take(self, recorded: Recorded, campaign: int | None) -> None:
        envelope = recorded.envelope
        assert isinstance(envelope, Envelope), "an accepted record has an envelope"
        for fact in recorded.facts:
            self._opening.erased.fold(fact)
            of = getattr(fact, "campaign_id", None)
            if isinstance(fact, ListRows):
                self._lists.setdefault(fact.import_id, []).extend(
                    (row, _region(one.phone_number) if one else None)
                    for row, one in enumerate(self._rows(fact), fact.first_row)
                )
            if campaign is not None and of != campaign:
                if isinstance(fact, ListClosed):
                    self._learn(fact)
                continue
            self.tables["facts"].add(_fact_row(recorded, envelope, fact))
            self._learn(fact)

    def _rows(self, fact: ListRows) -> Iterable[RowOfList | None]:
        """Return a chunk's rows; None for each that is forgotten, or cannot be read."""
        match fact:
            case ContactsAdded():
                return fact.rows
            case ContactsEncrypted():
                return [self._readable(row, fact.key_id) for row in self._opening.of(fact)]

    def _readable(self, row: Revealed, key_id: str) -> RowOfList | None:
        if isinstance(row, UnreadableRow):
            self._unread[key_id] = row.why
            return None
        return row

    @property
    def unread(self) -> str | None:
        """Return why some regions are missing; those of a list that is forgotten are to be."""
        gone = self._opening.erased.by_key
        return next(
            (why for one, why in self._unread.items() if gone.get(one, ()) is not None), None
        )

    def _learn(self, fact: AnyFact) -> None:
        match fact:
            case CampaignCreated():
                kept = ("campaign_id", "organization_id", "name", "campaign_type", "created_at")
                self.tables["campaigns"].add({name: getattr(fact, name) for name in kept})
                if fact.import_id:
                    self._count(fact.campaign_id, fact.import_id, 1)
            case ImportCompleted():
                self._count(fact.campaign_id, fact.import_id, fact.first_contact_id)
            case ImportFailed() | ListClosed(counts=False):
                self._lists.pop(fact.import_id, None)
            case CallRequested():
                row: Row = {name: getattr(fact, name) for name in _CALL}
                row |= {"requested_at": fact.requested_at, "ring_by": fact.ring_by}
                self._calls[fact.call_id] = row | {"carrier": fact.carrier}
            case CallStarted():
                self._calls.setdefault(fact.call_id, {})["started_at"] = fact.started_at
            case CallEnded():
                row = self._calls.pop(fact.call_id, {})
                ended = ("disposition", "duration_s", "error", "ended_at")
                row |= {name: getattr(fact, name) for name in ended}
                row["error"] = masked_text(fact.error) if fact.error else fact.error
                self.tables["calls"].add(row)
            case CallAbandoned():
                row = self._calls.pop(fact.call_id, {})
                gone = {"abandoned": fact.reason, "abandoned_at": fact.abandoned_at}
                self.tables["calls"].add(row | gone)

    def _count(self, campaign_id: int, import_id: str, first: int) -> None:
        """Number a list's rows: they are contacts now."""
        for row, region in self._lists.pop(import_id, ()):
            self.tables["contacts"].add({
                "campaign_id": campaign_id, "contact_id": first + row - 1, "import_id": import_id,
                "row": row, "region": region,
            })  # fmt: skip

    def end(self) -> dict[str, int]:
        """Write what is left; return how many rows each table has."""
        for row in self._calls.values():
            self.tables["calls"].add(row)
        for table in self.tables.values():
            table.flush()
        return {name: table.count for name, table in self.tables.items()}


def _fact_row(recorded: Recorded, envelope: Envelope, fact: AnyFact) -> Row:
    data: bytes | None = None if isinstance(fact, ListRows) else fact.as_json()
    if data is not None and personal(fact):
        data = orjson.dumps(masked(fact.TYPE, orjson.loads(data)))
    of_contact = isinstance(fact, CallFact | ContactExhausted | ContactSkipped | ContactErased)
    return {
        "at": recorded.where,
        "topic": recorded.partition.topic,
        "partition": recorded.partition.number,
        "position": recorded.position,
        "record_id": envelope.id,
        "time": datetime.fromisoformat(envelope.time),
        "source": envelope.source,
        "actor": envelope.actor,
        "correlation_id": envelope.correlation_id,
        "causation_id": envelope.causation_id,
        "type": fact.TYPE,
        "stream": fact.stream,
        "campaign_id": fact.campaign_id if isinstance(fact, CampaignFact) else None,
        "contact_id": fact.contact_id if of_contact else None,  # type: ignore[union-attr]
        "data": data.decode() if data is not None else None,
    }


def _region(number: str) -> str | None:
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return None


async def write_tables(
    log: ReadableLog,
    installation: Installation,
    folder: Path,
    campaign: int | None,
    seen: Callable[[int], None],
) -> WrittenTables:
    """Write the tables of what counts in a log into a folder.

    Raises:
        ContractError: a record stops every reader.
        OSError: the files cannot be written.

    """
    with ExitStack() as stack:
        keys = log.list_keys
        if keys is not None:
            await keys.store.refresh()
        tables = _Tables(folder, stack, keys)
        for partition in partitions_of(log, campaign):
            if partition.topic != CAMPAIGN_RECORDS:
                continue
            ruling = PartitionRuling(installation.skipped.get(partition, {}))
            async for batch in ruled_batches(log, partition, ruling):
                for ruled in batch:
                    if ruled.accepted:
                        tables.take(ruled.recorded, campaign)
                seen(len(batch))
        return WrittenTables(tables.end(), tables.unread)
