"""Fail an announced import. Pure."""

from dataclasses import dataclass
from datetime import datetime

from campaigns.domain.campaign import Campaign
from campaigns.domain.campaigns import Campaigns
from campaigns.domain.decider import UNCHANGED, Decider, Decision
from campaigns.domain.facts import ImportFailed
from campaigns.domain.values.stream_names import contacts_stream, import_stream


@dataclass(frozen=True, slots=True)
class FailImport:
    """Fail an announced import: its list will never count."""

    campaign_id: int
    import_id: str
    reason: str
    now: datetime


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


# A chunk that arrives meanwhile refuses it, because the stream of the list has moved: it lives.
FAIL_IMPORT: Decider[Campaigns, FailImport, Campaign | None] = Decider(
    streams=lambda command: (
        contacts_stream(command.campaign_id),
        import_stream(command.import_id),
    ),
    read=lambda campaigns, command: campaigns.get(command.campaign_id),
    decide=decide_fail,
)
