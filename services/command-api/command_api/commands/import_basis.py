"""What an import rests on: whether contacts may be added now, and which numbers are known. Pure.

All or nothing: the rows of a list are contacts only once its ImportCompleted is accepted. A list
that fits stands in the same record; a longer CSV file is announced (ImportStarted), then appended
in chunks.

The numbers that a campaign has are too many to read in one instant, so they are read before, and
the decision carries the `ImportBasis` of that reading:

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
from campaigns.domain.decider import Reason, Rejected
from campaigns.domain.moves import Move
from campaigns.domain.values.stream_names import (
    Stream,
    campaign_stream,
    contacts_stream,
    import_stream,
)
from command_api.commands.lifecycle import IMPORT_IN_PROGRESS, hidden, not_found


@dataclass(frozen=True, slots=True)
class ImportBasis:
    """What a reading of the numbers of a campaign rests on."""

    contacts_end: int
    replaced_through: int
    run: int = 0  # This and the fields below: of a replacing import only.
    paused_at: datetime | None = None
    executions: int = 0  # A call that rang late (a broken promise) shows here.
    imports: int = 0  # The next one's number follows.


def basis_of(campaign: Campaign, *, replacing: bool) -> ImportBasis:
    """Return what a deduplication against this campaign made now rests on."""
    basis = ImportBasis(campaign.contacts_end, campaign.replaced_through)
    if not replacing:
        return basis
    return ImportBasis(
        basis.contacts_end,
        basis.replaced_through,
        campaign.run,
        campaign.paused_at,
        campaign.executions,
        campaign.imports,
    )


def import_rejection(
    campaign: Campaign | None, organization_id: int, move: Move, import_id: str | None = None
) -> Rejected | None:
    """Return why contacts may not be added now; None when they may.

    `import_id`: of the announced import in question; None when it is not announced yet.
    Source: contract 9.22.
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


def import_guards(campaign_id: int, import_id: str) -> tuple[Stream, ...]:
    """Return the streams that an import is decided on."""
    return campaign_stream(campaign_id), contacts_stream(campaign_id), import_stream(import_id)
