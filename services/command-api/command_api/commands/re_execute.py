"""Arm a run that is over anew: who is selected is pending, the others are skipped. Pure.

How many of the named contacts there are, and how many of them were ever attempted, is too much to
read in one instant, so it is read before; the decision carries the `Basis` that this rests on. No
call of the campaign is under way then, and none can be requested: only a ring that comes to light
late could change it, and that counts an execution.
"""

from dataclasses import dataclass

from campaigns.domain.campaign import Campaign, Move
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.decider import STALE, Decider, Decision, Reason, Rejected
from campaigns.domain.facts import (
    CampaignRearmed,
    Schedule,
    Selection,
    Stream,
    campaign_stream,
    contacts_stream,
)
from command_api.commands.lifecycle import MoveCampaign, lost, own_campaign, unknown
from command_api.commands.readiness import IMPORT_IN_PROGRESS
from command_api.commands.schedule import scheduled, unfit

NONE_MATCH = "No contacts match the selection"  # Source: public contract, 1.3 row 9.
CALLS_OPEN = "Calls are still in progress"


@dataclass(frozen=True, slots=True)
class Basis:
    """What a reading of the named contacts rests on."""

    version: int
    contacts_end: int
    executions: int


def basis_of(campaign: Campaign) -> Basis:
    """Return what a reading rests on, as of now."""
    return Basis(campaign.version, campaign.contacts_end, campaign.executions)


@dataclass(frozen=True, slots=True)
class Named:
    """The contacts that are selected by name, as they were read."""

    contact_ids: tuple[int, ...]  # Those that are there, each once, in order.
    untouched: int  # Of them, never attempted in any run.
    basis: Basis


@dataclass(frozen=True, slots=True)
class ReExecute(MoveCampaign):
    """Ask for another run."""

    selection: Selection = Selection.ALL
    named: Named | None = None  # With Selection.CONTACTS; None: the campaign was not there.
    schedule: Schedule | None = None  # None: it is a draft, to be started.


def decide(campaign: Campaign | None, command: ReExecute) -> Decision:
    """Arm it anew; stale when the named contacts must be read again."""
    if campaign is None:
        return unknown()
    if no := lost(campaign, command) or shut(campaign):
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
    if no := unfit(command.schedule, campaign.created.campaign_type, command.now):
        return no
    return (rearmed, scheduled(command.campaign_id, command.schedule, command.now))


def shut(campaign: Campaign) -> Rejected | None:
    """Say why it cannot be armed anew now, whoever is selected."""
    if not campaign.allows(Move.REARM):
        return Rejected(
            Reason.WRONG_STATUS, f"Campaign cannot be re-executed from status '{campaign.status}'"
        )
    if campaign.importing is not None:
        return Rejected(Reason.IMPORT_IN_PROGRESS, IMPORT_IN_PROGRESS)
    if campaign.calls:
        return Rejected(Reason.WRONG_STATUS, CALLS_OPEN)
    return None


def _streams(command: ReExecute) -> tuple[Stream, ...]:
    return (campaign_stream(command.campaign_id), contacts_stream(command.campaign_id))


RE_EXECUTE: Decider[Campaigns, ReExecute, Campaign | None] = Decider(
    streams=_streams, read=own_campaign, decide=decide
)
