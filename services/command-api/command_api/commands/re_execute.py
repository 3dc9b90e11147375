"""Re-execute a campaign whose run is over: selected contacts are pending, others skipped. Pure.

How many of the named contacts exist, and how many of them were never attempted, is too much to
read in one instant, so it is read before, and the decision carries the `Basis` of that reading. No
call of the campaign is in progress then, and none can be requested: only a ring that is discovered
late could change the answer, and that counts an execution.
"""

from dataclasses import dataclass

from campaigns.domain.campaign import Campaign
from campaigns.domain.decider import STALE, Decision, Reason, Rejected
from campaigns.domain.facts import CampaignRearmed, Selection
from campaigns.domain.moves import Move
from campaigns.domain.values.schedule import Schedule
from command_api.commands.lifecycle import (
    IMPORT_IN_PROGRESS,
    MoveCampaign,
    lifecycle_and_list_streams,
    lifecycle_decider,
)
from command_api.commands.schedule import campaign_scheduled, schedule_rejection

NONE_MATCH = "No contacts match the selection"  # Source: contract 1.3 row 9.
CALLS_OPEN = "Calls are still in progress"


@dataclass(frozen=True, slots=True)
class Basis:
    """What a reading of the named contacts rests on."""

    version: int
    contacts_end: int
    executions: int


def basis_of(campaign: Campaign) -> Basis:
    """Return what a reading made now rests on."""
    return Basis(campaign.version, campaign.contacts_end, campaign.executions)


@dataclass(frozen=True, slots=True)
class Named:
    """The contacts that were selected by their ids, as they were read."""

    contact_ids: tuple[int, ...]  # Those that exist, each once, in order.
    untouched: int  # How many of them were never attempted in any run.
    basis: Basis


@dataclass(frozen=True, slots=True)
class ReExecute(MoveCampaign):
    """Prepare another run."""

    selection: Selection = Selection.ALL
    named: Named | None = None  # With Selection.CONTACTS; None: the campaign did not exist.
    schedule: Schedule | None = None  # None: the campaign becomes a draft, to be started.


def decide(campaign: Campaign, command: ReExecute) -> Decision:
    """Prepare the run; stale when the named contacts must be read again."""
    if no := _status_rejection(campaign):
        return no
    contact_ids: tuple[int, ...] = ()
    match command.selection:
        case Selection.ALL:
            contacts = campaign.counters.total + campaign.counters.skipped
            untouched = campaign.never_tried
        case Selection.FAILED_ONLY:
            contacts, untouched = campaign.counters.failed, 0
        case Selection.CONTACTS:
            named = command.named
            if named is None or named.basis != basis_of(campaign):
                return STALE
            contact_ids, untouched = named.contact_ids, named.untouched
            contacts = len(contact_ids)
    if not contacts:
        return Rejected(Reason.NO_CONTACTS, NONE_MATCH)
    rearmed = CampaignRearmed(
        campaign_id=command.campaign_id,
        selection=command.selection,
        contact_ids=contact_ids,
        contacts=contacts,
        untouched=untouched,
        rearmed_at=command.now,
    )
    if command.schedule is None:
        return (rearmed,)
    if no := schedule_rejection(command.schedule, campaign.created.campaign_type, command.now):
        return no
    return (rearmed, campaign_scheduled(command.campaign_id, command.schedule, command.now))


def _status_rejection(campaign: Campaign) -> Rejected | None:
    """Reject a campaign that cannot be re-executed now, whatever is selected."""
    if not campaign.allows(Move.REARM):
        return Rejected(
            Reason.WRONG_STATUS, f"Campaign cannot be re-executed from status '{campaign.status}'"
        )
    if campaign.importing is not None:
        return Rejected(Reason.IMPORT_IN_PROGRESS, IMPORT_IN_PROGRESS)
    if campaign.calls:
        return Rejected(Reason.WRONG_STATUS, CALLS_OPEN)
    return None


RE_EXECUTE = lifecycle_decider(decide, lifecycle_and_list_streams)
