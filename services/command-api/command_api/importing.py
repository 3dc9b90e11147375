"""CSV files on their way in: within the request when they are short, else in the background.

What is decided, and why it stays true, is in import_contacts.py.
"""

import asyncio
import shutil
import tempfile
from dataclasses import dataclass
from typing import BinaryIO
from uuid import uuid4

import structlog

from campaigns.campaign import Campaign, Move
from campaigns.decider import Reason, Rejected
from campaigns.errors import OperatingError, TooContendedError
from campaigns.facts import ImportSource, Row
from campaigns.following import Ruling
from campaigns.handling import Handled, Origin
from campaigns.record import RECORD_BYTES_MAX
from command_api.chunking import (
    TRIES_S,
    Chunks,
    GivenUpError,
    Imported,
    Service,
    decide,
    ready,
    recall,
)
from command_api.csv_columns import UnusableFileError
from command_api.csv_rows import CsvFile
from command_api.giving_up import fail_import, fail_stale_imports
from command_api.import_contacts import (
    COMPLETE_IMPORT,
    START_IMPORT,
    CompleteImport,
    Skipped,
    StartImport,
    basis_of,
    completing,
)
from command_api.new_rows import Tally, count_rows, new_rows
from command_api.rows import chunks, fits, row_bytes

ROWS_IN_REQUEST = 10_000  # A longer file goes on in the background. Source: contract, row 11.

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CsvImport:
    """One CSV file that is to become contacts."""

    campaign_id: int
    organization_id: int  # The caller's.
    file: BinaryIO
    file_name: str | None
    mappings: dict[str, str | None]
    rows_max: int
    region: str  # Of numbers without a country.


class Importing:
    """The imports of one instance. Those in the background live as long as `run` does."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Carry background imports, and fail stale ones, until cancelled."""
        async with asyncio.TaskGroup() as self._tasks:
            await fail_stale_imports(self._service)

    async def import_csv(self, given: CsvImport, origin: Origin) -> Imported | Rejected:
        """Import a file: within the call when it is short, else in the background.

        All rows are counted before anything is recorded.

        Raises:
            UnusableFileError: nothing of it can be imported; nothing is recorded.
            PermissionsOpenError: a dialer that is away holds permissions; nothing is recorded.
            OperatingError: the log misbehaved; see its `may_still_take_effect`.

        """
        with CsvFile(given.file, given.mappings, given.region) as file:
            rows = await count_rows(file, given.rows_max)
            return await self._import(file, rows, given, origin)

    async def _import(
        self, file: CsvFile, rows: int, given: CsvImport, origin: Origin
    ) -> Imported | Rejected:
        service, campaign_id = self._service, given.campaign_id
        give_up_at = service.clock.monotonic() + TRIES_S
        while service.clock.monotonic() < give_up_at:
            found = await ready(service, campaign_id, given.organization_id, Move.IMPORT, origin)
            if not isinstance(found, Campaign):
                return await self._told(found, campaign_id)
            whole = await _whole(service, found, file, given) if rows <= ROWS_IN_REQUEST else None
            if whole is not None:
                done = await decide(service, COMPLETE_IMPORT, whole, origin)
                if isinstance(done, Rejected) or done.repeated:
                    return await self._told(done, campaign_id)
                if done.ruling is not None:
                    assert whole.basis is not None, "the campaign was known"
                    number = whole.basis.imports + 1
                    return Imported(number, True, whole.rows, whole.skipped, whole.now, done.ruling)
                continue
            now = service.clock.now()
            announced = StartImport(
                campaign_id, given.organization_id, uuid4().hex, given.file_name, rows, now
            )
            started = await decide(service, START_IMPORT, announced, origin)
            if isinstance(started, Rejected) or started.repeated:
                return await self._told(started, campaign_id)
            if started.ruling is not None:
                onward = Origin(origin.actor, origin.correlation_id, started.record_id)
                if rows <= ROWS_IN_REQUEST:
                    return await _import_announced(service, file, given, announced, onward)
                return await self._go_on(given, announced, onward, started.ruling)
        raise TooContendedError(f"campaign {campaign_id}: its contacts kept changing")

    async def _told(self, done: Handled | Rejected, campaign_id: int) -> Imported | Rejected:
        return (
            done if isinstance(done, Rejected) else await recall(self._service, campaign_id, done)
        )

    async def _go_on(
        self, given: CsvImport, announced: StartImport, origin: Origin, ruling: Ruling
    ) -> Imported:
        """Go on in the background, with a copy of the file: a request's own ends with it."""
        assert self._tasks is not None, "run() carries what goes on in the background"
        importing = self._service.campaigns.by_id[given.campaign_id].importing
        copy = tempfile.TemporaryFile()  # noqa: SIM115  (closed by the task that reads it)
        given.file.seek(0)
        await asyncio.to_thread(shutil.copyfileobj, given.file, copy)
        self._tasks.create_task(
            _in_background(self._service, copy, given, announced, origin),
            name=f"import {announced.import_id}",
        )
        number = importing.number if importing else None
        return Imported(number, False, 0, Skipped(), announced.now, ruling)


async def _in_background(
    service: Service, copy: BinaryIO, given: CsvImport, announced: StartImport, origin: Origin
) -> None:
    with copy:
        try:
            with CsvFile(copy, given.mappings, given.region) as file:
                done = await _import_announced(service, file, given, announced, origin)
        except (OperatingError, UnusableFileError, OSError) as no:
            _log.warning("import failed", campaign_id=given.campaign_id, reason=str(no))
            return
    if isinstance(done, Rejected):
        _log.info("import failed", campaign_id=given.campaign_id, reason=done.detail)


async def _import_announced(
    service: Service, file: CsvFile, given: CsvImport, announced: StartImport, origin: Origin
) -> Imported | Rejected:
    """Bring an announced file in; when it cannot go on, give it up and say why."""
    try:
        done = await _send(service, file, given, announced, origin)
        reason = done.detail if isinstance(done, Rejected) else None
    except GivenUpError as no:
        return Rejected(Reason.UNKNOWN_IMPORT, str(no))
    except (OperatingError, UnusableFileError, OSError) as no:
        await fail_import(service, given.campaign_id, announced.import_id, str(no), origin)
        raise
    if reason is not None:
        await fail_import(service, given.campaign_id, announced.import_id, reason, origin)
    return done


async def _send(
    service: Service, file: CsvFile, given: CsvImport, announced: StartImport, origin: Origin
) -> Imported | Rejected:
    campaign = service.campaigns.by_id[given.campaign_id]
    number = campaign.importing.number if campaign.importing else None
    basis, tally = basis_of(campaign, replacing=True), Tally()
    sent = Chunks(service, given.campaign_id, announced.import_id, origin, announced=True)
    async for rows in new_rows(campaign, service.contacts, file, tally):
        await sent.add(rows)
    await sent.finish()
    now = service.clock.now()
    command = CompleteImport(
        campaign_id=given.campaign_id,
        organization_id=given.organization_id,
        import_id=announced.import_id,
        source=ImportSource.CSV,
        file_name=given.file_name,
        chunks=(),
        rows=sent.rows,
        skipped=tally.skipped,
        variable_mappings=given.mappings,
        available_variables=file.columns.variables,
        basis=basis,
        announced=True,
        now=now,
    )
    done = await decide(service, COMPLETE_IMPORT, command, origin)
    if isinstance(done, Rejected):
        return done
    if done.ruling is None:  # Only a broken promise (a late ring) or a stranger can do that.
        return Rejected(Reason.WRONG_STATUS, "Contacts changed during the import")
    return Imported(number, True, sent.rows, tally.skipped, now, done.ruling)


async def _whole(
    service: Service, campaign: Campaign, file: CsvFile, given: CsvImport
) -> CompleteImport | None:
    """Return a file as one record's command; None when it does not fit into one."""
    basis, tally, size = basis_of(campaign, replacing=True), Tally(), 0
    gathered: list[Row] = []
    async for rows in new_rows(campaign, service.contacts, file, tally):
        gathered += rows
        size += sum(map(row_bytes, rows))
        if size > RECORD_BYTES_MAX:
            return None
    command = CompleteImport(
        campaign_id=given.campaign_id,
        organization_id=given.organization_id,
        import_id=uuid4().hex,
        source=ImportSource.CSV,
        file_name=given.file_name,
        chunks=tuple(chunks(gathered)),
        rows=len(gathered),
        skipped=tally.skipped,
        variable_mappings=given.mappings,
        available_variables=file.columns.variables,
        basis=basis,
        announced=False,
        now=service.clock.now(),
    )
    return command if fits(completing(campaign, command)) else None
