"""Announce a CSV file that is too long for one record. Pure; see import_basis.py."""

from dataclasses import dataclass
from datetime import datetime

from campaigns.domain.campaign import Campaign
from campaigns.domain.decider import STALE, Decision
from campaigns.domain.facts import ImportStarted
from campaigns.domain.moves import Move
from command_api.commands.import_basis import import_rejection
from command_api.commands.lifecycle import not_found


@dataclass(frozen=True, slots=True)
class StartImport:
    """Announce a CSV file that is too long for one record."""

    campaign_id: int
    organization_id: int  # The caller's: another organization's campaign does not exist for it.
    import_id: str
    file_name: str | None
    rows: int  # As counted.
    now: datetime


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
