"""Bring a CSV file in: in one record if it fits, else announced. Pure."""

from campaigns.domain.campaign import Campaign
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.decider import Decider, Decision
from command_api.commands.complete_import import CompleteImport, decide_complete
from command_api.commands.import_basis import import_guards
from command_api.commands.start_import import StartImport, decide_start


def decide_bring(campaign: Campaign | None, command: StartImport | CompleteImport) -> Decision:
    """Make a file count at once when it fits into one record, else announce it."""
    match command:
        case StartImport():
            return decide_start(campaign, command)
        case CompleteImport():
            return decide_complete(campaign, command)


BRING_FILE: Decider[Campaigns, StartImport | CompleteImport, Campaign | None] = Decider(
    streams=lambda command: import_guards(command.campaign_id, command.import_id),
    read=lambda campaigns, command: campaigns.get(command.campaign_id),
    decide=decide_bring,
)
