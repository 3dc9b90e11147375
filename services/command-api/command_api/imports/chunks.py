"""One list of contacts, appended chunk by chunk and then decided about.

Runs the deciders for one list; csv_imports.py runs them for whole files.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from campaigns.domain.campaign import Campaign
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.decider import Decider, Reason, Rejected
from campaigns.domain.facts import ImportCompleted, ImportStarted
from campaigns.domain.moves import Move
from campaigns.domain.values.rows import Row
from campaigns.domain.values.stream_names import import_stream
from campaigns.log.port import EventLog
from campaigns.log.reader import Reader, Ruling
from campaigns.log.writer import Answer, Handled, Origin, Reread, Writer
from campaigns.process.clock import Clock
from campaigns.process.errors import LogUnavailableError, OperatingError, OutcomeUnknownError
from campaigns.records.topics import CAMPAIGN_RECORDS, Partition, campaign_partition
from campaigns.stores.contacts import Contacts
from command_api.commands.complete_import import CompleteImport, Skipped
from command_api.commands.fail_import import FailImport
from command_api.commands.import_basis import import_rejection
from command_api.commands.lifecycle import hidden, not_found
from command_api.commands.start_import import StartImport
from command_api.idempotency import IdempotencyKeys
from command_api.imports.list_rows import RowWriter
from command_api.imports.rows import chunks
from command_api.open_lists import OpenLists

CHUNK_TRIES_S = 30.0  # How long one chunk is tried for.
CHUNK_AGAIN_S = 0.2  # Wait after an append that the log did not acknowledge.


class PermissionsOpenError(OperatingError):
    """A dialer does not resolve its permissions, so the untouched contacts are not known."""


class GivenUpError(Exception):
    """Another instance has failed the import while it was in progress."""


class ImportService(Protocol):
    """What imports need of the command API."""

    log: EventLog
    clock: Clock
    reader: Reader
    campaigns: Campaigns
    contacts: Contacts
    writer: Writer[Campaigns]
    idempotency_keys: IdempotencyKeys
    lists: OpenLists

    async def settled(self, campaign_id: int) -> object:
        """Wait until no permission accepted before can still become a ring."""
        ...


@dataclass(frozen=True, slots=True)
class Imported:
    """The outcome of an import."""

    number: int | None  # The import's public id; None: JSON.
    completed: bool  # False: it continues in the background.
    rows: int  # New contacts.
    skipped: Skipped
    at: datetime
    ruling: Ruling | None  # None: nothing was to be recorded.


Command = TypeVar("Command", bound=StartImport | CompleteImport | FailImport)


def partition_of(service: ImportService, campaign_id: int) -> Partition:
    """Return the partition of a campaign's records."""
    return campaign_partition(campaign_id, service.log.partitions(CAMPAIGN_RECORDS))


async def decide(
    service: ImportService,
    decider: Decider[Campaigns, Command, Campaign | None],
    command: Command,
    origin: Origin,
    reread: Reread[Command] | None = None,
    unless: Callable[[], Rejected | None] = lambda: None,
) -> Answer:
    """Decide a command, unless `unless` rejects it then. Raises: see Writer.handle."""
    return await service.writer.handle(
        decider,
        command,
        origin,
        partition=partition_of(service, command.campaign_id),
        key=command.campaign_id,
        repeated=lambda _: (
            service.idempotency_keys.earlier(command.campaign_id, origin.idempotency) or unless()
        ),
        reread=reread,
    )


async def bring(
    service: ImportService,
    decider: Decider[Campaigns, Command, Campaign | None],
    read: Reread[Command],
    origin: Origin,
    unless: Callable[[], Rejected | None] = lambda: None,
) -> Answer:
    """Read a list and decide about it; read it again when the campaign has changed meanwhile.

    Raises: what reading raises; see Writer.handle.
    """
    command = await read()
    if isinstance(command, Answer):
        return command
    return await decide(service, decider, command, origin, read, unless)


async def ready(
    service: ImportService, campaign_id: int, organization_id: int, move: Move, origin: Origin
) -> Campaign | Handled | Rejected:
    """Return the campaign, settled if contacts are to be replaced; or an early answer.

    That is why nothing may be added, which the decision checks again, or the result of an earlier
    request with the same Idempotency-Key.

    Raises:
        PermissionsOpenError: a dialer that is away holds permissions; nothing is recorded.
        LogUnavailableError, NotFreshError: the log's end could not be reached.

    """
    campaign = service.campaigns.get(campaign_id)
    if import_rejection(campaign, organization_id, move):  # It may be stale.
        partition = partition_of(service, campaign_id)
        await service.reader.catch_up([partition], within_s=service.writer.catch_up_s)
    campaign = service.campaigns.get(campaign_id)
    if campaign is None or hidden(campaign, organization_id):
        return not_found()
    if (earlier := service.idempotency_keys.earlier(campaign_id, origin.idempotency)) is not None:
        return earlier
    if no := import_rejection(campaign, organization_id, move):
        return no
    if move is Move.IMPORT and campaign.permissions():
        await service.settled(campaign_id)
        if campaign.permissions():
            raise PermissionsOpenError("permissions of a dialer that is away are not resolved yet")
    return campaign


async def recall(service: ImportService, campaign_id: int, done: Handled) -> Imported:
    """Return the outcome of an earlier request with the same Idempotency-Key.

    Reads its one record again: this service keeps it nowhere else, and repeats are rare.

    Raises:
        LogUnavailableError: it could not be read.

    """
    partition, position = partition_of(service, campaign_id), done.ruling.position
    (recorded,) = await service.log.read(partition, position - 1, 1)
    for fact in recorded.facts:
        match fact:
            case ImportCompleted():
                skipped = Skipped(fact.skipped, fact.failed, fact.errors)
                return Imported(
                    fact.number, True, fact.rows, skipped, fact.completed_at, done.ruling
                )
            case ImportStarted():  # Its outcome is at imports/{id}.
                return Imported(fact.number, False, 0, Skipped(), fact.started_at, done.ruling)
            case _:
                continue
    raise AssertionError(f"{recorded.where}: the request's digest is that of an import")


class Chunks:
    """One list's chunks, appended in order. Holds the rows of the last, incomplete chunk."""

    def __init__(
        self,
        service: ImportService,
        campaign_id: int,
        writer: RowWriter,
        origin: Origin,
        *,
        announced: bool,
    ) -> None:
        self._service = service
        self._campaign_id = campaign_id
        self.writer, self.import_id = writer, writer.import_id
        self._origin = origin
        self._announced = announced
        self._waiting: list[Row] = []
        self._appended = 0  # Chunks: the version of the list's stream, as each holds one fact.

    async def add(self, rows: list[Row]) -> None:
        """Take rows in, and append the chunks that are full. Raises: see `finish`."""
        self._waiting += rows
        *full, last = chunks(self._waiting) if self._waiting else [()]
        for chunk in full:
            await self.append(chunk)
        self._waiting = list(last)

    async def finish(self) -> None:
        """Append the remaining rows.

        Raises:
            GivenUpError: the announced import is no longer in progress.
            OperatingError: a chunk did not get into the log within CHUNK_TRIES_S.

        """
        if self._waiting:
            await self.append(tuple(self._waiting))
            self._waiting = []

    def given_up(self) -> Rejected | None:
        """Return a rejection if another instance has closed the list; None: it may still count."""
        if self._announced or self._service.contacts.is_open(self.import_id):
            return None
        return Rejected(Reason.UNKNOWN_IMPORT, "The list was given up meanwhile")

    async def append(self, chunk: tuple[Row, ...]) -> None:
        """Append one chunk. Raises: see `finish`."""
        campaign = self._service.campaigns.by_id[self._campaign_id]
        under_way = campaign.importing.import_id if campaign.importing else None
        if self._announced and under_way != self.import_id:
            raise GivenUpError("The import was given up meanwhile")
        if self._appended and (no := self.given_up()):
            raise GivenUpError(no.detail)
        stream = import_stream(self.import_id)
        fact = await self.writer.fact(chunk)
        partition = partition_of(self._service, self._campaign_id)
        clock, writer = self._service.clock, self._service.writer
        give_up_at = clock.monotonic() + CHUNK_TRIES_S
        # A version that has moved is an earlier try of ours whose ruling was lost: sending again is
        # safe, since at most one try can count. Or the list was closed: see `given_up`.
        while self._service.reader.ledger(partition).version(stream) == self._appended:
            record = writer.record((fact,), {stream: self._appended}, self._origin)
            try:
                await writer.append(partition, record, self._campaign_id)
            except (LogUnavailableError, OutcomeUnknownError):
                if clock.monotonic() >= give_up_at:
                    raise
                await asyncio.sleep(CHUNK_AGAIN_S)
        self._appended += 1
