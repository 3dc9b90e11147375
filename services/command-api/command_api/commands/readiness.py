"""May anybody be called at all? What start and resume both ask. Pure."""

from campaigns.domain.campaign import Campaign
from campaigns.domain.decider import Reason, Rejected
from campaigns.domain.facts import CampaignType, Stream, campaign_stream, contacts_stream
from command_api.commands.lifecycle import MoveCampaign

# Source: public contract, start, and 'decided' 19, 22, 28.
ALL_PROCESSED = "All contacts have already been processed"
NO_CONTACTS = "No contacts found"
IMPORT_IN_PROGRESS = "An import is in progress"
MESSAGES_UNSUPPORTED = "Messages are not supported yet"


def startable(campaign: Campaign) -> Rejected | None:
    """Say why nobody may be called yet, whatever the status; None when somebody may."""
    counters = campaign.counters
    if campaign.created.campaign_type is not CampaignType.CALL:
        return Rejected(Reason.MESSAGES_UNSUPPORTED, MESSAGES_UNSUPPORTED)
    if campaign.importing is not None:
        return Rejected(Reason.IMPORT_IN_PROGRESS, IMPORT_IN_PROGRESS)
    if counters.total == 0 and not (campaign.rearms and counters.skipped):
        return Rejected(Reason.NO_CONTACTS, NO_CONTACTS)
    if counters.pending == 0 and counters.in_progress == 0 and not campaign.rearms:
        return Rejected(Reason.ALL_PROCESSED, ALL_PROCESSED)
    return None


def start_streams(command: MoveCampaign) -> tuple[Stream, ...]:
    """Name the campaign's stream, and its contacts': an import may be under way."""
    return (campaign_stream(command.campaign_id), contacts_stream(command.campaign_id))
