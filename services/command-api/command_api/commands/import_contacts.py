"""Add contacts to a campaign: the commands, and what they rest on. Pure: no clock, no log.

All or nothing: the rows of a list are contacts only once its ImportCompleted is accepted. A list
that fits stands in the same record; a longer CSV file is announced (ImportStarted), then appended
in chunks.

The numbers that a campaign has are too many to read in one instant, so they are read before, and
the decision carries the `Basis` of that reading:

- An append skips the numbers of all contacts that are not gone. Only lists that begin to count
  and replacing imports change these: they write contacts/<id> or campaign/<id>, which are guards,
  and both change the basis. Calls write only contact/* streams: they change the state of a
  contact, never whether it is one (no call is requested for a gone contact).
- A replacing import keeps the contacts that were attempted or are in progress, and calls change
  these. But it is allowed only while no call may be requested (draft, scheduled, paused) and no
  permission is unresolved, so that the kept contacts stay the same from basis to acceptance: a
  resume in between writes campaign/<id> and changes the basis (`run`, `paused_at`), and a contact
  whose call had begun stays kept. While an announced import is in progress nothing may start.
"""

from dataclasses import dataclass
from datetime import datetime

from campaigns.domain.campaign import Campaign
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.decider import (
    STALE,
    UNCHANGED,
    Decider,
    Decision,
    Facts,
    Reason,
    Rejected,
)
from campaigns.domain.facts import (
    AnyFact,
    ContactsReplaced,
    ImportCompleted,
    ImportFailed,
    ImportSource,
    ImportStarted,
    ListClosed,
)
from campaigns.domain.moves import Move
from campaigns.domain.values.rows import Row, RowError
from campaigns.domain.values.stream_names import (
    Stream,
    campaign_stream,
    contacts_stream,
    import_stream,
)
from command_api.commands.lifecycle import IMPORT_IN_PROGRESS, hidden, not_found
from command_api.imports.rows import contacts_added


@dataclass(frozen=True, slots=True)
class Basis:
    """What a reading of the numbers of a campaign rests on."""

    contacts_end: int
    replaced_through: int
    run: int = 0  # This and the fields below: of a replacing import only.
    paused_at: datetime | None = None
    executions: int = 0  # A call that rang late (a broken promise) shows here.
    imports: int = 0  # The next one's number follows.


def basis_of(campaign: Campaign, *, replacing: bool) -> Basis:
    """Return what a deduplication against this campaign made now rests on."""
    basis = Basis(campaign.contacts_end, campaign.replaced_through)
    if not replacing:
        return basis
    return Basis(
        basis.contacts_end,
        basis.replaced_through,
        campaign.run,
        campaign.paused_at,
        campaign.executions,
        campaign.imports,
    )


@dataclass(frozen=True, slots=True)
class StartImport:
    """Announce a CSV file that is too long for one record."""

    campaign_id: int
    organization_id: int  # The caller's: another organization's campaign does not exist for it.
    import_id: str
    file_name: str | None
    rows: int  # As counted.
    now: datetime


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
    chunks: tuple[tuple[Row, ...], ...]  # In the same record; none when they were appended before.
    rows: int  # Of the list, all its chunks together.
    skipped: Skipped
    variable_mappings: dict[str, str | None]
    available_variables: tuple[str, ...]
    basis: Basis | None  # None: the campaign did not exist when the list was read.
    announced: bool  # By an ImportStarted.
    now: datetime
    closed: ListClosed | None = None  # Of chunks that went before, not announced.


@dataclass(frozen=True, slots=True)
class FailImport:
    """Fail an announced import: its list will never count."""

    campaign_id: int
    import_id: str
    reason: str
    now: datetime


def import_rejection(
    campaign: Campaign | None, organization_id: int, move: Move, import_id: str | None = None
) -> Rejected | None:
    """Return why contacts may not be added now; None when they may.

    `import_id`: of the announced import in question; None when it is not announced yet.
    Source: public contract, 'decided' 22.
    """
    if campaign is None or hidden(campaign, organization_id):
        return not_found()
    under_way = campaign.importing.import_id if campaign.importing else None
    if under_way != import_id:
        if import_id is not None:
            return Rejected(Reason.UNKNOWN_IMPORT, "The import was given up meanwhile")
        return Rejected(Reason.IMPORT_IN_PROGRESS, IMPORT_IN_PROGRESS)
    if not campaign.allows(move):
        return Rejected(
            Reason.WRONG_STATUS,
            f"Contacts cannot be added to a campaign with status '{campaign.status}'",
        )
    return None


def decide_start(campaign: Campaign | None, command: StartImport) -> Decision:
    """Announce the list; stale while a permission is unresolved: the next reading settles it."""
    if campaign is None:
        return not_found()
    if no := import_rejection(campaign, command.organization_id, Move.IMPORT):
        return no
    if campaign.permissions():
        return STALE
    return (
        ImportStarted(
            campaign_id=command.campaign_id,
            import_id=command.import_id,
            number=campaign.imports + 1,
            file_name=command.file_name,
            rows=command.rows,
            started_at=command.now,
        ),
    )


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
    first_row = 1
    for chunk in command.chunks:
        facts.append(contacts_added(command.import_id, first_row, chunk))
        first_row += len(chunk)
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


def decide_bring(campaign: Campaign | None, command: StartImport | CompleteImport) -> Decision:
    """Make a file count at once when it fits into one record, else announce it."""
    match command:
        case StartImport():
            return decide_start(campaign, command)
        case CompleteImport():
            return decide_complete(campaign, command)


def decide_fail(campaign: Campaign | None, command: FailImport) -> Decision:
    """Fail the import, unless it is no longer in progress."""
    importing = campaign.importing if campaign else None
    if importing is None or importing.import_id != command.import_id:
        return UNCHANGED
    return (
        ImportFailed(
            campaign_id=command.campaign_id,
            import_id=command.import_id,
            number=importing.number,
            reason=command.reason,
            failed_at=command.now,
        ),
    )


def _guards(campaign_id: int, import_id: str) -> tuple[Stream, ...]:
    return campaign_stream(campaign_id), contacts_stream(campaign_id), import_stream(import_id)


def _campaign(
    campaigns: Campaigns, command: StartImport | CompleteImport | FailImport
) -> Campaign | None:
    return campaigns.get(command.campaign_id)


BRING_FILE: Decider[Campaigns, StartImport | CompleteImport, Campaign | None] = Decider(
    streams=lambda command: _guards(command.campaign_id, command.import_id),
    read=_campaign,
    decide=decide_bring,
)
COMPLETE_IMPORT: Decider[Campaigns, CompleteImport, Campaign | None] = Decider(
    streams=lambda command: _guards(command.campaign_id, command.import_id),
    read=_campaign,
    decide=decide_complete,
)
# A chunk that arrives meanwhile refuses it, because the stream of the list has moved: it lives.
FAIL_IMPORT: Decider[Campaigns, FailImport, Campaign | None] = Decider(
    streams=lambda command: (
        contacts_stream(command.campaign_id),
        import_stream(command.import_id),
    ),
    read=_campaign,
    decide=decide_fail,
)
