"""A CSV file read against a campaign: the command that imports it."""

from dataclasses import dataclass
from typing import BinaryIO
from uuid import uuid4

from campaigns.domain.campaign import Campaign
from campaigns.domain.decider import Rejected
from campaigns.domain.facts import ImportSource
from campaigns.domain.moves import Move
from campaigns.domain.values.rows import Row
from campaigns.log.writer import Handled, Origin
from campaigns.personal.row_cipher import written_bytes
from campaigns.records.record import RECORD_BYTES_MAX
from command_api.commands.complete_import import CompleteImport, completion_facts
from command_api.commands.import_basis import basis_of
from command_api.commands.start_import import StartImport
from command_api.imports.chunks import ImportService, ready
from command_api.imports.csv_rows import CsvFile
from command_api.imports.list_rows import row_writer
from command_api.imports.new_rows import Tally, new_rows
from command_api.imports.number_index import know_numbers
from command_api.imports.rows import chunks, fits


@dataclass(frozen=True, slots=True)
class CsvImport:
    """One CSV file to import."""

    campaign_id: int
    organization_id: int  # The caller's.
    file: BinaryIO
    file_name: str | None
    mappings: dict[str, str | None]
    rows_max: int
    region: str  # Country of numbers without one.


@dataclass
class CsvList:
    """A file read against a campaign: one record if it fits, else an import to be announced."""

    service: ImportService
    file: CsvFile
    rows: int  # As counted.
    short: bool  # It may be imported at once, if it fits into one record.
    given: CsvImport
    origin: Origin
    command: CompleteImport | StartImport | None = None  # Of the latest reading.

    async def read(self) -> CompleteImport | StartImport | Handled | Rejected:
        """Settle the campaign, and read the file; or return why it may not be imported."""
        service, given = self.service, self.given
        campaign = await ready(
            service, given.campaign_id, given.organization_id, Move.IMPORT, self.origin
        )
        if not isinstance(campaign, Campaign):
            return campaign
        whole = await _whole(service, campaign, self.file, given) if self.short else None
        self.command = whole or StartImport(
            given.campaign_id,
            given.organization_id,
            uuid4().hex,
            given.file_name,
            self.rows,
            service.clock.now(),
        )
        return self.command


async def _whole(
    service: ImportService, campaign: Campaign, file: CsvFile, given: CsvImport
) -> CompleteImport | None:
    """Return the command that imports a file in one record; None when it does not fit."""
    basis, tally, size = basis_of(campaign, replacing=True), Tally(), 0
    gathered: list[Row] = []
    await know_numbers(campaign, service.contacts, service.log.list_keys)
    async for rows in new_rows(campaign, service.contacts, file, tally):
        gathered += rows
        size += sum(map(written_bytes, rows))
        if size > RECORD_BYTES_MAX:
            return None
    import_id = uuid4().hex
    writer = row_writer(service.log, service.reader.installation.level, import_id)
    command = CompleteImport(
        campaign_id=given.campaign_id,
        organization_id=given.organization_id,
        import_id=import_id,
        source=ImportSource.CSV,
        file_name=given.file_name,
        chunks=await writer.facts(chunks(gathered)),
        rows=len(gathered),
        skipped=tally.skipped,
        variable_mappings=given.mappings,
        available_variables=file.columns.variables,
        basis=basis,
        announced=False,
        now=service.clock.now(),
    )
    return command if fits(completion_facts(campaign, command)) else None
