"""Projection: lists of contacts while they arrive, and when they start to count. Pure.

A row is stored once, under its list. A list of a million rows starts to count by one update; the
contact of a row follows from the range of its list.
"""

from datetime import datetime

from campaigns.domain.facts import (
    CampaignCreated,
    ContactsAdded,
    ContactsEncrypted,
    ImportCompleted,
    ImportFailed,
    ImportSource,
    ListClosed,
    ListRows,
)
from campaigns.domain.values.instants import instant
from projector.projections.changes import Changes
from projector.store.tables import plain

ListFact = ListRows | ListClosed | CampaignCreated | ImportCompleted | ImportFailed
_PARTITIONS_MAX = 1 << 16


def list_id(partition: int, ordinal: int) -> int:
    """Return a list's id, from the ordinal of its first fact: the same in every rebuild."""
    return ordinal * _PARTITIONS_MAX + partition


def import_of(fact: object) -> str | None:
    """Return the import id by which a fact names a list, or None."""
    if isinstance(fact, ListFact):
        return fact.import_id
    return None


def project(
    changes: Changes,
    fact: ListFact,
    partition: int,
    ordinal: int,
) -> None:
    """Project one fact. `ordinal`: its number among the accepted facts of its partition."""
    if fact.import_id is None or (isinstance(fact, ListClosed) and fact.counts):
        return
    number = _number(changes, fact.import_id, partition, ordinal)
    match fact:
        case ContactsEncrypted():
            changes.rows += [
                (number, n, f"{fact.key_id} {row}".encode())
                for n, row in enumerate(fact.rows, fact.first_row)
            ]
        case ContactsAdded():
            changes.rows += [
                (number, n, row.as_json()) for n, row in enumerate(fact.rows, fact.first_row)
            ]
        case CampaignCreated():
            _count(changes, number, fact, 1, ImportSource.API, fact.created_at)
        case ImportCompleted():
            _count(changes, number, fact, fact.first_contact_id, fact.source, fact.completed_at)
        case ImportFailed() | ListClosed():
            # Rows of this batch too, so that the result does not depend on batching.
            changes.rows = [row for row in changes.rows if row[0] != number]
            changes.lists_dropped.append({"dropped": number})


def _number(changes: Changes, import_id: str, partition: int, ordinal: int) -> int:
    if (known := changes.lists.get((partition, import_id))) is not None:
        return known
    number = changes.lists[partition, import_id] = list_id(partition, ordinal)
    row = {"list_id": number, "partition": partition, "import_id": plain(import_id)}
    changes.lists_met.append(row)
    return number


def _count(
    changes: Changes,
    number: int,
    fact: CampaignCreated | ImportCompleted,
    first: int,
    source: ImportSource,
    at: datetime,
) -> None:
    changes.lists_counted.append(
        {
            "counted": number,
            "of": fact.campaign_id,
            "first": first,
            "many": fact.rows,
            "from": source.value,
            "at": instant(at),
        }
    )
