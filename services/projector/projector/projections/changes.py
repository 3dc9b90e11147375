"""The changes that a batch of facts makes to the views. Pure."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from msgspec import Struct

from campaigns.domain.contact import Contact
from campaigns.domain.facts import AnyKeyFact
from campaigns.domain.webhooks import Webhook

Place = tuple[int, int]  # Campaign id, and a contact's, execution's or import's number in it.
Standing = tuple[int, str, int]  # Of a contact, as stored: epoch, status, and 1 if ever tried.
EventPlace = tuple[int, int]  # Of an event: position, and the fact's index in its record.


class Execution(Struct, gc=False):
    """One attempt to reach a contact, as queries show it."""

    execution_id: int  # Ordinal in the campaign.
    contact_id: int
    call_id: str
    run: int
    attempt: int
    status: str
    executed_at: datetime  # When it rang, or ended without ringing.
    ended_at: datetime | None = None
    duration_s: float = 0.0
    error: str | None = None
    retry_at: datetime | None = None  # None: no further attempt.


@dataclass(slots=True)
class Import:
    """One numbered import, under way or over."""

    number: int
    status: str  # processing, completed, failed.
    file_name: str | None
    total_rows: int
    created_at: datetime
    imported: int = 0
    skipped: int = 0
    failed: int = 0
    errors: list[dict[str, object]] = field(default_factory=list)
    error: str | None = None
    completed_at: datetime | None = None


@dataclass(slots=True)
class Changes:
    """The changes of one batch. The last change to a key wins, so that each row is written once.

    `contacts` and `imports` also hold the stored rows that the batch touches.
    """

    contacts: dict[Place, Contact] = field(default_factory=dict)
    met: dict[Place, int] = field(default_factory=dict)  # Of each contact: the column of CONTACTS.
    stood: dict[Place, Standing] = field(default_factory=dict)  # Of each contact that was stored.
    # Campaign, stretch and contact → it as it was before the stretch.
    earlier: dict[tuple[int, int, int], Contact] = field(default_factory=dict)
    executions: dict[Place, Execution] = field(default_factory=dict)
    imports: dict[Place, Import] = field(default_factory=dict)
    lists: dict[tuple[int, str], int] = field(default_factory=dict)  # Partition, import → list id.
    # New rows of LISTS, which do not count yet.
    lists_met: list[dict[str, Any]] = field(default_factory=list)
    lists_counted: list[dict[str, Any]] = field(default_factory=list)
    lists_dropped: list[dict[str, Any]] = field(default_factory=list)
    rows: list[tuple[int, int, bytes]] = field(default_factory=list)  # Of ROWS.
    # Campaign id and minute → completed, failed.
    history: dict[Place, tuple[int, int]] = field(default_factory=dict)
    # Of RECORDS: campaign id and block → last, latest, positions.
    records: dict[Place, tuple[int, int, bytes]] = field(default_factory=dict)
    # Of ORGANIZATION_RECORDS: organization, partition and first position → positions.
    organization_records: dict[tuple[int, int, int], bytes] = field(default_factory=dict)
    snapshots: dict[Place, bytes] = field(default_factory=dict)  # Campaign id and position → state.
    keys: list[AnyKeyFact] = field(default_factory=list)
    webhooks: dict[str, Webhook | None] = field(default_factory=dict)  # None: it has ended.
    events: list[tuple[int, int, int, int, bytes]] = field(default_factory=list)  # Rows of OUTBOX.
