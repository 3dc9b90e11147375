"""Contacts from JSON, appended in one record or in chunks.

import_basis.py says what is decided, and why it stays true.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

from campaigns.domain.campaign import Campaign
from campaigns.domain.decider import Reason, Rejected, Unchanged
from campaigns.domain.facts import ImportSource
from campaigns.domain.moves import Move
from campaigns.domain.values.rows import Row
from campaigns.log.writer import Handled, Origin
from command_api.commands.complete_import import COMPLETE_IMPORT, CompleteImport, completion_facts
from command_api.commands.import_basis import basis_of
from command_api.imports.chunks import (
    Chunks,
    GivenUpError,
    Imported,
    ImportService,
    bring,
    ready,
    recall,
)
from command_api.imports.list_rows import row_writer
from command_api.imports.new_rows import SLICE_ROWS, Tally, without_known
from command_api.imports.number_index import know_numbers
from command_api.imports.rows import chunks, few_chunks, fits, variables_of
from command_api.slices import REST_S, in_slices


@dataclass
class _List:
    """Contacts from JSON, read against a campaign: those whose number it has are skipped."""

    service: ImportService
    campaign_id: int
    organization_id: int
    rows: Sequence[Row]
    repeated: int  # Duplicates within the request.
    origin: Origin
    command: CompleteImport | None = None  # Of the latest reading.
    sent: Chunks | None = None  # Its chunks, when they were appended before.

    async def read(self) -> CompleteImport | Handled | Rejected:
        """Find the new rows; append them now if they do not fit into the deciding record."""
        service, campaign_id = self.service, self.campaign_id
        campaign = await ready(service, campaign_id, self.organization_id, Move.APPEND, self.origin)
        if not isinstance(campaign, Campaign):
            return campaign
        basis, tally = basis_of(campaign, replacing=False), Tally(duplicates=self.repeated)
        new: list[Row] = []
        await know_numbers(campaign, service.contacts, service.log.list_keys)
        for first in range(0, len(self.rows), SLICE_ROWS):
            some = self.rows[first : first + SLICE_ROWS]
            new += without_known(campaign, service.contacts, some, tally, replacing=False)
            await asyncio.sleep(REST_S)
        few = await in_slices(few_chunks(new))
        import_id = uuid4().hex
        writer = row_writer(service.log, service.reader.installation.level, import_id)
        command = CompleteImport(
            campaign_id=campaign_id,
            organization_id=self.organization_id,
            import_id=import_id,
            source=ImportSource.API,
            file_name=None,
            chunks=await writer.facts(few or ()),
            rows=len(new),
            skipped=tally.skipped,
            variable_mappings={},
            available_variables=await in_slices(variables_of(new)),
            basis=basis,
            announced=False,
            now=service.clock.now(),
        )
        self.give_up()
        if few is None or not fits(completion_facts(campaign, command)):
            without_key = Origin(
                self.origin.actor, self.origin.correlation_id
            )  # The last record has it.
            again = replace(writer, rows=0)  # Rows have their keys by their numbers.
            sent = Chunks(service, campaign_id, again, without_key, announced=False)
            self.sent = sent
            try:
                for chunk in chunks(new):
                    await sent.append(chunk)
            except GivenUpError as exc:
                return Rejected(Reason.UNKNOWN_IMPORT, str(exc))
            closed = service.lists.closed(command.import_id, command.now)
            command = replace(command, chunks=(), closed=closed)
        self.command = command
        return command

    def given_up(self) -> Rejected | None:
        """Return a rejection when another instance has closed the list; else None."""
        return self.sent.given_up() if self.sent else None

    def give_up(self) -> None:
        """Have the appended chunks dropped, if there are any: they do not count."""
        if self.sent is not None:
            self.service.lists.give_up(self.sent.import_id)
            self.sent = None


async def add_contacts(
    service: ImportService,
    campaign_id: int,
    organization_id: int,
    rows: Sequence[Row],
    repeated: int,
    origin: Origin,
) -> Imported | Rejected:
    """Append contacts to a campaign, except those whose number it has.

    `repeated`: the number of duplicates within the request. An empty list adds nothing.

    Raises:
        OperatingError: the log misbehaved; see its `may_still_take_effect`.

    """
    given = _List(service, campaign_id, organization_id, rows, repeated, origin)
    try:
        answer = await bring(service, COMPLETE_IMPORT, given.read, origin, given.given_up)
        if isinstance(answer, Handled) and not answer.repeated:
            given.sent = None  # They count.
    finally:
        given.give_up()
    match answer:
        case Rejected() as no:
            return no
        case Handled(repeated=True) as earlier:
            return await recall(service, campaign_id, earlier)
        case Handled() | Unchanged() as done:
            command = given.command
            assert command is not None, "it was decided about"
            ruling = done.ruling if isinstance(done, Handled) else None
            return Imported(None, True, command.rows, command.skipped, command.now, ruling)
