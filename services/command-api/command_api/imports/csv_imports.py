"""Imports of CSV files: within the request if they are short, otherwise in the background.

import_basis.py says what is decided, and why it stays true.
"""

import asyncio
import logging
import shutil
import tempfile
from typing import BinaryIO

from campaigns.domain.decider import Reason, Rejected, Unchanged
from campaigns.domain.facts import ImportSource
from campaigns.log.reader import Ruling
from campaigns.log.writer import Handled, Origin
from campaigns.process.errors import OperatingError
from command_api.commands.complete_import import COMPLETE_IMPORT, CompleteImport, Skipped
from command_api.commands.file_import import BRING_FILE
from command_api.commands.import_basis import basis_of
from command_api.commands.start_import import StartImport
from command_api.imports.abandonment import fail_import, fail_stale_imports
from command_api.imports.chunks import (
    Chunks,
    GivenUpError,
    Imported,
    ImportService,
    bring,
    decide,
    recall,
)
from command_api.imports.csv_columns import UnusableFileError
from command_api.imports.csv_list import CsvImport, CsvList
from command_api.imports.csv_rows import CsvFile
from command_api.imports.list_rows import row_writer
from command_api.imports.new_rows import Tally, count_rows, new_rows
from command_api.imports.number_index import know_numbers

ROWS_IN_REQUEST = 10_000  # A longer file continues in the background. Source: contract, row 11.

logger = logging.getLogger(__name__)


class CsvImports:
    """The imports of one instance. Those in the background end with `run`."""

    def __init__(self, service: ImportService) -> None:
        self._service = service
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Run background imports, and end dead ones and dead lists, until cancelled."""
        async with asyncio.TaskGroup() as self._tasks:
            self._tasks.create_task(self._service.lists.run(), name="close dead lists")
            await fail_stale_imports(self._service)

    async def import_csv(self, given: CsvImport, origin: Origin) -> Imported | Rejected:
        """Import a file: within the call if it is short, otherwise in the background.

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
        service = self._service
        short = rows <= ROWS_IN_REQUEST
        listed = CsvList(service, file, rows, short, given, origin)
        match await bring(service, BRING_FILE, listed.read, origin):
            case Rejected() as no:
                return no
            case Handled(repeated=True) as earlier:
                return await recall(service, given.campaign_id, earlier)
            case Handled() as done:
                pass
            case Unchanged():
                raise AssertionError("a file replaces, and is never there already")
        match listed.command:
            case CompleteImport() as whole:
                assert whole.basis is not None, "the campaign was known"
                number = whole.basis.imports + 1
                return Imported(number, True, whole.rows, whole.skipped, whole.now, done.ruling)
            case StartImport() as announced:
                onward = Origin(origin.actor, origin.correlation_id, done.record_id)
                if short:
                    return await _import_announced(service, file, given, announced, onward)
                return await self._go_on(given, announced, onward, done.ruling)
            case None:
                raise AssertionError("it was decided about")

    async def _go_on(
        self, given: CsvImport, announced: StartImport, origin: Origin, ruling: Ruling
    ) -> Imported:
        """Continue in the background, with a copy of the request's file, which is closed."""
        assert self._tasks is not None, "run() carries background imports"
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
    service: ImportService, copy: BinaryIO, given: CsvImport, announced: StartImport, origin: Origin
) -> None:
    with copy:
        try:
            with CsvFile(copy, given.mappings, given.region) as file:
                done = await _import_announced(service, file, given, announced, origin)
        except (OperatingError, UnusableFileError, OSError) as exc:
            logger.warning(
                "import failed", extra={"campaign_id": given.campaign_id, "reason": str(exc)}
            )
            return
    if isinstance(done, Rejected):
        logger.info(
            "import failed", extra={"campaign_id": given.campaign_id, "reason": done.detail}
        )


async def _import_announced(
    service: ImportService, file: CsvFile, given: CsvImport, announced: StartImport, origin: Origin
) -> Imported | Rejected:
    """Import an announced file; if it cannot continue, fail the import and say why."""
    try:
        done = await _send(service, file, given, announced, origin)
        reason = done.detail if isinstance(done, Rejected) else None
    except GivenUpError as exc:
        return Rejected(Reason.UNKNOWN_IMPORT, str(exc))
    except (OperatingError, UnusableFileError, OSError) as exc:
        await fail_import(service, given.campaign_id, announced.import_id, str(exc), origin)
        raise
    if reason is not None:
        await fail_import(service, given.campaign_id, announced.import_id, reason, origin)
    return done


async def _send(
    service: ImportService, file: CsvFile, given: CsvImport, announced: StartImport, origin: Origin
) -> Imported | Rejected:
    campaign = service.campaigns.by_id[given.campaign_id]
    number = campaign.importing.number if campaign.importing else None
    basis, tally = basis_of(campaign, replacing=True), Tally()
    level = service.reader.installation.level
    writer = row_writer(service.log, level, announced.import_id)
    sent = Chunks(service, given.campaign_id, writer, origin, announced=True)
    await know_numbers(campaign, service.contacts, service.log.list_keys)
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
        rows=sent.writer.rows,
        skipped=tally.skipped,
        variable_mappings=given.mappings,
        available_variables=file.columns.variables,
        basis=basis,
        announced=True,
        now=now,
    )
    match await decide(service, COMPLETE_IMPORT, command, origin, _changed):
        case Rejected() as no:
            return no
        case Handled() as done:
            return Imported(number, True, sent.writer.rows, tally.skipped, now, done.ruling)
        case Unchanged():
            raise AssertionError("a file replaces, and is never there already")


async def _changed() -> Rejected:
    """Give an announced file up: only a broken promise (a late ring), or a stranger, does that."""
    return Rejected(Reason.WRONG_STATUS, "Contacts changed during the import")
