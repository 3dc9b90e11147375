"""Make a list count: its rows become contacts. Pure; see import_basis.py."""

from dataclasses import dataclass
from datetime import datetime

from campaigns.domain.campaign import Campaign
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.decider import STALE, UNCHANGED, Decider, Decision, Facts
from campaigns.domain.facts import (
    AnyFact,
    ContactsReplaced,
    ImportCompleted,
    ImportSource,
    ListClosed,
    ListRows,
)
from campaigns.domain.moves import Move
from campaigns.domain.values.rows import RowError
from command_api.commands.import_basis import ImportBasis, basis_of, import_guards, import_rejection
from command_api.commands.lifecycle import not_found


@dataclass(frozen=True, slots=True)
class Skipped:
    """The rows of a list that are not new contacts."""

    duplicates: int = 0
    unusable: int = 0
    errors: tuple[RowError, ...] = ()  # The first 100 of the unusable.


@dataclass(frozen=True, slots=True)
class CompleteImport:
    """Make a list count. CSV replaces untouched contacts; JSON appends."""

    campaign_id: int
    organization_id: int  # The caller's.
    import_id: str
    source: ImportSource
    file_name: str | None
    chunks: tuple[ListRows, ...]  # In the same record; none when they were appended before.
    rows: int  # Of the list, all its chunks together.
    skipped: Skipped
    variable_mappings: dict[str, str | None]
    available_variables: tuple[str, ...]
    basis: ImportBasis | None  # None: the campaign did not exist when the list was read.
    announced: bool  # By an ImportStarted.
    now: datetime
    closed: ListClosed | None = None  # Of chunks that went before, not announced.


def decide_complete(campaign: Campaign | None, command: CompleteImport) -> Decision:
    """Make the list count.

    Stale when the list must be read again: its basis has changed, or it replaces contacts while a
    permission is unresolved, so that the untouched ones are not known. Unchanged when it is empty.
    """
    replacing = command.source is ImportSource.CSV
    announced = command.import_id if command.announced else None
    move = Move.IMPORT if replacing else Move.APPEND
    if campaign is None:
        return not_found()
    if no := import_rejection(campaign, command.organization_id, move, announced):
        return no
    if command.basis != basis_of(campaign, replacing=replacing):
        return STALE
    if replacing and campaign.permissions():
        return STALE
    if not replacing and not command.rows:
        return UNCHANGED
    return completion_facts(campaign, command)


def completion_facts(campaign: Campaign, command: CompleteImport) -> Facts:
    """Return the facts of one record that makes the list count, in their order."""
    facts: list[AnyFact] = []
    number: int | None = None
    if command.source is ImportSource.CSV:
        number = campaign.importing.number if campaign.importing else campaign.imports + 1
        if campaign.never_tried:
            replaced = ContactsReplaced(
                campaign_id=command.campaign_id,
                import_id=command.import_id,
                through=campaign.contacts_end,
                replaced_at=command.now,
            )
            facts.append(replaced)
    facts += command.chunks
    facts.append(
        ImportCompleted(
            campaign_id=command.campaign_id,
            import_id=command.import_id,
            number=number,
            source=command.source,
            file_name=command.file_name,
            first_contact_id=campaign.contacts_end + 1,
            rows=command.rows,
            skipped=command.skipped.duplicates,
            failed=command.skipped.unusable,
            errors=command.skipped.errors,
            variable_mappings=command.variable_mappings,
            available_variables=command.available_variables,
            completed_at=command.now,
        )
    )
    if command.closed is not None:
        facts.append(command.closed)
    return tuple(facts)


COMPLETE_IMPORT: Decider[Campaigns, CompleteImport, Campaign | None] = Decider(
    streams=lambda command: import_guards(command.campaign_id, command.import_id),
    read=lambda campaigns, command: campaigns.get(command.campaign_id),
    decide=decide_complete,
)
